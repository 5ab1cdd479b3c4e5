//! What stands in one place and is wanted in another: it was judged accepted and ours there, so it is copied, not signed
//! again.

use std::collections::HashMap;

use super::Run;
use super::attest::{ReadyAttestation, Wish};
use super::sign::ReadySignature;
use crate::base::limits;
use crate::base::time::Timestamp;
use crate::domain::notary::{Envelope, signature_manifest};
use crate::domain::oci::{Blob, Descriptor, Digest, Manifest, ManifestView, MediaType, Place, Subject};
use crate::domain::provenance::attestation_manifest;
use crate::domain::trust::Evidence;
use crate::domain::trust::attestation::AcceptedAttestation;
use crate::job::judge::Judged;
use crate::job::observe::ObservedAttestation;
use crate::job::resolve::Unit;
use crate::seams::{Observer, Revocation, Signer, SignerIdentity, WriteStore};

/// Where a referrer stands.
#[derive(Clone, Debug)]
struct Source {
    place: Place,
    manifest: Descriptor,
}

/// What is ours and good somewhere, by what it is on.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// Signatures by subject, each with the time it was made.
    signatures: HashMap<Digest, (Source, Timestamp)>,
    /// Attestations by image and what they are, each with what it says: one image may have several of a kind.
    attestations: HashMap<(Digest, String), Vec<(Source, AcceptedAttestation)>>,
}

impl Elsewhere {
    /// Notes the oldest of our signatures on a subject.
    pub(super) fn signed(&mut self, place: &Place, signatures: &[Judged], signer: &SignerIdentity) {
        for judged in signatures {
            if let Some(accepted) = judged.accepted().filter(|accepted| signer.made(accepted)) {
                let source = Source {
                    place: place.clone(),
                    manifest: judged.descriptor.clone(),
                };
                let time = accepted.envelope().attributes().time();
                let subject = accepted.subject().clone();
                let known = self.signatures.get(&subject);
                if known.is_none_or(|(_, known)| time < *known) {
                    self.signatures.insert(subject, (source, time));
                }
            }
        }
    }

    /// Notes an attestation that says what this run would say, and the signatures on it.
    pub(super) fn attested(
        &mut self,
        (image, what): (&Subject, String),
        found: &ObservedAttestation,
        signer: &SignerIdentity,
    ) {
        let source = Source {
            place: image.place().clone(),
            manifest: found.descriptor.clone(),
        };
        let key = (image.digest().clone(), what);
        let accepted = found.outcome.accepted().cloned();
        let known = self.attestations.entry(key).or_default();
        known.extend(accepted.map(|accepted| (source, accepted)));
        self.signed(image.place(), &found.signatures, signer);
    }

    /// When the signature that stands in another place was made.
    pub(super) fn signed_at(&self, subject: &Subject) -> Option<Timestamp> {
        let found = self.signatures.get(subject.digest());
        let elsewhere = found.filter(|(source, _)| source.place != *subject.place());
        elsewhere.map(|(_, time)| *time)
    }
}

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    /// Our signature on a subject, as it stands in another place; none where there is none, or where it cannot be had
    /// as it is: then it is made, which is always right.
    pub(super) async fn signature_elsewhere(&self, subject: &Subject) -> Option<ReadySignature> {
        let (source, signed) = self.elsewhere.get()?.signatures.get(subject.digest())?;
        let manifest = self.manifest_of(source, subject).await?;
        let (layer, format) = signature_manifest::envelope_of(&manifest, subject.descriptor()).ok()?;
        let blobs = self.blobs_of(source, &manifest, &layer, limits::ENVELOPE_BYTES);
        let blobs = blobs.await?;
        let evidence = Evidence {
            manifest: manifest.digest().clone(),
            envelope: Envelope::new(format, blobs.first()?.bytes().to_vec()),
        };
        Some(ReadySignature {
            manifest,
            blobs,
            evidence,
            signed: *signed,
        })
    }

    /// Our attestation of an image that says what is wanted, as it stands in another place.
    pub(super) async fn attestation_elsewhere(
        &self,
        unit: &Unit,
        names: &[String],
        wish: Wish<'_>,
    ) -> Option<ReadyAttestation> {
        let image = &unit.subject;
        let key = (image.digest().clone(), wish.what());
        let mut known = self.elsewhere.get()?.attestations.get(&key)?.iter();
        let (source, _) = known.find(|(source, accepted)| {
            source.place != *image.place() && wish.is_met_by(accepted.attested(), unit, names)
        })?;
        let manifest = self.manifest_of(source, image).await?;
        let layer = attestation_manifest::document_of(&manifest, image.descriptor()).ok()?;
        let blobs = self.blobs_of(source, &manifest, &layer, limits::STATEMENT_BYTES);
        let blobs = blobs.await?;
        Some(ReadyAttestation {
            subject: Subject::of(image.place().clone(), &manifest),
            manifest,
            blobs,
        })
    }

    async fn manifest_of(&self, source: &Source, wanted: &Subject) -> Option<Manifest> {
        if source.place == *wanted.place() {
            return None;
        }
        let manifest = self.judge.store.manifest(&source.place, &source.manifest).await;
        // The artifact manifest of OCI's release candidates is not taken everywhere.
        manifest
            .ok()
            .filter(|manifest| *manifest.media_type() == MediaType::OCI_MANIFEST)
    }

    /// The layer, and the empty config that artifacts have; another config is nothing of ours.
    async fn blobs_of(
        &self,
        source: &Source,
        manifest: &Manifest,
        layer: &Descriptor,
        limit: usize,
    ) -> Option<Vec<Blob>> {
        let ManifestView::Image(image) = manifest.view() else {
            return None;
        };
        let config = image.config.as_ref()?;
        let empty = Blob::new(config.media_type.clone(), b"{}".to_vec());
        if !empty.descriptor().same_content(config) {
            return None;
        }
        let bytes = self.judge.store.blob(&source.place, layer, limit).await.ok()?;
        Some(vec![Blob::new(layer.media_type.clone(), bytes), empty])
    }
}
