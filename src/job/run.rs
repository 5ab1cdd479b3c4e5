//! The main job: resolve, observe, plan, sign, push, attest, verify, report.
//!
//! Three passes over the targets, each wide: look (resolve and observe), plan (pure, over all of them), act (sign,
//! push, attest, read back). A run that finds everything in place stops after the second pass, and what it observed
//! is its verification.

use std::cell::{Cell, OnceCell, RefCell};
use std::time::Duration;

use futures_util::future::join_all;

use super::ahead::{Ahead, Wishes};
use super::attest::Wish;
use super::build::Build;
use super::elsewhere::Elsewhere;
use super::ended::Ended;
use super::judge::{Judge, Judged};
use super::lift::{self, Lift};
use super::observe::{Observed, ObservedAttestation};
use super::pool;
use super::progress::Progress;
use super::resolve::{self, Unit};
use super::shared::{Names, Shared, names_of};
use super::sign::Signings;
use super::standing::Demand;
use super::summarize::Summed;
use super::tags::{self, Stray};
use super::tell::{self, Assessment, MadeNow};
use super::write::Written;
use super::{Backends, BuildKit, Images, RunJob, Stop, Surroundings, Target, scope, summarize};
use crate::base::failure::Cause;
use crate::base::foreign::{Foreign, quote};
use crate::base::time::Timestamp;
use crate::domain::plan::{self, Action, Found, FoundAttestation, Step, Wanted};
use crate::domain::provenance::binding::Binding;
use crate::domain::report::{Event, Failure, Finding, Rule, RunReport, TargetReport, TargetState, Verdict};
use crate::domain::trust::Accepted;
use crate::seams::{Observer, Revocation, Signer, SignerIdentity, WriteStore};

/// The waits before looking again for what a registry does not list yet (ours; registries say "eventually").
const LISTED_LATER: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
];

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
pub(super) fn local_signer(job: &RunJob, identity: &SignerIdentity) -> Option<Finding> {
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
pub(super) struct Run<'a, S, G, R, O> {
    pub(super) job: &'a RunJob,
    pub(super) signings: Signings<'a, G>,
    pub(super) judge: Judge<'a, S, R>,
    pub(super) observer: &'a O,
    pub(super) stop: &'a Stop,
    /// The manifests that this run stored.
    pub(super) made: RefCell<MadeNow>,
    /// What was found everywhere in the first pass, for the second.
    pub(super) elsewhere: OnceCell<Elsewhere>,
    /// What no target may take away from another.
    pub(super) shared: RefCell<Shared>,
    /// The build that is attested, once it is known.
    pub(super) build: OnceCell<Build>,
    /// Whether nothing may be written, since the build could not be vouched for as it must.
    pub(super) halted: Cell<bool>,
}

/// A unit that was looked at.
pub(super) struct Looked {
    /// The target it belongs to.
    pub(super) index: usize,
    pub(super) unit: Unit,
    pub(super) observed: Observed,
    /// What ties it to this run, once that was asked.
    pub(super) binding: OnceCell<Result<Binding, Cause>>,
    pub(super) named_at: String,
    /// What `BuildKit` left about it, to be attached.
    pub(super) lift: Lift,
    /// When it was built, by its configuration, once that was asked.
    pub(super) built: tokio::sync::OnceCell<Option<Timestamp>>,
}

/// What became of one unit in the first pass.
enum First {
    Looked(Box<Looked>),
    Ended(Box<Ended>),
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

    async fn look(&self, index: usize, target: &Target) -> Result<Vec<First>, Failure> {
        let image = target.named.clone();
        self.observer.on(&Event::TargetStarted {
            target: index,
            of: self.job.targets.len(),
            image,
        });
        let progress = Progress::new(self.observer, index);
        let work = async {
            progress.begin(Step::Resolve);
            let (recursive, strict) = (self.job.recursive, self.job.require_digest);
            let store = self.judge.store;
            let wishes = Wishes {
                referrers: target.image.digest().cloned().into_iter().collect(),
                ..Wishes::default()
            };
            let units = resolve::resolve(store, target, recursive, strict);
            let (units, ahead) = tokio::join!(units, Ahead::read(store, target.image.place(), &wishes));
            let mut units = units?;
            progress.end(
                units
                    .first()
                    .map(|unit| unit.subject.digest().to_string())
                    .unwrap_or_default(),
            );
            if let Some(root) = units.first().filter(|root| !root.strays.is_empty()) {
                return Ok(vec![First::astray(target, root, &progress)]);
            }
            self.check_subjects(&units)?;
            let lifts = self.job.buildkit == BuildKit::Lift;
            let none = lifts && !lift::platforms(store, &mut units).await?;
            progress.begin(Step::Observe);
            let looked = pool::each(units, pool::PER_TARGET, async |unit| {
                let scope = scope(unit.subject.place(), self.job.repository.as_ref());
                let judge = self.judge.over(&ahead);
                let observed = judge.observe(&unit.subject, &scope);
                let (observed, lift) = tokio::join!(observed, lift::read(store, &unit));
                let (observed, mut lift) = (observed?, lift?);
                lift.is_missed = none && unit.root;
                if let Some(policy) = &observed.skipped_by {
                    return Err(skipped(&unit, policy));
                }
                Ok(Looked {
                    index,
                    unit,
                    observed,
                    binding: OnceCell::new(),
                    named_at: target.named_at.clone(),
                    lift,
                    built: tokio::sync::OnceCell::new(),
                })
            });
            let looked: Vec<Looked> = looked.await.into_iter().collect::<Result<_, Cause>>()?;
            progress.end("");
            Ok(looked
                .into_iter()
                .map(|looked| First::Looked(Box::new(looked)))
                .collect())
        };
        progress
            .guard(self.job.concurrency.timeout, self.stop, work)
            .await
    }

    /// Refuses Statements that were given about something else, before anything is written.
    fn check_subjects(&self, units: &[Unit]) -> Result<(), Cause> {
        for unit in units.iter().filter(|unit| unit.root) {
            for predicate in &self.job.predicates {
                let checked = predicate.check_subject(unit.subject.digest());
                checked.map_err(|error| Cause::of(&error))?;
            }
        }
        Ok(())
    }

    async fn act(&self, looked: &Looked, names: &[String], failed: &Cell<bool>) -> Ended {
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

    fn plan(&self, looked: &Looked, names: &[String]) -> Vec<Action> {
        let ours = |accepted: &Accepted| self.signings.identity().made(accepted);
        let accepted = looked.observed.signatures.iter().filter_map(Judged::accepted);
        let signature = accepted
            .filter(|accepted| ours(accepted))
            .map(|accepted| accepted.signature().clone())
            .next();
        let found = |wish: Wish<'_>| {
            let standing = self.standing_for(&looked.unit, &looked.observed, wish, names);
            let standing = standing.map(|found| &found.descriptor.digest);
            let own = self.own(&looked.observed, wish).into_iter();
            let own = own.filter(|(_, attested)| wish.replaces(attested));
            let own = own.map(|(found, _)| &found.descriptor.digest);
            let (shared, what) = (self.shared.borrow(), wish.what());
            let own = own.filter(|digest| shared.frees(&looked.unit.subject, &what, digest));
            FoundAttestation {
                what: wish.what(),
                standing: standing.cloned(),
                older: own.filter(|digest| Some(*digest) != standing).cloned().collect(),
            }
        };
        let mut all = Found {
            digest: looked.unit.subject.digest().clone(),
            signature,
            attestations: self.wishes(looked).into_iter().map(found).collect(),
        };
        let wanted = Wanted {
            sign: self.signs(looked),
            resign: self.job.resign,
        };
        let actions = plan::plan(&all, wanted);
        let Some(summary) = self.summary(looked, &looked.observed, names) else {
            return actions;
        };
        let mut of_summary = found(Wish::Summary(&summary, self.judge.clock.now()));
        if actions.iter().any(Action::writes) {
            // What is written now is not summed up yet.
            of_summary.older.extend(of_summary.standing.take());
        }
        all.attestations.push(of_summary);
        plan::plan(&all, wanted)
    }

    /// An attestation of ours that says what this run would say, whichever run wrote it.
    pub(super) fn standing_for<'a>(
        &'a self,
        unit: &Unit,
        observed: &'a Observed,
        wish: Wish<'_>,
        names: &[String],
    ) -> Option<&'a ObservedAttestation> {
        let mut own = self.own(observed, wish).into_iter();
        let same = own.find(|(_, attested)| wish.is_met_by(attested, unit, names));
        same.map(|(found, _)| found)
    }

    /// What is to be attested about a unit.
    pub(super) fn wishes<'b>(&'b self, looked: &'b Looked) -> Vec<Wish<'b>> {
        let lifted = looked.lift.predicates.iter().map(Wish::Lifted);
        // A run signs what is inside an index, and attests what was named; what only attests does that to all of it.
        let attests = looked.unit.root || self.job.images == Images::Leave;
        let build = self.build.get().filter(|_| looked.unit.root);
        let provenance = build.map(|build| Wish::Provenance(&build.account.facts));
        let documents = self.job.predicates.iter().filter(|_| attests);
        let documents = documents.map(Wish::Document);
        provenance.into_iter().chain(documents).chain(lifted).collect()
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

    /// Whether the manifest itself is to be signed.
    fn signs(&self, looked: &Looked) -> bool {
        self.job.images == Images::Sign && !looked.unit.attested_only
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

/// Names under which Statements list a digest: the repository's for a registry, the given or the directory's for a
/// layout; all of them where several places hold the digest, so that one attestation serves them all.
fn names_by_digest(first: &[First], job: &RunJob) -> Names {
    let mut names = Names::new();
    for first in first {
        let First::Looked(looked) = first else { continue };
        let name = super::subject_name(looked.unit.subject.place(), job.repository.as_ref());
        let names = names.entry(looked.unit.subject.digest().clone()).or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A run answers for what it signs, which it cannot under a policy that says not to look.
fn skipped(unit: &Unit, policy: &str) -> Cause {
    Cause {
        class: crate::base::failure::Class::Usage,
        message: format!(
            "could not run on {}: expected a policy to check the result by, found {} with the level skip",
            unit.subject,
            quote(policy)
        ),
        hint: Some("give a trust policy that judges this image, or none for a self-check".to_owned()),
    }
}

impl First {
    /// The unit, where it was looked at.
    fn looked(&self) -> Option<&Looked> {
        match self {
            Self::Looked(looked) => Some(looked),
            Self::Ended(_) => None,
        }
    }

    fn looked_mut(&mut self) -> Option<&mut Looked> {
        match self {
            Self::Looked(looked) => Some(looked),
            Self::Ended(_) => None,
        }
    }

    /// A target of which nobody can know whether its tag or its digest is meant.
    fn astray<O: Observer>(target: &Target, root: &Unit, progress: &Progress<'_, O>) -> Self {
        let told = root.strays.iter().map(Stray::mismatch);
        let (findings, causes): (Vec<Finding>, Vec<Cause>) = told.unzip();
        let ended = Ended {
            report: tags::disagreeing(target, root),
            findings,
            failures: causes.into_iter().map(|cause| progress.failure(cause)).collect(),
        };
        Self::Ended(Box::new(ended.named_at(&target.named_at)))
    }

    fn has_failed(&self) -> bool {
        matches!(self, Self::Ended(ended) if !ended.failures.is_empty())
    }
}
