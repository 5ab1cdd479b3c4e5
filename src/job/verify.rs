//! Judging what is in the store without writing to it, as a stranger would.

use std::cell::Cell;

use super::judge::Judge;
use super::progress::Progress;
use super::resolve::{self, Unit};
use super::standing::Demand;
use super::tell::{self, Assessment, MadeNow};
use super::{Backends, Stop, Target, VerifyJob, pool, scope};
use crate::base::failure::Cause;
use crate::domain::plan::Step;
use crate::domain::report::{Event, Failure, Finding, RunReport, TargetReport, TargetState};
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
        store: backends.store,
        revocation: backends.revocation,
        trust: Some(&job.trust),
        metadata: &job.metadata,
        clock: backends.clock,
        limit: job.max_signatures,
    };
    let limits = job.concurrency;
    let failed = Cell::new(false);
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
            let refused = |assessed: &Assessment| assessed.failure.is_some();
            failed.set(failed.get() || judged.as_ref().map_or(true, |all| all.iter().any(refused)));
            judged.map_err(Some)
        },
    );
    for (target, judged) in job.targets.iter().zip(judged.await) {
        match judged {
            Ok(assessments) => {
                for assessment in assessments {
                    push(&mut report, assessment, target);
                }
            }
            Err(failure) => fail(&mut report, target, failure),
        }
    }
    super::name_authority(&mut report, &job.authority);
    super::forget_unjudged(&mut report);
    report.finished = backends.clock.now();
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
    let assessed = assessed.await.into_iter().collect::<Result<_, Cause>>()?;
    progress.end("");
    Ok(assessed)
}

fn push(report: &mut RunReport, assessment: Assessment, target: &Target) {
    let index = report.targets.len();
    report.targets.push(assessment.report);
    report
        .findings
        .extend(assessment.findings.into_iter().map(|finding| Finding {
            target: Some(index),
            named_at: Some(target.named_at.clone()),
            ..finding
        }));
    report.failures.extend(assessment.failure.map(|cause| Failure {
        target: Some(index),
        step: Step::Verify,
        cause,
        done: Vec::new(),
    }));
}

fn fail(report: &mut RunReport, target: &Target, failure: Option<Failure>) {
    let state = if failure.is_some() {
        TargetState::Failed
    } else {
        TargetState::NotStarted
    };
    let index = report.targets.len();
    report.targets.push(TargetReport {
        ..super::named(target, state)
    });
    report.failures.extend(failure.map(|failure| Failure {
        target: Some(index),
        ..failure
    }));
}
