//! The result of one run.

use std::collections::BTreeMap;
use std::fmt;

use super::{BindingReport, BuildReport, Finding, Notice, TreeNode};
use crate::base::failure::{Cause, Class};
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::domain::oci::Digest;
use crate::domain::plan::Step;

/// The run in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Every target reached its goal.
    Passed,
    /// At least one answer was no (class rejected or tampered).
    Rejected,
    /// Something else stood in the way.
    Failed,
    /// A dry run: the plan was printed and nothing done.
    Planned,
    /// An untrusted event: the plan was printed and nothing signed.
    SkippedUntrusted,
}

impl Verdict {
    /// The word in outputs and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Planned => "planned",
            Self::SkippedUntrusted => "skipped-untrusted",
        }
    }
}

/// What the signatures were held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// A policy derived from the signer itself: proves that the store holds what we signed, not that anyone trusts us.
    SelfChecked,
    /// A policy that somebody gave.
    Verified {
        /// The file's name.
        policy: Foreign,
        /// The digest of its bytes.
        digest: Digest,
    },
}

impl Checked {
    /// The word in outputs and reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SelfChecked => "self-checked",
            Self::Verified { .. } => "verified",
        }
    }
}

/// Something that stopped a target or the whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The place among the targets, from 0; none for the whole run.
    pub target: Option<usize>,
    /// The step it happened in.
    pub step: Step,
    /// Class, message and hint.
    pub cause: Cause,
    /// What is public already, in words; empty when nothing is.
    pub done: Vec<String>,
}

impl Failure {
    /// What to do about it: the hint, else what helps wherever a service did not answer.
    pub fn fix(&self) -> Option<&str> {
        let silent = self.cause.class == Class::Unavailable;
        let hint = self.cause.hint.as_deref();
        hint.or_else(|| silent.then(|| Notice::of(self).fix()))
    }

    /// Where it happened, as the beginning of a sentence.
    pub(super) fn place(&self) -> String {
        match self.step {
            // Nothing was begun: there is no step that a user would know.
            Step::Listen => "Before the first step".to_owned(),
            step => format!("At step {step}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)
    }
}

/// How far a target came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetState {
    /// The plan was made and not carried out.
    Planned,
    /// Signed, attested as asked and judged good in this run.
    Signed,
    /// Attested as asked and judged good in this run; a signature on the image itself was not asked for.
    Attested,
    /// Copied in this run with everything that hangs on it, and judged good where it arrived.
    Copied,
    /// Everything was there already; nothing was written.
    Kept,
    /// Judged good by a command that writes nothing.
    Verified,
    /// Not judged, because the given policy says to skip it.
    Skipped,
    /// Judged, and the answer is no.
    Rejected,
    /// Stopped by a failure.
    Failed,
    /// Not started, because the run was stopped.
    NotStarted,
}

impl TargetState {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Signed => "signed",
            Self::Attested => "attested",
            Self::Copied => "copied",
            Self::Kept => "kept",
            Self::Verified => "verified",
            Self::Skipped => "skipped",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::NotStarted => "not-started",
        }
    }
}

/// One of the five validations of a signature, as the report shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationReport {
    /// `integrity`, `authenticity`, `authenticTimestamp`, `expiry`, `revocation`.
    pub validation: &'static str,
    /// `enforce`, `log`, `skip`.
    pub action: &'static str,
    /// `passed`, `failed`, `skipped`, `unknown`.
    pub result: &'static str,
    /// Why, unless passed.
    pub reason: Option<String>,
}

/// One signature that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureReport {
    /// The signature manifest.
    pub digest: Digest,
    /// Who signed, as the certificate or the signed attributes say; none where nothing could be read.
    pub identity: Option<Foreign>,
    /// `accepted`, `rejected`, `unknown`, or `listed` where there was nothing to judge it by.
    pub verdict: &'static str,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Whether this run made it.
    pub made_now: bool,
    /// When it was signed, by its own word.
    pub signed_at: Option<Timestamp>,
    /// Until when it holds.
    pub expires_at: Option<Timestamp>,
    /// Every validation.
    pub validations: Vec<ValidationReport>,
}

/// One attestation that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationReport {
    /// The attestation manifest.
    pub digest: Digest,
    /// What it carries.
    pub artifact_type: Option<Foreign>,
    /// The Statement's predicate type; none where it could not be read.
    pub predicate_type: Option<Foreign>,
    /// Its kind, where that has a name.
    pub kind: Option<&'static str>,
    /// `accepted`, `rejected`, `unknown`, or `listed` where it is not ours to judge.
    pub verdict: &'static str,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Whether this run made it.
    pub made_now: bool,
    /// The file that its document was written to.
    pub file: Option<String>,
    /// Facts for people: builder, source, commit, …; of others than provenance a summary.
    pub facts: Vec<(&'static str, Foreign)>,
    /// Its own signatures.
    pub signatures: Vec<SignatureReport>,
}

/// What was expected of the attestations on an image, and by which one it is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectationReport {
    /// The kind or predicate type it is about.
    pub about: Foreign,
    /// Whether one had to be there.
    pub required: bool,
    /// `met`, `missed`, or `absent` where none had to be there and none is.
    pub verdict: &'static str,
    /// The attestation that meets all of it.
    pub met_by: Option<Digest>,
}

impl ExpectationReport {
    /// How it fared, in words.
    pub(super) fn words(&self) -> String {
        match (self.verdict, &self.met_by) {
            ("met", Some(digest)) => format!("met by {}:{}", digest.algorithm().name(), digest.short()),
            ("absent", _) => "none is there, and none has to be".to_owned(),
            (verdict, _) => verdict.to_owned(),
        }
    }
}

impl AttestationReport {
    /// Whether it carries SLSA provenance, of whichever version; what `BuildKit` says of its own build is none.
    pub fn is_provenance(&self) -> bool {
        let predicate = self.predicate_type.as_ref().map(Foreign::raw);
        let predicate = predicate.filter(|_| self.kind != Some("buildkit-provenance"));
        predicate.is_some_and(|text| text.starts_with("https://slsa.dev/provenance/"))
    }

    /// Whether it carries a verification summary.
    pub fn is_summary(&self) -> bool {
        let predicate = self.predicate_type.as_ref().map(Foreign::raw);
        predicate == Some("https://slsa.dev/verification_summary/v1")
    }
}

/// One target's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetReport {
    /// The image as it was named.
    pub image: String,
    /// Where it is: registry and repository, or `oci:PATH`.
    pub repository: String,
    /// Its digest; none where it could not be resolved.
    pub digest: Option<Digest>,
    /// The platforms of an index, or the platform of a manifest inside one.
    pub platforms: Vec<Foreign>,
    /// The platform that it is of an index that led to it, which its findings name; none for what was named itself.
    pub platform: Option<Foreign>,
    /// How far it came.
    pub state: TargetState,
    /// The plan's lines: what was to be done and why, or why nothing was.
    pub plan: Vec<String>,
    /// Its signatures.
    pub signatures: Vec<SignatureReport>,
    /// Its attestations.
    pub attestations: Vec<AttestationReport>,
    /// What was expected of its attestations, in the order of the file.
    pub expectations: Vec<ExpectationReport>,
    /// What ties it to the run that attests it; none where that was not asked.
    pub binding: Option<BindingReport>,
    /// The referrer tree as read back; none where nothing could be read.
    pub tree: Option<TreeNode>,
    /// Whether it is here for what was attached to it, and was not asked for: a platform of an index that is not signed
    /// itself.
    pub attested_only: bool,
}

/// The result of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// `run`, `verify`, `attest`, …
    pub command: &'static str,
    /// The run in one word.
    pub verdict: Verdict,
    /// What it was held against; none where nothing was judged.
    pub checked: Option<Checked>,
    /// The exit code.
    pub exit: u8,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Who signs, in words; none for commands that do not.
    pub signer: Option<Foreign>,
    /// The targets in the order named.
    pub targets: Vec<TargetReport>,
    /// What rules fired.
    pub findings: Vec<Finding>,
    /// What stopped targets or the run.
    pub failures: Vec<Failure>,
    /// The build that is attested; none where none is.
    pub build: Option<BuildReport>,
    /// Requests per service and operation.
    pub requests: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
}

impl RunReport {
    /// The class that decides the exit code, from failures alone; findings are weighed by `fail-on`.
    pub fn worst_failure(&self) -> Option<Class> {
        Class::worst(self.failures.iter().map(|failure| failure.cause.class))
    }
}
