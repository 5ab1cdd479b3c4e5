//! Reading what hangs on a subject, and judging it as it is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use std::time::Duration;

use super::judge::{Judge, Judged, Judgement};
use super::pool;
use crate::base::failure::{Cause, in_full};
use crate::base::foreign::Foreign;
use crate::base::limits;
use crate::base::time::Timestamp;
use crate::domain::notary::signature_manifest;
use crate::domain::oci::{ArtifactType, Descriptor, Digest, Manifest, MediaType, Place, Subject};
use crate::domain::provenance::attestation_manifest::{self, AttestationManifestError};
use crate::domain::provenance::{self, Attested, Kind, PREDICATE_TYPE, buildkit};
use crate::domain::trust::Outcome;
use crate::domain::trust::attestation::{
    self, AcceptedAttestation, AttestationFault, AttestationOutcome, Undocumented,
};
use crate::domain::trust::expectation::{self, Expectations, Held};
use crate::seams::{ReadStore, Revocation, StoreError, StoreProblem};

/// The waits before looking again for what a registry does not list yet (ours; registries say "eventually").
pub(super) const LISTED_LATER: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
];

/// Everything found on one subject, judged.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// Its signatures.
    pub(super) signatures: Vec<Judged>,
    /// Its attestations: documents of a kind with a name, and Statements.
    pub(super) attestations: Vec<ObservedAttestation>,
    /// What was expected, and how the accepted ones of them fared.
    pub(super) held: Vec<Held>,
    /// Everything else that refers to it: listed, not judged.
    pub(super) others: Vec<Descriptor>,
    /// How many referrers there are in all.
    pub(super) referrers: usize,
    /// How many of the others may be anything, since they were too many to be read.
    pub(super) unread: usize,
    /// The policy that says not to look at signatures here, where one does: nothing was judged.
    pub(super) skipped_by: Option<String>,
    /// Whether there was anything to judge by.
    pub(super) judged: bool,
    /// When it was judged.
    pub(super) at: Timestamp,
}

/// One attestation found on a subject.
#[derive(Clone, Debug)]
pub(super) struct ObservedAttestation {
    /// The attestation manifest.
    pub(super) descriptor: Descriptor,
    /// What the manifest itself says that it carries; lists may say something else, or nothing.
    pub(super) artifact_type: Option<ArtifactType>,
    /// When its manifest says that it was made.
    pub(super) created: Option<Timestamp>,
    /// Its kind, by its document or else by what its manifest says.
    pub(super) kind: Option<Kind>,
    /// What it says, in short; the whole is kept of accepted ones alone, so that junk takes no memory.
    pub(super) said: Said,
    /// What its manifest announces and the document is not.
    pub(super) announced: Option<Foreign>,
    /// Whether it weighs on the verdict about the image: provenance does, and whatever an expectation names.
    pub(super) weighs: bool,
    /// Its own signatures.
    pub(super) signatures: Vec<Judged>,
    /// The verdict.
    pub(super) outcome: AttestationOutcome,
}

/// What an attestation says, in short.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// The predicate type, where the document could be read.
    pub(super) predicate_type: Option<Foreign>,
    /// What people want to know of it.
    pub(super) facts: Vec<(&'static str, Foreign)>,
    /// How the store failed, where it did not give the document.
    pub(super) unread: Option<StoreError>,
}

/// Why an attestation's document could not be read.
#[derive(Clone, Debug)]
enum Unread {
    /// The store did not give it.
    Store(StoreError),
    /// It was given, and something is wrong with it.
    Bad(AttestationFault, String),
    /// Nobody has to read it.
    Unwanted,
}

impl Unread {
    fn fault(&self) -> AttestationFault {
        match self {
            Self::Bad(fault, _) => *fault,
            Self::Store(_) => AttestationFault::Malformed,
            Self::Unwanted => AttestationFault::Unsigned,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Store(error) => in_full(error),
            Self::Bad(_, why) => why.clone(),
            Self::Unwanted => String::new(),
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
    /// How many of the others were to be read, and were not.
    unread: usize,
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
        let attestations: Vec<ObservedAttestation> = attestations.into_iter().collect::<Result<_, _>>()?;
        Ok(Observed {
            signatures: signatures.map_err(|error| Cause::of(&error))?,
            held: self.held(&attestations),
            attestations,
            others: sorted.others,
            referrers,
            unread: sorted.unread,
            judged: self.trust.is_some() && skipped_by.is_none(),
            skipped_by: skipped_by.map(str::to_owned),
            at: self.clock.now(),
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
        let (mut ours, others): (Vec<_>, Vec<_>) = listed
            .into_iter()
            .partition(|descriptor| may_be_ours(descriptor, self.expectations().is_some()));
        // Those that are told by their type first: junk of any other must not use up what is read.
        ours.sort_by_key(|descriptor| !may_be_ours(descriptor, false));
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
        let read = read.await.into_iter().map(|listed| (listed, true));
        for ((descriptor, manifest), was_read) in read.chain(unread.map(|listed| (listed, false))) {
            let role = match &manifest {
                Ok(manifest) if signature_manifest::is_signature(manifest) => Role::Signature,
                Ok(manifest) if is_attestation(manifest) => Role::Attestation,
                Ok(_) => Role::Other,
                Err(_) => announced(&descriptor),
            };
            match role {
                Role::Signature => sorted.signatures.push((descriptor, manifest)),
                Role::Attestation => sorted.attestations.push((descriptor, manifest)),
                Role::Other => {
                    sorted.unread += usize::from(!was_read);
                    sorted.others.push(descriptor);
                }
            }
        }
        Ok(sorted)
    }

    fn expectations(&self) -> Option<&Expectations> {
        self.trust.and_then(|trust| trust.expectations.as_ref())
    }

    /// Holds what is expected against the accepted attestations; nothing was accepted where nothing was judged.
    pub(super) fn held(&self, attestations: &[ObservedAttestation]) -> Vec<Held> {
        let Some(expectations) = self.expectations() else {
            return Vec::new();
        };
        let accepted: Vec<(&Digest, &AcceptedAttestation)> = attestations
            .iter()
            .filter_map(|found| Some((&found.descriptor.digest, found.outcome.accepted()?)))
            .collect();
        expectation::judge(expectations, &accepted, self.clock.now())
    }

    async fn attestation(
        &self,
        image: &Subject,
        scope: &str,
        descriptor: Descriptor,
        manifest: Result<Manifest, StoreError>,
    ) -> Result<ObservedAttestation, Cause> {
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(error) => return Ok(unread(image, descriptor, error)),
        };
        let (document, signatures) = self.read(image, scope, &manifest).await?;
        let why = document.as_ref().err().map(Unread::message).unwrap_or_default();
        let read = document.as_ref().map_err(|unread| Undocumented {
            fault: unread.fault(),
            why: &why,
        });
        let outcomes: Vec<&Outcome> = signatures.iter().filter_map(Judged::outcome).collect();
        let unjudged = signatures.len() - outcomes.len();
        let attested = document.as_ref().ok();
        let by_type = manifest.artifact_type().and_then(Kind::of_artifact_type);
        let kind = attested.map_or(by_type, |attested| attested.kind());
        let named = |expectations: &Expectations| match attested {
            Some(attested) => expectations.name(attested),
            None => kind.is_some_and(|kind| expectations.name_kind(kind)),
        };
        Ok(ObservedAttestation {
            outcome: attestation::judge(image.digest(), read, &outcomes, unjudged),
            announced: attested.and_then(|attested| attested.not_as_announced(&manifest)),
            weighs: [kind, by_type].contains(&Some(Kind::Provenance))
                || self.expectations().is_some_and(named),
            said: Said {
                predicate_type: attested.map(|attested| Foreign::new(attested.predicate_type())),
                facts: attested.map(|attested| attested.facts()).unwrap_or_default(),
                unread: document.err().and_then(|unread| match unread {
                    Unread::Store(error) => Some(error),
                    Unread::Bad(..) | Unread::Unwanted => None,
                }),
            },
            artifact_type: manifest.artifact_type().cloned(),
            created: created(&manifest),
            descriptor,
            kind,
            signatures,
        })
    }

    /// Reads the document and its signatures, both at once where the document may weigh; else the document only where
    /// somebody trusted signed it.
    async fn read(
        &self,
        image: &Subject,
        scope: &str,
        manifest: &Manifest,
    ) -> Result<(Result<Arc<Attested>, Unread>, Vec<Judged>), Cause> {
        let subject = Subject::of(image.place().clone(), manifest);
        let by_type = manifest.artifact_type().and_then(Kind::of_artifact_type);
        let may_be_named = |expectations: &Expectations| {
            by_type.is_none_or(|kind| expectations.name_kind(kind) || expectations.name_custom_types())
        };
        let may_weigh = by_type == Some(Kind::Provenance) || self.expectations().is_some_and(may_be_named);
        if may_weigh || self.trust.is_none() {
            let document = self.document(image, manifest);
            let (document, signatures) = tokio::join!(document, self.signatures_on(&subject, scope));
            return Ok((document, signatures?));
        }
        let signatures = self.signatures_on(&subject, scope).await?;
        let document = if signatures.iter().any(|judged| judged.accepted().is_some()) {
            self.document(image, manifest).await
        } else {
            Err(Unread::Unwanted)
        };
        Ok((document, signatures))
    }

    async fn document(&self, image: &Subject, manifest: &Manifest) -> Result<Arc<Attested>, Unread> {
        let layer = attestation_manifest::document_of(manifest, image.descriptor()).map_err(|error| {
            let fault = match error {
                AttestationManifestError::TooLarge(_) => AttestationFault::TooLarge,
                AttestationManifestError::Subject { .. } | AttestationManifestError::SubjectShape { .. } => {
                    AttestationFault::OtherSubject
                }
                _ => AttestationFault::Malformed,
            };
            Unread::Bad(fault, in_full(&error))
        })?;
        let bytes = self
            .store
            .blob(image.place(), &layer, limits::STATEMENT_BYTES)
            .await;
        let bytes = bytes.map_err(Unread::Store)?;
        let attested = Attested::read(manifest, &bytes);
        attested
            .map(Arc::new)
            .map_err(|error| Unread::Bad(AttestationFault::Malformed, in_full(&error)))
    }
}

fn created(manifest: &Manifest) -> Option<Timestamp> {
    let said = manifest.annotations().get(attestation_manifest::CREATED);
    said.and_then(|said| said.raw().parse().ok())
}

/// An attestation whose manifest the store did not give.
fn unread(image: &Subject, descriptor: Descriptor, error: StoreError) -> ObservedAttestation {
    let why = in_full(&error);
    let undocumented = Undocumented {
        fault: AttestationFault::Malformed,
        why: &why,
    };
    let kind = descriptor.artifact_type.as_ref().and_then(Kind::of_artifact_type);
    ObservedAttestation {
        outcome: attestation::judge(image.digest(), Err(undocumented), &[], 0),
        artifact_type: None,
        created: None,
        descriptor,
        kind,
        said: Said {
            unread: Some(error),
            ..Said::default()
        },
        announced: None,
        weighs: true,
        signatures: Vec::new(),
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

enum Role {
    Signature,
    Attestation,
    Other,
}

/// Whether a manifest carries an attestation: it says a kind with a name, or its document is a Statement. Those that
/// `BuildKit` refers to a platform's manifest belong to the image itself (BuildKit, "Attestation storage").
fn is_attestation(manifest: &Manifest) -> bool {
    let artifact_type = manifest.artifact_type();
    provenance::announced(manifest).is_some()
        || (artifact_type.is_none_or(|own| own.as_str() != buildkit::ARTIFACT_TYPE)
            && attestation_manifest::is_statement(manifest))
}

/// What a list says a referrer is; only used where its manifest cannot be read.
fn announced(descriptor: &Descriptor) -> Role {
    match &descriptor.artifact_type {
        Some(own) if Kind::of_artifact_type(own).is_some() => Role::Attestation,
        Some(own) if *own == MediaType::NOTARY_SIGNATURE => Role::Signature,
        _ => Role::Other,
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

/// Whether a referrer may be a signature or an attestation. Lists drop the artifact type or give the config's media type
/// in its place, so only another type that is stated rules a manifest out; and where something is expected, only its
/// document can.
fn may_be_ours(descriptor: &Descriptor, expecting: bool) -> bool {
    let Some(own) = &descriptor.artifact_type else {
        return true;
    };
    expecting
        || [MediaType::NOTARY_SIGNATURE, MediaType::IN_TOTO, MediaType::EMPTY].contains(own)
        || Kind::of_artifact_type(own).is_some()
        || descriptor.annotations.contains_key(PREDICATE_TYPE)
}
