//! The trust store: the certificates that a caller trusts, by type and name (trust store and trust policy
//! specification, "Trust Store").

use std::collections::BTreeMap;

use super::store_name::{StoreName, StoreType};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::domain::x509::{Certificate, CertificateError};

/// Why one trust store cannot be used. A policy that names it accepts no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustStoreError {
    /// There is no such store.
    #[error("expected a trust store of this name, found none")]
    Missing,
    /// The store is something else than a directory of its own.
    #[error("expected a directory, found {found}")]
    NotADirectory {
        /// What it is: a file, a symbolic link.
        found: &'static str,
    },
    /// Something in the store is no regular file.
    #[error("{}: expected a regular file, found {found}", file.quote())]
    NotAFile {
        /// The name of the entry.
        file: Foreign,
        /// What it is: a directory, a symbolic link.
        found: &'static str,
    },
    /// The store, or a file in it, cannot be read.
    #[error("{}: could not read it: {why}", file.quote())]
    Unreadable {
        /// The name of the entry, or of the directory.
        file: Foreign,
        /// What the system says.
        why: String,
    },
    /// More files than any store needs.
    #[error("expected at most {limit} files, found more")]
    TooMany {
        /// Files allowed.
        limit: usize,
    },
    /// More bytes than any store needs.
    #[error("expected at most {limit} bytes in all its files, found more")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// A file that holds something else than certificates.
    #[error("{}", file.quote())]
    File {
        /// The name of the file.
        file: Foreign,
        /// What is wrong with it.
        #[source]
        problem: CertificateError,
    },
    /// A store without certificates.
    #[error("expected at least one certificate, found none")]
    Empty,
    /// A certificate that nothing can be issued by.
    #[error("expected certificates of CAs or self-signed ones, found {}", subject.quote())]
    NotAnAuthority {
        /// Its subject.
        subject: Foreign,
    },
    /// A certificate in a store for timestamping that is no root.
    #[error("expected certificates of root CAs, found {}", subject.quote())]
    NotARoot {
        /// Its subject.
        subject: Foreign,
    },
}

impl Classified for TrustStoreError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File { problem, .. } => problem.hint(),
            Self::NotAnAuthority { .. } => {
                Some("put the certificate of the CA that issued it into the store".to_owned())
            }
            _ => None,
        }
    }
}

/// The whole trust store: each named store holds its certificates, or the reason why it cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustStore(BTreeMap<StoreName, Result<Vec<Certificate>, TrustStoreError>>);

impl TrustStore {
    /// Adds a store, or the reason why it cannot be used; replaces one of the same name. The certificates are held to
    /// the rules of the store's type: CAs or self-signed certificates, in `tsa` stores root CAs.
    pub fn insert(&mut self, name: StoreName, certificates: Result<Vec<Certificate>, TrustStoreError>) {
        let checked = certificates.and_then(|certificates| check(name.kind(), certificates));
        self.0.insert(name, checked);
    }

    /// The certificates of a store.
    ///
    /// # Errors
    /// [`TrustStoreError`]: why there are none to be had.
    pub fn certificates(&self, name: &StoreName) -> Result<&[Certificate], TrustStoreError> {
        match self.0.get(name) {
            None => Err(TrustStoreError::Missing),
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(certificates)) => Ok(certificates),
        }
    }

    /// Every store there is, sorted by type and name, with its certificates or what is wrong with it.
    pub fn iter(&self) -> impl Iterator<Item = (&StoreName, Result<&[Certificate], &TrustStoreError>)> {
        self.0
            .iter()
            .map(|(name, certificates)| (name, certificates.as_deref()))
    }
}

fn check(kind: StoreType, certificates: Vec<Certificate>) -> Result<Vec<Certificate>, TrustStoreError> {
    if certificates.is_empty() {
        return Err(TrustStoreError::Empty);
    }
    let fit = |certificate: &Certificate| match kind {
        StoreType::Ca | StoreType::SigningAuthority => certificate.is_ca() || certificate.is_self_signed(),
        StoreType::Tsa => certificate.is_root_ca(),
    };
    match certificates.iter().find(|certificate| !fit(certificate)) {
        None => Ok(certificates),
        Some(offender) => {
            let subject = Foreign::new(offender.subject().to_string());
            Err(match kind {
                StoreType::Ca | StoreType::SigningAuthority => TrustStoreError::NotAnAuthority { subject },
                StoreType::Tsa => TrustStoreError::NotARoot { subject },
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::x509::testing::{Issued, chain};

    fn loaded(kind: &str, certificates: &[Certificate]) -> Result<usize, TrustStoreError> {
        let name: StoreName = format!("{kind}:x").parse().unwrap();
        let mut store = TrustStore::default();
        store.insert(name.clone(), Ok(certificates.to_vec()));
        store.certificates(&name).map(<[Certificate]>::len)
    }

    #[test]
    fn a_store_holds_what_can_be_an_anchor_and_one_offender_spoils_it() {
        let Issued { certificates, .. } = chain();
        let [leaf, intermediate, root] = &certificates[..] else {
            panic!("a chain of three");
        };
        let subject = |certificate: &Certificate| Foreign::new(certificate.subject().to_string());
        for kind in ["ca", "signingAuthority"] {
            assert_eq!(loaded(kind, &[intermediate.clone(), root.clone()]), Ok(2));
            assert_eq!(
                loaded(kind, &[root.clone(), leaf.clone()]),
                Err(TrustStoreError::NotAnAuthority {
                    subject: subject(leaf)
                })
            );
            assert_eq!(loaded(kind, &[]), Err(TrustStoreError::Empty));
        }
        assert_eq!(loaded("tsa", std::slice::from_ref(root)), Ok(1));
        assert_eq!(
            loaded("tsa", std::slice::from_ref(intermediate)),
            Err(TrustStoreError::NotARoot {
                subject: subject(intermediate)
            })
        );
    }

    #[test]
    fn absent_and_unusable_are_told_apart() {
        let (absent, broken): (StoreName, StoreName) = ("ca:a".parse().unwrap(), "ca:b".parse().unwrap());
        let mut store = TrustStore::default();
        store.insert(broken.clone(), Err(TrustStoreError::Empty));
        assert_eq!(store.certificates(&absent), Err(TrustStoreError::Missing));
        assert_eq!(store.certificates(&broken), Err(TrustStoreError::Empty));
        assert_eq!(store.iter().count(), 1);
    }
}
