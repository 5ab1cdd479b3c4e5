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
    /// Signatures hang on it, and none could be judged.
    Undecided,
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

/// Judges one attestation of an image from its Statement (or why there is none) and the verdicts on its signatures;
/// `unjudged` is how many more signatures there are that could not be judged.
pub fn judge(
    image: &Digest,
    statement: Result<&Statement, &str>,
    signatures: &[&Outcome],
    unjudged: usize,
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
        None if unjudged > 0 => rejected(
            AttestationFault::Undecided,
            "no signature over the attestation is accepted, and not all could be judged",
            None,
            None,
        ),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::testing::{local_header, payload, sign, simple_policy, store, subject, time};
    use super::super::{Requirements, examine};
    use super::*;
    use crate::domain::x509::testing::chain;

    fn statement(about: &Digest) -> Statement {
        let text = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "web", "digest": {"sha256": about.hex()}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {},
        });
        Statement::read(text.to_string().as_bytes()).unwrap()
    }

    /// A signature over an attestation, judged by a policy that names this signer.
    fn signed(by: &str) -> Outcome {
        let issued = chain();
        let evidence = sign(&issued, &local_header(), &payload(&subject(1), &[]));
        let policy = simple_policy("strict", "ca:test", by);
        let store = store("ca:test", &issued);
        let now = time("2025-06-01T00:00:00Z");
        let pending = examine(
            &evidence,
            &subject(1),
            &policy,
            &store,
            &Requirements::default(),
            now,
        );
        pending.conclude(&BTreeMap::new())
    }

    fn fault(outcome: &AttestationOutcome) -> Option<AttestationFault> {
        assert_eq!(
            outcome.accepted().is_none(),
            matches!(outcome, AttestationOutcome::Rejected { .. })
        );
        match outcome {
            AttestationOutcome::Accepted(_) => None,
            AttestationOutcome::Rejected { fault, .. } => Some(*fault),
        }
    }

    #[test]
    fn a_statement_about_the_image_and_one_accepted_signature_are_both_needed() {
        let image = Digest::of(b"image");
        let (good, bad) = (
            signed("x509.subject: C=US, ST=WA, O=Test"),
            signed("x509.subject: C=US, ST=WA, O=Else"),
        );
        let (about, other) = (statement(&image), statement(&Digest::of(b"other")));
        let accepted = judge(&image, Ok(&about), &[&bad, &good], 0);
        let Outcome::Accepted(signature) = &good else {
            panic!("{good:?}")
        };
        let proof = accepted.accepted().unwrap();
        assert_eq!(proof.predicate_type().raw(), "https://slsa.dev/provenance/v1");
        assert_eq!(proof.signature(), signature);
        let faults = [
            (judge(&image, Ok(&about), &[], 0), AttestationFault::Unsigned),
            (judge(&image, Ok(&about), &[], 1), AttestationFault::Undecided),
            (judge(&image, Ok(&about), &[&bad], 1), AttestationFault::Undecided),
            (judge(&image, Ok(&about), &[&bad], 0), AttestationFault::Untrusted),
            (
                judge(&image, Ok(&other), &[&good], 0),
                AttestationFault::OtherSubject,
            ),
            (
                judge(&image, Err("no JSON"), &[&good], 0),
                AttestationFault::Malformed,
            ),
        ];
        for (outcome, expected) in faults {
            assert_eq!(fault(&outcome), Some(expected));
        }
        assert_eq!(fault(&accepted), None);
    }
}
