//! Judging an attestation: it must be a Statement about this image, and a signature over it must be accepted.
//!
//! Neither half is enough: a valid signature over a Statement does not say that the Statement is about this image,
//! and registries without the referrers API let anyone list another image's validly signed Statement here.

use super::{Accepted, Outcome};
use crate::base::foreign::Foreign;
use crate::domain::oci::Digest;
use crate::domain::provenance::Statement;

/// Why an attestation does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttestationFault {
    /// No signature hangs on it.
    Unsigned,
    /// It is signed, and no signature is accepted.
    Untrusted,
    /// It is no Statement.
    Malformed,
    /// It is a Statement about something else.
    OtherSubject,
}

/// The verdict on one attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestationOutcome {
    /// About this image, and signed by someone the policy trusts.
    Accepted(Box<AcceptedAttestation>),
    /// It does not count.
    Rejected {
        /// Why.
        fault: AttestationFault,
        /// Why, in words.
        message: String,
        /// What was expected.
        expected: Option<String>,
        /// What was found.
        found: Option<Foreign>,
    },
}

/// Proof that an attestation is about an image and signed by someone the policy trusts; only [`judge`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedAttestation {
    predicate_type: Foreign,
    signature: Accepted,
}

impl AcceptedAttestation {
    /// The predicate type that the Statement announces.
    pub fn predicate_type(&self) -> &Foreign {
        &self.predicate_type
    }

    /// The signature that was accepted.
    pub fn signature(&self) -> &Accepted {
        &self.signature
    }
}

/// Judges one attestation of an image from its Statement (or why there is none) and the verdicts on its signatures.
pub fn judge(
    image: &Digest,
    statement: Result<&Statement, &str>,
    signatures: &[&Outcome],
) -> AttestationOutcome {
    let rejected = |fault, message: &str, expected: Option<String>, found| AttestationOutcome::Rejected {
        fault,
        message: message.to_owned(),
        expected,
        found,
    };
    let statement = match statement {
        Ok(statement) => statement,
        Err(why) => {
            let found = Some(Foreign::new(why));
            let expected = Some("an in-toto Statement v1".to_owned());
            return rejected(
                AttestationFault::Malformed,
                "the document is not a Statement",
                expected,
                found,
            );
        }
    };
    if !statement.names(image) {
        let message = "the Statement is about another image";
        return rejected(
            AttestationFault::OtherSubject,
            message,
            Some(format!("a subject {image}")),
            None,
        );
    }
    let accepted = signatures.iter().find_map(|outcome| match outcome {
        Outcome::Accepted(accepted) => Some(accepted),
        Outcome::Rejected(_) => None,
    });
    match accepted {
        Some(accepted) => AttestationOutcome::Accepted(Box::new(AcceptedAttestation {
            predicate_type: Foreign::new(statement.predicate_type()),
            signature: accepted.clone(),
        })),
        None if signatures.is_empty() => rejected(
            AttestationFault::Unsigned,
            "nobody signed the attestation",
            None,
            None,
        ),
        None => rejected(
            AttestationFault::Untrusted,
            "no signature over the attestation is accepted",
            None,
            None,
        ),
    }
}

impl AttestationOutcome {
    /// The proof, where there is one.
    pub fn accepted(&self) -> Option<&AcceptedAttestation> {
        match self {
            Self::Accepted(accepted) => Some(accepted),
            Self::Rejected { .. } => None,
        }
    }
}
