//! Public keys: which ones may sign artifacts, which algorithm each is bound to.

use std::fmt;

use der::asn1::UintRef;
use der::oid::ObjectIdentifier;
use der::{Decode as _, Encode as _, Sequence};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::signature::{Encoding, Hash, SignatureAlgorithm};

/// `rsaEncryption` (RFC 8017, appendix C).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-ecPublicKey` (RFC 5480, 2.1.1).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `id-Ed25519` (RFC 8410, 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// `secp256r1` (RFC 5480, 2.1.1.1).
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// `secp384r1` (RFC 5480, 2.1.1.1).
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// `secp521r1` (RFC 5480, 2.1.1.1).
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// The keys that may sign artifacts (Notary signature specification, "Algorithm Selection"); each is bound to one
/// algorithm, so that a header never chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySpec {
    /// RSA with a modulus of exactly 2048 bits.
    Rsa2048,
    /// RSA with a modulus of exactly 3072 bits.
    Rsa3072,
    /// RSA with a modulus of exactly 4096 bits.
    Rsa4096,
    /// Elliptic curve secp256r1.
    P256,
    /// Elliptic curve secp384r1; AWS Signer's.
    P384,
    /// Elliptic curve secp521r1.
    P521,
}

impl KeySpec {
    /// The name in a JWS header (RFC 7518, 3.1).
    ///
    /// ```
    /// use countersign::domain::x509::KeySpec;
    /// assert_eq!(KeySpec::P384.jws_algorithm(), "ES384");
    /// ```
    pub const fn jws_algorithm(self) -> &'static str {
        match self {
            Self::Rsa2048 => "PS256",
            Self::Rsa3072 => "PS384",
            Self::Rsa4096 => "PS512",
            Self::P256 => "ES256",
            Self::P384 => "ES384",
            Self::P521 => "ES512",
        }
    }

    /// The algorithm of envelope signatures by such a key: RSASSA-PSS, or ECDSA as `r || s`.
    pub const fn envelope_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Rsa2048 => SignatureAlgorithm::RsaPss(Hash::Sha256),
            Self::Rsa3072 => SignatureAlgorithm::RsaPss(Hash::Sha384),
            Self::Rsa4096 => SignatureAlgorithm::RsaPss(Hash::Sha512),
            Self::P256 => SignatureAlgorithm::Ecdsa(Hash::Sha256, Encoding::Fixed),
            Self::P384 => SignatureAlgorithm::Ecdsa(Hash::Sha384, Encoding::Fixed),
            Self::P521 => SignatureAlgorithm::Ecdsa(Hash::Sha512, Encoding::Fixed),
        }
    }
}

impl fmt::Display for KeySpec {
    /// The name in the plugin specification ("Key spec").
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa2048 => "RSA-2048",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
            Self::P256 => "EC-256",
            Self::P384 => "EC-384",
            Self::P521 => "EC-521",
        })
    }
}

/// The curves whose signatures can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// Bytes of a coordinate.
    const fn field_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// What kind of key a certificate holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Rsa {
        bits: usize,
    },
    Ec(Curve),
    Ed25519,
    /// A key that verifies nothing here, in words.
    Other(String),
}

/// A public key as a certificate holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub(super) kind: KeyKind,
    /// The content of `subjectPublicKey`: an `RSAPublicKey`, a point, or 32 bytes.
    pub(super) bytes: Vec<u8>,
}

/// `RSAPublicKey` (RFC 8017, appendix A.1.1).
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

impl PublicKey {
    /// Reads the key of a certificate; an unknown kind of key is kept by name and verifies nothing.
    pub(super) fn read(info: &SubjectPublicKeyInfoOwned) -> Self {
        let bytes = info.subject_public_key.as_bytes().unwrap_or_default().to_vec();
        let kind = match info.algorithm.oid {
            RSA => rsa(&bytes),
            EC => ec(info, &bytes),
            ED25519 if bytes.len() == 32 => KeyKind::Ed25519,
            other => KeyKind::Other(format!("a key of type {other}")),
        };
        Self { kind, bytes }
    }

    /// An RSA key of 2048 to 8192 bits from its two numbers, big-endian (RFC 7518, 6.3.1, `n` and `e`).
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let key = RsaPublicKey {
            modulus: UintRef::new(modulus).ok()?,
            public_exponent: UintRef::new(exponent).ok()?,
        };
        let bytes = key.to_der().ok()?;
        let kind = rsa(&bytes);
        matches!(kind, KeyKind::Rsa { bits: 2048..=8192 }).then_some(Self { kind, bytes })
    }

    /// A key on P-256 from its coordinates, 32 bytes each (RFC 7518, 6.2.1, `x` and `y`); whether the point is on the
    /// curve is seen when a signature is verified.
    pub fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        let curve = Curve::P256;
        (x.len() == curve.field_bytes() && y.len() == curve.field_bytes()).then(|| Self {
            kind: KeyKind::Ec(curve),
            bytes: [&[4], x, y].concat(),
        })
    }

    /// Which of the keys that may sign artifacts this is, if it is one.
    pub fn spec(&self) -> Option<KeySpec> {
        match self.kind {
            KeyKind::Rsa { bits: 2048 } => Some(KeySpec::Rsa2048),
            KeyKind::Rsa { bits: 3072 } => Some(KeySpec::Rsa3072),
            KeyKind::Rsa { bits: 4096 } => Some(KeySpec::Rsa4096),
            KeyKind::Ec(Curve::P256) => Some(KeySpec::P256),
            KeyKind::Ec(Curve::P384) => Some(KeySpec::P384),
            KeyKind::Ec(Curve::P521) => Some(KeySpec::P521),
            KeyKind::Rsa { .. } | KeyKind::Ed25519 | KeyKind::Other(_) => None,
        }
    }

    /// The point of a key on an elliptic curve (SEC 1, 2.3.3, uncompressed), else nothing.
    pub fn point(&self) -> Option<&[u8]> {
        matches!(self.kind, KeyKind::Ec(_)).then_some(self.bytes.as_slice())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            KeyKind::Rsa { bits } => write!(f, "an RSA key of {bits} bits"),
            KeyKind::Ec(Curve::P256) => f.write_str("an EC key on P-256"),
            KeyKind::Ec(Curve::P384) => f.write_str("an EC key on P-384"),
            KeyKind::Ec(Curve::P521) => f.write_str("an EC key on P-521"),
            KeyKind::Ed25519 => f.write_str("an Ed25519 key"),
            KeyKind::Other(what) => f.write_str(what),
        }
    }
}

fn rsa(bytes: &[u8]) -> KeyKind {
    let Ok(key) = RsaPublicKey::from_der(bytes) else {
        return KeyKind::Other("an unreadable RSA key".to_owned());
    };
    let modulus = key.modulus.as_bytes();
    let unused = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    KeyKind::Rsa {
        bits: modulus.len() * 8 - unused,
    }
}

fn ec(info: &SubjectPublicKeyInfoOwned, bytes: &[u8]) -> KeyKind {
    let named = info
        .algorithm
        .parameters
        .as_ref()
        .and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    let curve = match named {
        Some(P256) => Curve::P256,
        Some(P384) => Curve::P384,
        Some(P521) => Curve::P521,
        Some(other) => return KeyKind::Other(format!("an EC key on {}", curve_name(other))),
        None => return KeyKind::Other("an EC key on an unnamed curve".to_owned()),
    };
    // Compressed points are legal in RFC 5480 and written by nobody; one form means one encoding per key.
    if bytes.len() == 1 + 2 * curve.field_bytes() && bytes.first() == Some(&4) {
        KeyKind::Ec(curve)
    } else {
        KeyKind::Other("an EC key that is not an uncompressed point of its curve".to_owned())
    }
}

/// The name of a curve that is not accepted (SEC 2, appendix A.2), or its object identifier.
fn curve_name(oid: ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.3.132.0.10" => "secp256k1".to_owned(),
        "1.3.132.0.33" => "P-224".to_owned(),
        other => format!("the curve {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: [KeySpec; 6] = [
        KeySpec::Rsa2048,
        KeySpec::Rsa3072,
        KeySpec::Rsa4096,
        KeySpec::P256,
        KeySpec::P384,
        KeySpec::P521,
    ];

    #[test]
    fn each_key_has_one_algorithm_of_its_own() {
        let names: Vec<&str> = SPECS.iter().map(|spec| spec.jws_algorithm()).collect();
        assert_eq!(names, ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]);
        let specs: Vec<String> = SPECS.iter().map(ToString::to_string).collect();
        assert_eq!(
            specs,
            ["RSA-2048", "RSA-3072", "RSA-4096", "EC-256", "EC-384", "EC-521"]
        );
    }

    #[test]
    fn only_exact_sizes_may_sign() {
        for bits in [0, 1024, 2040, 2047, 2049, 2056, 3071, 4104, 7680] {
            let key = PublicKey {
                kind: KeyKind::Rsa { bits },
                bytes: Vec::new(),
            };
            assert_eq!(key.spec(), None, "{bits}");
        }
    }
}
