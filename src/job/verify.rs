//! Judging what is in the store without writing to it, as a stranger would.

use std::cell::Cell;

use super::ended::Ended;
use super::judge::Judge;
use super::progress::Progress;
use super::resolve::{self, Unit};
use super::standing::Demand;
use super::tell::{self, Assessment, MadeNow};
use super::{Backends, Stop, Target, VerifyJob, pool, scope};
use crate::base::failure::Cause;
use crate::domain::plan::Step;
use crate::domain::report::{Event, RunReport};
use crate::seams::{Observer, ReadStore, Revocation};

/// Judges every target; no error leaves this function.
pub async fn verify<S: ReadStore, R: Revocation, O: Observer>(
    job: &VerifyJob,
    backends: Backends<'_, S, R, O>,
    stop: &Stop,
) -> RunReport {
    let mut report = super::blank_report("verify", backends.clock.now());
    report.checked = Some(job.trust.worth(&job.targets, job.repository.as_ref()));
    let judge = Judge {
        metadata: &job.metadata,
        limit: job.max_signatures,
        ..Judge::new(&backends, Some(&job.trust))
    };
    let limits = job.concurrency;
    let failed = Cell::new(false);
    resolve::foresee(judge.store, &job.targets, stop).await;
    let judged = pool::each(
        job.targets.iter().enumerate(),
        limits.jobs,
        async |(index, target)| {
            if stop.signal().is_some() || (limits.fail_fast && failed.get()) {
                return Err(None);
            }
            let image = target.named.clone();
            backends.observer.on(&Event::TargetStarted {
                target: index,
                of: job.targets.len(),
                image,
            });
            let progress = Progress::new(backends.observer, index);
            let work = one(job, &judge, target, &progress);
            let judged = progress.guard(limits.timeout, stop, work).await;
            backends.observer.on(&Event::TargetDone { target: index });
            let refused = |assessed: &Assessment| assessed.failure.is_some();
            failed.set(failed.get() || judged.as_ref().map_or(true, |all| all.iter().any(refused)));
            judged.map_err(Some)
        },
    );
    for (target, judged) in job.targets.iter().zip(judged.await) {
        match judged {
            Ok(assessments) => {
                for assessment in assessments {
                    Ended::judged(assessment, target).into_report(&mut report);
                }
            }
            Err(failure) => Ended::unresolved(target, failure).into_report(&mut report),
        }
    }
    super::close(&mut report, &job.authority, backends.clock);
    report
}

async fn one<S: ReadStore, R: Revocation, O: Observer>(
    job: &VerifyJob,
    judge: &Judge<'_, S, R>,
    target: &Target,
    progress: &Progress<'_, O>,
) -> Result<Vec<Assessment>, Cause> {
    progress.begin(Step::Resolve);
    let units = resolve::resolve(judge.store, target, job.recursive, job.require_digest).await?;
    progress.end("");
    progress.begin(Step::Verify);
    let assessed = pool::each(units, pool::PER_TARGET, async |unit: Unit| {
        let observed = judge
            .observe(
                &unit.subject,
                &scope(unit.subject.place(), job.repository.as_ref()),
            )
            .await?;
        Ok(tell::assess(&unit, &observed, Demand::Found, &MadeNow::new()))
    });
    let mut assessed = assessed.await.into_iter().collect::<Result<Vec<_>, Cause>>()?;
    tell::unsigned_inside(&mut assessed);
    progress.end("");
    Ok(assessed)
}
