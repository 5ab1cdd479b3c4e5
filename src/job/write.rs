//! Storing what a plan asks for, in the order that never shows anyone half of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::ahead::Wishes;
use super::attest::{self, ReadyAttestation};
use super::judge::Judged;
use super::progress::Progress;
use super::run::{Looked, Run};
use super::scope;
use super::sign::ReadySignature;
use super::standing::{Standing, standing};
use crate::base::failure::Cause;
use crate::base::limits;
use crate::base::time::Timestamp;
use crate::domain::notary::signature_manifest;
use crate::domain::oci::{Digest, Subject};
use crate::domain::plan::{Action, Step};
use crate::domain::provenance::{BuildFacts, attestation_manifest};
use crate::seams::{Observer, Revocation, Signer, WriteStore};

/// What was stored just now, and has to be found again.
#[derive(Default)]
pub(super) struct Written {
    /// The signature and the attestation on the image.
    pub(super) referrers: Vec<Digest>,
    /// Everything that was stored, to be read back.
    pub(super) wishes: Wishes,
    /// The signatures, each with what it is on.
    pub(super) signatures: Vec<(Subject, Rc<ReadySignature>)>,
}

impl Written {
    fn signature(&mut self, on: &Subject, signature: Rc<ReadySignature>) -> Result<(), Cause> {
        let envelope = signature_manifest::envelope_of(&signature.manifest, on.descriptor());
        let (envelope, _) = envelope.map_err(|error| Cause::of(&error))?;
        self.wishes
            .manifests
            .push(signature.manifest.descriptor().clone());
        self.wishes.blobs.push((envelope, limits::ENVELOPE_BYTES));
        self.signatures.push((on.clone(), signature));
        Ok(())
    }

    fn attestation(&mut self, image: &Subject, attestation: &ReadyAttestation) -> Result<(), Cause> {
        let document = attestation_manifest::document_of(&attestation.manifest, image.descriptor());
        let document = document.map_err(|error| Cause::of(&error))?;
        self.wishes
            .manifests
            .push(attestation.manifest.descriptor().clone());
        self.wishes.blobs.push((document, limits::STATEMENT_BYTES));
        self.wishes.referrers.push(attestation.manifest.digest().clone());
        self.referrers.push(attestation.manifest.digest().clone());
        Ok(())
    }
}

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    /// Signs and pushes in the order that leaves no unsigned attestation visible at any moment: the attestation's
    /// digest is known before it is stored, so its signature goes first, and the image's signature before both.
    pub(super) async fn write(
        &self,
        looked: &Looked,
        actions: &[Action],
        names: &[String],
        progress: &Progress<'_, O>,
    ) -> Result<Written, Cause> {
        let subject = &looked.unit.subject;
        let place = subject.place();
        let signs = actions
            .iter()
            .any(|action| matches!(action, Action::Sign | Action::SignAgain { .. }));
        let facts = self.facts(looked).filter(|_| actions.contains(&Action::Attest));
        let mut written = Written::default();
        written.wishes.referrers.push(subject.digest().clone());
        progress.begin(Step::Sign);
        let signature = async {
            if signs {
                let signature = self.signings.signature(subject, &self.job.metadata);
                signature.await.map(Some)
            } else {
                Ok(None)
            }
        };
        let uploads = uploads(looked, signs, facts.is_some());
        let (signature, ()) = tokio::join!(signature, self.judge.store.prepare(place, uploads));
        let signature = signature?;
        if let Some(signature) = &signature {
            self.foresee(subject, &self.job.metadata, signature)?;
        }
        progress.end("");
        let signed = signature.as_ref().map(|signature| signature.signed);
        let pushed = async {
            let Some(signature) = &signature else {
                return Ok(());
            };
            progress.begin(Step::Push);
            self.upload(place, &signature.blobs).await?;
            let digest = self.push_signature(place, signature).await?;
            progress.published(format!("signature {digest}"));
            progress.end(digest.short());
            Ok::<(), Cause>(())
        };
        let attestation = async {
            match facts {
                None => Ok(None),
                Some(facts) => self.prepare(looked, names, facts, signed).await.map(Some),
            }
        };
        let (pushed, attestation) = tokio::join!(pushed, attestation);
        pushed?;
        if let Some(signature) = signature {
            written.referrers.push(signature.manifest.digest().clone());
            written.signature(subject, signature)?;
        }
        if facts.is_some() {
            progress.begin(Step::Attest);
        }
        if let Some((attestation, signature)) = attestation? {
            self.attach(place, &attestation, signature.as_deref()).await?;
            progress.published(format!("provenance {}", attestation.manifest.digest()));
            progress.end(attestation.manifest.digest().short());
            written.attestation(subject, &attestation)?;
            if let Some(signature) = signature {
                written.signature(&attestation.subject, signature)?;
            }
        }
        Ok(written)
    }

    /// Refuses to publish a signature that the run's own policy is going to refuse.
    fn foresee(
        &self,
        subject: &Subject,
        metadata: &BTreeMap<String, String>,
        signature: &ReadySignature,
    ) -> Result<(), Cause> {
        let scope = scope(subject.place(), self.job.repository.as_ref());
        self.judge.foresee(subject, metadata, &signature.evidence, &scope)
    }

    /// Builds the attestation, and signs it unless a run that was stopped left a good signature over the same bytes;
    /// `signed` is when this run signed the image, if it did.
    async fn prepare(
        &self,
        looked: &Looked,
        names: &[String],
        facts: &BuildFacts,
        signed: Option<Timestamp>,
    ) -> Result<(ReadyAttestation, Option<Rc<ReadySignature>>), Cause> {
        let place = looked.unit.subject.place();
        let stands = || self.standing_since(looked);
        let own = || attest::created(&looked.unit, signed.or_else(stands));
        let created = self.job.created.or_else(own);
        let created = created.unwrap_or_else(|| self.judge.clock.now().whole());
        let attestation = attest::ready(&looked.unit, names, facts, created)?;
        let uploaded = self.upload(place, &attestation.blobs);
        let signature = async {
            if signed.is_none() {
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
            self.foresee(&attestation.subject, &BTreeMap::new(), &signature)?;
            self.upload(place, &signature.blobs).await?;
            Ok(Some(signature))
        };
        let ((), signature) = tokio::try_join!(uploaded, signature)?;
        Ok((attestation, signature))
    }

    /// When the oldest of our signatures that stand on the image was made.
    fn standing_since(&self, looked: &Looked) -> Option<Timestamp> {
        let accepted = looked.observed.signatures.iter().filter_map(Judged::accepted);
        let ours = accepted.filter(|accepted| self.signings.identity().made(accepted));
        ours.map(|accepted| accepted.envelope().attributes().time()).min()
    }
}

/// How many blobs will be stored: an envelope for each signature, the statement, and the empty one unless something on
/// the image shows that it is there.
fn uploads(looked: &Looked, signs: bool, attests: bool) -> usize {
    let seen = !looked.observed.signatures.is_empty() || !looked.observed.attestations.is_empty();
    usize::from(signs) + 2 * usize::from(attests) + usize::from(!seen)
}
