//! Signatures made on the spot for tests, good ones and bad ones.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Applicable, Evidence, TrustPolicy, TrustPolicyDocument, TrustStore};
use crate::base::time::Timestamp;
use crate::domain::notary::{Envelope, EnvelopeFormat, Payload};
use crate::domain::oci::{Digest, LayoutPath, Manifest, MediaType, Place, Subject};
use crate::domain::x509::testing::Issued;

/// The profile version that [`aws_header`] states.
pub(crate) const PROFILE_VERSION: &str =
    "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release/OF8IVUsPJq";

/// The identity that trusts it.
pub(crate) const PROFILE: &str = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release";

/// The job that [`aws_header`] states.
pub(crate) const JOB: &str = "arn:aws:signer:eu-west-1:111122223333:/signing-jobs/97af3947";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An index without manifests, told apart by a number.
pub(crate) fn subject(number: u32) -> Subject {
    let text = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [],
        "annotations": {"number": number.to_string()}});
    let manifest = Manifest::parse(text.to_string().into_bytes(), &MediaType::OCI_INDEX).unwrap();
    Subject::of(Place::Layout(LayoutPath::new("somewhere")), &manifest)
}

/// The payload about a subject.
pub(crate) fn payload(subject: &Subject, metadata: &[(&str, &str)]) -> Vec<u8> {
    let metadata: BTreeMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Payload::new(subject, &metadata).unwrap().bytes().to_vec()
}

/// The protected header of a local signer.
pub(crate) fn local_header() -> Value {
    json!({
        "alg": "ES384",
        "cty": MediaType::NOTARY_PAYLOAD,
        "crit": ["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": "2024-06-01T00:00:00Z",
        "io.cncf.notary.expiry": "2030-01-01T00:00:00Z",
    })
}

/// The protected header of AWS Signer.
pub(crate) fn aws_header() -> Value {
    json!({
        "alg": "ES384",
        "cty": MediaType::NOTARY_PAYLOAD,
        "crit": ["io.cncf.notary.signingScheme", "io.cncf.notary.authenticSigningTime", "io.cncf.notary.expiry",
            "io.cncf.notary.verificationPlugin", "com.amazonaws.signer.signingProfileVersion",
            "com.amazonaws.signer.signingJob"],
        "io.cncf.notary.signingScheme": "notary.x509.signingAuthority",
        "io.cncf.notary.authenticSigningTime": "2024-06-01T00:00:00Z",
        "io.cncf.notary.expiry": "2030-01-01T00:00:00Z",
        "io.cncf.notary.verificationPlugin": "com.amazonaws.signer.notation.plugin",
        "com.amazonaws.signer.signingProfileVersion": PROFILE_VERSION,
        "com.amazonaws.signer.signingJob": JOB,
    })
}

/// A JWS of a protected header and a payload, signed with a chain's leaf.
pub(crate) fn sign(issued: &Issued, header: &Value, payload: &[u8]) -> Evidence {
    let protected = URL_SAFE_NO_PAD.encode(header.to_string());
    let payload = URL_SAFE_NO_PAD.encode(payload);
    let signature = issued.sign_es384(format!("{protected}.{payload}").as_bytes());
    let certificates = issued.certificates.iter();
    let jws = json!({
        "payload": payload,
        "protected": protected,
        "header": {"x5c": certificates.map(|c| STANDARD.encode(c.der())).collect::<Vec<_>>()},
        "signature": URL_SAFE_NO_PAD.encode(signature),
    });
    let bytes = jws.to_string().into_bytes();
    Evidence {
        manifest: Digest::of(&bytes),
        envelope: Envelope::new(EnvelopeFormat::Jws, bytes),
    }
}

/// A policy for everything; its one entry is given in JSON members beside name and scope.
pub(crate) fn policy(members: &Value) -> TrustPolicy {
    let mut entry = json!({"name": "test", "registryScopes": ["*"]});
    let members = members.as_object().unwrap().clone();
    entry.as_object_mut().unwrap().extend(members);
    let text = json!({"version": "1.0", "trustPolicies": [entry]}).to_string();
    let document = TrustPolicyDocument::parse(text.as_bytes()).unwrap();
    match document.applicable("*").unwrap() {
        Applicable::Judge(policy) => policy.clone(),
        Applicable::Skip(_) => panic!("the policy says skip"),
    }
}

/// A policy of one store and one identity.
pub(crate) fn simple_policy(level: &str, store: &str, identity: &str) -> TrustPolicy {
    policy(&json!({
        "signatureVerification": {"level": level}, "trustStores": [store], "trustedIdentities": [identity],
    }))
}

/// A trust store that holds the root of a chain under a name.
pub(crate) fn store(name: &str, issued: &Issued) -> TrustStore {
    let mut store = TrustStore::default();
    let root = issued.certificates.last().unwrap().clone();
    store.insert(name.parse().unwrap(), Ok(vec![root]));
    store
}
