//! Judging signatures: evidence from the store, questions to the revocation service, outcomes.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::observe::Listed;
use super::{Backends, Trust, pool};
use crate::base::failure::Cause;
use crate::base::limits;
use crate::domain::notary::{Envelope, signature_manifest};
use crate::domain::oci::{Descriptor, Manifest, Subject};
use crate::domain::trust::{
    self, Applicable, Evidence, Outcome, Pending, Promise, RevocationAnswer, TrustPolicy,
};
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
    /// More promising ones used up what is spent on one subject: so many were judged.
    PastLimit(usize),
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
    /// Signatures judged per subject.
    pub(super) limit: usize,
}

/// Pairs that nobody demands.
static NO_PAIRS: BTreeMap<String, String> = BTreeMap::new();

impl<'a, S, R> Judge<'a, S, R> {
    /// A judge over the backends of a job that demands no pairs and judges up to the limit.
    pub(super) fn new<O>(backends: &Backends<'a, S, R, O>, trust: Option<&'a Trust>) -> Self {
        Self {
            store: backends.store,
            revocation: backends.revocation,
            trust,
            metadata: &NO_PAIRS,
            clock: backends.clock,
            limit: limits::SIGNATURES_JUDGED,
        }
    }
}

impl<S, R: Revocation> Judge<'_, S, R> {
    /// The same judge over another view of the store.
    pub(super) fn over<'b, T>(&'b self, store: &'b T) -> Judge<'b, T, R> {
        Judge {
            store,
            revocation: self.revocation,
            trust: self.trust,
            metadata: self.metadata,
            clock: self.clock,
            limit: self.limit,
        }
    }

    /// Judges a signature at hand as far as nobody has to be asked, before anyone else can see it.
    ///
    /// # Errors
    /// Rejected, with the reason that anybody would be given who holds it against the same policy.
    pub(super) fn foresee(
        &self,
        subject: &Subject,
        metadata: &BTreeMap<String, String>,
        evidence: &Evidence,
        scope: &str,
    ) -> Result<(), Cause> {
        let Some(trust) = self.trust else { return Ok(()) };
        let applicable = trust
            .policy
            .applicable(scope)
            .map_err(|error| Cause::of(&error))?;
        let Applicable::Judge(policy) = applicable else {
            return Ok(());
        };
        let (store, wanted) = (&trust.store, trust.demanding(metadata));
        let pending = trust::examine(evidence, subject, policy, store, &wanted, self.clock.now());
        let good = (0..pending.questions().len()).map(|question| (question, RevocationAnswer::Good));
        match pending.conclude(&good.collect()) {
            Outcome::Accepted(_) => Ok(()),
            Outcome::Rejected(rejected) => Err(Cause {
                class: rejected.class(),
                message: format!(
                    "could not keep the signature of {subject}: the policy that it is held against refuses it: {}",
                    rejected.message()
                ),
                hint: Some("nothing was stored; sign with an identity that the policy trusts".to_owned()),
            }),
        }
    }

    /// Asks what the judgement of a signature at hand will ask, so that the answers are there in time: who answers asks
    /// nobody twice in one run.
    pub(super) async fn ask_ahead(&self, subject: &Subject, scope: &str, evidence: &Evidence) {
        let Some(trust) = self.trust else { return };
        if let Ok(Applicable::Judge(policy)) = trust.policy.applicable(scope) {
            let (store, wanted) = (&trust.store, &trust.requirements);
            let now = self.clock.now();
            let pending = trust::examine(evidence, subject, policy, store, wanted, now);
            self.conclude(pending).await;
        }
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

    /// Reads the envelopes of some signature manifests on a subject and judges them, the most promising first where
    /// there are more than the limit.
    pub(super) async fn signatures(
        &self,
        subject: &Subject,
        scope: &str,
        metadata: &BTreeMap<String, String>,
        manifests: Vec<Listed>,
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
        let mut manifests = self.promising_first(subject, policy, trust, manifests).await;
        let left = manifests.split_off(self.limit.min(manifests.len()));
        let mut judged = pool::each(manifests, pool::PER_TARGET, async |(descriptor, manifest)| {
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
        .await;
        judged.extend(left.into_iter().map(|(descriptor, _)| Judged {
            descriptor,
            finding: Judgement::PastLimit(self.limit),
        }));
        Ok(judged)
    }

    /// Puts signatures by a trusted signer in front, where not all can be judged; otherwise the store's order
    /// stays. Envelopes are looked into one by one and not kept, so that junk costs time but no memory.
    async fn promising_first(
        &self,
        subject: &Subject,
        policy: &TrustPolicy,
        trust: &Trust,
        manifests: Vec<Listed>,
    ) -> Vec<Listed> {
        if manifests.len() <= self.limit {
            return manifests;
        }
        let promised = pool::each(manifests, pool::PER_TARGET, async |(descriptor, manifest)| {
            let promise = match self.evidence(subject, manifest.clone()).await {
                Err(_) => Promise::Unreadable,
                Ok(evidence) => Promise::of(&evidence.envelope, subject.descriptor(), policy, &trust.store),
            };
            (promise, (descriptor, manifest))
        });
        let mut promised = promised.await;
        promised.sort_by_key(|(promise, _)| *promise);
        promised.into_iter().map(|(_, listed)| listed).collect()
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
}
