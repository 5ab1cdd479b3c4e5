//! What was found, as values: findings, outcomes per target, and the forms they are shown in.
//!
//! For: the one model of a run's result, and pure renderers from it (JSON, SARIF, Markdown, text,
//! `JUnit`, Code Quality, variables).
//! Not for: writing files or printing; `edge/ci/writer` and `app/publish` do that.
//! Speaks: `countersign-report/1` (docs/schemas), SARIF 2.1.0, GitHub-flavoured Markdown, `JUnit` XML,
//! GitLab's Code Quality.
//!
//! ```
//! use countersign::base::time::Timestamp;
//! use countersign::domain::report::{FailOn, Finding, Rule, RunReport, Verdict, json};
//!
//! let mut report = RunReport {
//!     command: "verify",
//!     verdict: Verdict::Passed,
//!     checked: None,
//!     exit: 0,
//!     started: Timestamp::from_unix(0),
//!     finished: Timestamp::from_unix(1),
//!     signer: None,
//!     targets: vec![],
//!     findings: vec![Finding::new(Rule::SignatureMissing, "no signature refers to the image")],
//!     failures: vec![],
//!     build: None,
//!     requests: Default::default(),
//! };
//! report.settle(FailOn::Error);
//! assert_eq!((report.verdict, report.exit), (Verdict::Rejected, 1));
//! assert!(json::render(&report).contains("\"rule\": \"CSN001\""));
//! ```

mod branches;
mod build;
pub mod codequality;
pub mod dotenv;
mod escape;
mod event;
pub mod explanation;
mod finding;
pub mod json;
pub mod junit;
mod ordered;
mod outputs;
mod place;
pub mod rules;
mod run;
pub mod sarif;
pub mod summary;
pub mod text;
mod tree;
mod verdict;

#[cfg(test)]
mod samples;

pub use build::{BindingReport, BuildReport};
pub use event::Event;
pub use finding::{Finding, Level};
pub use outputs::{Output, Paths, outputs};
pub use place::{Location, LocationError};
pub use rules::{Notice, Rule};
pub use run::{
    AttestationReport, Checked, ExpectationReport, Failure, RunReport, SignatureReport, TargetReport,
    TargetState, ValidationReport, Verdict,
};
pub use tree::{Standing, TreeNode};
pub use verdict::{FailOn, FailOnError, exit_code};
