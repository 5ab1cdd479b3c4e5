//! Certificates: parsed once, bytes kept.

use std::fmt;
use std::ops::Range;

use der::oid::ObjectIdentifier;
use der::{Decode as _, Header, Reader as _, SliceReader};
use sha2::{Digest as _, Sha256, Sha384};
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, BasicConstraints, ExtendedKeyUsage, KeyUsage};

use super::key::{KeySpec, PublicKey};
use super::name::Name;
use super::signature::{SignatureAlgorithm, SignatureError, certificate_algorithm, verify_signature};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::time::Timestamp;

/// Why bytes are no certificate, or a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The bytes are not one certificate in DER.
    #[error("expected a certificate in DER (RFC 5280), found something else: {0}")]
    Malformed(String),
    /// The key of the certificate may not sign artifacts.
    #[error(
        "expected a key of RSA 2048, 3072 or 4096 bits or on P-256, P-384 or P-521 in {}, found {found}",
        subject.quote()
    )]
    Key {
        /// The subject of the certificate.
        subject: Foreign,
        /// The key, in words.
        found: String,
    },
    /// A file of certificates larger than any that is needed.
    #[error("expected at most {limit} bytes of certificates, found {found}")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
        /// Bytes found.
        found: usize,
    },
    /// A file without certificates.
    #[error("expected certificates in PEM or DER, found none")]
    Empty,
    /// A PEM file that holds something else than certificates.
    #[error("line {line}: expected only CERTIFICATE blocks, found a block {}", label.quote())]
    Block {
        /// The line of its first boundary, starting at 1.
        line: usize,
        /// What the block says it is.
        label: Foreign,
    },
    /// A PEM block that cannot be decoded.
    #[error("line {line}: expected {expected} in the block that begins here")]
    Pem {
        /// The line of its first boundary, starting at 1.
        line: usize,
        /// What is wrong.
        expected: &'static str,
    },
    /// One of several certificates is wrong.
    #[error("certificate {number} of the file")]
    Numbered {
        /// Which, starting at 1.
        number: usize,
        /// Why.
        source: Box<CertificateError>,
    },
}

impl Classified for CertificateError {
    /// Usage: certificates that are read by themselves are the user's own. Envelopes say otherwise.
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Block { label, .. } if label.raw().contains("PRIVATE KEY") => {
                Some("keep private keys out of certificate files".to_owned())
            }
            Self::Empty | Self::Malformed(_) => {
                Some("give a file with -----BEGIN CERTIFICATE----- blocks".to_owned())
            }
            Self::Numbered { source, .. } => source.hint(),
            _ => None,
        }
    }
}

/// A certificate: its bytes, and what they say.
///
/// Two certificates are equal if their bytes are.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Range<usize>,
    serial: Vec<u8>,
    subject: Name,
    issuer: Name,
    not_before: Timestamp,
    not_after: Timestamp,
    key: PublicKey,
    algorithm: Result<SignatureAlgorithm, String>,
    signature_value: Vec<u8>,
    pub(super) extensions: Extensions,
    version_3: bool,
}

/// The extensions that the Notary rules look at; all others are ignored by explicit rule, critical or not (Notary
/// signature specification, "Certificate Requirements").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// Whether critical, and the content; likewise below.
    pub(super) basic_constraints: Option<(bool, BasicConstraints)>,
    pub(super) key_usage: Option<(bool, KeyUsage)>,
    pub(super) extended_key_usage: Option<(bool, ExtendedKeyUsage)>,
    revocation_pointers: bool,
}

impl Certificate {
    /// Parses one certificate.
    ///
    /// # Errors
    /// [`CertificateError::Malformed`] for anything but one whole X.509 certificate without trailing bytes.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        Self::parse(der).map_err(|error| CertificateError::Malformed(error.to_string()))
    }

    fn parse(der: &[u8]) -> Result<Self, der::Error> {
        let parsed = x509_cert::Certificate::from_der(der)?;
        let tbs = parsed.tbs_certificate();
        let version_3 = tbs.version() == Version::V3;
        if tbs.signature() != parsed.signature_algorithm() || (tbs.extensions().is_some() && !version_3) {
            return Err(der::ErrorKind::Failed.into());
        }
        let raw = RawParts::read(der)?;
        let moment = |time: x509_cert::time::Time| {
            Timestamp::from_unix(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
        };
        let bits = parsed.signature().as_bytes();
        Ok(Self {
            tbs: raw.tbs,
            serial: tbs.serial_number().as_bytes().to_vec(),
            subject: Name::read(raw.subject)?,
            issuer: Name::read(raw.issuer)?,
            not_before: moment(tbs.validity().not_before),
            not_after: moment(tbs.validity().not_after),
            key: PublicKey::read(tbs.subject_public_key_info()),
            algorithm: certificate_algorithm(parsed.signature_algorithm()),
            signature_value: bits.ok_or(der::ErrorKind::Failed)?.to_vec(),
            extensions: Extensions::read(tbs)?,
            version_3,
            der: der.to_vec(),
        })
    }

    /// The bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The bytes that the issuer signed (RFC 5280, 4.1.1.1), as they stand in the certificate.
    pub fn tbs(&self) -> &[u8] {
        self.der.get(self.tbs.clone()).unwrap_or_default()
    }

    /// Whom the certificate is about.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// Who issued it.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// The serial number in lower-case hex, without leading zeros.
    pub fn serial(&self) -> String {
        let hex = hex(&self.serial);
        let digits = hex.trim_start_matches('0');
        if digits.is_empty() {
            "0".to_owned()
        } else {
            digits.to_owned()
        }
    }

    /// The first moment of its validity.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last moment of its validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether a moment lies within its validity, both ends included (RFC 5280, 4.1.2.5).
    pub fn is_valid_at(&self, moment: Timestamp) -> bool {
        self.not_before <= moment && moment <= self.not_after
    }

    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// Which of the keys that may sign artifacts it holds.
    ///
    /// # Errors
    /// [`CertificateError::Key`] for any other key.
    pub fn key_spec(&self) -> Result<KeySpec, CertificateError> {
        self.key.spec().ok_or_else(|| CertificateError::Key {
            subject: self.subject_text(),
            found: self.key.to_string(),
        })
    }

    /// The SHA-256 digest of its bytes.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint(hex(&Sha256::digest(&self.der)))
    }

    /// The SHA-384 digest of the signed bytes in lower-case hex, by which AWS Signer knows a certificate.
    pub fn tbs_sha384(&self) -> String {
        hex(&Sha384::digest(self.tbs()))
    }

    /// Whether it names an OCSP responder or a CRL distribution point (RFC 5280, 4.2.1.13 and 4.2.2.1), so that its
    /// revocation could be asked for.
    pub fn has_revocation_pointers(&self) -> bool {
        self.extensions.revocation_pointers
    }

    /// Whether its basic constraints say that it is a CA.
    pub fn is_ca(&self) -> bool {
        self.extensions
            .basic_constraints
            .as_ref()
            .is_some_and(|(_, constraints)| constraints.ca)
    }

    /// Whether subject and issuer are the same and the signature is its own key's.
    pub fn is_self_signed(&self) -> bool {
        self.subject == self.issuer && self.verify_signed_by(self).is_ok()
    }

    /// Whether it is a root CA: a CA that may sign certificates and is self-signed.
    pub fn is_root_ca(&self) -> bool {
        self.may_sign_certificates() && self.is_self_signed()
    }

    /// RFC 5280, 4.2.1.3 and 4.2.1.9: a version 3 certificate that is a CA with `keyCertSign`, if it limits its key
    /// at all.
    pub(super) fn may_sign_certificates(&self) -> bool {
        let usage = self.extensions.key_usage.as_ref();
        self.version_3 && self.is_ca() && usage.is_none_or(|(_, usage)| usage.key_cert_sign())
    }

    /// Verifies that another certificate's key made this one's signature; names and rights are not compared.
    ///
    /// # Errors
    /// [`SignatureError`], also for algorithms that are not accepted, such as SHA-1.
    pub fn verify_signed_by(&self, issuer: &Self) -> Result<(), SignatureError> {
        match &self.algorithm {
            Err(found) => Err(SignatureError::Algorithm { found: found.clone() }),
            Ok(algorithm) => verify_signature(&issuer.key, *algorithm, self.tbs(), &self.signature_value),
        }
    }

    /// The subject for error values.
    pub(super) fn subject_text(&self) -> Foreign {
        Foreign::new(self.subject.to_string())
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Certificate({}, {})",
            quote(&self.subject.to_string()),
            self.thumbprint()
        )
    }
}

/// The SHA-256 digest of a certificate, in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint(String);

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hashes by which AWS Signer's revocation service knows a chain, leaf first (AWS Signer API reference,
/// `GetRevocationStatus`, `certificateHashes`): for each certificate the SHA-384 of its signed bytes followed by that
/// of its issuer's; the last is its own issuer.
pub fn paired_hashes(chain: &[Certificate]) -> Vec<String> {
    let hashes: Vec<String> = chain.iter().map(Certificate::tbs_sha384).collect();
    let issuers = hashes.iter().skip(1).chain(hashes.last());
    hashes
        .iter()
        .zip(issuers)
        .map(|(own, issuer)| format!("{own}{issuer}"))
        .collect()
}

/// Slices of a certificate that are needed as they were written.
struct RawParts<'a> {
    tbs: Range<usize>,
    issuer: &'a [u8],
    subject: &'a [u8],
}

impl<'a> RawParts<'a> {
    /// Walks `Certificate` and `TBSCertificate` (RFC 5280, 4.1), whose grammar has been checked before.
    fn read(der: &'a [u8]) -> Result<Self, der::Error> {
        let mut outer = SliceReader::new(der)?;
        Header::decode(&mut outer)?;
        let start = usize::try_from(outer.position())?;
        let tbs = outer.tlv_bytes()?;
        let mut inner = SliceReader::new(tbs)?;
        Header::decode(&mut inner)?;
        let first = inner.tlv_bytes()?;
        // An explicit version stands in front of the serial number.
        if first.first() == Some(&0xa0) {
            inner.tlv_bytes()?;
        }
        inner.tlv_bytes()?;
        let issuer = inner.tlv_bytes()?;
        inner.tlv_bytes()?;
        let subject = inner.tlv_bytes()?;
        Ok(Self {
            tbs: start..start + tbs.len(),
            issuer,
            subject,
        })
    }
}

impl Extensions {
    fn read(tbs: &x509_cert::TbsCertificate) -> Result<Self, der::Error> {
        /// `id-ce-cRLDistributionPoints` (RFC 5280, 4.2.1.13).
        const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
        /// `id-ad-ocsp` (RFC 5280, 4.2.2.1).
        const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
        let all = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        let mut known: Vec<ObjectIdentifier> = all.iter().map(|extension| extension.extn_id).collect();
        known.sort_unstable();
        let unique = known.windows(2).all(|pair| pair.first() != pair.last());
        if !unique {
            return Err(der::ErrorKind::Failed.into());
        }
        let access = tbs.get_extension::<AuthorityInfoAccessSyntax>()?;
        let ocsp = access.is_some_and(|(_, access)| access.0.iter().any(|entry| entry.access_method == OCSP));
        Ok(Self {
            basic_constraints: tbs.get_extension()?,
            key_usage: tbs.get_extension()?,
            extended_key_usage: tbs.get_extension()?,
            revocation_pointers: ocsp || known.contains(&CRL_DISTRIBUTION_POINTS),
        })
    }
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use rcgen::{CrlDistributionPoint, CustomExtension};

    use super::super::testing::{chain, chain_with};
    use super::*;

    #[test]
    fn trust_anchors_are_told_from_leaves() {
        let certificates = chain().certificates;
        let kinds: Vec<(bool, bool, bool)> = certificates
            .iter()
            .map(|certificate| {
                (
                    certificate.is_ca(),
                    certificate.is_self_signed(),
                    certificate.is_root_ca(),
                )
            })
            .collect();
        assert_eq!(
            kinds,
            [(false, false, false), (true, false, false), (true, true, true)]
        );
    }

    #[test]
    fn hashes_are_paired_with_the_issuers() {
        let certificates = chain().certificates;
        let own: Vec<String> = certificates.iter().map(Certificate::tbs_sha384).collect();
        let expected = [
            format!("{}{}", own[0], own[1]),
            format!("{}{}", own[1], own[2]),
            format!("{}{}", own[2], own[2]),
        ];
        assert_eq!(paired_hashes(&certificates), expected);
        assert_eq!(paired_hashes(&[]), Vec::<String>::new());
    }

    #[test]
    fn one_certificate_means_one() {
        let mut der = chain().certificates.remove(0).der().to_vec();
        assert!(Certificate::from_der(&der).is_ok());
        der.push(0);
        assert!(matches!(
            Certificate::from_der(&der),
            Err(CertificateError::Malformed(_))
        ));
        der.truncate(der.len() - 2);
        assert!(matches!(
            Certificate::from_der(&der),
            Err(CertificateError::Malformed(_))
        ));
    }

    /// A leaf with one more extension, or why it cannot be read.
    fn leaf_with(oid: &'static [u64], content: &'static [u8]) -> Certificate {
        let issued = chain_with(|index, params| {
            if index == 0 {
                params
                    .custom_extensions
                    .push(CustomExtension::from_oid_content(oid, content.to_vec()));
            }
        });
        issued.certificates[0].clone()
    }

    #[test]
    fn revocation_pointers_are_ocsp_responders_and_crls() {
        const ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
        // SEQUENCE of one SEQUENCE: access method id-ad-ocsp or id-ad-caIssuers, URI "http:".
        let ocsp = b"\x30\x13\x30\x11\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x05http:";
        let issuers = b"\x30\x13\x30\x11\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x05http:";
        assert!(leaf_with(ACCESS, ocsp).has_revocation_pointers());
        assert!(!leaf_with(ACCESS, issuers).has_revocation_pointers());
        assert!(!chain().certificates[0].has_revocation_pointers());
        let crl = chain_with(|_, params| {
            params.crl_distribution_points = vec![CrlDistributionPoint {
                uris: vec!["http://a".to_owned()],
            }];
        });
        assert!(crl.certificates[0].has_revocation_pointers());
    }

    #[test]
    fn key_usage_with_trailing_zero_bits_is_read() {
        let issued = chain_with(|index, params| {
            if index == 0 {
                params.key_usages = Vec::new();
                let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![3, 2, 0, 0x80]);
                usage.set_criticality(true);
                params.custom_extensions.push(usage);
            }
        });
        let (critical, usage) = issued.certificates[0].extensions.key_usage.unwrap();
        assert!(critical && usage.digital_signature() && !usage.key_cert_sign());
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_noticed(bit in any::<prop::sample::Index>()) {
            let certificates = chain().certificates;
            let mut der = certificates[0].der().to_vec();
            let bit = bit.index(der.len() * 8);
            der[bit / 8] ^= 1 << (bit % 8);
            if let Ok(flipped) = Certificate::from_der(&der) {
                prop_assert!(flipped.verify_signed_by(&certificates[1]).is_err());
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Certificate::from_der(&bytes);
        }
    }
}
