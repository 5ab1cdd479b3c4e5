//! Which of many signatures to judge first: junk beside an image must not use up what is spent on judging.

use super::authenticity::store_type;
use super::aws::AwsSignature;
use super::identity::TrustedIdentity;
use super::policy::TrustPolicy;
use super::trust_store::TrustStore;
use super::verifier::Claims;
use crate::domain::notary::{AWS_PLUGIN, Claimed, Envelope, IntactEnvelope, SigningScheme, names};
use crate::domain::oci::Descriptor;

/// How promising a signature looks; the most promising first. It decides an order, never a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// It is about this subject, by a signer that the policy trusts, with a certificate of the policy's trust stores,
    /// and the envelope is intact, so that none of this can be claimed by others.
    Trusted,
    /// It is about something else, by somebody else, or not intact.
    Other,
    /// It cannot be read, or names a format that is not supported.
    Unreadable,
}

impl Promise {
    /// What an envelope promises, by its bytes alone; nobody is asked. Signatures are verified only where everything
    /// that costs less has passed, so that a thousand pieces of junk cost no more than reading them.
    pub fn of(envelope: &Envelope, subject: &Descriptor, policy: &TrustPolicy, store: &TrustStore) -> Self {
        let Ok(claimed) = Claimed::read(envelope) else {
            return Self::Unreadable;
        };
        let about = claimed
            .payload()
            .and_then(|payload| payload.check_target(subject));
        let trusted =
            about.is_ok() && is_anchored(&claimed, policy, store) && is_by_trusted(&claimed, policy);
        if trusted && IntactEnvelope::open(envelope).is_ok() {
            Self::Trusted
        } else {
            Self::Other
        }
    }
}

fn is_anchored(claimed: &Claimed, policy: &TrustPolicy, store: &TrustStore) -> bool {
    policy
        .stores_of(store_type(claimed.attributes().scheme()))
        .filter_map(|name| store.certificates(name).ok())
        .any(|anchors| claimed.certificates().iter().any(|held| anchors.contains(held)))
}

fn is_by_trusted(claimed: &Claimed, policy: &TrustPolicy) -> bool {
    let attributes = claimed.attributes();
    let authority = attributes.scheme() == SigningScheme::SigningAuthority;
    let claims = Claims {
        scheme: attributes.scheme(),
        authentic_signing_time: authority.then(|| attributes.time()),
        attributes: attributes.extended(),
    };
    if claims.text(names::VERIFICATION_PLUGIN) == Some(AWS_PLUGIN) {
        return AwsSignature::read(claims, false)
            .is_ok_and(|signature| matches!(signature.trusted_by(policy.identities()), Ok(Some(_))));
    }
    let leaf = claimed.certificates().first();
    leaf.is_some_and(|leaf| TrustedIdentity::matching(policy.identities(), leaf.subject()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        PROFILE, aws_header, local_header, payload, sign, simple_policy, store, subject,
    };
    use super::*;
    use crate::domain::notary::EnvelopeFormat;
    use crate::domain::x509::testing::chain;

    const SUBJECT: &str = "x509.subject: C=US, ST=WA, O=Test";

    #[test]
    fn only_what_claims_the_subject_a_trusted_signer_and_an_anchor_goes_first() {
        let (issued, other) = (chain(), chain());
        let good = sign(&issued, &local_header(), &payload(&subject(1), &[])).envelope;
        let (policy, trusted) = (
            simple_policy("strict", "ca:test", SUBJECT),
            store("ca:test", &issued),
        );
        let about = subject(1);
        let promise = |envelope: &Envelope, policy: &TrustPolicy, store: &TrustStore| {
            Promise::of(envelope, about.descriptor(), policy, store)
        };
        assert_eq!(promise(&good, &policy, &trusted), Promise::Trusted);
        let elsewhere = sign(&issued, &local_header(), &payload(&subject(2), &[])).envelope;
        assert_eq!(promise(&elsewhere, &policy, &trusted), Promise::Other);
        assert_eq!(promise(&good, &policy, &store("ca:test", &other)), Promise::Other);
        let stranger = simple_policy("strict", "ca:test", "x509.subject: C=US, ST=WA, O=Else");
        assert_eq!(promise(&good, &stranger, &trusted), Promise::Other);
        let text = String::from_utf8(good.bytes().to_vec()).unwrap();
        let mut forged: serde_json::Value = serde_json::from_str(&text).unwrap();
        forged["signature"] = "AAAA".repeat(32).into();
        let forged = Envelope::new(EnvelopeFormat::Jws, forged.to_string().into_bytes());
        assert_eq!(promise(&forged, &policy, &trusted), Promise::Other);
        for format in [EnvelopeFormat::Jws, EnvelopeFormat::Cose] {
            let junk = Envelope::new(format, b"{}".to_vec());
            assert_eq!(promise(&junk, &policy, &trusted), Promise::Unreadable);
        }
        assert!(Promise::Trusted < Promise::Other && Promise::Other < Promise::Unreadable);
    }

    #[test]
    fn aws_signer_is_known_by_the_profile_that_the_envelope_states() {
        let issued = chain();
        let envelope = sign(&issued, &aws_header(), &payload(&subject(1), &[])).envelope;
        let trusted = store("signingAuthority:aws", &issued);
        let promise = |identity: &str| {
            let policy = simple_policy("strict", "signingAuthority:aws", identity);
            Promise::of(&envelope, subject(1).descriptor(), &policy, &trusted)
        };
        assert_eq!(promise(PROFILE), Promise::Trusted);
        assert_eq!(promise(&format!("{PROFILE}x")), Promise::Other);
        assert_eq!(promise(SUBJECT), Promise::Other);
    }
}
