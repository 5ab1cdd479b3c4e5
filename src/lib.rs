//! countersign resolves images to digests, signs them in Notary Project form, hangs provenance beside them as OCI
//! referrers, checks the result as a stranger would, and tells the pipeline exactly what it found.
//!
//! The house has two halves: [`domain`] is pure, `edge` touches the world; `job` joins them over the seams.
//!
//! For an admission controller, [`domain::trust`] is the front door: a judgement is a pure function of the evidence, the
//! policy, the trust store and a moment. It fetches nothing, reads no clock and keeps no state.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use countersign::base::time::Timestamp;
//! use countersign::domain::trust::{Outcome, Question};
//!
//! /// Whether one signature admits an image.
//! fn admits(question: &Question<'_>, now: Timestamp) -> bool {
//!     // "Skip", no policy for the repository, or bytes of another digest: nothing is admitted.
//!     let Ok(Some(pending)) = question.examine(now) else { return false };
//!     // What AWS Signer has to be asked is in `pending.questions()`; what nobody answers stays unknown.
//!     matches!(pending.conclude(&BTreeMap::new()), Outcome::Accepted(_))
//! }
//! # let _ = admits;
//! ```
//!
//! [`Outcome`](domain::trust::Outcome) keeps every validation with its reason, on success too; below the level `strict`
//! an accepted signature may hold some that failed and were only noted.
//! [`explanation`](domain::report::explanation) tells all of it in plain words. `examples/verify.rs` is the same with
//! files, and `docs/guides/verifying.md` says what a caller has to see to.
//!
//! `docs/decisions/` says why it is built this way; `tests/integration/architecture.rs` holds the walls.

pub mod app;
pub mod base;
pub mod cli;
pub mod domain;
pub mod edge;
pub mod job;
pub mod seams;
