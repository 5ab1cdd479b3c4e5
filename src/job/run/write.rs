//! Storing what a plan asks for, in the order that never shows anyone half of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::attest::{self, ReadyAttestation, Wish};
use super::built::built;
use super::sign::ReadySignature;
use super::{Looked, Run};
use crate::base::failure::Cause;
use crate::base::limits;
use crate::base::time::Timestamp;
use crate::domain::notary::signature_manifest;
use crate::domain::oci::{Digest, Subject};
use crate::domain::plan::{Action, Step};
use crate::domain::provenance::attestation_manifest;
use crate::domain::trust::attestation::AttestationFault;
use crate::job::ahead::Wishes;
use crate::job::judge::Judged;
use crate::job::observe::Observed;
use crate::job::pool;
use crate::job::progress::Progress;
use crate::job::scope;
use crate::job::standing::{Standing, standing};
use crate::seams::{Observer, Revocation, Signer, WriteStore};

/// Unsigned attestations of one kind on one image that are compared with what a run would make (ours; a run that was
/// stopped leaves one).
const LEFT_BEHIND: usize = 8;

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

/// An attestation about to be stored, and whether a good signature over it is there already.
struct Early {
    attestation: ReadyAttestation,
    signed: bool,
}

/// An attestation to be stored, and the signature to be stored before it.
type Ready = (ReadyAttestation, Option<Rc<ReadySignature>>);

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
        let mut wanted = self.wishes(looked);
        wanted.retain(|wish| actions.contains(&Action::Attest { what: wish.what() }));
        let mut written = Written::default();
        written.wishes.referrers.push(subject.digest().clone());
        progress.begin(Step::Sign);
        let signature = async {
            if signs {
                let elsewhere = self.signature_elsewhere(subject);
                let signature = self.signings.signature(subject, &self.job.metadata, elsewhere);
                signature.await.map(Some)
            } else {
                Ok(None)
            }
        };
        let uploads = uploads(looked, signs, wanted.len());
        let opened = self.judge.store.prepare(place, uploads);
        let early = pool::each(&wanted, pool::PER_TARGET, |wish| {
            self.early(looked, names, *wish, signs)
        });
        let (signature, early, ()) = tokio::join!(signature, early, opened);
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
        let ready = pool::each(
            wanted.iter().zip(early),
            pool::PER_TARGET,
            async |(wish, early)| {
                let early = early?.map_or_else(|| self.late(looked, names, *wish, signed), Ok)?;
                self.prepare(early).await
            },
        );
        let (pushed, ready) = tokio::join!(pushed, ready);
        pushed?;
        if let Some(signature) = signature {
            written.referrers.push(signature.manifest.digest().clone());
            written.signature(subject, signature)?;
        }
        if !wanted.is_empty() {
            progress.begin(Step::Attest);
        }
        let ready: Vec<Ready> = ready.into_iter().collect::<Result<_, Cause>>()?;
        let attached = pool::each(
            wanted.iter().zip(&ready),
            pool::PER_TARGET,
            async |(wish, ready)| {
                let (attestation, signature) = ready;
                self.attach(place, attestation, signature.as_deref()).await?;
                progress.published(format!("{} {}", wish.what(), attestation.manifest.digest()));
                progress.end(attestation.manifest.digest().short());
                Ok::<(), Cause>(())
            },
        );
        attached.await.into_iter().collect::<Result<(), Cause>>()?;
        for (attestation, signature) in ready {
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

    /// The attestation, where its bytes do not wait for the image's signature: as it stands in another place, or with a
    /// time that is known, if only the present second. Such bytes an earlier run may have had too, and have been stopped after it signed them, so
    /// they are asked for their signatures before they are signed.
    async fn early(
        &self,
        looked: &Looked,
        names: &[String],
        wish: Wish<'_>,
        signs: bool,
    ) -> Result<Option<Early>, Cause> {
        let found = self.attestation_elsewhere(&looked.unit, names, wish).await;
        let attestation = match found {
            Some(found) => found,
            None => match self.left_behind(looked, names, wish) {
                Some(left) => left,
                None => match self.created_early(looked, signs).await? {
                    Some(created) => attest::ready(&looked.unit, names, wish, created)?,
                    None => return Ok(None),
                },
            },
        };
        self.asked(attestation).await.map(Some)
    }

    /// Asks for the signatures that an earlier run may have left on the same bytes.
    async fn asked(&self, attestation: ReadyAttestation) -> Result<Early, Cause> {
        let scope = scope(attestation.subject.place(), self.job.repository.as_ref());
        let left = self.judge.signatures_on(&attestation.subject, &scope).await?;
        let signed = matches!(standing(&left), Standing::Good);
        Ok(Early { attestation, signed })
    }

    /// Signs and stores one attestation more, when everything else is there.
    pub(super) async fn write_one(
        &self,
        image: &Subject,
        what: &str,
        attestation: ReadyAttestation,
        progress: &Progress<'_, O>,
    ) -> Result<Written, Cause> {
        let early = self.asked(attestation).await?;
        let (attestation, signature) = self.prepare(early).await?;
        self.attach(image.place(), &attestation, signature.as_deref())
            .await?;
        progress.published(format!("{what} {}", attestation.manifest.digest()));
        progress.end(attestation.manifest.digest().short());
        let mut written = Written::default();
        written.wishes.referrers.push(image.digest().clone());
        written.attestation(image, &attestation)?;
        if let Some(signature) = signature {
            written.signature(&attestation.subject, signature)?;
        }
        Ok(written)
    }

    /// What a run that was stopped left without a signature: exactly the bytes that this run would make, had it begun when
    /// they say that they were made. Whoever put them there, they say nothing that we would not.
    fn left_behind(&self, looked: &Looked, names: &[String], wish: Wish<'_>) -> Option<ReadyAttestation> {
        let artifact_type = wish.artifact_type();
        let now = self.judge.clock.now();
        let found = looked.observed.attestations.iter();
        // One that somebody else has signed was not left: it is theirs, and they may replace it.
        let unsigned = found.filter(|found| {
            let fault = found.outcome.fault();
            fault == Some(AttestationFault::Unsigned) && found.artifact_type.as_ref() == Some(&artifact_type)
        });
        let times = unsigned.filter_map(|found| Some((found, found.created.filter(|time| *time <= now)?)));
        times.take(LEFT_BEHIND).find_map(|(found, created)| {
            let made = attest::ready(&looked.unit, names, wish, created).ok()?;
            (*made.manifest.digest() == found.descriptor.digest).then_some(made)
        })
    }

    /// The attestation with the time at which the image was signed just now: bytes that nobody had before.
    fn late(
        &self,
        looked: &Looked,
        names: &[String],
        wish: Wish<'_>,
        signed: Option<Timestamp>,
    ) -> Result<Early, Cause> {
        let created = signed.map(Timestamp::whole);
        let created = created.unwrap_or_else(|| self.judge.clock.now().whole());
        let attestation = attest::ready(&looked.unit, names, wish, created)?;
        Ok(Early {
            attestation,
            signed: false,
        })
    }

    /// The time that the attestation carries, where it does not wait for the image to be signed; of one that is not
    /// signed, and has no time of its own, the time it was built, else now.
    async fn created_early(&self, looked: &Looked, signs: bool) -> Result<Option<Timestamp>, Cause> {
        let known = self.created(looked, signs);
        if known.is_some() || signs {
            return Ok(known);
        }
        let asked = || built(self.judge.store, &looked.unit);
        let built = *looked.built.get_or_try_init(asked).await?;
        Ok(Some(built.unwrap_or_else(|| self.judge.clock.now().whole())))
    }

    /// The time that the attestation carries, where nobody has to be asked for it: given, the image's own, or that of our
    /// signature which stands here or elsewhere.
    fn created(&self, looked: &Looked, signs: bool) -> Option<Timestamp> {
        let stands = || {
            if signs {
                self.elsewhere.get()?.signed_at(&looked.unit.subject)
            } else {
                self.standing_since(&looked.observed)
            }
        };
        let given = self.job.created;
        given.or_else(|| attest::created(&looked.unit, stands()))
    }

    /// Stores the statement, and signs the attestation unless a good signature over the same bytes is there already.
    async fn prepare(&self, early: Early) -> Result<Ready, Cause> {
        let Early { attestation, signed } = early;
        let place = attestation.subject.place();
        let uploaded = self.upload(place, &attestation.blobs);
        let signature = async {
            if signed {
                return Ok(None);
            }
            let (subject, none) = (&attestation.subject, BTreeMap::new());
            let elsewhere = self.signature_elsewhere(subject);
            let signature = self.signings.signature(subject, &none, elsewhere).await?;
            self.foresee(subject, &none, &signature)?;
            self.upload(place, &signature.blobs).await?;
            Ok(Some(signature))
        };
        let ((), signature) = tokio::try_join!(uploaded, signature)?;
        Ok((attestation, signature))
    }

    /// When the oldest of our signatures that stand on the image was made.
    pub(super) fn standing_since(&self, observed: &Observed) -> Option<Timestamp> {
        let accepted = observed.signatures.iter().filter_map(Judged::accepted);
        let ours = accepted.filter(|accepted| self.signings.identity().made(accepted));
        ours.map(|accepted| accepted.envelope().attributes().time()).min()
    }
}

/// How many blobs will be stored: an envelope for each signature, the statement, and the empty one unless something on
/// the image shows that it is there.
fn uploads(looked: &Looked, signs: bool, attestations: usize) -> usize {
    let seen = !looked.observed.signatures.is_empty() || !looked.observed.attestations.is_empty();
    usize::from(signs) + 2 * attestations + usize::from(!seen)
}
