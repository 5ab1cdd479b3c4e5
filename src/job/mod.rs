//! The job: carry out what was asked over the seams, target by target.
//!
//! For: `run`, `verify` and `inspect` as functions of settings, stores, signer and clock that return a report.
//! Not for: parsing arguments (`cli/`), choosing backends or writing files (`app/`), judging (`domain/trust`).
//! Speaks: the words of the domain.
//!
//! The main job (`run/`) and copying (`copy/`) have a folder each, the other jobs a file. They share `resolve` and `observe`
//! (reading), `judge` and `standing` (what it is worth), and `tell` (what the report says of it).
//!
//! ```
//! use countersign::job::{Signal, stop_channel};
//! let (stopper, stop) = stop_channel();
//! assert_eq!(stop.signal(), None);
//! stopper.send(Signal::Terminate);
//! assert_eq!(stop.signal().map(Signal::exit_code), Some(143));
//! ```

mod ahead;
mod copy;
mod download;
mod ended;
mod explain;
mod inspect;
mod judge;
mod name;
mod observe;
mod pool;
mod progress;
mod resolve;
mod run;
mod settings;
mod standing;
mod stop;
mod tags;
mod targets;
mod tell;
mod trust_files;
mod verify;

#[cfg(test)]
mod tests;

pub use crate::domain::handoff::{Format as HandoffFormat, HANDOFF_BYTES};
pub use crate::domain::report::Location;
pub use copy::copy;
pub use download::{Keep, download};
pub use explain::explain;
pub use inspect::inspect;
pub use name::{ImageInput, NameError, NameProblem, Naming, Part, name_targets};
pub use run::{Promise, run};
pub use settings::{
    BuildKit, BuildLevel, BuilderId, Concurrency, CopyJob, ExplainJob, GivenPolicy, Images, InspectJob,
    Issuer, PredicateChoice, Provenance, Recursive, RunJob, Source, Summarize, Surroundings, Target, Trust,
    Unbound, VerifyJob,
};
pub use stop::{Signal, Stop, Stopper, stop_channel};
pub use targets::{ListedTarget, list_targets, resolve_targets, targets_json, targets_matrix, targets_text};
pub use trust_files::{default_store, notation_files, policy_file};
pub use verify::verify;

use std::collections::BTreeMap;

use crate::base::time::Timestamp;
use crate::domain::oci::{Place, Repository};
use crate::domain::report::{RunReport, TargetReport, TargetState, Verdict};
use crate::seams::Clock;

/// What a job works with besides its signer.
#[derive(Debug)]
pub struct Backends<'a, S, R, O> {
    /// Where images and referrers are.
    pub store: &'a S,
    /// Who knows what was revoked.
    pub revocation: &'a R,
    /// Who is told what happens.
    pub observer: &'a O,
    /// What time it is.
    pub clock: Clock,
}

/// The scope by which a policy's statement is chosen: the repository, or for a layout the one it is said to belong
/// to. A layout without one has no scope, so only a statement for `*` fits it.
fn scope(place: &Place, given: Option<&Repository>) -> String {
    match place {
        Place::Repository(repository) => repository.to_string(),
        Place::Layout(_) => given.map_or_else(|| "*".to_owned(), ToString::to_string),
    }
}

/// The name under which a Statement lists an image: no tag, and for a layout no path of this machine.
fn subject_name(place: &Place, given: Option<&Repository>) -> String {
    match (place, given) {
        (Place::Repository(repository), _) | (Place::Layout(_), Some(repository)) => repository.to_string(),
        (Place::Layout(path), None) => {
            let name = path
                .as_path()
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            name.unwrap_or_else(|| "image".to_owned())
        }
    }
}

/// A report in which nothing has happened yet.
fn blank_report(command: &'static str, started: Timestamp) -> RunReport {
    RunReport {
        command,
        verdict: Verdict::Passed,
        checked: None,
        exit: 0,
        started,
        finished: started,
        signer: None,
        targets: Vec::new(),
        findings: Vec::new(),
        failures: Vec::new(),
        build: None,
        requests: BTreeMap::new(),
    }
}

/// Takes back what targets were to be held against where nothing was judged.
fn forget_unjudged(report: &mut RunReport) {
    let judged = |target: &TargetReport| match target.state {
        TargetState::Signed
        | TargetState::Attested
        | TargetState::Copied
        | TargetState::Kept
        | TargetState::Verified => true,
        // What was refused before anybody looked at what hangs on it was held against nothing.
        TargetState::Rejected => target.tree.is_some(),
        TargetState::Planned | TargetState::Skipped | TargetState::Failed | TargetState::NotStarted => false,
    };
    if !report.targets.iter().any(judged) {
        report.checked = None;
    }
}

/// Ends a report: names in every target's plan the authority that came from a variable, and when it was over.
fn close(report: &mut RunReport, authority: &[String], clock: Clock) {
    for target in &mut report.targets {
        target.plan.extend(authority.iter().cloned());
    }
    forget_unjudged(report);
    report.finished = clock.now();
}

/// A report about a target of which only the name is known.
fn named(target: &Target, state: TargetState) -> TargetReport {
    TargetReport {
        image: target.image.to_string(),
        repository: target.image.place().to_string(),
        digest: target.image.digest().cloned(),
        platforms: Vec::new(),
        platform: None,
        state,
        plan: Vec::new(),
        signatures: Vec::new(),
        attestations: Vec::new(),
        expectations: Vec::new(),
        binding: None,
        tree: None,
        attested_only: false,
    }
}
