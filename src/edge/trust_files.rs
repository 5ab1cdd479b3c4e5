//! Trust policies and trust stores on disk, read into the values of [`crate::domain::trust`].
//!
//! For: a trust policy file, Notation's configuration and trust store directories, and a single file of certificates.
//! Not for: looking for such files anywhere: a person names them.
//! Speaks: the Notary Project trust store and trust policy specification ("Trust Store", "Trust Policy"), and the
//! directory layout of Notation (`truststore/x509/TYPE/NAME/`).
//!
//! Only regular files count, never symbolic links, since whoever may plant a link in a directory could otherwise
//! change what is trusted without touching it; everything is bounded in size and number.
//!
//! ```
//! use countersign::domain::trust::DerivedTrust;
//! use countersign::edge::trust_files::{notation_store, read_notation_policy, read_store};
//!
//! let config = tempfile::tempdir()?;
//! let profile = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release".parse()?;
//! let derived = DerivedTrust::aws(&[], &profile)?;
//! for file in derived.files() {
//!     let path = config.path().join(&file.path);
//!     std::fs::create_dir_all(path.parent().unwrap())?;
//!     std::fs::write(path, &file.bytes)?;
//! }
//! let given = read_notation_policy(config.path())?;
//! assert_eq!(&given.document, derived.document());
//! assert_eq!(&read_store(&notation_store(config.path()), &given.document)?, derived.store());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::limits::{Bounds, MEBIBYTE};
use crate::domain::oci::Digest;
use crate::domain::trust::{
    PolicyError, StoreName, StoreType, TrustPolicy, TrustPolicyDocument, TrustStore, TrustStoreError,
};
use crate::domain::x509::{Certificate, read_certificates};

/// Largest file of certificates (ours; the bundle of all public web roots is 220 KB).
const CERTIFICATES_BYTES: usize = MEBIBYTE;

/// Files in one trust store (ours).
const STORE_FILES: usize = 200;

/// Bytes of all files of one trust store (ours).
const STORE_BYTES: usize = 8 * MEBIBYTE;

/// The names of the policy for OCI artifacts in Notation's configuration directory; the second is the former one and
/// is read only where the first is absent.
const POLICY_FILES: [&str; 2] = ["trustpolicy.oci.json", "trustpolicy.json"];

/// Why a file that a person named cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustFileError {
    /// A file that cannot be read.
    #[error("could not read the {what} {}", quote(path))]
    File {
        /// `trust policy`, `trust store`.
        what: &'static str,
        /// Its path.
        path: String,
        /// Why.
        #[source]
        problem: FileProblem,
    },
    /// A trust policy that breaks a rule.
    #[error("could not use the trust policy {}", quote(path))]
    Policy {
        /// Its path.
        path: String,
        /// Which rule, and where.
        #[source]
        problem: PolicyError,
    },
    /// A configuration directory without a policy.
    #[error(
        "could not find a trust policy in {}: expected trustpolicy.oci.json or trustpolicy.json, found neither",
        quote(directory)
    )]
    NoPolicy {
        /// The directory.
        directory: String,
    },
    /// A directory that is no trust store.
    #[error(
        "could not use {} as trust store: expected a file of certificates, or a directory with x509/TYPE/NAME/, \
         found {found}",
        quote(path)
    )]
    NotAStore {
        /// Its path.
        path: String,
        /// What it is.
        found: &'static str,
        /// The directory below it that is one.
        nested: Option<String>,
    },
    /// A trust store that the policy names and that cannot be used.
    #[error(
        "could not use the trust store {store} of {}, which the policy {} names",
        quote(path),
        quote(policy)
    )]
    Store {
        /// The store.
        store: StoreName,
        /// The policy.
        policy: String,
        /// The file or directory that was to hold it.
        path: String,
        /// Why.
        #[source]
        problem: Box<TrustStoreError>,
    },
}

impl Classified for TrustFileError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File {
                problem: FileProblem::NotAFile { found },
                ..
            } if *found == LINK => Some("name the file that the link points to".to_owned()),
            Self::Policy { problem, .. } => problem.hint(),
            Self::NotAStore {
                nested: Some(nested), ..
            } => Some(format!("give {}", quote(nested))),
            Self::Store { problem, .. } => problem.hint(),
            _ => None,
        }
    }
}

/// Why one file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// There is no such file.
    #[error("expected a file, found none")]
    Missing,
    /// Something else than a regular file.
    #[error("expected a regular file, found {found}")]
    NotAFile {
        /// What it is.
        found: &'static str,
    },
    /// A file larger than any that is needed.
    #[error("expected at most {limit} bytes, found more")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// The system refused.
    #[error("{0}")]
    Unreadable(String),
    /// A file that holds something else than certificates.
    #[error("not a file of certificates")]
    Certificates(#[from] crate::domain::x509::CertificateError),
}

/// A trust policy that a person named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenPolicy {
    /// Its path.
    pub path: PathBuf,
    /// The digest of its bytes, so that a report can say what was checked against.
    pub digest: Digest,
    /// What it says.
    pub document: TrustPolicyDocument,
}

/// Reads a trust policy file.
///
/// # Errors
/// [`TrustFileError`] (usage), which names file, line and member.
pub fn read_policy(path: &Path) -> Result<GivenPolicy, TrustFileError> {
    let bytes = read_file(path, Bounds::SMALL_DOCUMENT.bytes).map_err(|problem| TrustFileError::File {
        what: "trust policy",
        path: text(path),
        problem,
    })?;
    let document = TrustPolicyDocument::parse(&bytes).map_err(|problem| TrustFileError::Policy {
        path: text(path),
        problem,
    })?;
    Ok(GivenPolicy {
        path: path.to_owned(),
        digest: Digest::of(&bytes),
        document,
    })
}

/// The trust policy of a Notation configuration directory: `trustpolicy.oci.json`, or, only where that is absent,
/// `trustpolicy.json`.
///
/// # Errors
/// [`TrustFileError::NoPolicy`] (usage); something of the first name that cannot be read is never passed over.
pub fn notation_policy(config: &Path) -> Result<PathBuf, TrustFileError> {
    let mut candidates = POLICY_FILES.iter().map(|name| config.join(name));
    let present = candidates.find(|path| !is_absent(path));
    present.ok_or_else(|| TrustFileError::NoPolicy {
        directory: text(config),
    })
}

/// Reads the trust policy of a Notation configuration directory.
///
/// # Errors
/// [`TrustFileError`] (usage).
pub fn read_notation_policy(config: &Path) -> Result<GivenPolicy, TrustFileError> {
    read_policy(&notation_policy(config)?)
}

/// The trust store of a Notation configuration directory.
pub fn notation_store(config: &Path) -> PathBuf {
    config.join("truststore")
}

/// Reads the trust stores that a policy names: from a Notation trust store directory, or from one file of
/// certificates, which then serves every store that the policy names. A store that cannot be used keeps the reason:
/// see [`refuse_unusable`].
///
/// # Errors
/// [`TrustFileError`] (usage) when the path is neither.
pub fn read_store(path: &Path, document: &TrustPolicyDocument) -> Result<TrustStore, TrustFileError> {
    let unreadable = |problem| TrustFileError::File {
        what: "trust store",
        path: text(path),
        problem,
    };
    let metadata = fs::metadata(path).map_err(|error| unreadable(FileProblem::of(&error)))?;
    let mut store = TrustStore::default();
    if metadata.is_dir() {
        let root = path.join("x509");
        if !root.is_dir() {
            let nested = notation_store(path);
            return Err(TrustFileError::NotAStore {
                path: text(path),
                found: "a directory without x509",
                nested: nested.join("x509").is_dir().then(|| text(&nested)),
            });
        }
        for name in document.stores() {
            store.insert(name.clone(), read_named_store(path, name));
        }
    } else {
        let bytes = read_file(path, CERTIFICATES_BYTES).map_err(unreadable)?;
        let certificates = read_certificates(&bytes).map_err(|error| unreadable(error.into()))?;
        for name in document.stores() {
            store.insert(name.clone(), Ok(certificates.clone()));
        }
    }
    Ok(store)
}

/// Reads the certificates of `truststore/x509/TYPE/NAME/`: every regular file in it, whatever its name ends in.
///
/// # Errors
/// [`TrustStoreError`] for a store that is absent or no directory of its own, and for one entry that is no regular
/// file or holds anything but certificates.
pub fn read_named_store(truststore: &Path, name: &StoreName) -> Result<Vec<Certificate>, TrustStoreError> {
    let directory = truststore.join("x509").join(name.kind().name()).join(name.name());
    let unreadable = |error: &io::Error| TrustStoreError::Unreadable {
        file: Foreign::new(text(&directory)),
        why: error.kind().to_string(),
    };
    let metadata = match fs::symlink_metadata(&directory) {
        Err(error) if is_absence(&error) => return Err(TrustStoreError::Missing),
        Err(error) => return Err(unreadable(&error)),
        Ok(metadata) => metadata,
    };
    if !metadata.is_dir() {
        let found = kind(&metadata);
        return Err(TrustStoreError::NotADirectory { found });
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(&directory).map_err(|error| unreadable(&error))? {
        if paths.len() == STORE_FILES {
            return Err(TrustStoreError::TooMany { limit: STORE_FILES });
        }
        paths.push(entry.map_err(|error| unreadable(&error))?.path());
    }
    // The system lists in any order; errors should not depend on it.
    paths.sort();
    let (mut certificates, mut bytes) = (Vec::new(), 0);
    for path in &paths {
        let found = read_store_file(path)?;
        bytes += found
            .iter()
            .map(|certificate| certificate.der().len())
            .sum::<usize>();
        if bytes > STORE_BYTES {
            return Err(TrustStoreError::TooLarge { limit: STORE_BYTES });
        }
        certificates.extend(found);
    }
    if certificates.is_empty() {
        return Err(TrustStoreError::Empty);
    }
    Ok(certificates)
}

fn read_store_file(path: &Path) -> Result<Vec<Certificate>, TrustStoreError> {
    let file = || Foreign::new(path.file_name().unwrap_or_default().to_string_lossy());
    let bytes = read_file(path, CERTIFICATES_BYTES).map_err(|problem| match problem {
        FileProblem::NotAFile { found } => TrustStoreError::NotAFile { file: file(), found },
        other => TrustStoreError::Unreadable {
            file: file(),
            why: other.to_string(),
        },
    })?;
    read_certificates(&bytes).map_err(|problem| TrustStoreError::File {
        file: file(),
        problem,
    })
}

/// Refuses a policy of which some trust store for signers cannot be used, before anything is fetched under it. Stores
/// for timestamping are judged where they are needed.
///
/// # Errors
/// [`TrustFileError::Store`] (usage) with the first one; `path` is what the store was read from.
pub fn refuse_unusable(path: &Path, store: &TrustStore, policy: &TrustPolicy) -> Result<(), TrustFileError> {
    let mut names = policy
        .stores()
        .iter()
        .filter(|name| name.kind() != StoreType::Tsa);
    names.try_for_each(|name| match store.certificates(name) {
        Ok(_) => Ok(()),
        Err(problem) => Err(TrustFileError::Store {
            store: name.clone(),
            policy: policy.name().to_owned(),
            path: text(path),
            problem: Box::new(problem),
        }),
    })
}

impl FileProblem {
    fn of(error: &io::Error) -> Self {
        if is_absence(error) {
            Self::Missing
        } else {
            Self::Unreadable(error.kind().to_string())
        }
    }
}

/// What the system calls a symbolic link, in words.
const LINK: &str = "a symbolic link";

fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        LINK
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_file() {
        "a file"
    } else {
        "a device, pipe or socket"
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn is_absent(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| is_absence(&error))
}

/// Reads a regular file of at most `limit` bytes, and none that was put in its place meanwhile.
fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, FileProblem> {
    let refused = |error: io::Error| FileProblem::of(&error);
    let named = fs::symlink_metadata(path).map_err(refused)?;
    if !named.is_file() {
        return Err(FileProblem::NotAFile { found: kind(&named) });
    }
    let file = File::open(path).map_err(refused)?;
    let opened = file.metadata().map_err(refused)?;
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err(FileProblem::Unreadable(
            "it was replaced while it was read".to_owned(),
        ));
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() > limit {
        return Err(FileProblem::TooLarge { limit });
    }
    Ok(bytes)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::base::failure::Cause;
    use crate::domain::trust::{Applicable, DerivedTrust};
    use crate::domain::x509::testing::{Issued, chain};
    use tempfile::TempDir;

    /// A configuration directory as a derived trust writes it.
    fn configuration() -> (TempDir, DerivedTrust, Issued) {
        let issued = chain();
        let trust = DerivedTrust::local(&[], &issued.certificates[0], &issued.certificates[2]).unwrap();
        let directory = TempDir::new().unwrap();
        for file in trust.files() {
            let path = directory.path().join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &file.bytes).unwrap();
        }
        (directory, trust, issued)
    }

    fn local_store(directory: &TempDir) -> PathBuf {
        directory.path().join("truststore/x509/ca/countersign-local")
    }

    fn loaded(directory: &TempDir) -> Result<usize, TrustStoreError> {
        let name: StoreName = "ca:countersign-local".parse().unwrap();
        read_named_store(&notation_store(directory.path()), &name).map(|certificates| certificates.len())
    }

    #[test]
    fn what_a_derived_trust_writes_is_read_back_as_itself() {
        let (directory, trust, _) = configuration();
        let given = read_notation_policy(directory.path()).unwrap();
        assert_eq!(given.path, directory.path().join("trustpolicy.json"));
        assert_eq!(given.digest, Digest::of(&trust.files()[0].bytes));
        assert_eq!(&given.document, trust.document());
        let store = read_store(&notation_store(directory.path()), &given.document).unwrap();
        assert_eq!(&store, trust.store());
    }

    #[test]
    fn a_single_file_serves_every_store_that_the_policy_names() {
        let (directory, trust, _) = configuration();
        let file = local_store(&directory).join("root-1.pem");
        assert_eq!(&read_store(&file, trust.document()).unwrap(), trust.store());
    }

    #[test]
    fn the_current_name_of_a_policy_wins_and_is_never_passed_over() {
        let (directory, ..) = configuration();
        let current = directory.path().join("trustpolicy.oci.json");
        fs::write(&current, "{").unwrap();
        assert!(matches!(
            read_notation_policy(directory.path()),
            Err(TrustFileError::Policy { .. })
        ));
        fs::remove_file(&current).unwrap();
        symlink("trustpolicy.json", &current).unwrap();
        let error = read_notation_policy(directory.path()).unwrap_err();
        assert_eq!(
            Cause::of(&error).message,
            format!(
                "could not read the trust policy \"{}\": expected a regular file, found a symbolic link",
                current.display()
            )
        );
        assert_eq!(error.hint().unwrap(), "name the file that the link points to");
        let empty = TempDir::new().unwrap();
        assert!(matches!(
            read_notation_policy(empty.path()),
            Err(TrustFileError::NoPolicy { .. })
        ));
    }

    #[test]
    fn a_broken_policy_is_told_with_file_line_and_member() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("policy.json");
        fs::write(
            &path,
            "{\"version\": \"1.0\",\n \"trustPolicies\": [{\"name\": 1}]}",
        )
        .unwrap();
        let cause = Cause::of(&read_policy(&path).unwrap_err());
        assert_eq!(cause.class, Class::Usage);
        assert_eq!(
            cause.message,
            format!(
                "could not use the trust policy \"{}\": not a trust policy document: trustPolicies[0].name, line 2, \
                 column 29: expected a string, found the number 1",
                path.display()
            )
        );
        fs::write(&path, " ".repeat(Bounds::SMALL_DOCUMENT.bytes + 1)).unwrap();
        assert!(matches!(
            read_policy(&path),
            Err(TrustFileError::File {
                problem: FileProblem::TooLarge { .. },
                ..
            })
        ));
        assert!(matches!(
            read_policy(&directory.path().join("absent")),
            Err(TrustFileError::File {
                problem: FileProblem::Missing,
                ..
            })
        ));
    }

    #[test]
    fn one_bad_entry_spoils_a_store() {
        let spoiled = |spoil: fn(&Path)| {
            let (directory, ..) = configuration();
            spoil(&local_store(&directory));
            loaded(&directory).unwrap_err()
        };
        assert_eq!(
            spoiled(|store| symlink("root-1.pem", store.join("a.pem")).unwrap()),
            TrustStoreError::NotAFile {
                file: Foreign::new("a.pem"),
                found: LINK
            }
        );
        assert_eq!(
            spoiled(|store| fs::create_dir(store.join("more")).unwrap()),
            TrustStoreError::NotAFile {
                file: Foreign::new("more"),
                found: "a directory"
            }
        );
        assert!(matches!(
            spoiled(|store| fs::write(store.join("a.txt"), "hello").unwrap()),
            TrustStoreError::File { .. }
        ));
        assert_eq!(
            spoiled(|store| fs::remove_file(store.join("root-1.pem")).unwrap()),
            TrustStoreError::Empty
        );
        assert_eq!(
            spoiled(|store| fs::remove_dir_all(store).unwrap()),
            TrustStoreError::Missing
        );
        assert_eq!(
            spoiled(|store| {
                fs::rename(store, store.with_file_name("elsewhere")).unwrap();
                symlink("elsewhere", store).unwrap();
            }),
            TrustStoreError::NotADirectory { found: LINK }
        );
        assert_eq!(
            spoiled(|store| {
                for n in 0..=STORE_FILES {
                    fs::write(store.join(n.to_string()), "").unwrap();
                }
            }),
            TrustStoreError::TooMany { limit: STORE_FILES }
        );
    }

    #[test]
    fn an_unusable_store_is_refused_by_name_before_it_is_needed() {
        let (directory, trust, _) = configuration();
        fs::remove_dir_all(local_store(&directory)).unwrap();
        let path = notation_store(directory.path());
        let store = read_store(&path, trust.document()).unwrap();
        let Applicable::Judge(policy) = trust.document().applicable("*").unwrap() else {
            panic!("a derived policy never skips");
        };
        let error = refuse_unusable(&path, &store, policy).unwrap_err();
        assert_eq!(
            Cause::of(&error).message,
            format!(
                "could not use the trust store ca:countersign-local of \"{}\", which the policy \
                 \"countersign-self-check\" names: expected a trust store of this name, found none",
                path.display()
            )
        );
        assert_eq!(refuse_unusable(&path, trust.store(), policy), Ok(()));
    }

    #[test]
    fn a_directory_that_is_no_trust_store_says_which_one_is_meant() {
        let (directory, trust, _) = configuration();
        let error = read_store(directory.path(), trust.document()).unwrap_err();
        assert_eq!(
            error.hint(),
            Some(format!("give \"{}/truststore\"", directory.path().display()))
        );
        let file = directory.path().join("trustpolicy.json");
        assert!(matches!(
            read_store(&file, trust.document()),
            Err(TrustFileError::File {
                problem: FileProblem::Certificates(_),
                ..
            })
        ));
    }
}
