//! A finding: one rule that fired, on what, and what was expected and found.

use std::fmt;

use super::Rule;
use crate::base::foreign::Foreign;
use crate::domain::oci::Digest;

/// How grave a finding is; the order is the order of gravity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Should be looked at.
    Warning,
    /// The answer is no.
    Error,
}

impl Level {
    /// The word that reports use, which is SARIF's (2.1.0, 3.27.10).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One rule that fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Its gravity here; starts as the rule's own.
    pub level: Level,
    /// A sentence that stands alone.
    pub message: String,
    /// The place among the targets, from 0; none for the whole run.
    pub target: Option<usize>,
    /// The digest the finding is about.
    pub digest: Option<Digest>,
    /// The platform of the manifest it is about, where that is one of an index.
    pub platform: Option<Foreign>,
    /// What was expected.
    pub expected: Option<String>,
    /// What was found.
    pub found: Option<Foreign>,
    /// What to do about it.
    pub fix: Option<String>,
    /// Where the image was named: `INPUT_IMAGES`, `metadata.json:12`, …
    pub named_at: Option<String>,
}

impl Finding {
    /// A finding of a rule at the rule's own level.
    pub fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            level: rule.level(),
            message: message.into(),
            target: None,
            digest: None,
            platform: None,
            expected: None,
            found: None,
            fix: None,
            named_at: None,
        }
    }
}
