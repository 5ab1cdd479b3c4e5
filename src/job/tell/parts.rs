//! Signatures, attestations and expectations, as the report lists them.

use super::MadeNow;
use crate::base::foreign::Foreign;
use crate::domain::oci::MediaType;
use crate::domain::provenance::Kind;
use crate::domain::report::{AttestationReport, ExpectationReport, SignatureReport, ValidationReport};
use crate::domain::trust::attestation::AttestationOutcome;
use crate::domain::trust::expectation::Held;
use crate::domain::trust::{Action, Outcome, Validation, ValidationKind, ValidationResult};
use crate::job::judge::Judged;
use crate::job::observe::ObservedAttestation;
use crate::job::standing::is_listed_only;

pub(super) fn signature(judged: &Judged, made: &MadeNow) -> SignatureReport {
    let (verdict, reason) = judged.verdict();
    let outcome = judged.outcome();
    let validations = outcome.map(Outcome::validations).unwrap_or_default();
    let envelope = outcome.and_then(Outcome::envelope);
    SignatureReport {
        digest: judged.descriptor.digest.clone(),
        identity: outcome.and_then(Outcome::identity).cloned(),
        verdict,
        reason,
        made_now: made.contains(&judged.descriptor.digest),
        signed_at: envelope
            .and_then(|envelope| envelope.authentic_signing_time().or(envelope.signing_time())),
        expires_at: envelope.and_then(crate::domain::notary::IntactEnvelope::expiry),
        validations: validations.iter().map(validation).collect(),
    }
}

fn validation(validation: &Validation) -> ValidationReport {
    let (result, reason) = match &validation.result {
        ValidationResult::Passed => ("passed", None),
        ValidationResult::Failed(why) => ("failed", Some(why.clone())),
        ValidationResult::Skipped(why) => ("skipped", Some(why.clone())),
        ValidationResult::Unknown(why) => ("unknown", Some(why.clone())),
    };
    ValidationReport {
        validation: word(validation.kind),
        action: match validation.action {
            Action::Enforce => "enforce",
            Action::Log => "log",
            Action::Skip => "skip",
        },
        result,
        reason,
    }
}

pub(super) fn attestation(found: &ObservedAttestation, judged: bool, made: &MadeNow) -> AttestationReport {
    let (verdict, reason) = match &found.outcome {
        _ if !judged || is_listed_only(found) => ("listed", None),
        AttestationOutcome::Accepted(_) => ("accepted", None),
        AttestationOutcome::Rejected { message, .. } => ("rejected", Some(message.clone())),
    };
    AttestationReport {
        digest: found.descriptor.digest.clone(),
        artifact_type: found
            .descriptor
            .artifact_type
            .as_ref()
            .map(|kind| Foreign::new(kind.as_str())),
        predicate_type: found.said.predicate_type.clone(),
        kind: found.kind.map(Kind::name),
        verdict,
        reason,
        made_now: made.contains(&found.descriptor.digest),
        file: None,
        facts: found.said.facts.clone(),
        signatures: found
            .signatures
            .iter()
            .map(|judged| signature(judged, made))
            .collect(),
    }
}

pub(super) fn expectation(held: &Held) -> ExpectationReport {
    ExpectationReport {
        about: Foreign::new(held.wanted.name()),
        required: held.required,
        verdict: match (&held.met_by, held.shortfalls.is_empty()) {
            (Some(_), _) => "met",
            (None, true) => "absent",
            (None, false) => "missed",
        },
        met_by: held.met_by.clone(),
    }
}

/// The specification's word for a validation.
pub(super) const fn word(kind: ValidationKind) -> &'static str {
    match kind {
        ValidationKind::Integrity => "integrity",
        ValidationKind::Authenticity => "authenticity",
        ValidationKind::AuthenticTimestamp => "authenticTimestamp",
        ValidationKind::Expiry => "expiry",
        ValidationKind::Revocation => "revocation",
    }
}

/// What an attestation is called: its kind's name, or else its predicate type, or what the list says it carries.
pub(super) fn attestation_name(found: &ObservedAttestation) -> String {
    let said = found.said.predicate_type.as_ref().map(Foreign::raw);
    let listed = found.descriptor.artifact_type.as_ref().map(MediaType::as_str);
    let name = found.kind.map(Kind::name).or(said).or(listed);
    name.unwrap_or("attestation").to_owned()
}
