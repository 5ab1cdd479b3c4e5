//! Versions of verification plugins (Semantic Versioning 2.0.0, sections 2, 9, 10 and 11).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::base::foreign::Foreign;

/// Why a text is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a version like 1.0.350 (Semantic Versioning 2.0.0), found {}", .0.quote())]
pub struct VersionError(pub Foreign);

/// Longest version read, in bytes (ours).
const VERSION_BYTES: usize = 256;

/// A semantic version, ordered by precedence: a pre-release comes before its release, and build metadata counts for
/// nothing.
///
/// ```
/// use countersign::domain::trust::Version;
/// let version = |text: &str| text.parse::<Version>();
/// assert!(version("1.0.0-alpha")? < version("1.0.0")?);
/// assert!(version("2.0.0")? < version("10.0.0")?);
/// assert!(version("v1.0.0").is_err());
/// # Ok::<(), countersign::domain::trust::VersionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Version {
    text: String,
    core: [Number; 3],
    pre_release: Vec<Identifier>,
}

/// A number of any length, as its digits without leading zeros; longer is larger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Number(usize, String);

/// A dot-separated part of a pre-release; numbers come before words (Semantic Versioning 2.0.0, section 11.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(Number),
    Word(String),
}

impl Version {
    /// A release, as `release(1, 0, 350)` is 1.0.350.
    pub fn release(major: u32, minor: u32, patch: u32) -> Self {
        let number = |n: u32| Number(n.to_string().len(), n.to_string());
        Self {
            text: format!("{major}.{minor}.{patch}"),
            core: [number(major), number(minor), number(patch)],
            pre_release: Vec::new(),
        }
    }

    fn precedence(&self, other: &Self) -> Ordering {
        let pre_release = match (self.pre_release.is_empty(), other.pre_release.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.pre_release.cmp(&other.pre_release),
        };
        self.core.cmp(&other.core).then(pre_release)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.precedence(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence(other)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        read(text)
            .filter(|_| text.len() <= VERSION_BYTES)
            .ok_or_else(|| VersionError(Foreign::new(text)))
    }
}

fn read(text: &str) -> Option<Version> {
    let (rest, build) = match text.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (text, None),
    };
    let (core, pre_release) = match rest.split_once('-') {
        Some((core, pre_release)) => (core, Some(pre_release)),
        None => (rest, None),
    };
    if build.is_some_and(|build| !build.split('.').all(is_word)) {
        return None;
    }
    let mut parts = core.split('.').map(number);
    let core = [parts.next()??, parts.next()??, parts.next()??];
    let pre_release = pre_release.map_or(Some(Vec::new()), |words| {
        words.split('.').map(identifier).collect()
    })?;
    parts.next().is_none().then(|| Version {
        text: text.to_owned(),
        core,
        pre_release,
    })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn number(text: &str) -> Option<Number> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0'))).then(|| Number(text.len(), text.to_owned()))
}

fn identifier(text: &str) -> Option<Identifier> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        number(text).map(Identifier::Number)
    } else {
        is_word(text).then(|| Identifier::Word(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn precedence_is_the_one_of_section_11() {
        let ordered = [
            "0.0.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "2.0.0",
            "10.0.0",
            "10.0.99999999999999999999999999",
        ];
        let versions: Vec<Version> = ordered.iter().map(|text| text.parse().unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b));
        assert_eq!("1.0.0+a".parse::<Version>(), "1.0.0+b".parse());
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            "1",
            "1.0",
            "v1.0.0",
            "01.0.0",
            "1.0.0-",
            "1.0.0+",
            "1.0.0.0",
            " 1.0.0",
            "1.0.0\n",
            "1.0.0-01",
            "1.0.0-a..b",
            "1.0.0-ä",
        ] {
            assert_eq!(
                text.parse::<Version>(),
                Err(VersionError(Foreign::new(text))),
                "{text}"
            );
        }
        assert!("1.0.0-rc.1+b".parse::<Version>().is_ok());
    }

    proptest! {
        #[test]
        fn a_version_prints_as_it_was_read(text in "[0-9.+a-]{0,20}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }
    }
}
