//! Deleting what a run has replaced: an older attestation of the same kind that is ours, and its signature.

use super::attest::Wish;
use super::{Looked, Run};
use crate::base::failure::{Cause, Class};
use crate::domain::oci::{Descriptor, Manifest, MediaType, Place};
use crate::domain::plan::Action;
use crate::domain::provenance::{Attested, Kind};
use crate::domain::report::{Finding, Level, Rule};
use crate::job::judge::Judged;
use crate::job::observe::{Observed, ObservedAttestation};
use crate::seams::{Observer, OwnReferrer, Revocation, Signer, WriteStore};

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    /// Deletes what the plan says is replaced, now that what replaces it was read back and accepted; what is deleted is
    /// no longer observed. That something may not be deleted is worth a note and no more: it is still true, and signed.
    pub(super) async fn replace(
        &self,
        looked: &Looked,
        actions: &[Action],
        observed: &mut Observed,
    ) -> Vec<Finding> {
        let place = looked.unit.subject.place();
        let mut notes = Vec::new();
        for action in actions {
            let Action::Remove { older, .. } = action else {
                continue;
            };
            let (found, others): (Vec<_>, Vec<_>) = observed
                .attestations
                .iter()
                .cloned()
                .partition(|found| found.descriptor.digest == *older);
            let Some(found) = found.first() else { continue };
            let needed = if self.shared.borrow().keeps(place, older) {
                Some("this run keeps it for another target")
            } else {
                self.needed(found, &others)
            };
            let deleted = match needed {
                Some(why) => Err(why.to_owned()),
                None => self.delete(place, found).await.map_err(|cause| cause.message),
            };
            match deleted {
                Ok(()) => {
                    observed.attestations = others;
                    observed.held = self.judge.held(&observed.attestations);
                    observed.referrers = observed.referrers.saturating_sub(1);
                }
                Err(why) => notes.push(Finding {
                    level: Level::Note,
                    digest: Some(older.clone()),
                    ..Finding::new(Rule::AttestationDuplicate, not_deleted(&why))
                }),
            }
        }
        notes
    }

    /// Why an attestation has to stay although another takes its place: what was expected holds by it alone, or
    /// somebody else vouches for it too.
    fn needed(&self, found: &ObservedAttestation, others: &[ObservedAttestation]) -> Option<&'static str> {
        let signer = self.signings.identity();
        let mut accepted = found.signatures.iter().filter_map(Judged::accepted);
        if accepted.any(|accepted| !signer.made(accepted)) {
            return Some("another trusted signer signed it as well");
        }
        let held = self.judge.held(others);
        let short = held.iter().any(|held| !held.shortfalls.is_empty());
        short.then_some("what is expected of the image is met by it alone")
    }

    /// The attestation first, so that it is at no moment seen without its signature.
    async fn delete(&self, place: &Place, found: &ObservedAttestation) -> Result<(), Cause> {
        let signer = self.signings.identity();
        let Some(accepted) = found.outcome.accepted() else {
            return Ok(());
        };
        self.delete_one(place, &found.descriptor, |manifest| {
            OwnReferrer::prove(place.clone(), manifest, signer, accepted.signature())
        })
        .await?;
        for accepted in found.signatures.iter().filter_map(Judged::accepted) {
            let signature = found
                .signatures
                .iter()
                .find(|judged| judged.descriptor.digest == *accepted.signature());
            if let Some(signature) = signature {
                self.delete_one(place, &signature.descriptor, |manifest| {
                    OwnReferrer::signature(place.clone(), manifest, signer, accepted)
                })
                .await?;
            }
        }
        Ok(())
    }

    /// Deletes a referrer if it is proved to be ours; one that is not there is deleted.
    async fn delete_one(
        &self,
        place: &Place,
        descriptor: &Descriptor,
        prove: impl FnOnce(&Manifest) -> Option<OwnReferrer>,
    ) -> Result<(), Cause> {
        let store = self.judge.store;
        let deleted = async {
            match prove(&store.manifest(place, descriptor).await?) {
                Some(own) => store.delete(&own).await,
                None => Ok(()),
            }
        };
        match deleted.await.map_err(|error| Cause::of(&error)) {
            Err(cause) if cause.class != Class::Missing => Err(cause),
            _ => Ok(()),
        }
    }

    /// Our attestations on an image of the kind that is wanted, accepted. Lists may lose or change the artifact type;
    /// only another one of an attestation rules it out.
    pub(super) fn own<'a>(
        &'a self,
        observed: &'a Observed,
        wish: Wish<'_>,
    ) -> Vec<(&'a ObservedAttestation, &'a Attested)> {
        let (predicate_type, artifact_type) = (wish.predicate_type(), wish.artifact_type());
        let listed_so = |found: &ObservedAttestation| {
            let listed = found.artifact_type.as_ref();
            listed.is_none_or(|listed| *listed == artifact_type || *listed == MediaType::EMPTY)
        };
        let own = observed.attestations.iter().filter(|found| listed_so(found));
        let own = own.filter_map(|found| Some((found, found.outcome.accepted()?)));
        let own = own.filter(|(_, accepted)| self.signings.identity().made(accepted.signature()));
        own.map(|(found, accepted)| (found, accepted.attested()))
            .filter(|(_, attested)| is_of_kind(attested, predicate_type))
            .collect()
    }
}

/// Whether an attestation is of the kind that a predicate type stands for: the same, or of the same family.
fn is_of_kind(attested: &Attested, predicate_type: &str) -> bool {
    let kind = Kind::of_predicate_type(predicate_type);
    attested.predicate_type() == predicate_type || (kind.is_some() && attested.kind() == kind)
}

fn not_deleted(why: &str) -> String {
    format!("an older attestation of ours of the same kind stays beside the new one: {why}")
}
