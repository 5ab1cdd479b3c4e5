//! How a subject stands, given every signature on it: accepted by one that passes everything, or the reason that
//! came nearest.

use super::judge::{Judged, Judgement};
use super::observe::ObservedAttestation;
use super::tell::MadeNow;
use crate::base::failure::{Cause, Class, Classified as _};
use crate::base::foreign::Foreign;
use crate::domain::oci::Digest;
use crate::domain::provenance::{Attested, Kind};
use crate::domain::report::Rule;
use crate::domain::trust::attestation::{AcceptedAttestation, AttestationFault, AttestationOutcome};
use crate::domain::trust::expectation::{Lack, Shortfall};
use crate::domain::trust::{Outcome, Reason, Rejected};
use crate::seams::StoreError;

/// How a subject stands.
#[derive(Debug)]
pub(super) enum Standing {
    /// One signature passes everything the policy enforces.
    Good,
    /// There is no signature.
    Absent,
    /// There are signatures, and none is accepted.
    Bad(Obstacle),
}

/// What stands in the way, told so that it can be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// Decides the exit code.
    pub(super) class: Class,
    /// The rule that fired.
    pub(super) rule: Rule,
    /// What is wrong.
    pub(super) message: String,
    /// What was expected.
    pub(super) expected: Option<String>,
    /// What was found.
    pub(super) found: Option<Foreign>,
    /// The manifest it is about.
    pub(super) about: Digest,
    /// What to do about it, where that is more than its rule says.
    pub(super) fix: Option<String>,
}

/// Weighs the signatures on one subject.
pub(super) fn standing(signatures: &[Judged]) -> Standing {
    if signatures
        .iter()
        .any(|judged| matches!(judged.outcome(), Some(Outcome::Accepted(_))))
    {
        return Standing::Good;
    }
    // Bytes that lie come first, whatever else was judged; then what could not be judged, because the good signature
    // may be that one and nobody has said no to it; then the signature that got furthest.
    let rank = |judged: &&Judged| match &judged.finding {
        Judgement::Unreadable(error) if error.class() == Class::Tampered => (3, None),
        Judgement::Unreadable(_) => (2, None),
        Judgement::PastLimit(_) | Judgement::NotJudged => (1, None),
        Judgement::Judged(Outcome::Rejected(rejected)) => (0, Some(rejected.reason())),
        Judgement::Judged(_) | Judgement::Malformed(_) => (0, None),
    };
    match signatures.iter().max_by_key(rank) {
        None => Standing::Absent,
        Some(judged) => Standing::Bad(obstacle(judged)),
    }
}

fn obstacle(judged: &Judged) -> Obstacle {
    let about = judged.descriptor.digest.clone();
    match &judged.finding {
        Judgement::Judged(Outcome::Rejected(rejected)) => rejection(rejected, about),
        Judgement::Judged(Outcome::Accepted(_)) => internal(about),
        Judgement::NotJudged => Obstacle {
            class: Class::Unavailable,
            rule: Rule::SignatureUnsupported,
            message: "there is no trust policy to judge it by".to_owned(),
            expected: None,
            found: None,
            about,
            fix: None,
        },
        Judgement::PastLimit(limit) => Obstacle {
            class: Class::Unavailable,
            rule: Rule::TooManyReferrers,
            message: past_limit(*limit),
            expected: None,
            found: None,
            about,
            fix: None,
        },
        Judgement::Malformed(why) => Obstacle {
            class: Class::Rejected,
            rule: Rule::SignatureInvalid,
            message: format!("the signature manifest is malformed: {why}"),
            expected: None,
            found: None,
            about,
            fix: None,
        },
        Judgement::Unreadable(error) => {
            let cause = Cause::of(error);
            Obstacle {
                class: cause.class,
                rule: Rule::SignatureInvalid,
                message: format!("the signature cannot be read: {}", cause.message),
                expected: None,
                found: None,
                about,
                fix: None,
            }
        }
    }
}

/// Why a signature was left alone though there is a policy.
pub(super) fn past_limit(limit: usize) -> String {
    format!("not judged: at most {limit} signatures of one image are, the most promising first")
}

/// An accepted signature is never an obstacle; saying so here keeps the match exhaustive without a panic.
fn internal(about: Digest) -> Obstacle {
    Obstacle {
        class: Class::Internal,
        rule: Rule::SignatureInvalid,
        message: "an accepted signature was taken for an obstacle".to_owned(),
        expected: None,
        found: None,
        about,
        fix: None,
    }
}

fn rejection(rejected: &Rejected, about: Digest) -> Obstacle {
    Obstacle {
        class: rejected.class(),
        rule: Rule::of_refusal(rejected.reason()),
        message: rejected.message().to_owned(),
        expected: rejected.expected().map(str::to_owned),
        found: rejected.found().cloned(),
        about,
        fix: None,
    }
}

/// What a command demands of the attestations on an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Whatever is there has to be in order: who only looks cannot know which of it somebody will rely on.
    Found,
    /// What this run wrote has to be, and a provenance has to be there where one was asked for; what others attached
    /// is their affair.
    Written {
        /// Whether the image itself was to be signed.
        signature: bool,
        /// Whether a provenance was asked for.
        provenance: bool,
    },
}

impl Demand {
    /// Whether the image itself has to be signed.
    pub(super) fn of_image(self) -> bool {
        !matches!(self, Self::Written { signature: false, .. })
    }
}

/// What is wrong with attestations: what stands in the way of the image, and what is only said.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    pub(super) obstacles: Vec<Obstacle>,
    pub(super) remarks: Vec<Obstacle>,
    /// Whether a provenance was asked for and no attestation claims to be one.
    pub(super) provenance_missing: bool,
}

/// Weighs attestations by what is demanded (docs/decisions/0010-attestations-of-others.md). What is not accepted
/// counts for nothing, however it is weighed; this decides only whether it makes the image's answer a no.
pub(super) fn weigh(attestations: &[ObservedAttestation], demand: Demand, made: &MadeNow) -> Weighed {
    let mut weighed = Weighed::default();
    for attestation in attestations {
        let Some(obstacle) = attestation_obstacle(attestation) else {
            continue;
        };
        let made = made.contains(&attestation.descriptor.digest);
        if !made && is_listed_only(attestation) {
            continue;
        }
        // Bytes that lie and questions without an answer are nobody's affair but ours.
        let said_only = obstacle.class == Class::Rejected
            && !made
            && (!attestation.weighs
                || match demand {
                    Demand::Found => {
                        is_foreign(attestation) && has_accepted_of_same_type(attestations, attestation)
                    }
                    Demand::Written { provenance, .. } => {
                        !provenance || has_accepted_provenance(attestations)
                    }
                });
        if said_only {
            weighed.remarks.push(obstacle);
        } else {
            weighed.obstacles.push(obstacle);
        }
    }
    weighed.provenance_missing = matches!(demand, Demand::Written { provenance: true, .. })
        && weighed.obstacles.is_empty()
        && !has_accepted_provenance(attestations);
    weighed
}

/// Whether an attestation is of a type that nobody expects anything of, and nobody whom the policy trusts signed it: it
/// is shown as it is listed, and not judged (docs/decisions/0025-what-an-expectation-changes.md).
pub(super) fn is_listed_only(attestation: &ObservedAttestation) -> bool {
    !attestation.weighs
        && attestation.outcome.accepted().is_none()
        && (attestation.signatures.is_empty() || attestation.signatures.iter().all(by_stranger))
}

/// Whether an attestation is signed, and by nobody whom the policy trusts: not expired, revoked, broken or unknown.
fn is_foreign(attestation: &ObservedAttestation) -> bool {
    let AttestationOutcome::Rejected { fault, .. } = &attestation.outcome else {
        return false;
    };
    *fault == AttestationFault::Untrusted && attestation.signatures.iter().all(by_stranger)
}

fn by_stranger(judged: &Judged) -> bool {
    match judged.outcome() {
        Some(Outcome::Rejected(rejected)) => {
            matches!(
                rejected.reason(),
                Reason::UntrustedRoot | Reason::UntrustedIdentity
            )
        }
        Some(Outcome::Accepted(_)) | None => false,
    }
}

fn has_accepted_of_same_type(attestations: &[ObservedAttestation], as_in: &ObservedAttestation) -> bool {
    let predicate_type = as_in.said.predicate_type.as_ref();
    predicate_type.is_some_and(|predicate_type| {
        accepted(attestations)
            .any(|found| found.predicate_type() == predicate_type.raw() && found.kind() == as_in.kind)
    })
}

/// Whether a run's own word is there: what `BuildKit` says of its build is no stand-in for it.
fn has_accepted_provenance(attestations: &[ObservedAttestation]) -> bool {
    accepted(attestations).any(|found| found.kind() == Some(Kind::Provenance))
}

fn accepted(attestations: &[ObservedAttestation]) -> impl Iterator<Item = &Attested> {
    let accepted = attestations.iter().filter_map(|found| found.outcome.accepted());
    accepted.map(AcceptedAttestation::attested)
}

/// An expectation that is not met, told so that it can be acted on. What is missing among artifacts that were not all
/// read may be one of the others: then nobody can tell.
pub(super) fn unmet(shortfall: &Shortfall, image: &Digest, unread: usize) -> Obstacle {
    let untold = shortfall.lack == Lack::Missing && unread > 0;
    Obstacle {
        class: if untold {
            Class::Unavailable
        } else {
            Class::Rejected
        },
        rule: Rule::of_lack(shortfall.lack),
        message: if untold {
            format!(
                "{} among those that were read; {unread} more were not",
                shortfall.message
            )
        } else {
            shortfall.message.clone()
        },
        expected: Some(shortfall.expected.clone()),
        found: shortfall.found.clone(),
        about: shortfall.about.clone().unwrap_or_else(|| image.clone()),
        fix: None,
    }
}

/// What stands in the way of an attestation, if something does.
pub(super) fn attestation_obstacle(attestation: &ObservedAttestation) -> Option<Obstacle> {
    let AttestationOutcome::Rejected {
        fault,
        message,
        expected,
        found,
    } = &attestation.outcome
    else {
        return None;
    };
    let about = attestation.descriptor.digest.clone();
    let of_statement = Obstacle {
        class: attestation
            .said
            .unread
            .as_ref()
            .map_or(Class::Rejected, StoreError::class),
        rule: match fault {
            AttestationFault::Undecided | AttestationFault::Unsigned => Rule::AttestationUnsigned,
            AttestationFault::Untrusted => Rule::AttestationUntrusted,
            AttestationFault::Malformed => Rule::AttestationMalformed,
            AttestationFault::TooLarge => Rule::AttestationTooLarge,
            AttestationFault::OtherSubject => Rule::AttestationSubjectMismatch,
        },
        message: message.clone(),
        expected: expected.clone(),
        found: found.clone(),
        about,
        fix: None,
    };
    let signature_fault = matches!(
        fault,
        AttestationFault::Unsigned | AttestationFault::Undecided | AttestationFault::Untrusted
    );
    match standing(&attestation.signatures) {
        Standing::Bad(under) if signature_fault => Some(Obstacle {
            class: under.class,
            message: format!("{message}: {}", under.message),
            expected: under.expected,
            found: under.found,
            ..of_statement
        }),
        _ => Some(of_statement),
    }
}
