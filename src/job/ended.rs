//! What became of one unit, and how it enters the report.

use super::Target;
use super::tell::Assessment;
use crate::domain::plan::Step;
use crate::domain::report::{Failure, Finding, RunReport, TargetReport, TargetState};

/// What became of one unit in the end.
pub(super) struct Ended {
    pub(super) report: TargetReport,
    pub(super) findings: Vec<Finding>,
    pub(super) failures: Vec<Failure>,
}

impl Ended {
    /// One that says no more than its report, and what stopped it if something did.
    pub(super) fn bare(report: TargetReport, failure: Option<Failure>) -> Self {
        Self {
            report,
            findings: Vec::new(),
            failures: failure.into_iter().collect(),
        }
    }

    /// A target that was named and got no further; without a failure it was not even started.
    pub(super) fn unresolved(target: &Target, failure: Option<Failure>) -> Self {
        let state = if failure.is_some() {
            TargetState::Failed
        } else {
            TargetState::NotStarted
        };
        Self::bare(super::named(target, state), failure)
    }

    /// One that was judged and nothing else.
    pub(super) fn judged(assessment: Assessment, target: &Target) -> Self {
        let failure = assessment.failure.map(|cause| Failure {
            target: None,
            step: Step::Verify,
            cause,
            done: Vec::new(),
        });
        Self {
            report: assessment.report,
            findings: assessment.findings,
            failures: failure.into_iter().collect(),
        }
        .named_at(&target.named_at)
    }

    /// Says of every finding where the target was named.
    pub(super) fn named_at(mut self, place: &str) -> Self {
        for finding in &mut self.findings {
            finding.named_at = Some(place.to_owned());
        }
        self
    }

    /// Puts the unit at the end of the report and points its findings and failures at it. A finding is about the unit's
    /// platform where it does not say of which it is.
    pub(super) fn into_report(self, report: &mut RunReport) {
        let index = report.targets.len();
        let of = self.report.platform.clone();
        report.targets.push(self.report);
        report
            .findings
            .extend(self.findings.into_iter().map(|finding| Finding {
                target: Some(index),
                platform: finding.platform.or_else(|| of.clone()),
                ..finding
            }));
        report
            .failures
            .extend(self.failures.into_iter().map(|failure| Failure {
                target: Some(index),
                ..failure
            }));
    }
}
