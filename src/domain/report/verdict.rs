//! From what was found to one word and one exit code, and the sentences that say what that word covers.

use std::str::FromStr;

use super::{Checked, Failure, Finding, Level, RunReport, TargetReport, TargetState, Verdict};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;

/// From which level on findings fail a run that would otherwise succeed; never makes one succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FailOn {
    /// Errors.
    #[default]
    Error,
    /// Warnings and errors.
    Warning,
    /// Every finding.
    Note,
    /// No finding; a rejected target still ends in 1.
    None,
}

impl FailOn {
    /// Every choice, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Error, Self::Warning, Self::Note, Self::None];

    /// The word in inputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::None => "none",
        }
    }

    /// Whether a finding of this level fails the run.
    pub const fn catches(self, level: Level) -> bool {
        match self {
            Self::Error => matches!(level, Level::Error),
            Self::Warning => matches!(level, Level::Warning | Level::Error),
            Self::Note => true,
            Self::None => false,
        }
    }
}

/// Why a text is not a level to fail on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected error, warning, note or none, found {}", .0.quote())]
pub struct FailOnError(pub Foreign);

impl Classified for FailOnError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

impl FromStr for FailOn {
    type Err = FailOnError;

    fn from_str(text: &str) -> Result<Self, FailOnError> {
        Self::ALL
            .into_iter()
            .find(|choice| choice.name() == text)
            .ok_or_else(|| FailOnError(Foreign::new(text)))
    }
}

/// The smallest exit code that says "stopped by a signal": 128 and the signal's number.
const SIGNALLED: u8 = 128;

/// The exit code of a run: a signal's, else the worst class among failures and rejected targets, else what the
/// report holds already, else 1 if a finding is at or above the level.
pub fn exit_code(report: &RunReport, fail_on: FailOn) -> u8 {
    if report.exit >= SIGNALLED {
        return report.exit;
    }
    let rejected = report
        .targets
        .iter()
        .any(|target| target.state == TargetState::Rejected);
    let classes = report.failures.iter().map(|failure| failure.cause.class);
    match Class::worst(classes.chain(rejected.then_some(Class::Rejected))) {
        Some(class) => class.exit_code(),
        None if report.exit != 0 => report.exit,
        None if report
            .findings
            .iter()
            .any(|finding| fail_on.catches(finding.level)) =>
        {
            Class::Rejected.exit_code()
        }
        None if has_unfinished(report) => Class::Unavailable.exit_code(),
        None => 0,
    }
}

/// So many images, in words.
fn images(count: usize) -> String {
    match count {
        1 => "1 image".to_owned(),
        n => format!("{n} images"),
    }
}

/// Whether something that was named has no good end: then silence is not success, whatever forgot to say why.
fn has_unfinished(report: &RunReport) -> bool {
    let unfinished =
        |target: &TargetReport| matches!(target.state, TargetState::NotStarted | TargetState::Failed);
    report.targets.is_empty() || report.targets.iter().any(unfinished)
}

impl RunReport {
    /// Sets exit code and verdict from what the report holds; a plan stays a plan unless something stopped it.
    pub fn settle(&mut self, fail_on: FailOn) {
        self.exit = exit_code(self, fail_on);
        let rejecting = [Class::Rejected.exit_code(), Class::Tampered.exit_code()];
        self.verdict = match (self.exit, self.verdict) {
            (0, planned @ (Verdict::Planned | Verdict::SkippedUntrusted)) => planned,
            (0, _) => Verdict::Passed,
            (code, _) if rejecting.contains(&code) => Verdict::Rejected,
            _ => Verdict::Failed,
        };
    }

    /// The verdict in a sentence: what was found, and held against what.
    pub(super) fn headline(&self) -> String {
        let all = images(self.targets.len());
        match self.verdict {
            Verdict::Passed => self.passed_headline(&all),
            Verdict::Rejected => self.rejected_headline(&all),
            Verdict::Failed if self.targets.is_empty() => "stopped before any image was looked at".to_owned(),
            Verdict::Failed => {
                let unfinished = self.count(TargetState::Failed) + self.count(TargetState::NotStarted);
                match (unfinished, self.targets.len()) {
                    (_, 1) => "the image was not finished".to_owned(),
                    (unfinished, _) => format!("{unfinished} of {all} were not finished"),
                }
            }
            Verdict::Planned => format!("a plan for {all}; nothing was signed, pushed or changed"),
            Verdict::SkippedUntrusted => {
                format!("the event is not trusted; nothing was signed, pushed or changed for {all}")
            }
        }
    }

    fn count(&self, state: TargetState) -> usize {
        self.targets.iter().filter(|target| target.state == state).count()
    }

    fn passed_headline(&self, all: &str) -> String {
        let word = self.checked_word();
        if self.checked.is_none() {
            format!("{all} done; nothing had to be judged")
        } else if self.count(TargetState::Skipped) > 0 {
            let skipped = self.count(TargetState::Skipped);
            format!("{skipped} of {all} not judged, because the policy says to skip; the rest {word}")
        } else if self.count(TargetState::Kept) == self.targets.len() {
            format!("{all} {word}; everything was there already, nothing was written")
        } else if self.count(TargetState::Copied) > 0 {
            format!("{all} copied and {word}")
        } else if self.command == "attest" {
            format!("attached to {all}, signed and {word}; the signature of an image is not asked for")
        } else if self.count(TargetState::Attested) > 0 {
            let attested = images(self.count(TargetState::Attested));
            match self.count(TargetState::Signed) {
                0 => format!("attached to {attested} and signed there; {all} {word}"),
                signed => format!(
                    "{} signed, attached to {attested} and signed there; {all} {word}",
                    images(signed)
                ),
            }
        } else if self.count(TargetState::Signed) > 0 {
            format!("{all} signed and {word}")
        } else {
            format!("{all} {word}")
        }
    }

    fn rejected_headline(&self, all: &str) -> String {
        match self.count(TargetState::Rejected) {
            0 if self.failures.is_empty() => format!("a finding about {all} fails the run"),
            0 => "something is not what it claims to be".to_owned(),
            rejected => format!("{rejected} of {all} rejected"),
        }
    }

    /// What "accepted" may be called here: *verified* is kept for a policy that somebody gave.
    pub(super) fn checked_word(&self) -> &'static str {
        self.checked.as_ref().map_or("not judged", Checked::name)
    }

    /// The state of a target in words that claim no more than was checked.
    pub(super) fn state_word(&self, state: TargetState) -> &'static str {
        match state {
            TargetState::Verified => self.checked.as_ref().map_or("not-judged", Checked::name),
            other => other.name(),
        }
    }

    /// What the check was worth, in a sentence; none where nothing was judged. A rejection is called no check: what
    /// it was held against is said.
    pub(super) fn basis(&self) -> Option<String> {
        Some(match self.checked.as_ref()? {
            Checked::SelfChecked if self.verdict == Verdict::Rejected => {
                "Held against a policy derived from the signer itself, which accepts only what this \
                 signer signed. What somebody else signed is checked with the trust policy that they give."
                    .to_owned()
            }
            Checked::SelfChecked => {
                "Self-checked: held against a policy derived from the signer itself. That shows the \
                                     store holds what this signer signed, not that anyone else trusts it."
                    .to_owned()
            }
            Checked::Verified { policy, digest } if self.verdict == Verdict::Rejected => {
                format!("Held against {} ({digest}).", policy.quote())
            }
            Checked::Verified { policy, digest } => {
                format!("Verified against {} ({digest}).", policy.quote())
            }
        })
        .map(|basis| match self.logged() {
            0 => basis,
            logged => format!(
                "{basis} Not everything passed: {logged} validations failed or stayed unknown, and the policy only logs them."
            ),
        })
    }

    /// Validations of accepted signatures that did not pass and are only logged.
    fn logged(&self) -> usize {
        let of_target = |target: &TargetReport| {
            let of_attestations = target.attestations.iter().flat_map(|found| &found.signatures);
            let signatures = target.signatures.iter().chain(of_attestations);
            let accepted = signatures.filter(|signature| signature.verdict == "accepted");
            accepted
                .flat_map(|signature| &signature.validations)
                .filter(|check| check.action == "log" && matches!(check.result, "failed" | "unknown"))
                .count()
        };
        self.targets.iter().map(of_target).sum()
    }

    /// The findings, gravest first: by level, then by the rule's severity, then in the order found.
    pub fn gravest_first(&self) -> Vec<&Finding> {
        let mut findings: Vec<_> = self.findings.iter().collect();
        findings.sort_by_key(|finding| {
            // One digit after the point: the longer number is the larger one.
            let severity = finding.rule.security_severity();
            std::cmp::Reverse((finding.level, severity.len(), severity))
        });
        findings
    }

    /// The name of a failure's or finding's target, as the user wrote it.
    pub(super) fn image(&self, target: Option<usize>) -> Option<&str> {
        Some(self.targets.get(target?)?.image.as_str())
    }

    /// The words over a target's plan, where the plan is what there is to show: nothing was done, or had to be.
    pub(super) fn plan_title(&self, target: &TargetReport) -> Option<&'static str> {
        let planned = matches!(self.verdict, Verdict::Planned | Verdict::SkippedUntrusted);
        match target.state {
            _ if target.plan.is_empty() => None,
            TargetState::Copied => Some("What was copied to"),
            TargetState::Kept => Some("Why nothing was written to"),
            TargetState::Planned => Some("Plan for"),
            _ if planned => Some("Plan for"),
            _ => None,
        }
    }

    /// The name of a target for tables, without the digest that has a column of its own.
    pub(super) fn short_name(target: &TargetReport) -> &str {
        let digest = target.digest.as_ref().map(|digest| format!("@{digest}"));
        digest
            .and_then(|digest| target.image.strip_suffix(&digest))
            .unwrap_or(&target.image)
    }

    /// The failures of one target, or of the whole run.
    pub(super) fn failures_of(&self, target: Option<usize>) -> impl Iterator<Item = &Failure> {
        self.failures
            .iter()
            .filter(move |failure| failure.target == target)
    }
}
