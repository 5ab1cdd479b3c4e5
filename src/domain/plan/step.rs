//! The names of the job's steps, as reports and errors use them.

use std::fmt;

/// One step of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Reading arguments, environment and files.
    Listen,
    /// Turning what was named into targets.
    Name,
    /// Holding the targets against the allow-list.
    Allow,
    /// Finding the manifest behind a name.
    Resolve,
    /// Reading what hangs on it already.
    Observe,
    /// Deciding what is to be done.
    Plan,
    /// Having the signer sign.
    Sign,
    /// Storing the signature.
    Push,
    /// Storing the attestation and its signature.
    Attest,
    /// Reading everything back and judging it.
    Verify,
    /// Writing the report.
    Report,
}

impl Step {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Name => "name",
            Self::Allow => "allow",
            Self::Resolve => "resolve",
            Self::Observe => "observe",
            Self::Plan => "plan",
            Self::Sign => "sign",
            Self::Push => "push",
            Self::Attest => "attest",
            Self::Verify => "verify",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
