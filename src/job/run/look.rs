//! The first pass: resolving a target and observing what is on it.

use std::cell::OnceCell;

use super::lift;
use super::{Looked, Run};
use crate::base::failure::{Cause, Class};
use crate::base::foreign::quote;
use crate::domain::plan::Step;
use crate::domain::report::{Event, Failure, Finding};
use crate::job::ahead::{Ahead, Wishes};
use crate::job::ended::Ended;
use crate::job::progress::Progress;
use crate::job::resolve::{self, Unit};
use crate::job::tags::{self, Stray};
use crate::job::{BuildKit, Target, pool, scope};
use crate::seams::{Observer, Revocation, Signer, WriteStore};

/// What became of one unit in the first pass.
pub(super) enum First {
    Looked(Box<Looked>),
    Ended(Box<Ended>),
}

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    pub(super) async fn look(&self, index: usize, target: &Target) -> Result<Vec<First>, Failure> {
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
                let (observed, lift) = tokio::join!(observed, lift::read(store, &unit, &self.lifted));
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
}

/// A run answers for what it signs, which it cannot under a policy that says not to look.
fn skipped(unit: &Unit, policy: &str) -> Cause {
    Cause {
        class: Class::Usage,
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
    pub(super) fn looked(&self) -> Option<&Looked> {
        match self {
            Self::Looked(looked) => Some(looked),
            Self::Ended(_) => None,
        }
    }

    pub(super) fn looked_mut(&mut self) -> Option<&mut Looked> {
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

    pub(super) fn has_failed(&self) -> bool {
        matches!(self, Self::Ended(ended) if !ended.failures.is_empty())
    }
}
