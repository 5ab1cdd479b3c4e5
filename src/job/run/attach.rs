//! Pushing what is ready, in the order that never shows an unsigned attestation where the registry lets it.

use super::Run;
use super::attest::ReadyAttestation;
use super::sign::ReadySignature;
use crate::base::failure::Cause;
use crate::domain::oci::{Blob, Digest, Place};
use crate::job::pool;
use crate::seams::{Observer, OwnReferrer, Revocation, Signer, WriteStore};

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    /// The signature first, then what it is on: what nobody signed is never seen. Where the registry does not take a
    /// signature on what it does not hold, the other way round; everything is signed and sealed by then, so all that
    /// lies between is one manifest.
    pub(super) async fn attach(
        &self,
        place: &Place,
        attestation: &ReadyAttestation,
        signature: Option<&ReadySignature>,
    ) -> Result<(), Cause> {
        let digest = attestation.manifest.digest();
        self.shared.borrow_mut().keep(place, digest);
        if let Some(signature) = signature {
            let store = self.judge.store;
            match store.push_referrer(place, &signature.manifest).await {
                Ok(_) => self.is_made(signature.manifest.digest()),
                Err(error) => {
                    let own = OwnReferrer::absent_before(place.clone(), &attestation.manifest, &error);
                    let own = own.ok_or_else(|| Cause::of(&error))?;
                    return self.attach_first(&own, attestation, signature).await;
                }
            }
        }
        self.push_attestation(place, attestation).await
    }

    /// The attestation, then the signature on it; without the signature the attestation is taken back.
    async fn attach_first(
        &self,
        own: &OwnReferrer,
        attestation: &ReadyAttestation,
        signature: &ReadySignature,
    ) -> Result<(), Cause> {
        let place = own.subject().place();
        let pushed = async {
            self.push_attestation(place, attestation).await?;
            self.push_signature(place, signature).await
        };
        match pushed.await {
            Ok(_) => Ok(()),
            Err(cause) => Err(self.take_back(own, cause).await),
        }
    }

    /// Deletes what could not be signed, and says what became of it.
    async fn take_back(&self, own: &OwnReferrer, cause: Cause) -> Cause {
        let subject = own.subject();
        let message = match self.judge.store.delete(own).await {
            Ok(()) => {
                self.made.borrow_mut().remove(subject.digest());
                format!(
                    "{}; the attestation {} was deleted again, since nothing signs it",
                    cause.message,
                    subject.digest()
                )
            }
            Err(error) => format!(
                "{}; the attestation {subject} may be public without a signature, and taking it back failed: {}",
                cause.message,
                Cause::of(&error).message
            ),
        };
        Cause { message, ..cause }
    }

    async fn push_attestation(&self, place: &Place, attestation: &ReadyAttestation) -> Result<(), Cause> {
        let store = self.judge.store;
        let stored = store.push_referrer(place, &attestation.manifest).await;
        stored.map_err(|error| Cause::of(&error))?;
        self.is_made(attestation.manifest.digest());
        Ok(())
    }

    pub(super) async fn upload(&self, place: &Place, blobs: &[Blob]) -> Result<(), Cause> {
        let store = self.judge.store;
        let uploads = pool::each(blobs, pool::PER_TARGET, |blob| store.upload(place, blob)).await;
        uploads
            .into_iter()
            .collect::<Result<(), _>>()
            .map_err(|error| Cause::of(&error))
    }

    pub(super) async fn push_signature(
        &self,
        place: &Place,
        signature: &ReadySignature,
    ) -> Result<Digest, Cause> {
        let store = self.judge.store;
        store
            .push_referrer(place, &signature.manifest)
            .await
            .map_err(|error| Cause::of(&error))?;
        self.is_made(signature.manifest.digest());
        Ok(signature.manifest.digest().clone())
    }

    /// Notes what this run stored.
    fn is_made(&self, digest: &Digest) {
        self.made.borrow_mut().insert(digest.clone());
    }
}
