//! Judging signatures: evidence from the store, questions to the revocation service, outcomes.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::{Trust, pool};
use crate::base::limits;
use crate::domain::notary::{Envelope, signature_manifest};
use crate::domain::oci::{Descriptor, Manifest, Subject};
use crate::domain::trust::{self, Applicable, Evidence, Outcome, Pending};
use crate::seams::{Clock, ReadStore, Revocation, StoreError};

/// One signature found in the store.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    /// The signature manifest.
    pub(super) descriptor: Descriptor,
    /// How it was judged, or why it could not be.
    pub(super) finding: Judgement,
}

/// How one signature was judged.
#[derive(Clone, Debug)]
pub(super) enum Judgement {
    /// The bytes were there.
    Judged(Outcome),
    /// They were not, or lied about their digest.
    Unreadable(StoreError),
    /// The signature manifest is malformed.
    Malformed(String),
    /// There is nothing to judge it by.
    NotJudged,
}

/// The judge of one run.
#[derive(Debug)]
pub(super) struct Judge<'a, S, R> {
    pub(super) store: &'a S,
    pub(super) revocation: &'a R,
    /// None lists without judging.
    pub(super) trust: Option<&'a Trust>,
    /// Pairs that an image's signed payload must hold; attestations' signatures carry none.
    pub(super) metadata: &'a BTreeMap<String, String>,
    pub(super) clock: Clock,
}

impl<S: ReadStore, R: Revocation> Judge<'_, S, R> {
    /// The policy that says not to look, where one does.
    pub(super) fn skipped(&self, scope: &str) -> Result<Option<&str>, trust::PolicyError> {
        Ok(
            match self
                .trust
                .map(|trust| trust.policy.applicable(scope))
                .transpose()?
            {
                Some(Applicable::Skip(policy)) => Some(policy.name()),
                Some(Applicable::Judge(_)) | None => None,
            },
        )
    }

    /// Reads the envelopes of some signature manifests on a subject and judges them all.
    pub(super) async fn signatures(
        &self,
        subject: &Subject,
        scope: &str,
        metadata: &BTreeMap<String, String>,
        manifests: Vec<(Descriptor, Result<Manifest, StoreError>)>,
    ) -> Result<Vec<Judged>, trust::PolicyError> {
        let applicable = self.trust.map(|trust| (trust, trust.policy.applicable(scope)));
        let Some((trust, Applicable::Judge(policy))) = applicable
            .map(|(trust, policy)| policy.map(|policy| (trust, policy)))
            .transpose()?
        else {
            let unjudged = |(descriptor, _)| Judged {
                descriptor,
                finding: Judgement::NotJudged,
            };
            return Ok(manifests.into_iter().map(unjudged).collect());
        };
        let wanted = trust.demanding(metadata);
        let manifests = manifests.into_iter().take(limits::SIGNATURES_JUDGED);
        Ok(
            pool::each(manifests, pool::PER_TARGET, async |(descriptor, manifest)| {
                let finding = match self.evidence(subject, manifest).await {
                    Err(judgement) => judgement,
                    Ok(evidence) => {
                        let (store, now) = (&trust.store, self.clock.now());
                        let pending = trust::examine(&evidence, subject, policy, store, &wanted, now);
                        Judgement::Judged(self.conclude(pending).await)
                    }
                };
                Judged { descriptor, finding }
            })
            .await,
        )
    }

    async fn evidence(
        &self,
        subject: &Subject,
        manifest: Result<Manifest, StoreError>,
    ) -> Result<Evidence, Judgement> {
        let manifest = manifest.map_err(Judgement::Unreadable)?;
        let (blob, format) = signature_manifest::envelope_of(&manifest, subject.descriptor())
            .map_err(|error| Judgement::Malformed(error.to_string()))?;
        let bytes = self
            .store
            .blob(subject.place(), &blob, limits::ENVELOPE_BYTES)
            .await;
        let bytes = bytes.map_err(Judgement::Unreadable)?;
        Ok(Evidence {
            manifest: manifest.digest().clone(),
            envelope: Envelope::new(format, bytes),
        })
    }

    /// Asks what the signature's judgement still waits for, all at once.
    async fn conclude(&self, pending: Pending) -> Outcome {
        let asked = pending
            .questions()
            .iter()
            .map(|question| self.revocation.answer(question));
        let answers = join_all(asked).await.into_iter().enumerate().collect();
        pending.conclude(&answers)
    }
}
