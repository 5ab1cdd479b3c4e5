//! Envelopes of our own: JWS signed by a local key, scheme `notary.x509`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::attributes::{SigningScheme, names};
use super::envelope::{Envelope, EnvelopeFormat};
use super::payload::Payload;
use crate::base::time::Timestamp;
use crate::domain::oci::MediaType;
use crate::domain::x509::{Certificate, KeySpec};

/// Signed and unsigned attributes of an envelope that we make ourselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningAttributes {
    /// When the signature is made; the fraction is not written.
    pub signing_time: Timestamp,
    /// When it ceases to count; later than the signing time.
    pub expiry: Option<Timestamp>,
    /// What the signer calls itself; not signed.
    pub agent: String,
}

/// An envelope that lacks only its signature.
///
/// The protected header has its members sorted and no blanks, as notation writes it; nothing demands that, but
/// whoever compares sees no difference.
///
/// ```
/// use std::collections::BTreeMap;
/// use countersign::base::time::Timestamp;
/// use countersign::domain::notary::{Payload, SigningAttributes, UnsignedJws};
/// use countersign::domain::oci::{ImageRef, Manifest, MediaType, Subject};
/// use countersign::domain::x509::KeySpec;
///
/// let image: ImageRef = "registry.example.com/web:1.4".parse()?;
/// let bytes = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
/// let manifest = Manifest::parse(bytes.to_vec(), &MediaType::OCI_INDEX)?;
/// let payload = Payload::new(&Subject::of(image.place().clone(), &manifest), &BTreeMap::new())?;
/// let attributes = SigningAttributes {
///     signing_time: Timestamp::from_unix(1_740_830_400),
///     expiry: None,
///     agent: "countersign/1.0.0".to_owned(),
/// };
/// let unsigned = UnsignedJws::new(&payload, &attributes, KeySpec::P384);
/// assert!(unsigned.signing_input().starts_with(b"eyJhbGciOiJFUzM4NCIs"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedJws {
    signing_input: String,
    protected_length: usize,
    agent: String,
}

impl UnsignedJws {
    /// Prepares an envelope for a payload and a key.
    pub fn new(payload: &Payload, attributes: &SigningAttributes, key: KeySpec) -> Self {
        let mut critical = vec![names::SIGNING_SCHEME];
        let mut protected = BTreeMap::from([
            ("alg", json!(key.jws_algorithm())),
            ("cty", json!(MediaType::NOTARY_PAYLOAD)),
            (names::SIGNING_SCHEME, json!(SigningScheme::X509.as_str())),
            (names::SIGNING_TIME, json!(attributes.signing_time)),
        ]);
        if let Some(expiry) = attributes.expiry {
            protected.insert(names::EXPIRY, json!(expiry));
            critical.push(names::EXPIRY);
        }
        protected.insert("crit", json!(critical));
        let protected = URL_SAFE_NO_PAD.encode(json!(protected).to_string());
        let payload = URL_SAFE_NO_PAD.encode(payload.bytes());
        Self {
            protected_length: protected.len(),
            signing_input: format!("{protected}.{payload}"),
            agent: attributes.agent.clone(),
        }
    }

    /// The bytes to sign (RFC 7515, 5.1): protected header, a dot, payload, both in base64url.
    pub fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    /// Puts in the signature value (`r || s` for ECDSA) and the chain, leaf first.
    pub fn finish(self, signature_value: &[u8], chain: &[Certificate]) -> Envelope {
        let (protected, payload) = self.signing_input.split_at(self.protected_length);
        let x5c: Vec<String> = chain
            .iter()
            .map(|certificate| STANDARD.encode(certificate.der()))
            .collect();
        let envelope = json!({
            "payload": payload.trim_start_matches('.'),
            "protected": protected,
            "header": { "x5c": x5c, "io.cncf.notary.signingAgent": self.agent },
            "signature": URL_SAFE_NO_PAD.encode(signature_value),
        });
        Envelope::new(EnvelopeFormat::Jws, envelope.to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::envelope::IntactEnvelope;
    use super::super::testing::payload;
    use super::*;
    use crate::domain::x509::testing::chain;

    fn attributes(expiry: Option<&str>) -> SigningAttributes {
        SigningAttributes {
            signing_time: "2025-03-01T12:00:00.5Z".parse().unwrap(),
            expiry: expiry.map(|text| text.parse().unwrap()),
            agent: "countersign/1.0.0".to_owned(),
        }
    }

    #[test]
    fn the_header_is_written_as_notation_writes_it() {
        let unsigned = UnsignedJws::new(
            &payload(),
            &attributes(Some("2026-03-01T12:00:00Z")),
            KeySpec::P384,
        );
        let protected = unsigned
            .signing_input()
            .split(|byte| *byte == b'.')
            .next()
            .unwrap();
        assert_eq!(
            String::from_utf8(URL_SAFE_NO_PAD.decode(protected).unwrap()).unwrap(),
            concat!(
                r#"{"alg":"ES384","crit":["io.cncf.notary.signingScheme","io.cncf.notary.expiry"],"#,
                r#""cty":"application/vnd.cncf.notary.payload.v1+json","#,
                r#""io.cncf.notary.expiry":"2026-03-01T12:00:00Z","#,
                r#""io.cncf.notary.signingScheme":"notary.x509","#,
                r#""io.cncf.notary.signingTime":"2025-03-01T12:00:00Z"}"#
            )
        );
    }

    #[test]
    fn what_is_signed_opens_again() {
        let issued = chain();
        for expiry in [None, Some("2026-03-01T12:00:00Z")] {
            let unsigned = UnsignedJws::new(&payload(), &attributes(expiry), KeySpec::P384);
            let signature = issued.sign_es384(unsigned.signing_input());
            let envelope = unsigned.finish(&signature, &issued.certificates);
            let intact = IntactEnvelope::open(&envelope).unwrap();
            assert_eq!(intact.payload(), payload().bytes());
            assert_eq!(intact.chain().certificates(), issued.certificates);
            assert_eq!(
                intact.signing_time(),
                Some("2025-03-01T12:00:00Z".parse().unwrap())
            );
            assert_eq!(intact.expiry(), expiry.map(|text| text.parse().unwrap()));
            assert_eq!(intact.signing_agent().unwrap().raw(), "countersign/1.0.0");
            assert_eq!(intact.signature_value(), signature);
        }
    }
}
