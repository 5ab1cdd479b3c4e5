//! Ordered chains: leaf first, each link's signature checked, self-signed root last.
//!
//! No path is built and no stock validator is used: the Notary rules fix the order, demand the root and ignore
//! extensions that RFC 5280 would refuse (Notary signature specification, "Certificate Chain").

use super::certificate::{Certificate, CertificateError};
use super::key::KeySpec;
use super::role::{Purpose, Role, RoleError};
use super::signature::SignatureError;
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::limits::CHAIN_CERTIFICATES;
use crate::base::time::Timestamp;

/// Why certificates are no chain, or the chain may not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No certificate at all.
    #[error("expected at least one certificate, found none")]
    Empty,
    /// More certificates than any real chain has.
    #[error("expected at most {limit} certificates in a chain, found {found}")]
    TooLong {
        /// Certificates allowed.
        limit: usize,
        /// Certificates found.
        found: usize,
    },
    /// The certificate that comes next is not the issuer: a gap, or another order than leaf to root.
    #[error("certificate {number}, {}: expected its issuer {} next, found {}",
        subject.quote(), issuer.quote(), found.quote())]
    Order {
        /// Which certificate, starting at 1.
        number: usize,
        /// Its subject.
        subject: Foreign,
        /// Its issuer.
        issuer: Foreign,
        /// The subject of the certificate that comes next.
        found: Foreign,
        /// Whether its issuer stands somewhere else in the chain.
        misplaced: bool,
    },
    /// A self-signed certificate before the end.
    #[error("certificate {number}, {}: expected a certificate that the next one issued, found a self-signed one",
        subject.quote())]
    SelfSigned {
        /// Which certificate, starting at 1.
        number: usize,
        /// Its subject.
        subject: Foreign,
    },
    /// The last certificate is not self-signed: the root is missing.
    #[error("certificate {number}, {}: expected a self-signed root at the end, found a certificate issued by {}",
        subject.quote(), issuer.quote())]
    RootMissing {
        /// Which certificate, starting at 1.
        number: usize,
        /// Its subject.
        subject: Foreign,
        /// Its issuer.
        issuer: Foreign,
    },
    /// The names fit, but the issuer's key did not make the signature.
    #[error("certificate {number}, {}: not signed by {}", subject.quote(), issuer.quote())]
    Signature {
        /// Which certificate, starting at 1.
        number: usize,
        /// Its subject.
        subject: Foreign,
        /// Its issuer.
        issuer: Foreign,
        /// Why.
        source: SignatureError,
    },
    /// A certificate is not made for its part in the chain.
    #[error("certificate {number}, {}", subject.quote())]
    Role {
        /// Which certificate, starting at 1.
        number: usize,
        /// Its subject.
        subject: Foreign,
        /// The broken rule.
        source: RoleError,
    },
    /// A certificate is not valid at the moment that counts.
    #[error("certificate {}: expected a certificate valid at {moment}, found one valid from {not_before} to {not_after}",
        subject.quote())]
    Validity {
        /// Its subject.
        subject: Foreign,
        /// The moment that counts.
        moment: Timestamp,
        /// The first moment of its validity.
        not_before: Timestamp,
        /// The last moment of its validity.
        not_after: Timestamp,
    },
}

impl Classified for ChainError {
    /// Usage: a chain that is read by itself is the user's own. Envelopes say otherwise.
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty => "give the signing certificate first, then its issuers, the self-signed root last",
            Self::SelfSigned { .. } | Self::Order { misplaced: true, .. } => {
                "order the certificates: the signing certificate first, each followed by its issuer, the root last"
            }
            Self::Order { misplaced: false, .. } => "add the missing issuer behind the certificate it issued",
            Self::RootMissing { .. } => "append the certificates of its issuers up to the self-signed root",
            Self::Validity { moment, not_after, .. } if moment > not_after => {
                "the certificate has expired: have a new one issued"
            }
            Self::Role { source, .. } if source.is_other_purpose() => {
                "have a certificate issued for code signing: key usage digitalSignature, extended key usage codeSigning"
            }
            Self::TooLong { .. } | Self::Signature { .. } | Self::Role { .. } | Self::Validity { .. } => return None,
        }
        .to_owned())
    }
}

/// A code signing chain: never empty, leaf first, root last, every link signed by the next, every certificate fit for
/// its part. Whether it is trusted, and at what time it was valid, is judged elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    leaf: Certificate,
    key_spec: KeySpec,
    certificates: Vec<Certificate>,
}

impl Chain {
    /// Checks certificates as a chain for signing artifacts.
    ///
    /// # Errors
    /// [`ChainError`] with the first rule that is broken, leaf first.
    pub fn code_signing(certificates: Vec<Certificate>) -> Result<Self, ChainError> {
        let leaf = certificates.first().ok_or(ChainError::Empty)?.clone();
        check_chain(&certificates, Purpose::CodeSigning)?;
        let key_spec = leaf.key_spec().map_err(|error| match error {
            CertificateError::Key { subject, found } => ChainError::Role {
                number: 1,
                subject,
                source: RoleError::Key { found },
            },
            _ => ChainError::Empty,
        })?;
        Ok(Self {
            leaf,
            key_spec,
            certificates,
        })
    }

    /// The certificate whose key signs.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The key that signs.
    pub fn key_spec(&self) -> KeySpec {
        self.key_spec
    }

    /// The self-signed certificate at the end; the leaf itself in a chain of one.
    pub fn root(&self) -> &Certificate {
        self.certificates.last().unwrap_or(&self.leaf)
    }

    /// All certificates, leaf first.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Checks that a moment lies within the validity of every certificate, both ends included.
    ///
    /// # Errors
    /// [`ChainError::Validity`] for the first certificate, leaf first, that is not valid then.
    pub fn valid_at(&self, moment: Timestamp) -> Result<(), ChainError> {
        match self
            .certificates
            .iter()
            .find(|certificate| !certificate.is_valid_at(moment))
        {
            None => Ok(()),
            Some(certificate) => Err(ChainError::Validity {
                subject: certificate.subject_text(),
                moment,
                not_before: certificate.not_before(),
                not_after: certificate.not_after(),
            }),
        }
    }
}

/// Checks order, signatures and roles of a chain, leaf first.
///
/// # Errors
/// [`ChainError`] with the first rule that is broken.
pub fn check_chain(certificates: &[Certificate], purpose: Purpose) -> Result<(), ChainError> {
    if certificates.len() > CHAIN_CERTIFICATES {
        return Err(ChainError::TooLong {
            limit: CHAIN_CERTIFICATES,
            found: certificates.len(),
        });
    }
    let Some((last, rest)) = certificates.split_last() else {
        return Err(ChainError::Empty);
    };
    for (index, (certificate, issuer)) in rest.iter().zip(certificates.iter().skip(1)).enumerate() {
        check_link(index + 1, certificate, issuer, certificates)?;
        check_role(index, certificate, purpose)?;
    }
    check_root(certificates.len(), last)?;
    check_role(rest.len(), last, purpose)
}

/// The rules for a certificate and the one that comes next.
fn check_link(
    number: usize,
    certificate: &Certificate,
    next: &Certificate,
    all: &[Certificate],
) -> Result<(), ChainError> {
    let subject = certificate.subject_text();
    if certificate.is_self_signed() {
        return Err(ChainError::SelfSigned { number, subject });
    }
    if certificate.issuer() != next.subject() {
        return Err(ChainError::Order {
            number,
            subject,
            issuer: Foreign::new(certificate.issuer().to_string()),
            found: next.subject_text(),
            misplaced: all.iter().any(|other| other.subject() == certificate.issuer()),
        });
    }
    let issuer = next.subject_text();
    certificate
        .verify_signed_by(next)
        .map_err(|source| ChainError::Signature {
            number,
            subject,
            issuer,
            source,
        })
}

/// The rules that make the last certificate a root.
fn check_root(number: usize, root: &Certificate) -> Result<(), ChainError> {
    let subject = root.subject_text();
    let issuer = Foreign::new(root.issuer().to_string());
    if root.issuer() != root.subject() {
        return Err(ChainError::RootMissing {
            number,
            subject,
            issuer,
        });
    }
    root.verify_signed_by(root)
        .map_err(|source| ChainError::Signature {
            number,
            subject,
            issuer,
            source,
        })
}

/// The rules for a certificate at its place; a chain of one is a leaf.
fn check_role(index: usize, certificate: &Certificate, purpose: Purpose) -> Result<(), ChainError> {
    let role = index
        .checked_sub(1)
        .map_or(Role::Leaf, |below| Role::Ca { below });
    certificate
        .check_role(purpose, role)
        .map_err(|source| ChainError::Role {
            number: index + 1,
            subject: certificate.subject_text(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

    use super::super::testing::{chain, chain_with};
    use super::*;

    fn error(certificates: Vec<Certificate>) -> ChainError {
        Chain::code_signing(certificates).unwrap_err()
    }

    #[test]
    fn a_good_chain_knows_its_ends_and_its_key() {
        let certificates = chain().certificates;
        let checked = Chain::code_signing(certificates.clone()).unwrap();
        assert_eq!(checked.leaf(), &certificates[0]);
        assert_eq!(checked.root(), &certificates[2]);
        assert_eq!(checked.key_spec(), KeySpec::P384);
        assert_eq!(checked.certificates(), certificates);
    }

    #[test]
    fn order_gaps_and_missing_roots_are_told_apart() {
        let [leaf, issuing, root] = <[Certificate; 3]>::try_from(chain().certificates).unwrap();
        let order = |misplaced, found: &Certificate| ChainError::Order {
            number: 1,
            subject: leaf.subject_text(),
            issuer: issuing.subject_text(),
            found: found.subject_text(),
            misplaced,
        };
        assert_eq!(
            error(vec![leaf.clone(), root.clone(), issuing.clone()]),
            order(true, &root)
        );
        assert_eq!(error(vec![leaf.clone(), root.clone()]), order(false, &root));
        let reversed = error(vec![root.clone(), issuing.clone(), leaf.clone()]);
        assert_eq!(
            reversed,
            ChainError::SelfSigned {
                number: 1,
                subject: root.subject_text()
            }
        );
        assert!(reversed.hint().unwrap().starts_with("order the certificates"));
        assert_eq!(
            error(vec![leaf.clone(), issuing.clone()]),
            ChainError::RootMissing {
                number: 2,
                subject: issuing.subject_text(),
                issuer: root.subject_text(),
            }
        );
        assert_eq!(
            error(vec![leaf.clone(), issuing.clone(), root.clone(), root.clone()]),
            ChainError::SelfSigned {
                number: 3,
                subject: root.subject_text()
            }
        );
        assert_eq!(error(Vec::new()), ChainError::Empty);
        assert_eq!(
            error(vec![leaf; 11]),
            ChainError::TooLong { limit: 10, found: 11 }
        );
    }

    #[test]
    fn the_right_name_with_another_key_is_not_the_issuer() {
        let [leaf, _, _] = <[Certificate; 3]>::try_from(chain().certificates).unwrap();
        let [_, issuing, root] = <[Certificate; 3]>::try_from(chain().certificates).unwrap();
        let expected = ChainError::Signature {
            number: 1,
            subject: leaf.subject_text(),
            issuer: issuing.subject_text(),
            source: SignatureError::Mismatch,
        };
        assert_eq!(error(vec![leaf, issuing, root]), expected);
    }

    #[test]
    fn a_leaf_for_another_purpose_says_so() {
        let for_servers = chain_with(|index, params| {
            if index == 0 {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
        });
        let ChainError::Role {
            number: 1, source, ..
        } = error(for_servers.certificates)
        else {
            panic!("another error")
        };
        assert_eq!(
            source,
            RoleError::ExtendedKeyUsageForbidden { found: "serverAuth" }
        );
        assert!(source.is_other_purpose());
        let no_usage = chain_with(|index, params| {
            if index == 0 {
                params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
            }
        });
        let ChainError::Role { source, .. } = error(no_usage.certificates) else {
            panic!("another error")
        };
        assert_eq!(
            source.to_string(),
            "expected the key usage digitalSignature, found keyEncipherment"
        );
    }

    #[test]
    fn path_length_counts_the_cas_below() {
        let constrained = chain_with(|index, params| {
            if index == 2 {
                params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            }
        });
        let ChainError::Role {
            number: 3, source, ..
        } = error(constrained.certificates)
        else {
            panic!("another error")
        };
        assert_eq!(source, RoleError::PathLength { allowed: 0, found: 1 });
    }

    #[test]
    fn validity_includes_both_ends() {
        let issued = chain_with(|index, params| {
            if index == 0 {
                params.not_before = rcgen::date_time_ymd(2025, 1, 1);
                params.not_after = rcgen::date_time_ymd(2025, 2, 1);
            }
        });
        let checked = Chain::code_signing(issued.certificates).unwrap();
        let (from, to) = (checked.leaf().not_before(), checked.leaf().not_after());
        assert_eq!(from.to_string(), "2025-01-01T00:00:00Z");
        assert_eq!(checked.valid_at(from), Ok(()));
        assert_eq!(checked.valid_at(to), Ok(()));
        let after = "2025-02-01T00:00:00.5Z".parse().unwrap();
        for moment in [from.plus(-1), to.plus(1), after] {
            let expected = ChainError::Validity {
                subject: checked.leaf().subject_text(),
                moment,
                not_before: from,
                not_after: to,
            };
            assert_eq!(checked.valid_at(moment), Err(expected));
        }
        assert!(
            checked
                .valid_at(after)
                .unwrap_err()
                .hint()
                .unwrap()
                .contains("expired")
        );
    }

    #[test]
    fn removing_or_swapping_any_certificate_is_noticed() {
        let certificates = chain().certificates;
        for index in 0..certificates.len() {
            let mut shorter = certificates.clone();
            shorter.remove(index);
            assert!(Chain::code_signing(shorter).is_err(), "without {index}");
            let mut longer = certificates.clone();
            longer.insert(index, certificates[index].clone());
            assert!(Chain::code_signing(longer).is_err(), "twice {index}");
            for other in 0..index {
                let mut swapped = certificates.clone();
                swapped.swap(index, other);
                assert!(
                    Chain::code_signing(swapped).is_err(),
                    "swapped {index} and {other}"
                );
            }
        }
    }
}
