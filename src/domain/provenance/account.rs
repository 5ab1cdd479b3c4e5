//! An account of a build: its facts, who vouches for them, and what does not fit.

use super::{BuildFacts, BuildRecord, BuilderId, Claims, Issuer, Source};
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;

/// Who vouches for the facts of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// The CI system, by an identity token whose signature was verified.
    Issuer(Issuer),
    /// The build service, by its own record of this build: its ARN.
    Record(String),
    /// Nobody: they were read from variables, which any step of the job can set.
    Environment,
    /// Whoever typed them.
    Caller,
}

/// Somebody other than the job who speaks of its build.
#[derive(Clone, Copy, Debug)]
pub enum Witness<'a> {
    /// The CI system, by a token that was verified.
    Token(&'a Claims),
    /// The build service, by its record.
    Record(&'a BuildRecord),
}

impl Witness<'_> {
    /// A claim, or a member of the record, as text.
    pub fn text(self, name: &str) -> Option<String> {
        match self {
            Self::Token(claims) => claims.text(name),
            Self::Record(record) => record.text(name),
        }
    }
}

impl From<Witness<'_>> for Voucher {
    fn from(witness: Witness<'_>) -> Self {
        match witness {
            Witness::Token(claims) => Self::Issuer(claims.issuer().clone()),
            Witness::Record(record) => Self::Record(record.arn().to_owned()),
        }
    }
}

/// Whose machine a job runs on, by the word of whoever vouches for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Runner {
    /// The CI system's.
    Hosted,
    /// The user's own.
    SelfHosted,
    /// Nobody says.
    #[default]
    Unknown,
}

/// A variable that says something else than the verified token, or than the build service's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The variable.
    pub variable: &'static str,
    /// The claim, or the member of the record.
    pub claim: &'static str,
    /// What that says.
    pub expected: Foreign,
    /// What the variable says.
    pub found: Foreign,
}

/// What is known of a build, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What the provenance says.
    pub facts: BuildFacts,
    /// Who vouches for it.
    pub voucher: Voucher,
    /// Why nobody vouches for it, in words, where nobody does.
    pub because: Option<String>,
    /// What would vouch for it, where that is not the host's token.
    pub wanted: Option<String>,
    /// The claims, or members of the record, that were used.
    pub claims: Vec<&'static str>,
    /// The variables that were used, where no claim says the same.
    pub variables: Vec<&'static str>,
    /// What does not fit.
    pub contradictions: Vec<Contradiction>,
    /// Whose machine it ran on.
    pub runner: Runner,
    /// Whether the job is that of a reusable workflow, whose steps its caller cannot change.
    pub reusable: bool,
}

impl Account {
    /// A build outside a known CI host, described by whoever runs countersign.
    pub fn manual(builder: BuilderId, source: Source) -> Self {
        Self {
            facts: BuildFacts::manual(builder, source),
            voucher: Voucher::Caller,
            because: None,
            wanted: None,
            claims: Vec::new(),
            variables: Vec::new(),
            contradictions: Vec::new(),
            runner: Runner::Unknown,
            reusable: false,
        }
    }

    /// The same, with what would vouch for it.
    #[must_use]
    pub fn wanting(self, wanted: impl Into<String>) -> Self {
        Self {
            wanted: Some(wanted.into()),
            ..self
        }
    }

    /// Whether an issuer's signature stands behind it.
    pub const fn is_verified(&self) -> bool {
        matches!(self.voucher, Voucher::Issuer(_))
    }

    /// When the build began, where somebody other than the job says so.
    pub fn began(&self) -> Option<Timestamp> {
        match self.voucher {
            Voucher::Record(_) => self.facts.started_on,
            // No token says it: of GitLab's hosts a variable does, which any step can set.
            Voucher::Issuer(_) | Voucher::Environment | Voucher::Caller => None,
        }
    }
}
