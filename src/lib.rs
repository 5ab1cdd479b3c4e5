//! countersign resolves images to digests, signs them in Notary Project form, hangs provenance beside them as OCI
//! referrers, checks the result as a stranger would, and tells the pipeline exactly what it found.
//!
//! The house has two halves: [`domain`] is pure, `edge` touches the world; `job` joins them over the seams.
//! `docs/decisions/` says why it is built this way; `tests/integration/architecture.rs` holds the walls.

pub mod app;
pub mod base;
pub mod cli;
pub mod domain;
pub mod edge;
pub mod job;
pub mod seams;
