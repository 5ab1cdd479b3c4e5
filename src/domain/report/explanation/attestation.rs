//! One attestation in an explanation: what it says to be, whether it counts, and the signatures over it.

use super::signature::{Found, Signature};
use super::{line, page, rule};
use crate::base::foreign::Foreign;
use crate::domain::oci::Digest;
use crate::domain::report::Rule;
use crate::domain::report::ordered::Json;

/// One attestation that hangs on the image, as the job left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAttestation {
    /// The attestation's manifest.
    pub manifest: Digest,
    /// The predicate type that its Statement announces; none where there is no Statement to read.
    pub predicate_type: Option<Foreign>,
    /// The rule that it breaks and in which words; none where it counts.
    pub fault: Option<(Rule, String)>,
    /// The signatures over it.
    pub signatures: Vec<Found>,
}

/// One attestation, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attestation {
    manifest: Digest,
    predicate_type: Option<Foreign>,
    fault: Option<(Rule, String)>,
    signatures: Vec<Signature>,
}

impl Attestation {
    pub(super) fn of(found: &FoundAttestation) -> Self {
        Self {
            manifest: found.manifest.clone(),
            predicate_type: found.predicate_type.clone(),
            fault: found.fault.clone(),
            signatures: found.signatures.iter().map(Signature::of).collect(),
        }
    }

    pub(super) fn write(&self, text: &mut String) {
        line(text, 0, &format!("attestation {}", self.manifest));
        if let Some(kind) = &self.predicate_type {
            line(text, 1, &format!("says it is a {}", kind.quote()));
        }
        for signature in &self.signatures {
            signature.write(text, 1);
        }
        match &self.fault {
            None => line(
                text,
                1,
                "accepted: it is about this image, and a signature over it is accepted",
            ),
            Some((rule, why)) => {
                line(text, 1, &format!("{}: {why}", self.verdict()));
                page(text, 2, Some(*rule));
            }
        }
    }

    fn verdict(&self) -> &'static str {
        if self.fault.is_none() {
            "accepted"
        } else {
            "rejected"
        }
    }

    pub(super) fn json(&self) -> Json {
        Json::map([
            ("digest", self.manifest.to_string().into()),
            ("predicateType", self.predicate_type.as_ref().into()),
            ("verdict", self.verdict().into()),
            ("reason", self.fault.as_ref().map(|(_, why)| why).into()),
            (
                "rule",
                self.fault.as_ref().map(|(broken, _)| rule(*broken)).into(),
            ),
            (
                "signatures",
                Json::list(self.signatures.iter().map(Signature::json)),
            ),
        ])
    }
}
