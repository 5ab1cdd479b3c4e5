//! The facts of a build, whatever host it ran on.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{Parameter, Parameters, is_uri};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;

/// The build type of a build that no CI host vouches for; the URI is the page that defines it.
pub const MANUAL_BUILD_TYPE: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/manual.md";

/// Why a text cannot stand in a provenance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {}", found.quote())]
pub struct FactError {
    /// What was expected.
    pub expected: &'static str,
    /// The text.
    pub found: Foreign,
}

impl Classified for FactError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("write a URI with its scheme, as in https://git.example.com/team/web".to_owned())
    }
}

/// A builder's URI, the trust anchor of a provenance (SLSA provenance v1, `runDetails.builder.id`).
///
/// Every mode of building with other security properties needs another one.
///
/// ```
/// use countersign::domain::provenance::BuilderId;
/// let id: BuilderId = "https://ci.example.com/builders/release".parse()?;
/// assert_eq!(id.to_string(), "https://ci.example.com/builders/release");
/// assert!("release builder".parse::<BuilderId>().is_err());
/// # Ok::<(), countersign::domain::provenance::FactError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuilderId(String);

impl BuilderId {
    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BuilderId {
    type Err = FactError;

    fn from_str(text: &str) -> Result<Self, FactError> {
        if is_uri(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(FactError {
                expected: "the builder's URI, as https://ci.example.com/builder",
                found: Foreign::new(text),
            })
        }
    }
}

impl fmt::Display for BuilderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the source of a build is: a URI, and the commit if the text ends in `@` and 40 or 64 hex digits.
///
/// ```
/// use countersign::domain::provenance::Source;
/// let source: Source = "https://git.example.com/team/web@0123456789abcdef0123456789abcdef01234567".parse()?;
/// assert_eq!(source.uri(), "https://git.example.com/team/web");
/// assert_eq!(source.commit(), Some("0123456789abcdef0123456789abcdef01234567"));
/// # Ok::<(), countersign::domain::provenance::FactError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    uri: String,
    commit: Option<String>,
}

impl Source {
    /// The URI without the commit.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The Git commit: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }
}

fn git_uri(uri: &str) -> String {
    if uri.starts_with("git+") || uri.starts_with("git:") {
        uri.to_owned()
    } else {
        format!("git+{uri}")
    }
}

/// A Git object name in full: SHA-1 or SHA-256, in lower-case hex.
pub(crate) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl FromStr for Source {
    type Err = FactError;

    fn from_str(text: &str) -> Result<Self, FactError> {
        let (uri, commit) = match text.rsplit_once('@') {
            Some((uri, commit)) if is_commit(commit) => (uri, Some(commit.to_owned())),
            _ => (text, None),
        };
        if is_uri(uri) {
            Ok(Self {
                uri: uri.to_owned(),
                commit,
            })
        } else {
            Err(FactError {
                expected: "the source's URI, optionally followed by @ and a full commit id",
                found: Foreign::new(text),
            })
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)?;
        self.commit.iter().try_for_each(|commit| write!(f, "@{commit}"))
    }
}

/// Something the build was made from (SLSA provenance v1, `resolvedDependencies`, a `ResourceDescriptor`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Where it was found.
    pub uri: String,
    /// Its digests by algorithm (in-toto `digest_set.md`: `gitCommit`, `sha256`, …); may be empty.
    pub digest: BTreeMap<String, String>,
}

/// With a commit the source is a Git repository, and says so by `git+`, as SPDX download locations and SLSA's
/// examples write it.
impl From<Source> for Dependency {
    fn from(source: Source) -> Self {
        match source.commit {
            Some(commit) => Self {
                uri: format!("{}@{commit}", git_uri(&source.uri)),
                digest: BTreeMap::from([("gitCommit".to_owned(), commit)]),
            },
            None => Self {
                uri: source.uri,
                digest: BTreeMap::new(),
            },
        }
    }
}

/// Everything a provenance says about one build (SLSA provenance v1), whatever host it ran on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildFacts {
    /// The URI of the page that says what the parameters mean.
    pub build_type: String,
    /// Who vouches for the build.
    pub builder: BuilderId,
    /// Versions of the parts of the builder, by name.
    pub builder_version: BTreeMap<String, String>,
    /// What the outside could choose; consumers refuse what they do not know.
    pub external_parameters: Parameters,
    /// What the builder chose itself.
    pub internal_parameters: Parameters,
    /// What it was made from; the source comes first.
    pub resolved_dependencies: Vec<Dependency>,
    /// This very run.
    pub invocation_id: Option<String>,
    /// When the build began, where a host says so.
    pub started_on: Option<Timestamp>,
}

impl BuildFacts {
    /// A build outside a known CI host, described by whoever runs countersign (`docs/buildtypes/manual.md`).
    pub fn manual(builder: BuilderId, source: Source) -> Self {
        Self {
            build_type: MANUAL_BUILD_TYPE.to_owned(),
            builder,
            builder_version: own_version(),
            external_parameters: Parameters::from([(
                "source".to_owned(),
                Parameter::Text(source.to_string()),
            )]),
            internal_parameters: Parameters::new(),
            resolved_dependencies: vec![source.into()],
            invocation_id: None,
            started_on: None,
        }
    }
}

/// Which countersign wrote the provenance.
fn own_version() -> BTreeMap<String, String> {
    BTreeMap::from([("countersign".to_owned(), env!("CARGO_PKG_VERSION").to_owned())])
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_commit_is_the_full_lower_case_name_after_the_last_at() {
        let source = |text: &str| text.parse::<Source>().unwrap();
        let at_ref = source("https://h/r@refs/heads/main");
        assert_eq!(
            (at_ref.uri(), at_ref.commit()),
            ("https://h/r@refs/heads/main", None)
        );
        let upper = format!("https://h/r@{}", COMMIT.to_uppercase());
        assert_eq!(source(&upper).commit(), None);
        let both = source(&format!("ssh://git@h/r@{COMMIT}"));
        assert_eq!((both.uri(), both.commit()), ("ssh://git@h/r", Some(COMMIT)));
        let long = "ab".repeat(32);
        assert_eq!(
            source(&format!("https://h/r@{long}")).commit(),
            Some(long.as_str())
        );
        assert_eq!(both.to_string(), format!("ssh://git@h/r@{COMMIT}"));
    }

    #[test]
    fn only_a_source_with_a_commit_is_called_git() {
        let dependency = |text: &str| Dependency::from(text.parse::<Source>().unwrap());
        assert_eq!(dependency("https://h/r.tgz").uri, "https://h/r.tgz");
        assert_eq!(dependency("https://h/r.tgz").digest, BTreeMap::new());
        let git = dependency(&format!("https://h/r@{COMMIT}"));
        assert_eq!(git.uri, format!("git+https://h/r@{COMMIT}"));
        assert_eq!(
            git.digest,
            BTreeMap::from([("gitCommit".to_owned(), COMMIT.to_owned())])
        );
        assert_eq!(
            dependency(&format!("git+ssh://h/r@{COMMIT}")).uri,
            format!("git+ssh://h/r@{COMMIT}")
        );
    }

    #[test]
    fn an_error_names_what_was_found_and_shows_the_form() {
        let error = "team/web\u{202e}".parse::<Source>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected the source's URI, optionally followed by @ and a full commit id, found \"team/web\\u{202e}\""
        );
        assert_eq!(error.class(), Class::Usage);
        assert!(error.hint().unwrap().contains("https://"));
        assert!("my builder".parse::<BuilderId>().is_err());
    }
}
