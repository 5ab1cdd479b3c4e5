//! The main job: resolve, observe, plan, sign, push, attest, verify, report.
//!
//! Three passes over the targets, each wide: `look` (resolve and observe), `plan` (pure, over all of them), `act` (sign,
//! push, attest, read back; the storing itself is in `write`). A run that finds everything in place stops after the second pass, and what it observed
//! is its verification.

mod act;
mod attach;
mod attest;
mod bind;
mod build;
mod built;
mod elsewhere;
mod lift;
mod look;
mod plan;
mod replace;
mod shared;
mod sign;
mod summarize;
mod write;

pub use build::Promise;

use std::cell::{Cell, OnceCell, RefCell};

use self::build::Build;
use self::elsewhere::Elsewhere;
use self::lift::Lift;
use self::look::First;
use self::plan::names_by_digest;
use self::shared::{Shared, names_of};
use self::sign::Signings;
use super::ended::Ended;
use super::judge::Judge;
use super::observe::Observed;
use super::pool;
use super::resolve::{self, Unit};
use super::tell::MadeNow;
use super::{Backends, RunJob, Stop, Surroundings};
use crate::base::failure::Cause;
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::domain::provenance::binding::Binding;
use crate::domain::report::{Event, Finding, Rule, RunReport, Verdict};
use crate::seams::{Observer, Revocation, Signer, SignerIdentity, WriteStore};

/// Carries out the main job.
///
/// Every target ends in the report, whatever became of it; no error leaves this function.
pub async fn run<S: WriteStore, G: Signer, R: Revocation, O: Observer>(
    job: &RunJob,
    signer: &G,
    backends: Backends<'_, S, R, O>,
    stop: &Stop,
) -> RunReport {
    let started = backends.clock.now();
    let judge = Judge {
        metadata: &job.metadata,
        ..Judge::new(&backends, Some(&job.trust))
    };
    let run = Run {
        job,
        signings: Signings::new(signer),
        judge,
        observer: backends.observer,
        stop,
        made: RefCell::default(),
        elsewhere: OnceCell::new(),
        shared: RefCell::default(),
        build: OnceCell::new(),
        halted: Cell::new(false),
        lifted: Cell::new(0),
    };
    let mut report = super::blank_report(job.command, started);
    report.checked = Some(job.trust.worth(&job.targets, job.repository.as_ref()));
    report.signer = Some(signer_in_words(signer.identity()));
    run.all_targets(&mut report).await;
    if job.dry_run {
        report.verdict = Verdict::Planned;
    }
    report.findings.extend(local_signer(job, signer.identity()));
    super::close(&mut report, &job.authority, backends.clock);
    report
}

/// A note where a key file signs in CI: every step of the job can read it.
fn local_signer(job: &RunJob, identity: &SignerIdentity) -> Option<Finding> {
    let local = matches!(identity, SignerIdentity::LocalKey(_));
    let message = "a local key signs in CI, where every step of the job can read it";
    (local && job.surroundings == Surroundings::Ci).then(|| Finding::new(Rule::LocalSigner, message))
}

fn signer_in_words(identity: &SignerIdentity) -> Foreign {
    match identity {
        SignerIdentity::LocalKey(chain) => {
            let subject = chain
                .first()
                .map(|leaf| leaf.subject().to_string())
                .unwrap_or_default();
            Foreign::new(format!("local key ({subject})"))
        }
        SignerIdentity::Profile(profile) => Foreign::new(profile.to_string()),
    }
}

/// One run under way.
struct Run<'a, S, G, R, O> {
    job: &'a RunJob,
    signings: Signings<'a, G>,
    judge: Judge<'a, S, R>,
    observer: &'a O,
    stop: &'a Stop,
    /// The manifests that this run stored.
    made: RefCell<MadeNow>,
    /// What was found everywhere in the first pass, for the second.
    elsewhere: OnceCell<Elsewhere>,
    /// What no target may take away from another.
    shared: RefCell<Shared>,
    /// The build that is attested, once it is known.
    build: OnceCell<Build>,
    /// Whether nothing may be written, since the build could not be vouched for as it must.
    halted: Cell<bool>,
    /// Bytes of documents that were lifted out of indexes.
    lifted: Cell<u64>,
}

/// A unit that was looked at.
struct Looked {
    /// The target it belongs to.
    index: usize,
    unit: Unit,
    observed: Observed,
    /// What ties it to this run, once that was asked.
    binding: OnceCell<Result<Binding, Cause>>,
    named_at: String,
    /// What `BuildKit` left about it, to be attached.
    lift: Lift,
    /// When it was built, by its configuration, once that was asked.
    built: tokio::sync::OnceCell<Option<Timestamp>>,
}

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    async fn all_targets(&self, report: &mut RunReport) {
        let jobs = self.job.concurrency.jobs;
        let failed = Cell::new(false);
        resolve::foresee(self.judge.store, &self.job.targets, self.stop).await;
        let open: Vec<Cell<usize>> = self.job.targets.iter().map(|_| Cell::new(0)).collect();
        let first = pool::each(
            self.job.targets.iter().enumerate(),
            jobs,
            async |(index, target)| {
                if self.is_over(&failed) {
                    return vec![First::Ended(Box::new(Ended::unresolved(target, None)))];
                }
                let looked = self.look(index, target).await;
                failed.set(
                    failed.get()
                        || looked
                            .as_ref()
                            .map_or(true, |all| all.iter().any(First::has_failed)),
                );
                match looked {
                    Ok(units) => {
                        self.opened(index, &units, &open);
                        units
                    }
                    Err(failure) => {
                        self.observer.on(&Event::TargetDone { target: index });
                        vec![First::Ended(Box::new(Ended::unresolved(target, Some(failure))))]
                    }
                }
            },
        );
        let (first, account) = tokio::join!(first, self.job.provenance.account());
        let mut first: Vec<First> = first.into_iter().flatten().collect();
        lift::give_way(
            first.iter_mut().filter_map(First::looked_mut),
            &self.job.predicates,
        );
        self.weigh(account, report);
        self.demand_ties(first.iter().filter_map(First::looked)).await;
        let names = names_by_digest(&first, self.job);
        self.leave_given(first.iter_mut().filter_map(First::looked_mut), &names);
        let looked: Vec<&Looked> = first.iter().filter_map(First::looked).collect();
        let (elsewhere, shared) = self.survey(&looked, &names);
        let _ = self.elsewhere.set(elsewhere);
        self.shared.replace(shared);
        let last = pool::each(first, jobs, async |first| match first {
            First::Ended(ended) => *ended,
            First::Looked(looked) => {
                let listed = names_of(&looked, &names);
                let mut last = self.act(&looked, listed, &failed).await;
                last.findings
                    .extend(looked.lift.missed(&looked.unit.subject, &looked.named_at));
                self.tell_older_summary(&looked, &mut last);
                self.closed(looked.index, &open);
                last
            }
        });
        for last in last.await {
            last.into_report(report);
        }
        self.tell_unverified(report);
    }

    /// What is left to do on a target that was looked at; it is done where that is nothing.
    fn opened(&self, target: usize, units: &[First], open: &[Cell<usize>]) {
        let looked = units
            .iter()
            .filter(|unit| matches!(unit, First::Looked(_)))
            .count();
        if let Some(open) = open.get(target) {
            open.set(looked);
        }
        if looked == 0 {
            self.observer.on(&Event::TargetDone { target });
        }
    }

    /// One unit of a target is done; with the last of them the target is.
    fn closed(&self, target: usize, open: &[Cell<usize>]) {
        let Some(open) = open.get(target) else { return };
        open.set(open.get().saturating_sub(1));
        if open.get() == 0 {
            self.observer.on(&Event::TargetDone { target });
        }
    }

    /// Whether nothing new is to be started.
    fn is_over(&self, failed: &Cell<bool>) -> bool {
        self.halted.get() || self.stop.signal().is_some() || (self.job.concurrency.fail_fast && failed.get())
    }
}
