//! Judging an attestation: it must be about this image, and a signature over it must be accepted.
//!
//! Neither half is enough: a valid signature over a Statement does not say that the Statement is about this image,
//! and registries without the referrers API let anyone list another image's validly signed Statement here.

use std::sync::Arc;

use super::{Accepted, Outcome};
use crate::base::foreign::Foreign;
use crate::base::limits::STATEMENT_BYTES;
use crate::base::time::Timestamp;
use crate::domain::notary::SigningScheme;
use crate::domain::oci::Digest;
use crate::domain::provenance::{Attested, KeyHolder};

/// Why an attestation does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttestationFault {
    /// No signature hangs on it.
    Unsigned,
    /// Signatures hang on it, and none could be judged.
    Undecided,
    /// It is signed, and no signature is accepted.
    Untrusted,
    /// It is no Statement, nor a document of a kind that is known.
    Malformed,
    /// It has more bytes than readers accept.
    TooLarge,
    /// It is about something else: its Statement, or the manifest that carries it.
    OtherSubject,
}

/// Why there is no document to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undocumented<'a> {
    /// [`AttestationFault::Malformed`], [`AttestationFault::TooLarge`] or [`AttestationFault::OtherSubject`].
    pub fault: AttestationFault,
    /// Why, in words.
    pub why: &'a str,
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
    attested: Arc<Attested>,
    signature: Accepted,
}

impl AcceptedAttestation {
    /// What it says.
    pub fn attested(&self) -> &Attested {
        &self.attested
    }

    /// The signature that was accepted; of several the latest.
    pub fn signature(&self) -> &Accepted {
        &self.signature
    }

    /// Who holds the key that signed it, as far as a signature tells: a signing authority keeps its own, anybody else may
    /// keep theirs anywhere (Notary Project signature specification, "Signing Scheme").
    pub fn key_holder(&self) -> KeyHolder {
        match self.signature.envelope().scheme() {
            SigningScheme::SigningAuthority => KeyHolder::Service,
            SigningScheme::X509 => KeyHolder::Unknown,
        }
    }

    /// When it was signed: attested by the signing service, or by the signer's own word where the scheme has no more.
    pub fn signed_at(&self) -> Option<Timestamp> {
        signed_at(&self.signature)
    }
}

fn signed_at(signature: &Accepted) -> Option<Timestamp> {
    let envelope = signature.envelope();
    envelope.authentic_signing_time().or(envelope.signing_time())
}

/// Judges one attestation of an image from its document (or why there is none) and the verdicts on its signatures;
/// `unjudged` is how many more signatures there are that could not be judged.
///
/// The caller has seen to it that the manifest which carries the document refers to the image; a Statement has to name
/// it besides.
pub fn judge(
    image: &Digest,
    document: Result<&Arc<Attested>, Undocumented<'_>>,
    signatures: &[&Outcome],
    unjudged: usize,
) -> AttestationOutcome {
    let attested = match document {
        Ok(attested) => attested,
        Err(undocumented) => return without_document(undocumented),
    };
    if !attested.may_name(image) {
        return AttestationOutcome::Rejected {
            fault: AttestationFault::OtherSubject,
            message: "the Statement is about another image".to_owned(),
            expected: Some(format!("a subject {image}")),
            found: None,
        };
    }
    let accepted = signatures.iter().filter_map(|outcome| match outcome {
        Outcome::Accepted(accepted) => Some(accepted),
        Outcome::Rejected(_) => None,
    });
    if let Some(accepted) = accepted.max_by_key(|accepted| signed_at(accepted)) {
        return AttestationOutcome::Accepted(Box::new(AcceptedAttestation {
            attested: Arc::clone(attested),
            signature: accepted.clone(),
        }));
    }
    let (fault, message) = if unjudged > 0 {
        (
            AttestationFault::Undecided,
            "no signature over the attestation is accepted, and not all could be judged",
        )
    } else if signatures.is_empty() {
        (AttestationFault::Unsigned, "nobody signed the attestation")
    } else {
        (
            AttestationFault::Untrusted,
            "no signature over the attestation is accepted",
        )
    };
    AttestationOutcome::Rejected {
        fault,
        message: message.to_owned(),
        expected: None,
        found: None,
    }
}

fn without_document(undocumented: Undocumented<'_>) -> AttestationOutcome {
    let (message, expected) = match undocumented.fault {
        AttestationFault::TooLarge => (
            "the document is larger than its readers accept",
            format!("at most {STATEMENT_BYTES} bytes"),
        ),
        AttestationFault::OtherSubject => (
            "the manifest of the attestation refers to another image",
            "a manifest that refers to this image".to_owned(),
        ),
        _ => (
            "the document is not a Statement",
            "an in-toto Statement v1, or a raw document of its kind".to_owned(),
        ),
    };
    AttestationOutcome::Rejected {
        fault: undocumented.fault,
        message: message.to_owned(),
        expected: Some(expected),
        found: Some(Foreign::new(undocumented.why)),
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

    /// Why it does not count, where it does not.
    pub fn fault(&self) -> Option<AttestationFault> {
        match self {
            Self::Accepted(_) => None,
            Self::Rejected { fault, .. } => Some(*fault),
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
    use crate::domain::provenance::Statement;
    use crate::domain::x509::testing::chain;

    fn statement(about: &Digest) -> Arc<Attested> {
        let text = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "web", "digest": {"sha256": about.hex()}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {},
        });
        Arc::new(Attested::Statement(
            Statement::read(text.to_string().as_bytes()).unwrap(),
        ))
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
        assert_eq!(
            proof.attested().predicate_type(),
            "https://slsa.dev/provenance/v1"
        );
        assert_eq!(proof.signature(), signature);
        let no = |fault| {
            Err(Undocumented {
                fault,
                why: "no JSON",
            })
        };
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
                judge(&image, no(AttestationFault::Malformed), &[&good], 0),
                AttestationFault::Malformed,
            ),
            (
                judge(&image, no(AttestationFault::TooLarge), &[&good], 0),
                AttestationFault::TooLarge,
            ),
            (
                judge(&image, no(AttestationFault::OtherSubject), &[&good], 0),
                AttestationFault::OtherSubject,
            ),
        ];
        for (outcome, expected) in faults {
            assert_eq!(fault(&outcome), Some(expected));
        }
        assert_eq!(fault(&accepted), None);
    }
}
