//! From what was found to one word and one exit code, and the sentences that say what that word covers.

use std::str::FromStr;

use super::{Checked, Failure, Finding, Level, RunReport, TargetState, Verdict};
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
        None => u8::from(
            report
                .findings
                .iter()
                .any(|finding| fail_on.catches(finding.level)),
        ),
    }
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
        let count = |state: TargetState| self.targets.iter().filter(|target| target.state == state).count();
        let images = |n: usize| {
            if n == 1 {
                "1 image".to_owned()
            } else {
                format!("{n} images")
            }
        };
        let all = images(self.targets.len());
        match self.verdict {
            Verdict::Passed if self.checked.is_none() => format!("{all} done; nothing had to be judged"),
            Verdict::Passed
                if self
                    .targets
                    .iter()
                    .all(|target| target.state == TargetState::Kept) =>
            {
                format!(
                    "{all} {}; everything was there already, nothing was written",
                    self.checked_word()
                )
            }
            Verdict::Passed if count(TargetState::Skipped) > 0 => format!(
                "{} of {all} not judged, because the policy says to skip; the rest {}",
                count(TargetState::Skipped),
                self.checked_word()
            ),
            Verdict::Passed => format!("{all} {}", self.checked_word()),
            Verdict::Rejected if count(TargetState::Rejected) == 0 => "the answer is no".to_owned(),
            Verdict::Rejected => format!("{} of {all} rejected", count(TargetState::Rejected)),
            Verdict::Failed if self.targets.is_empty() => "stopped before any image was looked at".to_owned(),
            Verdict::Failed => format!(
                "{} of {all} not finished",
                count(TargetState::Failed) + count(TargetState::NotStarted)
            ),
            Verdict::Planned => format!("a plan for {all}; nothing was signed, pushed or changed"),
            Verdict::SkippedUntrusted => {
                format!("the event is not trusted; nothing was signed, pushed or changed for {all}")
            }
        }
    }

    /// What "accepted" may be called here: *verified* is kept for a policy that somebody gave.
    pub(super) fn checked_word(&self) -> &'static str {
        self.checked.as_ref().map_or("not judged", Checked::name)
    }

    /// The state of a target in words that claim no more than was checked.
    pub(super) fn state_word(&self, state: TargetState) -> &'static str {
        match state {
            TargetState::Verified => self.checked_word(),
            other => other.name(),
        }
    }

    /// What the check was worth, in a sentence; none where nothing was judged.
    pub(super) fn basis(&self) -> Option<String> {
        Some(match self.checked.as_ref()? {
            Checked::SelfChecked => {
                "Self-checked: held against a policy derived from the signer itself. That shows the \
                                     store holds what this signer signed, not that anyone else trusts it."
                    .to_owned()
            }
            Checked::Verified { policy, digest } => {
                format!("Verified against {} ({digest}).", policy.quote())
            }
        })
    }

    /// The findings, gravest first, in the order found within a level.
    pub(super) fn gravest_first(&self) -> Vec<&Finding> {
        let mut findings: Vec<_> = self.findings.iter().collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        findings
    }

    /// The name of a failure's or finding's target, as the user wrote it.
    pub(super) fn image(&self, target: Option<usize>) -> Option<&str> {
        Some(self.targets.get(target?)?.image.as_str())
    }

    /// The failures of one target, or of the whole run.
    pub(super) fn failures_of(&self, target: Option<usize>) -> impl Iterator<Item = &Failure> {
        self.failures
            .iter()
            .filter(move |failure| failure.target == target)
    }
}
