//! Why a text does not name images: every problem of it at once, each with its place.

use std::fmt;

use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::problems::Problems;
use crate::base::tree::{DocumentError, Position};
use crate::domain::oci::ReferenceError;

/// Lines named before one hint; more are counted (ours).
const LINES: usize = 3;

/// What is wrong with one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoffError {
    /// The format that the text was read as, where one was chosen.
    pub format: Option<&'static str>,
    /// The problems in the order in which they stand; never empty.
    pub problems: Problems<Problem>,
}

/// One problem and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place.
    pub spot: Spot,
    /// What is wrong.
    pub trouble: Trouble,
}

/// A place in a text; what is not known is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// Line and column; none for the text as a whole, also where one word is all of it.
    pub at: Option<Position>,
    /// The member, as `web["image.name"]`.
    pub member: Option<String>,
}

impl Spot {
    /// The same place, as that of a member.
    pub(super) fn of(self, member: impl Into<String>) -> Self {
        let member = Some(member.into());
        Self { member, ..self }
    }
}

impl From<DocumentError> for Problem {
    fn from(error: DocumentError) -> Self {
        let spot = Spot {
            at: error.at(),
            member: Some(error.path().to_owned()).filter(|path| !path.is_empty()),
        };
        let trouble = Trouble::Document(error);
        Self { spot, trouble }
    }
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Not text, or text with a byte order mark or NUL.
    #[error("expected UTF-8 text without byte order mark and NUL, found another byte at offset {offset}")]
    Encoding {
        /// Bytes before it.
        offset: usize,
    },
    /// More than is read.
    #[error("expected at most {limit} {what}")]
    TooMuch {
        /// How many.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// JSON or YAML that cannot be read, or a member of another shape.
    #[error("{}", .0.reason())]
    Document(DocumentError),
    /// A key that stands twice, with two values.
    #[error("expected every key once, found {} again", .0.quote())]
    Repeated(Foreign),
    /// No reference.
    #[error(transparent)]
    Reference(ReferenceError),
    /// Upper-case letters in a repository.
    #[error("expected a repository in lower case, found {}", .0.quote())]
    UpperCase(Foreign),
    /// A user name or password; never shown.
    #[error("expected a reference, found one with a user name or password in front of the host (not shown)")]
    Credentials,
    /// A name that GitHub's list of artifacts could not hold; it may be a variable's, so it is not shown.
    #[error("expected a reference, found text with an equals sign in it (not shown)")]
    Equals,
    /// A line that the format does not have; not shown, since it may be anything.
    #[error("expected {0}, found something else")]
    Line(&'static str),
    /// Something else than a digest.
    #[error("expected a digest (sha256: and 64 lower-case hex digits), found {}", .0.quote())]
    Digest(Foreign),
    /// A line of words, as logs have them; not shown, since it may be anything.
    #[error("expected a reference alone on its line, found several words")]
    Words,
    /// A bare digest among references.
    #[error("expected a reference as on the other lines, found the bare digest {}", .0.quote())]
    Mixed(Foreign),
    /// The digest of a configuration.
    #[error("expected the digest of a manifest, found {}, which is the digest of the image's configuration", .0.quote())]
    ConfigDigest(Foreign),
    /// An image id where no digest is.
    #[error("expected a digest, found only an image id, which names a configuration and not what was pushed")]
    ImageId,
    /// The result of `nix build`.
    #[error(
        "expected a pushed image, found a path in /nix/store, which is an archive or a description of one"
    )]
    NixResult,
    /// The path of a layout, as ko prints it.
    #[error("expected a reference, found the path of an OCI layout: {}", .0.quote())]
    LayoutPath(Foreign),
    /// An index without its layout.
    #[error("expected an OCI layout, found an index without the file oci-layout beside it")]
    LoneIndex,
    /// One name, two digests.
    #[error("expected one digest for {}, found two", .0.quote())]
    TwoDigests(Foreign),
    /// A member that has to go along with another.
    #[error("expected {expected}, found {}", found.quote())]
    Value {
        /// What.
        expected: &'static str,
        /// What stands there.
        found: Foreign,
    },
    /// Two formats fit.
    #[error("expected one format, found that both {first} and {second} fit and name different images")]
    Ambiguous {
        /// One, as `F05 (buildx)`.
        first: String,
        /// The other.
        second: String,
    },
    /// JSON of no known shape.
    #[error("expected JSON of a format that is known, found {found}")]
    Unknown {
        /// Its members, or what it is.
        found: String,
    },
    /// Nothing that was pushed.
    #[error("expected at least one pushed image, found none")]
    NothingPushed,
    /// A file of a known name that hands nothing over.
    #[error("expected a file that names images, found GoReleaser's own metadata.json")]
    GoreleaserMetadata,
}

impl Trouble {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Reference(problem) => return problem.hint(),
            Self::Document(DocumentError::DuplicateKey { .. }) | Self::Repeated(_) => {
                "keep the one that is meant, and take the other away"
            }
            Self::UpperCase(_) => {
                "registries know lower-case repositories only; name the repository as it was pushed"
            }
            Self::Credentials => "give registry credentials by a docker login, never inside a reference",
            Self::Words => {
                "what a tool logs is no list; give what it writes for others to read, as with docker buildx \
                 --metadata-file, ko --image-refs, skopeo --digestfile or oras --format json"
            }
            Self::Mixed(_) => "give the bare digest apart, with digest and names",
            Self::ConfigDigest(_) => {
                "take the digest that the push reported; docker calls the other one image id"
            }
            Self::ImageId => "publish to a registry, so that the build reports a digest",
            Self::NixResult => {
                "push it, for instance with skopeo copy --digestfile, and give that digest with names"
            }
            Self::LayoutPath(path) if is_plain(path.raw()) => {
                let path = path.raw();
                return Some(format!(
                    "write oci:{path}, or push the layout and name what was pushed"
                ));
            }
            Self::LayoutPath(_) => "write oci:PATH, or push the layout and name what was pushed",
            Self::LoneIndex => "name the layout's directory, and give repository",
            Self::Ambiguous { .. } => "say which is meant with images-format",
            Self::Unknown { .. } => {
                "give references as registry.example.com/team/web@sha256:…, or say the format with images-format"
            }
            Self::NothingPushed => "push the image in the build, so that its digest is known",
            Self::GoreleaserMetadata => "GoReleaser lists its images in dist/artifacts.json",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// Whether a path may stand in a sentence as it is.
fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    path.len() <= 80 && path.bytes().all(plain)
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.member.is_some() && self.at.is_some() {
            ", "
        } else {
            ""
        };
        write!(f, "{}{between}", self.member.as_deref().unwrap_or_default())?;
        match self.at {
            Some(Position { line, column }) => write!(f, "line {line}, column {column}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.spot != Spot::default() {
            write!(f, "{}: ", self.spot)?;
        }
        self.trouble.fmt(f)?;
        // Display of a transparent reference error does not tell its source.
        let mut source = std::error::Error::source(&self.trouble);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for HandoffError {
    /// A line for each problem, where there are several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(format) = self.format {
            write!(f, "as {format}: ")?;
        }
        write!(f, "{:#}", self.problems)
    }
}

impl std::error::Error for HandoffError {}

impl Classified for HandoffError {
    fn class(&self) -> Class {
        Class::Usage
    }

    /// A line for each fix; what does not fix all that is told says what it fixes.
    fn hint(&self) -> Option<String> {
        let mut hints: Vec<(String, Vec<&Spot>)> = Vec::new();
        for problem in self.problems.shown() {
            let Some(hint) = problem.trouble.hint() else {
                continue;
            };
            match hints.iter_mut().find(|(known, _)| *known == hint) {
                Some((_, spots)) => spots.push(&problem.spot),
                None => hints.push((hint, vec![&problem.spot])),
            }
        }
        let told = self.problems.shown().len();
        let line = |(hint, spots): &(String, Vec<&Spot>)| match lines(spots) {
            Some(lines) if spots.len() < told => format!("{lines}: {hint}"),
            _ => hint.clone(),
        };
        let hints: Vec<String> = hints.iter().map(line).collect();
        (!hints.is_empty()).then(|| hints.join("\n"))
    }
}

/// `line 3`, or `lines 1, 4, 5 and 2 more`; none where they have no lines.
fn lines(spots: &[&Spot]) -> Option<String> {
    let mut lines: Vec<u32> = spots.iter().filter_map(|spot| Some(spot.at?.line)).collect();
    lines.dedup();
    let shown: Vec<String> = lines.iter().take(LINES).map(u32::to_string).collect();
    let word = if lines.len() > 1 { "lines" } else { "line" };
    match lines.len().checked_sub(LINES) {
        _ if shown.is_empty() => None,
        Some(more @ 1..) => Some(format!("{word} {} and {more} more", shown.join(", "))),
        _ => Some(format!("{word} {}", shown.join(", "))),
    }
}
