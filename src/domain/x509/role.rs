//! What a certificate must look like for the part it plays in a chain (Notary signature specification, "Certificate
//! Requirements").

use std::fmt;

use der::oid::ObjectIdentifier;
use x509_cert::ext::pkix::KeyUsage;

use super::certificate::Certificate;

/// What a chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Signing artifacts.
    CodeSigning,
    /// Signing timestamps (RFC 3161).
    Timestamping,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodeSigning => "code signing",
            Self::Timestamping => "timestamping",
        })
    }
}

/// The part a certificate plays in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The one whose key signs.
    Leaf,
    /// An intermediate or root.
    Ca {
        /// CA certificates between it and the leaf.
        below: usize,
    },
}

/// A rule that a certificate breaks in its role: expected and found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// A leaf that says it is a CA.
    #[error("expected a certificate for {0}, found a CA (basic constraints say cA)")]
    LeafIsCa(Purpose),
    /// A CA that does not say so, or not critically.
    #[error("expected critical basic constraints with cA, found {0}")]
    NotCa(&'static str),
    /// More CAs below than a CA allows.
    #[error("expected at most {allowed} CA certificates below (path length constraint), found {found}")]
    PathLength {
        /// As the certificate says.
        allowed: u8,
        /// CA certificates between it and the leaf.
        found: usize,
    },
    /// No key usage, or not critical.
    #[error("expected a critical key usage extension, found {0}")]
    KeyUsage(&'static str),
    /// A use of the key that has to be allowed is not.
    #[error("expected the key usage {expected}, found {found}")]
    KeyUsageMissing {
        /// The use.
        expected: &'static str,
        /// The uses the certificate names.
        found: String,
    },
    /// A use of the key that must not be allowed is.
    #[error("expected no key usage besides digitalSignature and contentCommitment, found {found}")]
    KeyUsageForbidden {
        /// The first such use.
        found: &'static str,
    },
    /// A purpose that must not be on a certificate for code signing.
    #[error("expected a certificate for code signing, found the extended key usage {found}")]
    ExtendedKeyUsageForbidden {
        /// The purpose.
        found: &'static str,
    },
    /// A timestamping certificate whose only and critical purpose is not timestamping.
    #[error("expected timeStamping as the only, critical extended key usage, found {found}")]
    NotForTimestamping {
        /// The purposes, in words.
        found: String,
    },
    /// A key that may not sign artifacts.
    #[error("expected a key of RSA 2048, 3072 or 4096 bits or on P-256, P-384 or P-521, found {found}")]
    Key {
        /// The key, in words.
        found: String,
    },
}

impl RoleError {
    /// Whether the certificate was made for something else than signing artifacts, rather than badly made.
    pub fn is_other_purpose(&self) -> bool {
        match self {
            Self::LeafIsCa(_)
            | Self::KeyUsageMissing { .. }
            | Self::KeyUsageForbidden { .. }
            | Self::ExtendedKeyUsageForbidden { .. }
            | Self::NotForTimestamping { .. } => true,
            Self::NotCa(_) | Self::PathLength { .. } | Self::KeyUsage(_) | Self::Key { .. } => false,
        }
    }
}

impl Certificate {
    /// Checks the rules for one certificate in one role; signatures and validity are the chain's business.
    ///
    /// # Errors
    /// [`RoleError`] with the first rule that is broken.
    pub fn check_role(&self, purpose: Purpose, role: Role) -> Result<(), RoleError> {
        match role {
            Role::Leaf => check_leaf(self, purpose),
            Role::Ca { below } => check_ca(self, purpose, below),
        }
    }
}

fn check_leaf(certificate: &Certificate, purpose: Purpose) -> Result<(), RoleError> {
    if certificate.is_ca() {
        return Err(RoleError::LeafIsCa(purpose));
    }
    let usage = key_usage(certificate, purpose)?;
    if !usage.digital_signature() {
        return Err(missing("digitalSignature", usage));
    }
    let forbidden = uses(usage).find(|name| !matches!(*name, "digitalSignature" | "contentCommitment"));
    if let Some(found) = forbidden {
        return Err(RoleError::KeyUsageForbidden { found });
    }
    match purpose {
        Purpose::CodeSigning => check_code_signing_purposes(certificate)?,
        Purpose::Timestamping => check_timestamping_purpose(certificate)?,
    }
    match certificate.key_spec() {
        Ok(_) => Ok(()),
        Err(_) => Err(RoleError::Key {
            found: certificate.public_key().to_string(),
        }),
    }
}

fn check_ca(certificate: &Certificate, purpose: Purpose, below: usize) -> Result<(), RoleError> {
    match &certificate.extensions.basic_constraints {
        None => return Err(RoleError::NotCa("none")),
        Some((_, constraints)) if !constraints.ca => return Err(RoleError::NotCa("cA false")),
        Some((false, _)) => return Err(RoleError::NotCa("them not critical")),
        Some((true, constraints)) => {
            if let Some(allowed) = constraints
                .path_len_constraint
                .filter(|allowed| usize::from(*allowed) < below)
            {
                return Err(RoleError::PathLength {
                    allowed,
                    found: below,
                });
            }
        }
    }
    let usage = key_usage(certificate, purpose)?;
    if usage.key_cert_sign() {
        Ok(())
    } else {
        Err(missing("keyCertSign", usage))
    }
}

/// The key usage, which has to be there; for timestamping it need not be critical.
fn key_usage(certificate: &Certificate, purpose: Purpose) -> Result<KeyUsage, RoleError> {
    match certificate.extensions.key_usage {
        None => Err(RoleError::KeyUsage("none")),
        Some((false, _)) if purpose == Purpose::CodeSigning => Err(RoleError::KeyUsage("it not critical")),
        Some((_, usage)) => Ok(usage),
    }
}

fn missing(expected: &'static str, usage: KeyUsage) -> RoleError {
    let found: Vec<&str> = uses(usage).collect();
    let found = if found.is_empty() {
        "none".to_owned()
    } else {
        found.join(", ")
    };
    RoleError::KeyUsageMissing { expected, found }
}

/// The uses a key usage extension names (RFC 5280, 4.2.1.3), in the order of their bits.
fn uses(usage: KeyUsage) -> impl Iterator<Item = &'static str> {
    use x509_cert::ext::pkix::KeyUsages;
    const NAMES: [(KeyUsages, &str); 9] = [
        (KeyUsages::DigitalSignature, "digitalSignature"),
        (KeyUsages::NonRepudiation, "contentCommitment"),
        (KeyUsages::KeyEncipherment, "keyEncipherment"),
        (KeyUsages::DataEncipherment, "dataEncipherment"),
        (KeyUsages::KeyAgreement, "keyAgreement"),
        (KeyUsages::KeyCertSign, "keyCertSign"),
        (KeyUsages::CRLSign, "cRLSign"),
        // Asked of the flags, since the accessors of these two depend on keyAgreement.
        (KeyUsages::EncipherOnly, "encipherOnly"),
        (KeyUsages::DecipherOnly, "decipherOnly"),
    ];
    NAMES
        .into_iter()
        .filter(move |(flag, _)| usage.0.contains(*flag))
        .map(|(_, name)| name)
}

/// `id-kp-timeStamping` (RFC 5280, 4.2.1.12).
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// Extended key usages that must not be on a certificate for code signing (Notary signature specification,
/// "Certificate Requirements"; `OCSPSigning` as notation-core-go refuses it). Object identifiers: RFC 5280, 4.2.1.12.
const FORBIDDEN: [(ObjectIdentifier, &str); 6] = [
    (ObjectIdentifier::new_unwrap("2.5.29.37.0"), "anyExtendedKeyUsage"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1"), "serverAuth"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2"), "clientAuth"),
    (
        ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4"),
        "emailProtection",
    ),
    (TIME_STAMPING, "timeStamping"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9"), "OCSPSigning"),
];

fn check_code_signing_purposes(certificate: &Certificate) -> Result<(), RoleError> {
    let Some((_, purposes)) = &certificate.extensions.extended_key_usage else {
        return Ok(());
    };
    match FORBIDDEN.iter().find(|(oid, _)| purposes.0.contains(oid)) {
        None => Ok(()),
        Some((_, found)) => Err(RoleError::ExtendedKeyUsageForbidden { found }),
    }
}

fn check_timestamping_purpose(certificate: &Certificate) -> Result<(), RoleError> {
    let found = match &certificate.extensions.extended_key_usage {
        None => "none".to_owned(),
        Some((true, purposes)) if purposes.0 == [TIME_STAMPING] => return Ok(()),
        Some((false, purposes)) if purposes.0 == [TIME_STAMPING] => "it not critical".to_owned(),
        Some((_, purposes)) => {
            let names: Vec<String> = purposes.0.iter().take(8).map(ToString::to_string).collect();
            names.join(", ")
        }
    };
    Err(RoleError::NotForTimestamping { found })
}
