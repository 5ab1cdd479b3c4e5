//! Reading what hangs on a subject, and judging it as it is read.

use std::collections::BTreeMap;

use super::judge::{Judge, Judged, Judgement};
use super::pool;
use crate::base::failure::{Cause, in_full};
use crate::base::limits;
use crate::domain::notary::signature_manifest;
use crate::domain::oci::{Descriptor, Manifest, MediaType, Place, Subject};
use crate::domain::provenance::{Statement, attestation_manifest};
use crate::domain::trust::Outcome;
use crate::domain::trust::attestation::{self, AttestationOutcome};
use crate::seams::{ReadStore, Revocation, StoreError, StoreProblem};

/// Everything found on one subject, judged.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// Its signatures.
    pub(super) signatures: Vec<Judged>,
    /// Its attestations of the kinds that countersign writes.
    pub(super) attestations: Vec<ObservedAttestation>,
    /// Everything else that refers to it: listed, not judged.
    pub(super) others: Vec<Descriptor>,
    /// How many referrers there are in all.
    pub(super) referrers: usize,
    /// The policy that says not to look at signatures here, where one does: nothing was judged.
    pub(super) skipped_by: Option<String>,
    /// Whether there was anything to judge by.
    pub(super) judged: bool,
}

/// One attestation found on a subject.
#[derive(Clone, Debug)]
pub(super) struct ObservedAttestation {
    /// The attestation manifest.
    pub(super) descriptor: Descriptor,
    /// What it says, or why that cannot be read.
    pub(super) statement: Result<Statement, Unread>,
    /// Its own signatures.
    pub(super) signatures: Vec<Judged>,
    /// The verdict.
    pub(super) outcome: AttestationOutcome,
}

/// Why an attestation's document could not be read.
#[derive(Clone, Debug)]
pub(super) enum Unread {
    /// The store did not give it.
    Store(StoreError),
    /// It was given and is no attestation.
    Malformed(String),
}

impl Unread {
    pub(super) fn message(&self) -> String {
        match self {
            Self::Store(error) => in_full(error),
            Self::Malformed(why) => why.clone(),
        }
    }
}

/// One referrer: as listed, and its manifest or why that could not be read.
pub(super) type Listed = (Descriptor, Result<Manifest, StoreError>);

/// A subject's referrers, sorted by what their manifests say they are.
#[derive(Default)]
struct Sorted {
    signatures: Vec<Listed>,
    attestations: Vec<Listed>,
    others: Vec<Descriptor>,
}

impl<S: ReadStore, R: Revocation> Judge<'_, S, R> {
    /// Lists, reads and judges everything on a subject.
    ///
    /// # Errors
    /// When the list cannot be read, or no statement of the policy applies. A referrer that cannot be read is a
    /// finding about that referrer, not an error.
    pub(super) async fn observe(&self, subject: &Subject, scope: &str) -> Result<Observed, Cause> {
        let skipped_by = self.skipped(scope).map_err(|error| Cause::of(&error))?;
        let sorted = self.referrers(subject).await?;
        let referrers = sorted.signatures.len() + sorted.attestations.len() + sorted.others.len();
        let signatures = self.signatures(subject, scope, self.metadata, sorted.signatures);
        let attestations = pool::each(sorted.attestations, pool::PER_TARGET, |(descriptor, manifest)| {
            self.attestation(subject, scope, descriptor, manifest)
        });
        let (signatures, attestations) = tokio::join!(signatures, attestations);
        Ok(Observed {
            signatures: signatures.map_err(|error| Cause::of(&error))?,
            attestations: attestations.into_iter().collect::<Result<_, _>>()?,
            others: sorted.others,
            referrers,
            judged: self.trust.is_some() && skipped_by.is_none(),
            skipped_by: skipped_by.map(str::to_owned),
        })
    }

    /// Signatures on an attestation, which need not be stored yet.
    pub(super) async fn signatures_on(&self, subject: &Subject, scope: &str) -> Result<Vec<Judged>, Cause> {
        let sorted = self.referrers(subject).await?;
        self.signatures(subject, scope, &BTreeMap::new(), sorted.signatures)
            .await
            .map_err(|error| Cause::of(&error))
    }

    async fn referrers(&self, subject: &Subject) -> Result<Sorted, Cause> {
        let place = subject.place();
        let listed = self
            .store
            .referrers(place, subject.digest())
            .await
            .map_err(|error| Cause::of(&error))?;
        let (mut ours, others): (Vec<_>, Vec<_>) = listed.into_iter().partition(may_be_ours);
        let unread = ours.split_off(limits::REFERRERS_READ.min(ours.len()));
        let read = pool::each(ours, pool::PER_TARGET, async |descriptor| {
            let manifest = self.store.manifest(place, &descriptor).await;
            (descriptor, manifest)
        });
        let mut sorted = Sorted {
            others,
            ..Sorted::default()
        };
        let unread = unread.into_iter().map(|descriptor| {
            let error = too_many(place, &descriptor);
            (descriptor, Err(error))
        });
        for (descriptor, manifest) in read.await.into_iter().chain(unread) {
            let kind = match &manifest {
                Ok(manifest) if signature_manifest::is_signature(manifest) => Kind::Signature,
                Ok(manifest) if manifest.artifact_type() == Some(&MediaType::PROVENANCE) => Kind::Attestation,
                Ok(_) => Kind::Other,
                Err(_) => announced(&descriptor),
            };
            match kind {
                Kind::Signature => sorted.signatures.push((descriptor, manifest)),
                Kind::Attestation => sorted.attestations.push((descriptor, manifest)),
                Kind::Other => sorted.others.push(descriptor),
            }
        }
        Ok(sorted)
    }

    async fn attestation(
        &self,
        image: &Subject,
        scope: &str,
        descriptor: Descriptor,
        manifest: Result<Manifest, StoreError>,
    ) -> Result<ObservedAttestation, Cause> {
        let (statement, signatures) = match manifest {
            Err(error) => (Err(Unread::Store(error)), Vec::new()),
            Ok(manifest) => {
                let subject = Subject::of(image.place().clone(), &manifest);
                let statement = self.statement(image, &manifest);
                let signatures = self.signatures_on(&subject, scope);
                let (statement, signatures) = tokio::join!(statement, signatures);
                (statement, signatures?)
            }
        };
        let why = statement.as_ref().err().map(Unread::message);
        let outcomes: Vec<&Outcome> = signatures.iter().filter_map(Judged::outcome).collect();
        let read = match (&statement, &why) {
            (Ok(statement), _) => Ok(statement),
            (Err(_), why) => Err(why.as_deref().unwrap_or_default()),
        };
        let unjudged = signatures.len() - outcomes.len();
        let outcome = attestation::judge(image.digest(), read, &outcomes, unjudged);
        Ok(ObservedAttestation {
            descriptor,
            statement,
            signatures,
            outcome,
        })
    }

    async fn statement(&self, image: &Subject, manifest: &Manifest) -> Result<Statement, Unread> {
        let layer = attestation_manifest::document_of(manifest, image.descriptor())
            .map_err(|error| Unread::Malformed(in_full(&error)))?;
        let bytes = self
            .store
            .blob(image.place(), &layer, limits::STATEMENT_BYTES)
            .await;
        Statement::read(&bytes.map_err(Unread::Store)?).map_err(|error| Unread::Malformed(in_full(&error)))
    }
}

impl Judged {
    /// The outcome, where the bytes could be judged.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        match &self.finding {
            Judgement::Judged(outcome) => Some(outcome),
            Judgement::Unreadable(_)
            | Judgement::Malformed(_)
            | Judgement::NotJudged
            | Judgement::PastLimit(_) => None,
        }
    }
}

enum Kind {
    Signature,
    Attestation,
    Other,
}

/// What a list says a referrer is; only used where its manifest cannot be read.
fn announced(descriptor: &Descriptor) -> Kind {
    match &descriptor.artifact_type {
        Some(kind) if *kind == MediaType::PROVENANCE => Kind::Attestation,
        Some(kind) if *kind == MediaType::NOTARY_SIGNATURE => Kind::Signature,
        _ => Kind::Other,
    }
}

/// Why a referrer was not even read.
fn too_many(place: &Place, descriptor: &Descriptor) -> StoreError {
    let limit = limits::REFERRERS_READ;
    StoreError {
        verb: "read",
        what: format!("{place}@{}", descriptor.digest),
        problem: StoreProblem::Unavailable(format!(
            "more than {limit} referrers may be signatures or attestations, and no more are read"
        )),
        hint: Some("delete the referrers that nobody needs".to_owned()),
    }
}

/// Whether a referrer may be a signature or one of our attestations. Lists drop the artifact type or give the
/// config's media type in its place, so only another type that is stated rules a manifest out.
fn may_be_ours(descriptor: &Descriptor) -> bool {
    descriptor.artifact_type.as_ref().is_none_or(|kind| {
        [
            MediaType::NOTARY_SIGNATURE,
            MediaType::PROVENANCE,
            MediaType::EMPTY,
        ]
        .contains(kind)
    })
}
