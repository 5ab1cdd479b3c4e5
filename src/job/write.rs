//! Storing what a plan asks for, in the order that never shows anyone half of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::attest::{self, ReadyAttestation};
use super::pool;
use super::progress::Progress;
use super::run::{Looked, Run};
use super::scope;
use super::sign::ReadySignature;
use super::standing::{Standing, standing};
use crate::base::failure::Cause;
use crate::domain::oci::{Blob, Digest, Place};
use crate::domain::plan::{Action, Step};
use crate::domain::provenance::BuildFacts;
use crate::seams::{Observer, Revocation, Signer, WriteStore};

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    /// Signs and pushes in the order that leaves no unsigned attestation visible at any moment: the attestation's
    /// digest is known before it is stored, so its signature goes first. Returns what has to be found again.
    pub(super) async fn write(
        &self,
        looked: &Looked,
        actions: &[Action],
        names: &[String],
        progress: &Progress<'_, O>,
    ) -> Result<Vec<Digest>, Cause> {
        let place = looked.unit.subject.place();
        let signs = actions
            .iter()
            .any(|action| matches!(action, Action::Sign | Action::SignAgain { .. }));
        let facts = self.facts(looked).filter(|_| actions.contains(&Action::Attest));
        progress.begin(Step::Sign);
        let image = async {
            if !signs {
                return Ok(None);
            }
            let signature = self
                .signings
                .signature(&looked.unit.subject, &self.job.metadata)
                .await?;
            self.upload(place, &signature.blobs).await?;
            Ok::<_, Cause>(Some(signature))
        };
        let attestation = async {
            match facts {
                None => Ok(None),
                Some(facts) => self.prepare(looked, names, facts, !signs).await.map(Some),
            }
        };
        let (image, attestation) = tokio::try_join!(image, attestation)?;
        progress.end("");
        let mut written = Vec::new();
        if let Some(signature) = &image {
            progress.begin(Step::Push);
            let digest = self.push_signature(place, signature).await?;
            progress.published(format!("signature {digest}"));
            progress.end(digest.short());
            written.push(digest);
        }
        if let Some((attestation, signature)) = &attestation {
            progress.begin(Step::Attest);
            if let Some(signature) = signature {
                self.push_signature(place, signature).await?;
            }
            let store = self.judge.store;
            store
                .push_referrer(place, &attestation.manifest)
                .await
                .map_err(|error| Cause::of(&error))?;
            self.made
                .borrow_mut()
                .insert(attestation.manifest.digest().clone());
            progress.published(format!("provenance {}", attestation.manifest.digest()));
            progress.end(attestation.manifest.digest().short());
            written.push(attestation.manifest.digest().clone());
        }
        Ok(written)
    }

    /// Builds the attestation, and signs it unless a run that was stopped left a good signature over the same bytes.
    async fn prepare(
        &self,
        looked: &Looked,
        names: &[String],
        facts: &BuildFacts,
        look_for_leftovers: bool,
    ) -> Result<(ReadyAttestation, Option<Rc<ReadySignature>>), Cause> {
        let store = self.judge.store;
        let place = looked.unit.subject.place();
        let created = match self.job.created {
            Some(created) => Some(created),
            None => attest::image_created(store, &looked.unit).await,
        };
        let created = created.unwrap_or_else(|| self.judge.clock.now().whole());
        let attestation = attest::ready(&looked.unit, names, facts, created)?;
        let uploaded = self.upload(place, &attestation.blobs);
        let signature = async {
            if look_for_leftovers {
                let scope = scope(place, self.job.repository.as_ref());
                let left = self.judge.signatures_on(&attestation.subject, &scope).await?;
                if matches!(standing(&left), Standing::Good) {
                    return Ok(None);
                }
            }
            let signature = self
                .signings
                .signature(&attestation.subject, &BTreeMap::new())
                .await?;
            self.upload(place, &signature.blobs).await?;
            Ok(Some(signature))
        };
        let ((), signature) = tokio::try_join!(uploaded, signature)?;
        Ok((attestation, signature))
    }

    async fn upload(&self, place: &Place, blobs: &[Blob]) -> Result<(), Cause> {
        let store = self.judge.store;
        let uploads = pool::each(blobs, pool::PER_TARGET, |blob| store.upload(place, blob)).await;
        uploads
            .into_iter()
            .collect::<Result<(), _>>()
            .map_err(|error| Cause::of(&error))
    }

    async fn push_signature(&self, place: &Place, signature: &ReadySignature) -> Result<Digest, Cause> {
        let store = self.judge.store;
        store
            .push_referrer(place, &signature.manifest)
            .await
            .map_err(|error| Cause::of(&error))?;
        self.made.borrow_mut().insert(signature.manifest.digest().clone());
        Ok(signature.manifest.digest().clone())
    }
}
