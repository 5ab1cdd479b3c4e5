//! Showing what hangs on one image, judged where there is something to judge by.

use std::collections::BTreeMap;

use super::judge::Judge;
use super::progress::Progress;
use super::standing::Demand;
use super::tell::{self, MadeNow};
use super::{Backends, InspectJob, Recursive, Stop, resolve, scope};
use crate::base::limits;
use crate::domain::plan::Step;
use crate::domain::report::{Failure, RunReport, TargetState};
use crate::seams::{Observer, ReadStore, Revocation};

/// Reads the tree of one image; what does not verify is shown as such and is not a failure of the inspection.
pub async fn inspect<S: ReadStore, R: Revocation, O: Observer>(
    job: &InspectJob,
    backends: Backends<'_, S, R, O>,
    stop: &Stop,
) -> RunReport {
    let mut report = super::blank_report("inspect", backends.clock.now());
    let targets = std::slice::from_ref(&job.target);
    let worth = |trust: &super::Trust| trust.worth(targets, job.repository.as_ref());
    report.checked = job.trust.as_ref().map(worth);
    let judge = Judge {
        store: backends.store,
        revocation: backends.revocation,
        trust: job.trust.as_ref(),
        metadata: &BTreeMap::new(),
        clock: backends.clock,
        limit: limits::SIGNATURES_JUDGED,
    };
    let progress = Progress::new(backends.observer, 0);
    let work = async {
        progress.begin(Step::Resolve);
        let units = resolve::resolve(judge.store, &job.target, Recursive::Index, false).await?;
        progress.begin(Step::Observe);
        let mut reports = Vec::new();
        for unit in units {
            let scope = scope(unit.subject.place(), job.repository.as_ref());
            let observed = judge.observe(&unit.subject, &scope).await?;
            reports.push(tell::assess(&unit, &observed, Demand::Found, &MadeNow::new()));
        }
        Ok(reports)
    };
    match progress.guard(job.timeout, stop, work).await {
        Ok(assessed) => {
            for assessment in assessed {
                report.targets.push(assessment.report);
                report.findings.extend(assessment.findings);
            }
        }
        Err(failure) => {
            report
                .targets
                .push(super::named(&job.target, TargetState::Failed));
            report.failures.push(Failure {
                target: Some(0),
                ..failure
            });
        }
    }
    super::forget_unjudged(&mut report);
    report.finished = backends.clock.now();
    report
}
