//! The JWS front end (Notary signature envelope specification, "JWS"; RFC 7515, 7.2.2).
//!
//! Stricter than the reference code: member names are compared exactly, and unknown or repeated members, as well as
//! base64 with leftover bits, are refused.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::attributes::{Claims, names};
use super::envelope::{EnvelopeError, Parts};
use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::{Bounds, CHAIN_CERTIFICATES};
use crate::base::time::Timestamp;
use crate::base::tree::{Cursor, Document, DocumentError, Object};
use crate::domain::x509::{Certificate, ChainError};

/// Members of the protected header that are not extended attributes.
const OWN_MEMBERS: [&str; 7] = [
    "alg",
    "cty",
    "crit",
    names::SIGNING_SCHEME,
    names::SIGNING_TIME,
    names::AUTHENTIC_SIGNING_TIME,
    names::EXPIRY,
];

/// The instant that the reference code writes for "no time": 0001-01-01T00:00:00Z.
const ZERO_TIME: i64 = -62_135_596_800;

/// Reads an envelope into its parts; nothing is verified.
pub(super) fn read(bytes: &[u8]) -> Result<Parts, EnvelopeError> {
    let document = parse("the envelope", bytes)?;
    let top = document.cursor().object().map_err(in_envelope)?;
    top.only(&["payload", "protected", "header", "signature"])
        .map_err(in_envelope)?;
    let (payload_text, payload) = base64url(&top, "payload")?;
    let (protected_text, protected) = base64url(&top, "protected")?;
    let (_, signature_value) = base64url(&top, "signature")?;
    let header = top
        .required("header")
        .and_then(|header| header.object())
        .map_err(in_envelope)?;
    let protected = parse("the protected header", &protected)?;
    let (algorithm, claims) = read_protected(&protected).map_err(|source| EnvelopeError::Document {
        part: "the protected header",
        source,
    })?;
    parse("the payload", &payload)?
        .cursor()
        .object()
        .map_err(|source| EnvelopeError::Document {
            part: "the payload",
            source,
        })?;
    Ok(Parts {
        claims,
        algorithm,
        payload,
        certificates: read_certificates(&header)?,
        signing_input: format!("{protected_text}.{payload_text}").into_bytes(),
        signature_value,
        timestamp: read_timestamp(&header)?,
        agent: optional(&header, "io.cncf.notary.signingAgent")
            .map(|agent| agent.string().map(Foreign::new))
            .transpose()
            .map_err(in_envelope)?,
    })
}

fn parse(part: &'static str, bytes: &[u8]) -> Result<Document, EnvelopeError> {
    json::read(bytes, Bounds::ENVELOPE).map_err(|source| EnvelopeError::Document { part, source })
}

fn in_envelope(source: DocumentError) -> EnvelopeError {
    EnvelopeError::Document {
        part: "the envelope",
        source,
    }
}

/// A mandatory, non-empty member in base64url without padding: as written, and decoded.
fn base64url<'a>(top: &Object<'a>, member: &'static str) -> Result<(&'a str, Vec<u8>), EnvelopeError> {
    let cursor = top.required(member).map_err(in_envelope)?;
    let text = cursor.string().map_err(in_envelope)?;
    if text.is_empty() {
        return Err(in_envelope(cursor.error("base64url text")));
    }
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| EnvelopeError::Encoding {
            member,
            expected: "base64url without padding (RFC 7515, 2)",
        })?;
    Ok((text, bytes))
}

/// The algorithm and the claims of a protected header.
fn read_protected(document: &Document) -> Result<(String, Claims), DocumentError> {
    let header = document.cursor().object()?;
    let text = |name: &str| header.required(name)?.string().map(str::to_owned);
    let extended = header
        .members()
        .filter(|(name, _)| !OWN_MEMBERS.contains(name))
        .map(|(name, cursor)| (name.to_owned(), cursor.value().clone()));
    let claims = Claims {
        content_type: text("cty")?,
        critical: read_critical(&header.required("crit")?)?,
        scheme: text(names::SIGNING_SCHEME)?,
        signing_time: read_time(&header, names::SIGNING_TIME)?,
        authentic_signing_time: read_time(&header, names::AUTHENTIC_SIGNING_TIME)?,
        expiry: read_time(&header, names::EXPIRY)?,
        extended: extended.collect(),
    };
    Ok((text("alg")?, claims))
}

fn read_critical(cursor: &Cursor<'_>) -> Result<Vec<String>, DocumentError> {
    let names = cursor.array()?;
    if names.is_empty() {
        return Err(cursor.error("the names of critical attributes"));
    }
    names
        .iter()
        .map(|name| name.string().map(str::to_owned))
        .collect()
}

/// A time; `null` and the zero time count as absent.
fn read_time(header: &Object<'_>, name: &str) -> Result<Option<Timestamp>, DocumentError> {
    let Some(cursor) = optional(header, name) else {
        return Ok(None);
    };
    let time: Timestamp = cursor.parse("a date and time like 2025-03-01T12:00:00Z (RFC 3339)")?;
    Ok(Some(time).filter(|time| *time != Timestamp::from_unix(ZERO_TIME)))
}

/// A member, `null` counting as absent.
fn optional<'a>(object: &Object<'a>, name: &str) -> Option<Cursor<'a>> {
    object.optional(name).filter(|cursor| !cursor.is_null())
}

/// The certificates of the unprotected header: standard base64 with padding (RFC 7515, 4.1.6), leaf first.
fn read_certificates(header: &Object<'_>) -> Result<Vec<Certificate>, EnvelopeError> {
    let list = header
        .required("x5c")
        .and_then(|x5c| x5c.array())
        .map_err(in_envelope)?;
    if list.len() > CHAIN_CERTIFICATES {
        return Err(ChainError::TooLong {
            limit: CHAIN_CERTIFICATES,
            found: list.len(),
        }
        .into());
    }
    let certificate = |(index, text): (usize, &Cursor<'_>)| {
        let text = text.string().map_err(in_envelope)?;
        let der = STANDARD.decode(text).map_err(|_| EnvelopeError::Encoding {
            member: "x5c",
            expected: "base64 with padding (RFC 7515, 4.1.6)",
        })?;
        Certificate::from_der(&der).map_err(|source| EnvelopeError::Certificate {
            number: index + 1,
            source,
        })
    };
    list.iter().enumerate().map(certificate).collect()
}

/// The RFC 3161 token of the unprotected header, undecoded beyond its base64.
fn read_timestamp(header: &Object<'_>) -> Result<Option<Vec<u8>>, EnvelopeError> {
    const MEMBER: &str = "io.cncf.notary.timestampSignature";
    let Some(cursor) = optional(header, MEMBER) else {
        return Ok(None);
    };
    let token = STANDARD.decode(cursor.string().map_err(in_envelope)?);
    token.map(Some).map_err(|_| EnvelopeError::Encoding {
        member: MEMBER,
        expected: "base64 with padding",
    })
}
