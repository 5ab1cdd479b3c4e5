//! Envelopes of our own: JWS signed by a local key, scheme `notary.x509`.

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
///     agent: "countersign/0.1.0".to_owned(),
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
        let mut protected = json!({
            "alg": key.jws_algorithm(),
            "cty": MediaType::NOTARY_PAYLOAD,
            names::SIGNING_SCHEME: SigningScheme::X509.as_str(),
            names::SIGNING_TIME: attributes.signing_time,
        });
        if let (Some(expiry), Some(members)) = (attributes.expiry, protected.as_object_mut()) {
            members.insert(names::EXPIRY.to_owned(), json!(expiry));
            critical.push(names::EXPIRY);
        }
        if let Some(members) = protected.as_object_mut() {
            members.insert("crit".to_owned(), json!(critical));
        }
        let protected = URL_SAFE_NO_PAD.encode(protected.to_string());
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
