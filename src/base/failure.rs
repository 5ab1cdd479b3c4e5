//! Failure classes: what a pipeline needs to know to decide between retrying, fixing rights and stopping.

use std::fmt;

/// What kind of "no" an error is; decides the exit code.
///
/// The order of the variants is the order of severity, worst last, so that [`Class::worst`] is a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A service did not answer well after retries; running again may help.
    Unavailable,
    /// An image, repository, file of a layout or signing profile is not there.
    Missing,
    /// Credentials or a permission are lacking.
    Refused,
    /// The tool worked; the answer is no.
    Rejected,
    /// Bytes do not match their digest, or a signer returned what does not verify.
    Tampered,
    /// Inputs, policy or trust store are wrong; nothing was touched.
    Usage,
    /// A bug in countersign.
    Internal,
}

impl Class {
    /// Every class, in the order of their exit codes.
    pub const ALL: [Self; 7] = [
        Self::Rejected,
        Self::Usage,
        Self::Unavailable,
        Self::Refused,
        Self::Missing,
        Self::Tampered,
        Self::Internal,
    ];

    /// The process exit code of this class; 0 is success and has no class.
    ///
    /// ```
    /// use countersign::base::failure::Class;
    /// assert_eq!(Class::Rejected.exit_code(), 1);
    /// assert_eq!(Class::Internal.exit_code(), 70);
    /// ```
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Rejected => 1,
            Self::Usage => 2,
            Self::Unavailable => 3,
            Self::Refused => 4,
            Self::Missing => 5,
            Self::Tampered => 6,
            Self::Internal => 70,
        }
    }

    /// The one-word name used in reports and documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Usage => "usage",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
            Self::Missing => "missing",
            Self::Tampered => "tampered",
            Self::Internal => "internal",
        }
    }

    /// What the class means, as the README's table of exit codes says it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Rejected => "the tool worked; the answer is no",
            Self::Usage => "inputs, policy or trust store are wrong; nothing was touched",
            Self::Unavailable => "a service did not answer well after retries; running again may help",
            Self::Refused => "credentials or a permission are lacking",
            Self::Missing => "an image, repository or signing profile is not there",
            Self::Tampered => "bytes do not match their digest, or a signer returned what does not verify",
            Self::Internal => "a bug in countersign; please report it",
        }
    }

    /// The class that decides when several targets failed: internal, then tampered, rejected, refused, missing,
    /// unavailable. Usage errors are found before any target starts and outrank all but internal.
    pub fn worst(classes: impl IntoIterator<Item = Self>) -> Option<Self> {
        classes.into_iter().max()
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error that knows its [`Class`], and sometimes how to fix itself.
pub trait Classified: std::error::Error {
    /// The class that decides the exit code.
    fn class(&self) -> Class;

    /// What to do about it, where the code knows better than the reader.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// A finished error: class, the whole chain of causes in one line, and the hint.
///
/// This is the form in which errors of every room travel to the report, comparable in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Decides the exit code.
    pub class: Class,
    /// The chain of causes, outermost first, joined by colons; several problems of one text have a line each.
    pub message: String,
    /// What to do about it; a line for each fix.
    pub hint: Option<String>,
}

impl Cause {
    /// Flattens an error and its sources into one line.
    pub fn of(error: &impl Classified) -> Self {
        Self {
            class: error.class(),
            message: in_full(error),
            hint: error.hint(),
        }
    }

    /// The same, met while what a person named was read: an input as its host spells it.
    #[must_use]
    pub fn within(self, input: &str) -> Self {
        Self {
            message: format!("could not use {input}: {}", self.message),
            ..self
        }
    }
}

/// An error and its sources in one line, outermost first, joined by colons.
pub fn in_full(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        message.push_str(": ");
        message.push_str(&inner.to_string());
        source = inner.source();
    }
    message
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not read the policy")]
    struct Outer(#[source] std::fmt::Error);

    impl Classified for Outer {
        fn class(&self) -> Class {
            Class::Usage
        }
    }

    #[test]
    fn codes_are_the_published_ones() {
        let codes: Vec<u8> = Class::ALL.iter().map(|class| class.exit_code()).collect();
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 70]);
    }

    #[test]
    fn worst_follows_the_published_order() {
        use Class::{Internal, Missing, Refused, Rejected, Tampered, Unavailable};
        assert_eq!(Class::worst([Unavailable, Missing]), Some(Missing));
        assert_eq!(Class::worst([Refused, Missing]), Some(Refused));
        assert_eq!(Class::worst([Rejected, Refused]), Some(Rejected));
        assert_eq!(Class::worst([Tampered, Rejected]), Some(Tampered));
        assert_eq!(Class::worst([Internal, Tampered]), Some(Internal));
        assert_eq!(Class::worst([]), None);
    }

    #[test]
    fn a_cause_holds_the_whole_chain_once() {
        let cause = Cause::of(&Outer(std::fmt::Error));
        assert!(
            cause.message.starts_with("could not read the policy: "),
            "{}",
            cause.message
        );
        assert_eq!(cause.class, Class::Usage);
    }
}
