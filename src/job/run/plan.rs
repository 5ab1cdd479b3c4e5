//! The second pass: what each unit lacks, over all of them.

use super::attest::Wish;
use super::look::First;
use super::shared::Names;
use super::{Looked, Run};
use crate::domain::plan::{self, Action, Found, FoundAttestation, Wanted};
use crate::domain::trust::Accepted;
use crate::job::judge::Judged;
use crate::job::observe::{Observed, ObservedAttestation};
use crate::job::resolve::Unit;
use crate::job::{Images, RunJob, subject_name};
use crate::seams::{Observer, Revocation, Signer, WriteStore};

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    pub(super) fn plan(&self, looked: &Looked, names: &[String]) -> Vec<Action> {
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

    /// Whether the manifest itself is to be signed.
    pub(super) fn signs(&self, looked: &Looked) -> bool {
        self.job.images == Images::Sign && !looked.unit.attested_only
    }
}

/// Names under which Statements list a digest: the repository's for a registry, the given or the directory's for a
/// layout; all of them where several places hold the digest, so that one attestation serves them all.
pub(super) fn names_by_digest(first: &[First], job: &RunJob) -> Names {
    let mut names = Names::new();
    for first in first {
        let First::Looked(looked) = first else { continue };
        let name = subject_name(looked.unit.subject.place(), job.repository.as_ref());
        let names = names.entry(looked.unit.subject.digest().clone()).or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
