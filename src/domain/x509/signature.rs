//! The one function that verifies a signature.

use std::fmt;

use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::VerificationAlgorithm;
use der::asn1::AnyRef;
use der::oid::ObjectIdentifier;
use der::{Decode as _, Encode as _, Sequence};
use x509_cert::spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};

use super::key::{Curve, KeyKind, PublicKey};

/// A hash that signatures may use; MD5 and SHA-1 are not among them (Notary signature specification, "Certificate
/// Requirements").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How an ECDSA signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `r || s`, each as long as the field (RFC 7518, 3.4); in envelopes.
    Fixed,
    /// `Ecdsa-Sig-Value` (RFC 5480, appendix A); in certificates.
    Asn1,
}

/// A signature algorithm that can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2); in certificates and identity tokens, never in envelopes.
    RsaPkcs1(Hash),
    /// RSASSA-PSS (RFC 8017, 8.1) with MGF1 of the same hash and a salt as long as the hash.
    RsaPss(Hash),
    /// ECDSA.
    Ecdsa(Hash, Encoding),
    /// Ed25519 (RFC 8410); in certificates of CAs only.
    Ed25519,
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, hash) = match self {
            Self::RsaPkcs1(hash) => ("RSASSA-PKCS1-v1_5", hash),
            Self::RsaPss(hash) => ("RSASSA-PSS", hash),
            Self::Ecdsa(hash, _) => ("ECDSA", hash),
            Self::Ed25519 => return f.write_str("Ed25519"),
        };
        let hash = match hash {
            Hash::Sha256 => "SHA-256",
            Hash::Sha384 => "SHA-384",
            Hash::Sha512 => "SHA-512",
        };
        write!(f, "{name} with {hash}")
    }
}

/// Why a signature does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The algorithm is none that is accepted, or its parameters are not the fixed ones.
    #[error("expected a signature by RSA, ECDSA or Ed25519 with SHA-256, SHA-384 or SHA-512, found {found}")]
    Algorithm {
        /// The algorithm's name or object identifier.
        found: String,
    },
    /// The algorithm cannot be used with this key.
    #[error("expected a signature that {key} can make, found {algorithm}")]
    Key {
        /// The key, in words.
        key: String,
        /// The algorithm.
        algorithm: SignatureAlgorithm,
    },
    /// The signature was not made by this key over these bytes.
    #[error("the signature was not made by that key over these bytes")]
    Mismatch,
}

/// Verifies a signature; certificates, envelopes and identity tokens all come through here.
///
/// # Errors
/// [`SignatureError`] when key and algorithm do not fit, or the signature is not one of the key over the message.
pub fn verify_signature(
    key: &PublicKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature_value: &[u8],
) -> Result<(), SignatureError> {
    let verifier = verifier(&key.kind, algorithm).ok_or_else(|| SignatureError::Key {
        key: key.to_string(),
        algorithm,
    })?;
    verifier
        .verify_sig(&key.bytes, message, signature_value)
        .map_err(|_| SignatureError::Mismatch)
}

/// The implementation for a key and an algorithm, where they fit; RSA below 2048 bits fits nothing.
fn verifier(key: &KeyKind, algorithm: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    use Encoding::{Asn1, Fixed};
    use Hash::{Sha256, Sha384, Sha512};
    use SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss};
    Some(match (key, algorithm) {
        (KeyKind::Rsa { bits: 2048..=8192 }, RsaPkcs1(Sha256)) => &lc::RSA_PKCS1_2048_8192_SHA256,
        (KeyKind::Rsa { bits: 2048..=8192 }, RsaPkcs1(Sha384)) => &lc::RSA_PKCS1_2048_8192_SHA384,
        (KeyKind::Rsa { bits: 2048..=8192 }, RsaPkcs1(Sha512)) => &lc::RSA_PKCS1_2048_8192_SHA512,
        (KeyKind::Rsa { bits: 2048..=8192 }, RsaPss(Sha256)) => &lc::RSA_PSS_2048_8192_SHA256,
        (KeyKind::Rsa { bits: 2048..=8192 }, RsaPss(Sha384)) => &lc::RSA_PSS_2048_8192_SHA384,
        (KeyKind::Rsa { bits: 2048..=8192 }, RsaPss(Sha512)) => &lc::RSA_PSS_2048_8192_SHA512,
        (KeyKind::Ec(Curve::P256), Ecdsa(Sha256, Fixed)) => &lc::ECDSA_P256_SHA256_FIXED,
        (KeyKind::Ec(Curve::P384), Ecdsa(Sha384, Fixed)) => &lc::ECDSA_P384_SHA384_FIXED,
        (KeyKind::Ec(Curve::P521), Ecdsa(Sha512, Fixed)) => &lc::ECDSA_P521_SHA512_FIXED,
        (KeyKind::Ec(Curve::P256), Ecdsa(Sha256, Asn1)) => &lc::ECDSA_P256_SHA256_ASN1,
        (KeyKind::Ec(Curve::P256), Ecdsa(Sha384, Asn1)) => &lc::ECDSA_P256_SHA384_ASN1,
        (KeyKind::Ec(Curve::P256), Ecdsa(Sha512, Asn1)) => &lc::ECDSA_P256_SHA512_ASN1,
        (KeyKind::Ec(Curve::P384), Ecdsa(Sha256, Asn1)) => &lc::ECDSA_P384_SHA256_ASN1,
        (KeyKind::Ec(Curve::P384), Ecdsa(Sha384, Asn1)) => &lc::ECDSA_P384_SHA384_ASN1,
        (KeyKind::Ec(Curve::P384), Ecdsa(Sha512, Asn1)) => &lc::ECDSA_P384_SHA512_ASN1,
        (KeyKind::Ec(Curve::P521), Ecdsa(Sha256, Asn1)) => &lc::ECDSA_P521_SHA256_ASN1,
        (KeyKind::Ec(Curve::P521), Ecdsa(Sha384, Asn1)) => &lc::ECDSA_P521_SHA384_ASN1,
        (KeyKind::Ec(Curve::P521), Ecdsa(Sha512, Asn1)) => &lc::ECDSA_P521_SHA512_ASN1,
        (KeyKind::Ed25519, SignatureAlgorithm::Ed25519) => &lc::ED25519,
        _ => return None,
    })
}

/// The algorithm that a certificate says it is signed with, or its name where that is not accepted.
///
/// Object identifiers: RFC 8017, appendix C (RSA); RFC 5758, 3.2 (ECDSA); RFC 8410, 3 (Ed25519).
pub(super) fn certificate_algorithm(
    identifier: &AlgorithmIdentifierOwned,
) -> Result<SignatureAlgorithm, String> {
    use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1, RsaPss};
    let oid = identifier.oid.to_string();
    let parameters = identifier.parameters.as_ref().map(AnyRef::from);
    let (algorithm, null_allowed) = match oid.as_str() {
        "1.2.840.113549.1.1.11" => (RsaPkcs1(Hash::Sha256), true),
        "1.2.840.113549.1.1.12" => (RsaPkcs1(Hash::Sha384), true),
        "1.2.840.113549.1.1.13" => (RsaPkcs1(Hash::Sha512), true),
        "1.2.840.10045.4.3.2" => (Ecdsa(Hash::Sha256, Encoding::Asn1), false),
        "1.2.840.10045.4.3.3" => (Ecdsa(Hash::Sha384, Encoding::Asn1), false),
        "1.2.840.10045.4.3.4" => (Ecdsa(Hash::Sha512, Encoding::Asn1), false),
        "1.3.101.112" => (Ed25519, false),
        "1.2.840.113549.1.1.10" => {
            return parameters
                .and_then(pss_hash)
                .map(RsaPss)
                .ok_or_else(|| "RSASSA-PSS with parameters that are not the usual ones".to_owned());
        }
        "1.2.840.113549.1.1.4" => return Err("MD5 with RSA".to_owned()),
        "1.2.840.113549.1.1.5" => return Err("SHA-1 with RSA".to_owned()),
        "1.2.840.10045.4.1" => return Err("SHA-1 with ECDSA".to_owned()),
        _ => return Err(format!("the algorithm {oid}")),
    };
    match parameters {
        None => Ok(algorithm),
        Some(parameters) if parameters.is_null() && null_allowed => Ok(algorithm),
        Some(_) => Err(format!("{algorithm} with parameters")),
    }
}

/// `RSASSA-PSS-params` (RFC 4055, 3.1) without the defaults, which mean SHA-1.
#[derive(Sequence)]
struct PssParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    hash: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    mask: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    salt: u8,
}

/// The hash of RSASSA-PSS parameters whose mask uses the same hash and whose salt is as long as the hash.
fn pss_hash(parameters: AnyRef<'_>) -> Option<Hash> {
    /// `id-mgf1` (RFC 8017, appendix B.2.1).
    const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
    let bytes = parameters.to_der().ok()?;
    let parameters = PssParameters::from_der(&bytes).ok()?;
    let mask_hash: AlgorithmIdentifierRef<'_> = parameters.mask.parameters?.decode_as().ok()?;
    if parameters.mask.oid != MGF1 || mask_hash.oid != parameters.hash.oid {
        return None;
    }
    // NIST Computer Security Objects Register, "Secure Hash Algorithms".
    match (parameters.hash.oid.to_string().as_str(), parameters.salt) {
        ("2.16.840.1.101.3.4.2.1", 32) => Some(Hash::Sha256),
        ("2.16.840.1.101.3.4.2.2", 48) => Some(Hash::Sha384),
        ("2.16.840.1.101.3.4.2.3", 64) => Some(Hash::Sha512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::read_certificates;
    use super::super::testing::chain;
    use super::*;

    #[test]
    fn a_key_verifies_its_own_algorithm_only() {
        let issued = chain();
        let key = issued.certificates[0].public_key();
        let signature = issued.sign_es384(b"message");
        let own = SignatureAlgorithm::Ecdsa(Hash::Sha384, Encoding::Fixed);
        assert_eq!(verify_signature(key, own, b"message", &signature), Ok(()));
        assert_eq!(
            verify_signature(key, own, b"massage", &signature),
            Err(SignatureError::Mismatch)
        );
        let others = [
            SignatureAlgorithm::Ecdsa(Hash::Sha256, Encoding::Fixed),
            SignatureAlgorithm::Ecdsa(Hash::Sha512, Encoding::Fixed),
            SignatureAlgorithm::RsaPss(Hash::Sha384),
            SignatureAlgorithm::RsaPkcs1(Hash::Sha384),
            SignatureAlgorithm::Ed25519,
        ];
        for algorithm in others {
            let expected = SignatureError::Key {
                key: "an EC key on P-384".to_owned(),
                algorithm,
            };
            assert_eq!(
                verify_signature(key, algorithm, b"message", &signature),
                Err(expected)
            );
        }
    }

    #[test]
    fn keys_and_algorithms_fit_as_the_tables_of_the_specifications_say() {
        use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1, RsaPss};
        let hashes = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
        let curves = [Curve::P256, Curve::P384, Curve::P521];
        let rsa = |bits| KeyKind::Rsa { bits };
        for (hash, own) in hashes.into_iter().zip(curves) {
            for curve in curves {
                let fits = |encoding| verifier(&KeyKind::Ec(curve), Ecdsa(hash, encoding)).is_some();
                assert_eq!(fits(Encoding::Fixed), curve == own);
                assert!(fits(Encoding::Asn1));
            }
            for algorithm in [RsaPkcs1(hash), RsaPss(hash)] {
                assert!(verifier(&rsa(2048), algorithm).is_some());
                assert!(verifier(&rsa(2047), algorithm).is_none());
                assert!(verifier(&rsa(8193), algorithm).is_none());
                assert!(verifier(&KeyKind::Ed25519, algorithm).is_none());
            }
        }
        assert!(verifier(&KeyKind::Ed25519, Ed25519).is_some());
        assert!(verifier(&rsa(4096), Ed25519).is_none());
    }

    #[test]
    fn algorithms_of_certificates_are_known_or_refused_by_name() {
        use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1};
        let named = |oid: &str, null: bool| {
            certificate_algorithm(&AlgorithmIdentifierOwned {
                oid: ObjectIdentifier::new(oid).unwrap(),
                parameters: null.then(der::Any::null),
            })
        };
        let asn1 = |hash| Ok(Ecdsa(hash, Encoding::Asn1));
        assert_eq!(named("1.2.840.113549.1.1.11", true), Ok(RsaPkcs1(Hash::Sha256)));
        assert_eq!(named("1.2.840.113549.1.1.12", false), Ok(RsaPkcs1(Hash::Sha384)));
        assert_eq!(named("1.2.840.113549.1.1.13", true), Ok(RsaPkcs1(Hash::Sha512)));
        assert_eq!(named("1.2.840.10045.4.3.2", false), asn1(Hash::Sha256));
        assert_eq!(named("1.2.840.10045.4.3.3", false), asn1(Hash::Sha384));
        assert_eq!(named("1.2.840.10045.4.3.4", false), asn1(Hash::Sha512));
        assert_eq!(named("1.3.101.112", false), Ok(Ed25519));
        for (oid, words) in [
            ("1.2.840.113549.1.1.4", "MD5 with RSA"),
            ("1.2.840.113549.1.1.5", "SHA-1 with RSA"),
            ("1.2.840.10045.4.1", "SHA-1 with ECDSA"),
            ("1.2.3.4", "the algorithm 1.2.3.4"),
            (
                "1.2.840.113549.1.1.10",
                "RSASSA-PSS with parameters that are not the usual ones",
            ),
        ] {
            assert_eq!(named(oid, true), Err(words.to_owned()));
        }
        assert!(
            named("1.3.101.112", true)
                .unwrap_err()
                .ends_with(" with parameters")
        );
    }

    #[test]
    fn signatures_have_exactly_one_length() {
        let issued = chain();
        let key = issued.certificates[0].public_key();
        let own = SignatureAlgorithm::Ecdsa(Hash::Sha384, Encoding::Fixed);
        let good = issued.sign_es384(b"message");
        let mut longer = good.clone();
        longer.push(0);
        for wrong in [&[][..], &good[..95], &longer, &[0; 96], &good.repeat(2)] {
            assert_eq!(
                verify_signature(key, own, b"message", wrong),
                Err(SignatureError::Mismatch)
            );
        }
    }

    /// Whether the self-signature of a certificate made by OpenSSL verifies (tests/fixtures/x509/README.md).
    fn verify_fixture(pem: &[u8]) -> Result<(), SignatureError> {
        let certificate = &read_certificates(pem).unwrap()[0];
        let verified = certificate.verify_signed_by(certificate);
        assert_eq!(certificate.is_self_signed(), verified.is_ok());
        verified
    }

    #[test]
    fn pss_parameters_are_the_fixed_ones_or_refused() {
        assert_eq!(
            verify_fixture(include_bytes!("../../../tests/fixtures/x509/pss.pem")),
            Ok(())
        );
        let unusual = Err(SignatureError::Algorithm {
            found: "RSASSA-PSS with parameters that are not the usual ones".to_owned(),
        });
        let salt = include_bytes!("../../../tests/fixtures/x509/pss-salt-20.pem");
        assert_eq!(verify_fixture(salt), unusual);
        let mask = include_bytes!("../../../tests/fixtures/x509/pss-mgf1-sha512.pem");
        assert_eq!(verify_fixture(mask), unusual);
    }

    #[test]
    fn ed25519_may_sign_certificates_but_not_artifacts() {
        let pem = include_bytes!("../../../tests/fixtures/x509/ed25519.pem");
        assert_eq!(verify_fixture(pem), Ok(()));
        let error = read_certificates(pem).unwrap()[0].key_spec().unwrap_err();
        assert!(error.to_string().ends_with("found an Ed25519 key"), "{error}");
    }

    #[test]
    fn sha_1_is_refused_by_name() {
        let sha1 = Err(SignatureError::Algorithm {
            found: "SHA-1 with RSA".to_owned(),
        });
        assert_eq!(
            verify_fixture(include_bytes!("../../../tests/fixtures/x509/sha1.pem")),
            sha1
        );
    }
}
