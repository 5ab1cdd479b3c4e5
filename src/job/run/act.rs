//! The third pass: storing what was planned, reading it back as anybody would, and concluding.

use std::cell::Cell;

use futures_util::future::join_all;

use super::attest::Wish;
use super::summarize::{self, Summed};
use super::write::Written;
use super::{Looked, Run};
use crate::base::failure::Cause;
use crate::domain::plan::{Action, Step};
use crate::domain::report::{Failure, Finding, TargetReport, TargetState};
use crate::job::ahead::Ahead;
use crate::job::ended::Ended;
use crate::job::observe::{LISTED_LATER, Observed};
use crate::job::progress::Progress;
use crate::job::scope;
use crate::job::standing::Demand;
use crate::job::tags::{self, Stray};
use crate::job::tell::{self, Assessment};
use crate::seams::{Observer, Revocation, Signer, WriteStore};

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    pub(super) async fn act(&self, looked: &Looked, names: &[String], failed: &Cell<bool>) -> Ended {
        let actions = self.plan(looked, names).into_iter();
        let (of_summary, actions): (Vec<_>, Vec<_>) = actions.partition(|action| self.is_of_summary(action));
        let steps = actions.iter().map(Action::explain);
        let steps: Vec<String> = steps.chain(looked.lift.left.iter().cloned()).collect();
        let plan = [&steps[..], &self.foretold(looked, &actions, &of_summary)].concat();
        if let Some(refused) = self.refused(looked, &plan) {
            return refused;
        }
        let stopping = self.is_over(failed);
        if self.job.dry_run || stopping {
            let state = if stopping {
                TargetState::NotStarted
            } else {
                TargetState::Planned
            };
            let report = TargetReport {
                plan,
                ..tell::bare(&looked.unit, state)
            };
            return Ended::bare(report, None);
        }
        let progress = Progress::new(self.observer, looked.index);
        let work = async {
            let (mut observed, moved) = if actions.iter().any(Action::writes) {
                let written = self.write(looked, &actions, names, &progress);
                let (written, ()) = tokio::join!(written, self.tie_attested(looked, &actions));
                let written = written?;
                progress.begin(Step::Verify);
                let (observed, moved) = tokio::join!(self.read_back(looked, &written), self.moved(looked));
                let (observed, moved) = (observed?, moved?);
                progress.end("read back and judged");
                (observed, moved)
            } else {
                (looked.observed.clone(), self.moved(looked).await?)
            };
            let (mut notes, mut withheld) = (Vec::new(), true);
            if self.assess(looked, &observed).failure.is_none() && moved.is_empty() {
                notes = self.replace(looked, &actions, &mut observed).await;
                let told = self.sum_up(looked, names, (&actions, &notes), &mut observed, &progress);
                match Box::pin(told).await? {
                    Summed::Done(told) => {
                        notes.extend(told);
                        withheld = false;
                    }
                    Summed::Withheld => {}
                }
            }
            Ok((observed, moved, notes, withheld))
        };
        let mut last = match progress
            .guard(self.job.concurrency.timeout, self.stop, work)
            .await
        {
            Ok((observed, moved, notes, withheld)) => {
                let plan = if withheld {
                    [steps, summarize::withheld(&of_summary)].concat()
                } else {
                    plan
                };
                let mut last = self.conclude(looked, &observed, moved, plan, &progress);
                last.findings.extend(notes.into_iter().map(|note| Finding {
                    named_at: Some(looked.named_at.clone()),
                    ..note
                }));
                last
            }
            Err(failure) => {
                let report = tell::bare(&looked.unit, TargetState::Failed);
                Ended::bare(TargetReport { plan, ..report }, Some(failure))
            }
        };
        self.tell_tie(looked, &mut last);
        failed.set(failed.get() || !last.failures.is_empty());
        last
    }

    /// Reads what was stored as anybody would, and judges it. A registry may list what it stored a little later, so
    /// what is not listed is looked for again before that is a failure.
    pub(super) async fn read_back(&self, looked: &Looked, written: &Written) -> Result<Observed, Cause> {
        let (unit, place) = (&looked.unit, looked.unit.subject.place());
        let scope = scope(place, self.job.repository.as_ref());
        let asked = written
            .signatures
            .iter()
            .map(|(subject, signature)| self.judge.ask_ahead(subject, &scope, &signature.evidence));
        let ahead = Ahead::read(self.judge.store, place, &written.wishes);
        let (ahead, _) = tokio::join!(ahead, join_all(asked));
        let mut observed = self.judge.over(&ahead).observe(&unit.subject, &scope).await?;
        for wait in LISTED_LATER {
            if tell::is_listed(&observed, &written.referrers) {
                break;
            }
            tokio::time::sleep(wait).await;
            observed = self.judge.observe(&unit.subject, &scope).await?;
        }
        tell::find_again(unit, &observed, &written.referrers)?;
        Ok(observed)
    }

    /// Reads the tags again: between resolving and here somebody may have moved one.
    async fn moved(&self, looked: &Looked) -> Result<Vec<Stray>, Cause> {
        let unit = &looked.unit;
        tags::astray(
            self.judge.store,
            unit.subject.place(),
            &unit.tags,
            unit.subject.digest(),
        )
        .await
    }

    /// How an image stands, by what this run demands.
    pub(super) fn assess(&self, looked: &Looked, observed: &Observed) -> Assessment {
        tell::assess(&looked.unit, observed, self.demand(looked), &self.made.borrow())
    }

    /// What nobody signed and hangs beside what this run attaches.
    pub(super) fn unsigned_beside(&self, looked: &Looked, observed: &Observed) -> Vec<Finding> {
        let kinds: Vec<_> = self.wishes(looked).iter().map(Wish::artifact_type).collect();
        tell::unsigned_beside(&observed.attestations, &kinds)
    }

    /// What has to stand in the end.
    fn demand(&self, looked: &Looked) -> Demand {
        Demand::Written {
            signature: self.signs(looked),
            provenance: looked.unit.root && self.build.get().is_some(),
        }
    }

    fn conclude(
        &self,
        looked: &Looked,
        observed: &Observed,
        moved: Vec<Stray>,
        plan: Vec<String>,
        progress: &Progress<'_, O>,
    ) -> Ended {
        let Assessment {
            mut report,
            mut findings,
            failure,
            worst: _,
        } = self.assess(looked, observed);
        let mut failures: Vec<Failure> = failure.into_iter().map(|cause| progress.failure(cause)).collect();
        for stray in moved {
            let (finding, cause) = stray.moved();
            findings.push(finding);
            failures.push(progress.failure(cause));
        }
        findings.extend(self.unsigned_beside(looked, observed));
        let wrote = report.signatures.iter().any(|signature| signature.made_now)
            || report.attestations.iter().any(|attestation| attestation.made_now);
        report.plan = plan;
        let worst = failures.iter().map(|failure| failure.cause.class).max();
        report.state = match (failures.is_empty(), wrote) {
            (false, _) => worst.map_or(TargetState::Rejected, tell::stopped_by),
            (true, true) if self.signs(looked) => TargetState::Signed,
            (true, true) => TargetState::Attested,
            (true, false) => TargetState::Kept,
        };
        Ended {
            report,
            findings,
            failures,
        }
        .named_at(&looked.named_at)
    }
}
