//! Envelopes for tests: made on the spot, good ones and bad ones.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::envelope::{Envelope, EnvelopeFormat};
use super::payload::Payload;
use crate::domain::oci::{ImageRef, Manifest, MediaType, Subject};
use crate::domain::x509::testing::Issued;

/// The subject of an empty index.
pub(crate) fn subject() -> Subject {
    let image: ImageRef = "registry.example.com/web:1.4".parse().unwrap();
    let bytes =
        br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let manifest = Manifest::parse(bytes.to_vec(), &MediaType::OCI_INDEX).unwrap();
    Subject::of(image.place().clone(), &manifest)
}

/// The payload for it, with metadata.
pub(crate) fn payload() -> Payload {
    let metadata = BTreeMap::from([("build".to_owned(), "123".to_owned())]);
    Payload::new(&subject(), &metadata).unwrap()
}

/// A protected header of the scheme `notary.x509` that holds.
pub(crate) fn x509_header() -> Value {
    json!({
        "alg": "ES384",
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": ["io.cncf.notary.signingScheme"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": "2025-03-01T12:00:00Z",
    })
}

/// A protected header as AWS Signer writes it, for the profile `release`.
pub(crate) fn aws_header() -> Value {
    json!({
        "alg": "ES384",
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": [
            "io.cncf.notary.signingScheme",
            "io.cncf.notary.authenticSigningTime",
            "io.cncf.notary.expiry",
            "io.cncf.notary.verificationPlugin",
            "com.amazonaws.signer.signingProfileVersion",
            "com.amazonaws.signer.signingJob",
        ],
        "io.cncf.notary.signingScheme": "notary.x509.signingAuthority",
        "io.cncf.notary.authenticSigningTime": "2025-03-01T12:00:00Z",
        "io.cncf.notary.expiry": "2036-06-01T12:00:00Z",
        "io.cncf.notary.verificationPlugin": "com.amazonaws.signer.notation.plugin",
        "com.amazonaws.signer.signingProfileVersion":
            "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release/OF8IVUsPJq",
        "com.amazonaws.signer.signingJob":
            "arn:aws:signer:eu-west-1:111122223333:/signing-jobs/97af3947-0000-4000-8000-000000000000",
    })
}

/// A JWS over these documents, signed by the leaf.
pub(crate) fn sign(issued: &Issued, protected: &str, payload: &[u8]) -> Value {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(protected),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let (protected, payload) = input.split_once('.').unwrap();
    let x5c: Vec<String> = issued
        .certificates
        .iter()
        .map(|certificate| STANDARD.encode(certificate.der()))
        .collect();
    json!({
        "payload": payload,
        "protected": protected,
        "header": { "x5c": x5c },
        "signature": URL_SAFE_NO_PAD.encode(issued.sign_es384(input.as_bytes())),
    })
}

/// The bytes of a JWS as an envelope.
pub(crate) fn envelope(jws: &Value) -> Envelope {
    Envelope::new(EnvelopeFormat::Jws, jws.to_string().into_bytes())
}
