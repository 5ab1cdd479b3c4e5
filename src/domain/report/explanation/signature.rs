//! One signature in an explanation: who says to have signed, and how every validation went.

use super::{line, page, rule};
use crate::base::failure::Class;
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::domain::oci::Digest;
use crate::domain::report::Rule;
use crate::domain::report::ordered::Json;
use crate::domain::trust::{Outcome, Reason, Rejected, Validation, ValidationKind, ValidationResult};

/// One signature that hangs on the image, as the job left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The signature's manifest.
    pub manifest: Digest,
    /// How it was judged, or why it was not.
    pub outcome: Result<Outcome, String>,
}

/// One signature, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    manifest: Digest,
    signer: Option<Foreign>,
    signed_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    verdict: &'static str,
    why: Option<String>,
    rule: Option<Rule>,
    steps: Vec<Step>,
}

/// One validation of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    validation: Validation,
    rule: Option<Rule>,
}

impl Signature {
    pub(super) fn of(found: &Found) -> Self {
        let outcome = found.outcome.as_ref().ok();
        let refused = match outcome {
            Some(Outcome::Rejected(rejected)) => Some(rejected),
            _ => None,
        };
        let reason = refused.map(Rejected::reason);
        let steps = outcome.map(Outcome::validations).unwrap_or_default().iter();
        let times = outcome.and_then(Outcome::envelope).map(|envelope| {
            let signed_at = envelope.authentic_signing_time().or(envelope.signing_time());
            (signed_at, envelope.expiry())
        });
        let (signed_at, expires_at) = times.unwrap_or_default();
        Self {
            manifest: found.manifest.clone(),
            signer: outcome.and_then(Outcome::identity).cloned(),
            signed_at,
            expires_at,
            verdict: match (outcome, refused) {
                (None, _) => "not judged",
                (_, None) => "accepted",
                (_, Some(rejected)) if rejected.class() == Class::Unavailable => "unknown",
                (_, Some(_)) => "rejected",
            },
            why: match &found.outcome {
                Err(why) => Some(why.clone()),
                Ok(_) => refused.map(|rejected| rejected.message().to_owned()),
            },
            rule: reason.map(Rule::of_refusal),
            steps: steps
                .map(|validation| Step {
                    validation: validation.clone(),
                    rule: rule_of(validation, reason),
                })
                .collect(),
        }
    }

    /// Writes it at a depth.
    pub(super) fn write(&self, text: &mut String, depth: usize) {
        line(text, depth, &format!("signature {}", self.manifest));
        if let Some(signer) = &self.signer {
            let claims = if self.verdict == "accepted" {
                "signed"
            } else {
                "claims to be signed"
            };
            line(text, depth + 1, &format!("{claims} by {}", signer.quote()));
        }
        if let Some(at) = self.signed_at {
            let until = self.expires_at.map(|until| format!(", counts until {until}"));
            line(
                text,
                depth + 1,
                &format!("says it was made at {at}{}", until.unwrap_or_default()),
            );
        }
        for step in &self.steps {
            let Validation { kind, action, result } = &step.validation;
            let why = result.why().map(|why| format!(": {why}")).unwrap_or_default();
            line(
                text,
                depth + 1,
                &format!("{kind} ({action}) {}{why}", result.name()),
            );
            page(text, depth + 2, step.rule);
        }
        let why = self
            .why
            .as_ref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        line(text, depth + 1, &format!("{}{why}", self.verdict));
        // A validation that failed for the same rule has shown its page already.
        if self.steps.iter().all(|step| step.rule != self.rule) {
            page(text, depth + 2, self.rule);
        }
    }

    pub(super) fn json(&self) -> Json {
        let steps = self.steps.iter().map(|step| {
            Json::map([
                ("validation", step.validation.kind.name().into()),
                ("action", step.validation.action.name().into()),
                ("result", step.validation.result.name().into()),
                ("reason", step.validation.result.why().into()),
                ("rule", step.rule.map(rule).into()),
            ])
        });
        Json::map([
            ("digest", self.manifest.to_string().into()),
            ("identity", self.signer.as_ref().into()),
            ("signedAt", self.signed_at.map(|at| at.to_string()).into()),
            ("expiresAt", self.expires_at.map(|at| at.to_string()).into()),
            ("verdict", self.verdict.into()),
            ("reason", self.why.as_ref().into()),
            ("rule", self.rule.map(rule).into()),
            ("validations", Json::list(steps)),
        ])
    }
}

/// The rule that a validation which went wrong falls under; the signature's own reason tells root and signer apart.
fn rule_of(validation: &Validation, reason: Option<Reason>) -> Option<Rule> {
    let unknown = match validation.result {
        ValidationResult::Passed | ValidationResult::Skipped(_) => return None,
        ValidationResult::Failed(_) => false,
        ValidationResult::Unknown(_) => true,
    };
    Some(match (validation.kind, unknown) {
        (ValidationKind::Integrity, _) => reason.map_or(Rule::SignatureInvalid, Rule::of_refusal),
        (ValidationKind::Authenticity, _) if reason == Some(Reason::UntrustedRoot) => {
            Rule::SignatureUntrustedRoot
        }
        (ValidationKind::Authenticity, _) => Rule::SignatureUntrustedIdentity,
        (ValidationKind::Expiry | ValidationKind::AuthenticTimestamp, _) => Rule::SignatureExpired,
        (ValidationKind::Revocation, true) => Rule::RevocationUnknown,
        (ValidationKind::Revocation, false) => Rule::SignatureRevoked,
    })
}
