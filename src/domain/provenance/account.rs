//! An account of a build: its facts, who vouches for them, and what does not fit.

use super::{BuildFacts, BuilderId, Issuer, Source};
use crate::base::foreign::Foreign;

/// Who vouches for the facts of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// The CI system, by an identity token whose signature was verified.
    Issuer(Issuer),
    /// Nobody: they were read from variables, which any step of the job can set.
    Environment,
    /// Whoever typed them.
    Caller,
}

/// Whose machine a job runs on, by the verified token's word.
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

/// A variable that says something else than the verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The variable.
    pub variable: &'static str,
    /// The claim.
    pub claim: &'static str,
    /// What the claim says.
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
    /// Why no token vouches for it, in words, where none does.
    pub because: Option<String>,
    /// The claims that were used.
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
            claims: Vec::new(),
            variables: Vec::new(),
            contradictions: Vec::new(),
            runner: Runner::Unknown,
            reusable: false,
        }
    }

    /// Whether an issuer's signature stands behind it.
    pub const fn is_verified(&self) -> bool {
        matches!(self.voucher, Voucher::Issuer(_))
    }
}
