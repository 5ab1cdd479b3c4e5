//! Showing what hangs on one image, judged where there is something to judge by.

use super::ended::Ended;
use super::judge::Judge;
use super::progress::Progress;
use super::standing::Demand;
use super::tell::{self, MadeNow};
use super::{Backends, InspectJob, Recursive, Stop, resolve, scope};
use crate::domain::plan::Step;
use crate::domain::report::RunReport;
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
    let judge = Judge::new(&backends, job.trust.as_ref());
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
                let mut ended = Ended::judged(assessment, &job.target);
                ended.failures.clear();
                ended.into_report(&mut report);
            }
        }
        Err(failure) => Ended::unresolved(&job.target, Some(failure)).into_report(&mut report),
    }
    super::close(&mut report, &[], backends.clock);
    report
}
