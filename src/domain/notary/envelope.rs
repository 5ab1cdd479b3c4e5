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
        let parts = match envelope.format {
            EnvelopeFormat::Jws => jws::read(&envelope.bytes)?,
            EnvelopeFormat::Cose => return Err(EnvelopeError::Unsupported(EnvelopeFormat::Cose)),
        };
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
