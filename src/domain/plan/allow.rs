//! What may be signed, decided by names alone, before any service is contacted.

use std::str::FromStr;

use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::glob;
use crate::domain::oci::Repository;

/// A pattern of `host/path`: `*` stands for anything within a segment, `**` for anything.
///
/// ```
/// use countersign::domain::plan::Glob;
/// let glob: Glob = "registry.example.com/team/**".parse()?;
/// assert!(glob.fits("registry.example.com/team/web/api"));
/// assert!(!glob.fits("registry.example.com/other"));
/// # Ok::<(), countersign::domain::plan::GlobError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

/// A text that is no pattern of repositories.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected registry.host/repository with * and **, up to {GLOB_BYTES} bytes, found {}", .0.quote())]
pub struct GlobError(Foreign);

impl Classified for GlobError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// Longest pattern (ours: a host of 253 bytes, a path of 255, and room).
const GLOB_BYTES: usize = 600;

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/*[]".contains(&byte);
        let host = text.split('/').next().unwrap_or_default();
        let has_host = !host.is_empty() && text.contains('/');
        let whole = text == "**" || has_host;
        let stars = text.bytes().filter(|byte| *byte == b'*').count();
        if whole && text.len() <= GLOB_BYTES && stars <= glob::STARS && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(GlobError(Foreign::new(text)))
        }
    }
}

impl Glob {
    /// Whether a `host/path` fits.
    pub fn fits(&self, name: &str) -> bool {
        glob::fits(&self.0, name)
    }
}

/// Outside of which nothing is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowList {
    globs: Vec<Glob>,
    words: String,
}

impl AllowList {
    /// A list; `words` is what messages call it.
    pub fn new(globs: Vec<Glob>, words: String) -> Self {
        Self { globs, words }
    }

    /// Checks one repository that `named_at` named.
    ///
    /// # Errors
    /// [`NotAllowed`] when it is outside.
    pub fn check(&self, repository: &Repository, named_at: &str) -> Result<(), NotAllowed> {
        let name = repository.to_string();
        if self.globs.iter().any(|glob| glob.fits(&name)) {
            return Ok(());
        }
        Err(NotAllowed {
            repository: name,
            named_at: named_at.to_owned(),
            list: self.words.clone(),
        })
    }
}

/// A target outside the allow-list; nothing was contacted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{repository}, named by {named_at}, is outside of what may be signed: {list}")]
pub struct NotAllowed {
    /// The target's repository.
    pub repository: String,
    /// Where it was named.
    pub named_at: String,
    /// The list, in words.
    pub list: String,
}

impl Classified for NotAllowed {
    fn class(&self) -> Class {
        Class::Usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn glob(text: &str) -> Glob {
        text.parse().unwrap()
    }

    #[test]
    fn one_star_stays_within_a_segment() {
        let segment = glob("r.example/team/*");
        assert!(segment.fits("r.example/team/web"));
        assert!(!segment.fits("r.example/team/web/api"));
        assert!(!segment.fits("r.example/teams/web"));
        assert!(glob("*.example/web").fits("r.example/web"));
        assert!(!glob("*.example/web").fits("evil/x.example/web"));
        assert!(glob("r.example/**/web").fits("r.example/a/b/web"));
        assert!(glob("**").fits("r.example/a"));
        assert!(!glob("r.example/web").fits("r.example/webs"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "web", "/web", "r.example/a b", "r.example/\u{202e}"] {
            assert!(text.parse::<Glob>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_outside_is_named_with_its_source_and_the_list() {
        let list = AllowList::new(vec![glob("r.example/team/*")], "r.example/team/*".to_owned());
        assert_eq!(
            list.check(&"r.example/team/web".parse().unwrap(), "--images"),
            Ok(())
        );
        let error = list
            .check(&"r.example/web".parse().unwrap(), "--images")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "r.example/web, named by --images, is outside of what may be signed: r.example/team/*"
        );
        assert_eq!(error.class(), Class::Usage);
    }

    proptest! {
        #[test]
        fn a_pattern_without_stars_fits_itself_alone(a in "[a-z]{1,4}/[a-z/]{1,8}", b in "[a-z]{1,4}/[a-z/]{1,8}") {
            prop_assert_eq!(glob(&a).fits(&b), a == b);
        }

        #[test]
        fn no_text_panics(pattern in any::<String>(), name in any::<String>()) {
            if let Ok(glob) = pattern.parse::<Glob>() {
                let _ = glob.fits(&name);
            }
        }
    }
}
