//! References to images: where, which tag, which digest (OCI distribution specification 1.1, "Pulling manifests").

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Digest, DigestError};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;

/// Why a text is not a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// No registry host in front.
    #[error("expected a registry host in front of the repository, found {}", .0.quote())]
    NoHost(Foreign),
    /// A host that is none.
    #[error("expected a registry host (name or address, optionally :port), found {}", .0.quote())]
    Host(Foreign),
    /// A repository path that breaks the grammar.
    #[error("expected a repository (lower-case words joined by / . _ or -), found {}", .0.quote())]
    Repository(Foreign),
    /// A tag that breaks the grammar.
    #[error("expected a tag (up to 128 of letters, digits, _ . -), found {}", .0.quote())]
    Tag(Foreign),
    /// A digest that breaks the grammar.
    #[error("after @")]
    Digest(#[from] DigestError),
    /// `oci:` without a path.
    #[error("expected a directory after oci:, found {}", .0.quote())]
    Layout(Foreign),
}

impl Classified for ReferenceError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoHost(found) => Some(format!(
                "write the host, as in registry.example.com/team/web:1.4; for an OCI layout on disk write {}",
                layout_of(found)
            )),
            Self::Host(found) if matches!(found.raw(), "https:" | "http:") => {
                Some("write the reference without it, as in registry.example.com/team/web:1.4".to_owned())
            }
            Self::Layout(_) => Some("write oci:PATH, as in oci:build/web:1.4".to_owned()),
            _ => None,
        }
    }
}

/// How a path is written that was perhaps meant as the directory of a layout; only plain words are repeated.
fn layout_of(found: &Foreign) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    match found.raw() {
        path if !path.is_empty() && path.len() <= 80 && path.bytes().all(plain) => format!("oci:{path}"),
        _ => "oci:PATH".to_owned(),
    }
}

/// A registry's host and optional port, as `registry.example.com:5000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryHost(String);

impl RegistryHost {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host without the port; brackets of an IPv6 address stay.
    pub fn name(&self) -> &str {
        match self.0.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => &self.0,
        }
    }
}

impl FromStr for RegistryHost {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let host = Self(text.to_owned());
        let port_ok = match text.strip_prefix(host.name()) {
            Some("") => true,
            Some(port) => port
                .get(1..)
                .is_some_and(|digits| digits.parse::<u16>().is_ok_and(|n| n > 0)),
            None => false,
        };
        let name_ok = if let Some(address) = host.name().strip_prefix('[') {
            address
                .strip_suffix(']')
                .is_some_and(|a| a.parse::<std::net::Ipv6Addr>().is_ok())
        } else {
            host.name().len() <= 253 && host.name().split('.').all(is_host_label)
        };
        if port_ok && name_ok {
            Ok(host)
        } else {
            Err(ReferenceError::Host(Foreign::new(text)))
        }
    }
}

/// RFC 1123, 2.1, with the underscore that local names use.
fn is_host_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A repository on a registry: `host/path`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: RegistryHost,
    path: String,
}

impl Repository {
    /// The registry.
    pub fn host(&self) -> &RegistryHost {
        &self.host
    }

    /// The repository's name on that registry.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Distribution specification 1.1: components of `[a-z0-9]+` joined by `.`, `_`, `__` or hyphens, at most 255 in all.
fn is_repository_path(path: &str) -> bool {
    (1..=255).contains(&path.len()) && path.split('/').all(is_path_component)
}

fn is_path_component(component: &str) -> bool {
    let separators = |c: char| matches!(c, '.' | '_' | '-');
    let words_ok = component
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    let runs_ok = component
        .split(|c: char| !separators(c))
        .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'));
    !component.is_empty()
        && words_ok
        && runs_ok
        && !component.starts_with(separators)
        && !component.ends_with(separators)
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (host, path) = text
            .split_once('/')
            .ok_or_else(|| ReferenceError::NoHost(Foreign::new(text)))?;
        // Without a dot, a port or the name localhost the first word is a repository's, not a host's.
        if !host.contains(['.', ':']) && host != "localhost" {
            return Err(ReferenceError::NoHost(Foreign::new(text)));
        }
        let host = host.parse()?;
        if is_repository_path(path) {
            Ok(Self {
                host,
                path: path.to_owned(),
            })
        } else {
            Err(ReferenceError::Repository(Foreign::new(path)))
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// A tag: up to 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let first_ok = text.bytes().next().is_some_and(word);
        if first_ok && text.len() <= 128 && text.bytes().all(|b| word(b) || b == b'.' || b == b'-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(ReferenceError::Tag(Foreign::new(text)))
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The directory of an OCI image layout.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayoutPath(PathBuf);

impl LayoutPath {
    /// Names a directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// Where an image is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In a repository of a registry.
    Repository(Repository),
    /// In an OCI image layout on disk.
    Layout(LayoutPath),
}

impl fmt::Display for Place {
    /// `host/path`, or `oci:PATH`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(repository) => repository.fmt(f),
            Self::Layout(path) => write!(f, "oci:{}", path.0.display()),
        }
    }
}

/// An image as a person names it: a place, and a tag, a digest, both or (in a layout) neither.
///
/// ```
/// use countersign::domain::oci::ImageRef;
/// let image: ImageRef = "registry.example.com:5000/team/web:1.4".parse()?;
/// assert_eq!(image.tag().unwrap().as_str(), "1.4");
/// let layout: ImageRef = "oci:build/web:1.4".parse()?;
/// assert_eq!(layout.to_string(), "oci:build/web:1.4");
/// assert!("team/web:1.4".parse::<ImageRef>().is_err());
/// # Ok::<(), countersign::domain::oci::ReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    place: Place,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl ImageRef {
    /// Puts a reference together.
    pub fn new(place: Place, tag: Option<Tag>, digest: Option<Digest>) -> Self {
        Self { place, tag, digest }
    }

    /// Where the image is kept.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The tag, if named.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, if named.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }
}

impl FromStr for ImageRef {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        // The tag follows the last colon behind the last slash; a colon before it is a port or part of a path.
        let (layout, name) = match name.strip_prefix("oci:") {
            Some(path) => (true, path),
            None => (false, name),
        };
        let last_word = name.rfind('/').map_or(0, |slash| slash + 1);
        let colon = name
            .get(last_word..)
            .and_then(|word| word.find(':'))
            .map(|at| last_word + at);
        let (name, tag) = match colon.and_then(|at| Some((name.get(..at)?, name.get(at + 1..)?))) {
            Some(_) if !layout && last_word == 0 => return Err(ReferenceError::NoHost(Foreign::new(text))),
            Some((name, tag)) => (name, Some(tag.parse::<Tag>()?)),
            None => (name, None),
        };
        let place = if layout {
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(ReferenceError::Layout(Foreign::new(text)));
            }
            Place::Layout(LayoutPath::new(name))
        } else {
            Place::Repository(name.parse()?)
        };
        Ok(Self { place, tag, digest })
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> ReferenceError {
        text.parse::<ImageRef>().unwrap_err()
    }

    #[test]
    fn names_without_a_host_are_refused_with_a_hint() {
        for text in ["web", "web:1.4", "team/web", "library/web:1", "web@sha256:00", ""] {
            match error(text) {
                ReferenceError::NoHost(_) => {}
                ReferenceError::Digest(_) if text.contains('@') => {}
                other => panic!("{text}: {other}"),
            }
        }
        assert!(error("web:1.4").hint().unwrap().contains("registry.example.com"));
    }

    #[test]
    fn each_part_is_blamed_for_its_own_fault() {
        assert!(matches!(
            error("r.example/Team/web"),
            ReferenceError::Repository(_)
        ));
        assert!(matches!(error("r.example/a//b"), ReferenceError::Repository(_)));
        assert!(matches!(error("r.example/a/..:1"), ReferenceError::Repository(_)));
        assert!(matches!(error("r.example/a:-1"), ReferenceError::Tag(_)));
        assert!(matches!(error("r.example/a@sha256:0"), ReferenceError::Digest(_)));
        assert!(matches!(error("r..example/a"), ReferenceError::Host(_)));
        assert!(matches!(error("r.example:0/a"), ReferenceError::Host(_)));
        assert!(matches!(error("oci:"), ReferenceError::Layout(_)));
    }

    #[test]
    fn ports_addresses_and_separators_parse() {
        for text in [
            "localhost/a",
            "127.0.0.1:5000/a/b_c/d__e/f--g:v1",
            "[::1]:5000/a",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/web:1.4",
            "oci:./a.b/c:1.4",
            "oci:/tmp/x",
        ] {
            assert_eq!(text.parse::<ImageRef>().unwrap().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_parses_prints_the_same(text in "(oci:)?[a-z.:]{1,12}(/[a-z0-9._-]{1,8}){0,2}(:[A-Za-z0-9._-]{1,6})?") {
            if let Ok(image) = text.parse::<ImageRef>() {
                prop_assert_eq!(image.to_string(), text);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<ImageRef>();
        }
    }
}
