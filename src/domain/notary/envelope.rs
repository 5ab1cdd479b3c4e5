//! Envelopes: as bytes, and as proof that they are intact.

use std::fmt;

use super::attributes::{AttributeError, Claims, ExtendedAttribute, SignedAttributes, SigningScheme, names};
use super::jws;
use super::payload::{SignedPayload, SignedPayloadError};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::base::tree::DocumentError;
use crate::domain::oci::MediaType;
use crate::domain::x509::{
    Certificate, CertificateError, Chain, ChainError, KeySpec, SignatureError, verify_signature,
};

/// What an envelope is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnvelopeFormat {
    /// Flattened JWS JSON serialisation (RFC 7515, 7.2.2).
    Jws,
    /// `COSE_Sign1` (RFC 9052, 4.2).
    Cose,
}

impl EnvelopeFormat {
    /// The format that a layer's media type names; nothing is ever guessed from the bytes.
    pub fn of(media_type: &MediaType) -> Option<Self> {
        match media_type {
            jws if *jws == MediaType::JWS => Some(Self::Jws),
            cose if *cose == MediaType::COSE => Some(Self::Cose),
            _ => None,
        }
    }

    /// The media type of a layer in this format.
    pub const fn media_type(self) -> MediaType {
        match self {
            Self::Jws => MediaType::JWS,
            Self::Cose => MediaType::COSE,
        }
    }
}

impl fmt::Display for EnvelopeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jws => "JWS",
            Self::Cose => "COSE",
        })
    }
}

/// Envelope bytes as stored, or as a signer returned them; nothing is checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    format: EnvelopeFormat,
    bytes: Vec<u8>,
}

impl Envelope {
    /// Wraps bytes.
    pub fn new(format: EnvelopeFormat, bytes: Vec<u8>) -> Self {
        Self { format, bytes }
    }

    /// What they are said to be written in.
    pub fn format(&self) -> EnvelopeFormat {
        self.format
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why an envelope is not intact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// A format that this version does not read.
    #[error("expected a JWS envelope, found a {0} envelope, which is not supported yet")]
    Unsupported(EnvelopeFormat),
    /// A part that is not the document it has to be.
    #[error("{part}")]
    Document {
        /// Envelope, protected header, or payload.
        part: &'static str,
        /// Why.
        source: DocumentError,
    },
    /// A member that is not encoded as it has to be.
    #[error("{member}: expected {expected}, found other characters")]
    Encoding {
        /// The member.
        member: &'static str,
        /// The encoding.
        expected: &'static str,
    },
    /// Signed attributes that do not agree with the specification.
    #[error("the signed attributes")]
    Attributes(#[from] AttributeError),
    /// One of the certificates cannot be read.
    #[error("certificate {number} of the envelope")]
    Certificate {
        /// Which, starting at 1.
        number: usize,
        /// Why.
        source: CertificateError,
    },
    /// The leaf's key may not sign artifacts.
    #[error("the signing certificate")]
    Key(#[source] CertificateError),
    /// The algorithm is not the one bound to the leaf's key.
    #[error("expected the algorithm {expected} for a key of {key}, found {}", found.quote())]
    Algorithm {
        /// The leaf's key.
        key: KeySpec,
        /// The algorithm bound to it.
        expected: &'static str,
        /// As the header says.
        found: Foreign,
    },
    /// The certificates are no code signing chain.
    #[error("the certificate chain")]
    Chain(#[from] ChainError),
    /// The signature is not the leaf's over these bytes.
    #[error("the signature value")]
    Signature(#[source] SignatureError),
}

impl Classified for EnvelopeError {
    fn class(&self) -> Class {
        Class::Rejected
    }
}

/// What the front end of a format reads; the rest of this file does not know formats.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) claims: Claims,
    /// The JWS name of the algorithm in the protected header.
    pub(super) algorithm: String,
    pub(super) payload: Vec<u8>,
    pub(super) certificates: Vec<Certificate>,
    /// The bytes that were signed.
    pub(super) signing_input: Vec<u8>,
    pub(super) signature_value: Vec<u8>,
    pub(super) timestamp: Option<Vec<u8>>,
    pub(super) agent: Option<Foreign>,
}

/// An envelope whose structure, signed attributes, chain and signature hold: its integrity.
///
/// Only [`IntactEnvelope::open`] makes one. It says nothing about trust, time, or what the payload is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntactEnvelope {
    attributes: SignedAttributes,
    payload: Vec<u8>,
    chain: Chain,
    signature_value: Vec<u8>,
    timestamp: Option<Vec<u8>>,
    agent: Option<Foreign>,
}

impl IntactEnvelope {
    /// Checks an envelope: the one place that says "this signature verifies under its own leaf".
    ///
    /// The algorithm comes from the leaf's key and is compared with the header's, never chosen by it.
    ///
    /// # Errors
    /// [`EnvelopeError`] with the first rule that is broken.
    pub fn open(envelope: &Envelope) -> Result<Self, EnvelopeError> {
        let parts = parts(envelope)?;
        let attributes = SignedAttributes::check(parts.claims)?;
        let leaf = parts.certificates.first().ok_or(ChainError::Empty)?;
        let key = leaf.key_spec().map_err(EnvelopeError::Key)?;
        if parts.algorithm != key.jws_algorithm() {
            return Err(EnvelopeError::Algorithm {
                key,
                expected: key.jws_algorithm(),
                found: Foreign::new(parts.algorithm),
            });
        }
        let chain = Chain::code_signing(parts.certificates)?;
        verify_signature(
            chain.leaf().public_key(),
            key.envelope_algorithm(),
            &parts.signing_input,
            &parts.signature_value,
        )
        .map_err(EnvelopeError::Signature)?;
        Ok(Self {
            attributes,
            payload: parts.payload,
            chain,
            signature_value: parts.signature_value,
            timestamp: parts.timestamp,
            agent: parts.agent,
        })
    }

    /// The certificates, leaf first.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The signed attributes.
    pub fn attributes(&self) -> &SignedAttributes {
        &self.attributes
    }

    /// The signing scheme.
    pub fn scheme(&self) -> SigningScheme {
        self.attributes.scheme()
    }

    /// The bytes of the payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the payload says it is about.
    ///
    /// # Errors
    /// [`SignedPayloadError::Document`] when it does not say.
    pub fn signed_payload(&self) -> Result<SignedPayload, SignedPayloadError> {
        SignedPayload::read(&self.payload)
    }

    /// The signing time that the signer claims; only with the scheme `notary.x509`, and evidence of nothing.
    pub fn signing_time(&self) -> Option<Timestamp> {
        (self.scheme() == SigningScheme::X509).then(|| self.attributes.time())
    }

    /// The signing time that a signing authority vouches for; only with that scheme.
    pub fn authentic_signing_time(&self) -> Option<Timestamp> {
        (self.scheme() == SigningScheme::SigningAuthority).then(|| self.attributes.time())
    }

    /// When the signature ceases to count.
    pub fn expiry(&self) -> Option<Timestamp> {
        self.attributes.expiry()
    }

    /// The attributes that are not the specification's own, those that concern verification plugins included.
    pub fn extended_attributes(&self) -> &[ExtendedAttribute] {
        self.attributes.extended()
    }

    /// The attribute that names the plugin whose judgement verification needs.
    pub fn verification_plugin(&self) -> Option<&ExtendedAttribute> {
        self.attributes.find(names::VERIFICATION_PLUGIN)
    }

    /// The signature itself, as decoded; what a timestamp is about.
    pub fn signature_value(&self) -> &[u8] {
        &self.signature_value
    }

    /// The RFC 3161 token beside the signature, unsigned and unread.
    pub fn timestamp(&self) -> Option<&[u8]> {
        self.timestamp.as_deref()
    }

    /// What the signer called itself; unsigned, so never a reason for anything.
    pub fn signing_agent(&self) -> Option<&Foreign> {
        self.agent.as_ref()
    }
}

/// What an envelope claims, with nothing verified: good for choosing which of many envelopes to verify first, and for
/// nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    attributes: SignedAttributes,
    payload: Vec<u8>,
    certificates: Vec<Certificate>,
}

impl Claimed {
    /// Reads the claims; no signature is verified, neither the envelope's nor that of a certificate.
    ///
    /// # Errors
    /// [`EnvelopeError`] where they cannot be read, so that the envelope cannot be intact either.
    pub fn read(envelope: &Envelope) -> Result<Self, EnvelopeError> {
        let parts = parts(envelope)?;
        Ok(Self {
            attributes: SignedAttributes::check(parts.claims)?,
            payload: parts.payload,
            certificates: parts.certificates,
        })
    }

    /// The attributes that would be signed.
    pub fn attributes(&self) -> &SignedAttributes {
        &self.attributes
    }

    /// The certificates, in the order of the envelope.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// What the payload says it is about.
    ///
    /// # Errors
    /// [`SignedPayloadError::Document`] when it does not say.
    pub fn payload(&self) -> Result<SignedPayload, SignedPayloadError> {
        SignedPayload::read(&self.payload)
    }
}

/// What the front end of the envelope's format makes of it.
fn parts(envelope: &Envelope) -> Result<Parts, EnvelopeError> {
    match envelope.format {
        EnvelopeFormat::Jws => jws::read(&envelope.bytes),
        EnvelopeFormat::Cose => Err(EnvelopeError::Unsupported(EnvelopeFormat::Cose)),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::testing::{aws_header, envelope, payload, sign, x509_header};
    use super::*;
    use crate::domain::x509::testing::{Issued, chain, chain_with};

    fn open(jws: &Value) -> Result<IntactEnvelope, EnvelopeError> {
        IntactEnvelope::open(&envelope(jws))
    }

    /// A signature over a protected header that was changed before it was signed.
    fn with_header(issued: &Issued, change: impl Fn(&mut Value)) -> Result<IntactEnvelope, EnvelopeError> {
        let mut header = x509_header();
        change(&mut header);
        open(&sign(issued, &header.to_string(), payload().bytes()))
    }

    #[test]
    fn a_good_envelope_says_what_was_signed() {
        let issued = chain();
        let intact = open(&sign(&issued, &x509_header().to_string(), payload().bytes())).unwrap();
        assert_eq!(intact.scheme(), SigningScheme::X509);
        assert_eq!(intact.signing_time().unwrap().to_string(), "2025-03-01T12:00:00Z");
        assert_eq!(intact.authentic_signing_time(), None);
        assert_eq!(intact.expiry(), None);
        assert_eq!(intact.payload(), payload().bytes());
        assert_eq!(intact.chain().certificates(), issued.certificates);
        assert_eq!(intact.signature_value().len(), 96);
        assert_eq!((intact.timestamp(), intact.signing_agent()), (None, None));
    }

    #[test]
    fn an_envelope_of_a_signing_authority_names_its_plugin() {
        let intact = open(&sign(&chain(), &aws_header().to_string(), payload().bytes())).unwrap();
        assert_eq!(intact.signing_time(), None);
        assert_eq!(
            intact.authentic_signing_time().unwrap().to_string(),
            "2025-03-01T12:00:00Z"
        );
        assert_eq!(intact.expiry().unwrap().to_string(), "2036-06-01T12:00:00Z");
        assert_eq!(intact.extended_attributes().len(), 3);
        assert!(intact.verification_plugin().unwrap().critical);
    }

    #[test]
    fn the_algorithm_is_the_keys_never_the_headers() {
        let issued = chain();
        for name in [
            "ES256", "ES512", "PS384", "none", "HS384", "es384", "RS384", "EdDSA", "ES256K", "",
        ] {
            let expected = EnvelopeError::Algorithm {
                key: KeySpec::P384,
                expected: "ES384",
                found: Foreign::new(name),
            };
            assert_eq!(
                with_header(&issued, |header| header["alg"] = json!(name)),
                Err(expected)
            );
        }
    }

    #[test]
    fn times_are_rfc_3339_and_zero_is_none() {
        const TIME: &str = "io.cncf.notary.signingTime";
        let issued = chain();
        let offset = with_header(&issued, |header| {
            header[TIME] = json!("2025-03-01T13:00:00.25+01:00");
        })
        .unwrap();
        assert_eq!(offset.signing_time().unwrap().to_string(), "2025-03-01T12:00:00Z");
        for absent in [json!(null), json!("0001-01-01T00:00:00Z")] {
            let result = with_header(&issued, |header| header[TIME] = absent.clone());
            assert!(matches!(
                result,
                Err(EnvelopeError::Attributes(AttributeError::TimeMissing { .. }))
            ));
        }
        for wrong in [
            json!(1_740_830_400),
            json!("2025-03-01"),
            json!("2025-03-01 12:00:00Z"),
            json!(["x"]),
        ] {
            let result = with_header(&issued, |header| header[TIME] = wrong.clone());
            assert!(
                matches!(
                    result,
                    Err(EnvelopeError::Document {
                        part: "the protected header",
                        ..
                    })
                ),
                "{wrong}"
            );
        }
        let null_expiry =
            with_header(&issued, |header| header["io.cncf.notary.expiry"] = json!(null)).unwrap();
        assert_eq!(null_expiry.expiry(), None);
    }

    #[test]
    fn members_stand_once_under_their_exact_name() {
        let issued = chain();
        let good = sign(&issued, &x509_header().to_string(), payload().bytes());
        let text = good.to_string();
        let signature = good["signature"].as_str().unwrap();
        let opened = |text: String| {
            IntactEnvelope::open(&Envelope::new(EnvelopeFormat::Jws, text.into_bytes()))
                .unwrap_err()
                .to_string()
        };
        let twice = text.replacen('{', &format!("{{\"signature\":\"{signature}\","), 1);
        assert_eq!(opened(twice), "the envelope");
        for other in ["Signature", "signatures", "SIGNATURE"] {
            assert_eq!(
                opened(text.replace("\"signature\"", &format!("\"{other}\""))),
                "the envelope"
            );
        }
        assert_eq!(opened(text.replacen('{', "{\"extra\":1,", 1)), "the envelope");
        let twice = x509_header().to_string().replacen('{', "{\"alg\":\"ES384\",", 1);
        let error = open(&sign(&issued, &twice, payload().bytes())).unwrap_err();
        assert!(matches!(
            error,
            EnvelopeError::Document {
                part: "the protected header",
                ..
            }
        ));
        let error = open(&sign(&issued, &x509_header().to_string(), br#"{"a":1,"a":1}"#)).unwrap_err();
        assert!(matches!(
            error,
            EnvelopeError::Document {
                part: "the payload",
                ..
            }
        ));
    }

    #[test]
    fn white_space_order_and_unsigned_members_are_free() {
        let issued = chain();
        let mut good = sign(
            &issued,
            &serde_json::to_string_pretty(&x509_header()).unwrap(),
            payload().bytes(),
        );
        good["header"]["io.cncf.notary.signingAgent"] = json!("someone/1");
        good["header"]["x"] = json!({"y": [1]});
        let pretty = serde_json::to_vec_pretty(&good).unwrap();
        let intact = IntactEnvelope::open(&Envelope::new(EnvelopeFormat::Jws, pretty)).unwrap();
        assert_eq!(intact.signing_agent(), Some(&Foreign::new("someone/1")));
    }

    #[test]
    fn base64_is_canonical() {
        let good = sign(&chain(), &x509_header().to_string(), payload().bytes());
        for member in ["payload", "protected", "signature"] {
            let text = good[member].as_str().unwrap();
            for wrong in [
                format!("{text}="),
                format!("{text}\n"),
                format!(" {text}"),
                format!("{text}+/"),
            ] {
                let mut jws = good.clone();
                jws[member] = json!(wrong);
                let result = open(&jws);
                assert!(
                    matches!(result, Err(EnvelopeError::Encoding { .. })),
                    "{member} {wrong}: {result:?}"
                );
            }
            let mut jws = good.clone();
            jws[member] = json!("");
            assert!(matches!(
                open(&jws),
                Err(EnvelopeError::Document {
                    part: "the envelope",
                    ..
                })
            ));
        }
        // 97 bytes would leave bits over; the last character of 95 bytes carries unused ones.
        let mut jws = good.clone();
        let mut text = URL_SAFE_NO_PAD.encode([0; 95]);
        text.pop();
        text.push('B');
        jws["signature"] = json!(text);
        assert!(matches!(
            open(&jws),
            Err(EnvelopeError::Encoding {
                member: "signature",
                ..
            })
        ));
    }

    #[test]
    fn certificates_are_standard_base64_and_bounded() {
        let issued = chain();
        let good = sign(&issued, &x509_header().to_string(), payload().bytes());
        let with = |x5c: Value| {
            let mut jws = good.clone();
            jws["header"]["x5c"] = x5c;
            open(&jws)
        };
        let mut trailing = issued.certificates[0].der().to_vec();
        trailing.push(0);
        assert!(matches!(
            with(json!([STANDARD.encode(&trailing)])),
            Err(EnvelopeError::Certificate { number: 1, .. })
        ));
        assert_eq!(with(json!([])), Err(EnvelopeError::Chain(ChainError::Empty)));
        assert_eq!(
            with(json!(vec!["AAAA"; 11])),
            Err(EnvelopeError::Chain(ChainError::TooLong { limit: 10, found: 11 }))
        );
        assert!(matches!(
            with(json!(["A"])),
            Err(EnvelopeError::Encoding { member: "x5c", .. })
        ));
        for wrong in [json!("AAAA"), json!(null), json!([1])] {
            assert!(matches!(
                with(wrong),
                Err(EnvelopeError::Document {
                    part: "the envelope",
                    ..
                })
            ));
        }
    }

    #[test]
    fn another_leaf_is_noticed() {
        let good = sign(&chain(), &x509_header().to_string(), payload().bytes());
        let other = sign(&chain(), &x509_header().to_string(), payload().bytes());
        let mut swapped = good.clone();
        swapped["header"]["x5c"] = other["header"]["x5c"].clone();
        assert_eq!(
            open(&swapped),
            Err(EnvelopeError::Signature(SignatureError::Mismatch))
        );
    }

    #[test]
    fn an_expired_certificate_is_still_intact() {
        let issued = chain_with(|index, params| {
            if index == 0 {
                params.not_after = rcgen::date_time_ymd(2020, 1, 2);
            }
        });
        assert!(with_header(&issued, |_| {}).is_ok());
    }

    #[test]
    fn documents_are_bounded() {
        let huge = format!(
            "{{\"payload\":\"{}\"}}",
            "A".repeat(crate::base::limits::ENVELOPE_BYTES)
        );
        let result = IntactEnvelope::open(&Envelope::new(EnvelopeFormat::Jws, huge.into_bytes()));
        assert!(matches!(
            result,
            Err(EnvelopeError::Document {
                source: DocumentError::TooLarge { .. },
                ..
            })
        ));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_never_another_signed_statement(bit in any::<prop::sample::Index>()) {
            let good = envelope(&sign(&chain(), &aws_header().to_string(), payload().bytes()));
            let original = IntactEnvelope::open(&good).unwrap();
            let mut bytes = good.bytes().to_vec();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(flipped) = IntactEnvelope::open(&Envelope::new(EnvelopeFormat::Jws, bytes)) {
                prop_assert_eq!(flipped, original);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = IntactEnvelope::open(&Envelope::new(EnvelopeFormat::Jws, bytes));
        }
    }
}
