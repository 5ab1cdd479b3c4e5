//! Making a key, a root and a leaf certificate that satisfy the Notary rules for code signing.
//!
//! The root's key signs the leaf and is then forgotten: nothing else can ever be issued under that root.

use std::time::Duration;

use der::asn1::{BitString, GeneralizedTime, OctetString, UtcTime};
use der::oid::{AssociatedOid, ObjectIdentifier};
use der::pem::LineEnding;
use der::{Decode as _, Encode, Sequence};
use p384::SecretKey;
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{DerSignature, SigningKey};
use p384::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use sha2::{Digest as _, Sha256};
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};
use zeroize::Zeroizing;

use super::LocalKeyError;
use crate::base::time::Timestamp;
use crate::domain::oci::Digest;

/// Seconds that the certificates are valid (ours): ten years of 365 days.
const VALID_SECONDS: i64 = 10 * 365 * 86_400;

/// Seconds that they are valid before they are made (ours), for machines whose clocks are behind.
const EARLY_SECONDS: i64 = 3_600;

/// `ecdsa-with-SHA384` (RFC 5758, 3.2).
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

/// `id-kp-codeSigning` (RFC 5280, 4.2.1.12).
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");

/// A key and its chain, both in PEM.
pub(super) struct Made {
    pub(super) key_pem: Zeroizing<String>,
    pub(super) chain_pem: String,
}

/// Makes a key, and a root that certifies it from an hour ago for ten years.
pub(super) fn make(now: Timestamp) -> Result<Made, LocalKeyError> {
    let failed = |error: der::Error| LocalKeyError::NotMade(error.to_string());
    let (root, leaf) = (random_key()?, random_key()?);
    let parts = Parts::new(&root, &leaf, now).map_err(failed)?;
    let chain = [parts.leaf(&root)?, parts.root(&root)?];
    let pem = |der: &Vec<u8>| der::pem::encode_string("CERTIFICATE", LineEnding::LF, der);
    let chain_pem = chain.iter().map(pem).collect::<Result<String, _>>();
    let key_pem = leaf.to_pkcs8_pem(LineEnding::LF);
    Ok(Made {
        key_pem: key_pem.map_err(|error| LocalKeyError::NotMade(error.to_string()))?,
        chain_pem: chain_pem.map_err(|error| LocalKeyError::NotMade(error.to_string()))?,
    })
}

/// A key from the system's randomness.
fn random_key() -> Result<SecretKey, LocalKeyError> {
    let mut bytes = Zeroizing::new([0; 48]);
    loop {
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| LocalKeyError::NotMade(error.to_string()))?;
        // Zero and numbers beyond the group's order are no keys; that is one draw in 2^190.
        if let Ok(key) = SecretKey::from_slice(bytes.as_slice()) {
            return Ok(key);
        }
    }
}

/// `TBSCertificate` of version 3 (RFC 5280, 4.1).
#[derive(Sequence)]
struct Contents {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: Version,
    serial_number: SerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: Validity,
    subject: Name,
    key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Extensions,
}

/// `Certificate` (RFC 5280, 4.1).
#[derive(Sequence)]
struct Signed {
    contents: Contents,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// What both certificates are made of.
struct Parts {
    root_key: SubjectPublicKeyInfoOwned,
    leaf_key: SubjectPublicKeyInfoOwned,
    root_name: Name,
    leaf_name: Name,
    validity: Validity,
}

impl Parts {
    fn new(root: &SecretKey, leaf: &SecretKey, now: Timestamp) -> Result<Self, der::Error> {
        let (root_key, leaf_key) = (public(root)?, public(leaf)?);
        // Part of the key's digest tells the keys of two people apart.
        let id = Digest::of(&leaf_key.to_der()?).short().to_owned();
        Ok(Self {
            root_key,
            leaf_key,
            root_name: name("root", &id)?,
            leaf_name: name("key", &id)?,
            validity: Validity::new(
                moment(now.plus(-EARLY_SECONDS))?,
                moment(now.plus(VALID_SECONDS))?,
            ),
        })
    }

    fn root(&self, root: &SecretKey) -> Result<Vec<u8>, LocalKeyError> {
        let constraints = BasicConstraints {
            ca: true,
            path_len_constraint: Some(0),
        };
        let extensions = || -> Result<Extensions, der::Error> {
            Ok(vec![
                extension(true, &constraints)?,
                extension(true, &KeyUsage(KeyUsages::KeyCertSign.into()))?,
                extension(false, &SubjectKeyIdentifier(key_identifier(&self.root_key)?))?,
            ])
        };
        self.certificate(root, &self.root_name, &self.root_key, extensions())
    }

    fn leaf(&self, root: &SecretKey) -> Result<Vec<u8>, LocalKeyError> {
        let extensions = || -> Result<Extensions, der::Error> {
            let issuer = AuthorityKeyIdentifier {
                key_identifier: Some(key_identifier(&self.root_key)?),
                ..AuthorityKeyIdentifier::default()
            };
            Ok(vec![
                extension(true, &KeyUsage(KeyUsages::DigitalSignature.into()))?,
                extension(false, &ExtendedKeyUsage(vec![CODE_SIGNING]))?,
                extension(false, &SubjectKeyIdentifier(key_identifier(&self.leaf_key)?))?,
                extension(false, &issuer)?,
            ])
        };
        self.certificate(root, &self.leaf_name, &self.leaf_key, extensions())
    }

    fn certificate(
        &self,
        root: &SecretKey,
        subject: &Name,
        key: &SubjectPublicKeyInfoOwned,
        extensions: Result<Extensions, der::Error>,
    ) -> Result<Vec<u8>, LocalKeyError> {
        let made = || -> Result<Vec<u8>, der::Error> {
            let algorithm = AlgorithmIdentifierOwned {
                oid: ECDSA_SHA384,
                parameters: None,
            };
            let contents = Contents {
                version: Version::V3,
                serial_number: random_serial()?,
                signature: algorithm.clone(),
                issuer: self.root_name.clone(),
                validity: self.validity,
                subject: subject.clone(),
                key: key.clone(),
                extensions: extensions?,
            };
            let signature: DerSignature = SigningKey::from(root)
                .try_sign(&contents.to_der()?)
                .map_err(|_| der::ErrorKind::Failed)?;
            let signature = BitString::from_bytes(signature.as_bytes())?;
            Signed {
                contents,
                algorithm,
                signature,
            }
            .to_der()
        };
        made().map_err(|error| LocalKeyError::NotMade(error.to_string()))
    }
}

/// Country, state and organisation are what identities in Notary trust policies have to name (trust store and trust
/// policy specification, "Trusted Identities"); `XX` is a code that ISO 3166 leaves to users.
fn name(what: &str, id: &str) -> Result<Name, der::Error> {
    format!("CN=countersign local {what} {id},O=countersign,ST=Local,C=XX").parse()
}

fn public(key: &SecretKey) -> Result<SubjectPublicKeyInfoOwned, der::Error> {
    let document = key
        .public_key()
        .to_public_key_der()
        .map_err(|_| der::ErrorKind::Failed)?;
    SubjectPublicKeyInfoOwned::from_der(document.as_bytes())
}

/// Dates to 2049 are UTC times, later ones generalised times (RFC 5280, 4.1.2.5).
fn moment(at: Timestamp) -> Result<Time, der::Error> {
    let seconds = u64::try_from(at.unix()).map_err(|_| der::ErrorKind::DateTime)?;
    let at = Duration::from_secs(seconds);
    UtcTime::from_unix_duration(at)
        .map(Time::UtcTime)
        .or_else(|_| Ok(Time::GeneralTime(GeneralizedTime::from_unix_duration(at)?)))
}

fn random_serial() -> Result<SerialNumber, der::Error> {
    Ok(SerialNumber::from(
        getrandom::u64().map_err(|_| der::ErrorKind::Failed)?,
    ))
}

/// The first 160 bits of the SHA-256 digest of the public key (RFC 7093, 2, method 1).
fn key_identifier(key: &SubjectPublicKeyInfoOwned) -> Result<OctetString, der::Error> {
    let digest = Sha256::digest(key.subject_public_key.raw_bytes());
    OctetString::new(digest.get(..20).unwrap_or_default())
}

fn extension<T: AssociatedOid + Encode>(critical: bool, content: &T) -> Result<Extension, der::Error> {
    Ok(Extension {
        extn_id: T::OID,
        critical,
        extn_value: OctetString::new(content.to_der()?)?,
    })
}
