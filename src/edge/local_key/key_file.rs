//! Private key files: what is in them, and saying so when it is not a P-384 key.

use der::asn1::{BitStringRef, OctetStringRef};
use der::oid::ObjectIdentifier;
use der::{Decode as _, Sequence};
use p384::SecretKey;
use p384::ecdsa::SigningKey;
use p384::pkcs8::{DecodePrivateKey as _, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::LocalKeyError;
use crate::base::foreign::quote;

/// Largest key file (ours; an RSA key of 16,384 bits has 13 KB).
const FILE_BYTES: usize = 65_536;

/// What keys are called: curves (RFC 5480, 2.1.1.1; SEC 2), then algorithms (RFC 8017, RFC 8410).
const NAMES: [(&str, &str); 9] = [
    ("1.2.840.10045.3.1.7", "a P-256 key"),
    ("1.3.132.0.34", P384),
    ("1.3.132.0.35", "a P-521 key"),
    ("1.3.132.0.33", "a P-224 key"),
    ("1.3.132.0.10", "a secp256k1 key"),
    ("1.2.840.113549.1.1.1", "an RSA key"),
    ("1.2.840.113549.1.1.10", "an RSA-PSS key"),
    ("1.3.101.112", "an Ed25519 key"),
    ("1.3.101.113", "an Ed448 key"),
];

const P384: &str = "a P-384 key";

/// Reads the private key of a PEM file; text around it, and the parameters that OpenSSL puts in front, are skipped.
pub(super) fn read(pem: &[u8]) -> Result<SigningKey, LocalKeyError> {
    if pem.len() > FILE_BYTES {
        return Err(LocalKeyError::NoKey(format!("{} bytes", pem.len())));
    }
    let text =
        std::str::from_utf8(pem).map_err(|_| LocalKeyError::NoKey("bytes that are no text".to_owned()))?;
    let (label, block) = private_block(text)?;
    if label == "ENCRYPTED PRIVATE KEY" || block.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(LocalKeyError::Encrypted);
    }
    let unreadable = |why: String| LocalKeyError::Unreadable(why);
    let der = match label {
        "PRIVATE KEY" | "EC PRIVATE KEY" => {
            let (_, der) = der::pem::decode_vec(block.as_bytes())
                .map_err(|error| unreadable(format!("a damaged PEM block ({error})")))?;
            Zeroizing::new(der)
        }
        "RSA PRIVATE KEY" => return Err(LocalKeyError::OtherKind("an RSA key".to_owned())),
        "DSA PRIVATE KEY" => return Err(LocalKeyError::OtherKind("a DSA key".to_owned())),
        other => return Err(LocalKeyError::NoKey(format!("a block {}", quote(other)))),
    };
    let kind = if label == "PRIVATE KEY" {
        pkcs8_kind(&der)
    } else {
        sec1_kind(&der)
    };
    match kind {
        None => Err(unreadable("bytes that are neither".to_owned())),
        Some(kind) if kind != P384 => Err(LocalKeyError::OtherKind(kind)),
        Some(_) if label == "PRIVATE KEY" => {
            let key = SecretKey::from_pkcs8_der(&der).map_err(|error| unreadable(error.to_string()))?;
            Ok(key.into())
        }
        Some(_) => {
            let key = SecretKey::from_sec1_der(&der).map_err(|error| unreadable(error.to_string()))?;
            Ok(key.into())
        }
    }
}

/// The label and the text of the first PEM block that holds a private key.
fn private_block(text: &str) -> Result<(&str, &str), LocalKeyError> {
    let mut rest = text;
    let mut other = None;
    while let Some(start) = rest.find("-----BEGIN ") {
        let block = rest.get(start..).unwrap_or_default();
        let label = block
            .strip_prefix("-----BEGIN ")
            .and_then(|after| after.split_once("-----"));
        let Some((label, _)) = label else { break };
        let end = format!("-----END {label}-----");
        let Some(length) = block.find(&end).map(|at| at + end.len()) else {
            return Err(LocalKeyError::NoKey(format!(
                "a block {} without an end",
                quote(label)
            )));
        };
        let (block, after) = block.split_at(length);
        if label.ends_with("PRIVATE KEY") {
            return Ok((label, block));
        }
        other = other.or(Some(label));
        rest = after;
    }
    Err(LocalKeyError::NoKey(other.map_or_else(
        || "no PEM block".to_owned(),
        |label| format!("a block {}", quote(label)),
    )))
}

/// What a PKCS #8 document holds (RFC 5958, 2).
fn pkcs8_kind(der: &[u8]) -> Option<String> {
    let info = PrivateKeyInfoRef::from_der(der).ok()?;
    // For elliptic curves the parameters name the curve.
    let curve = info.algorithm.parameters_oid().ok();
    Some(named(curve.unwrap_or(info.algorithm.oid)))
}

/// `ECPrivateKey` (RFC 5915, 3).
#[derive(Sequence)]
struct EcPrivateKey<'a> {
    version: u8,
    private_key: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    curve: Option<ObjectIdentifier>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    public_key: Option<BitStringRef<'a>>,
}

/// What a SEC 1 document holds (RFC 5915, 3); without parameters the length tells.
fn sec1_kind(der: &[u8]) -> Option<String> {
    let key = EcPrivateKey::from_der(der).ok()?;
    let bits = key.private_key.as_bytes().len() * 8;
    Some(match key.curve {
        Some(curve) => named(curve),
        None if bits == 384 => P384.to_owned(),
        None => format!("an elliptic curve key of {bits} bits"),
    })
}

fn named(oid: ObjectIdentifier) -> String {
    let oid = oid.to_string();
    let name = NAMES.iter().find(|(known, _)| *known == oid);
    name.map_or_else(|| format!("a key of type {oid}"), |(_, name)| (*name).to_owned())
}
