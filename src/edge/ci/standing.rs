//! Whether the event that runs us may sign.

use crate::base::failure::{Cause, Class};

/// Whether an event may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing speaks against it.
    Trusted,
    /// Somebody else's change is at work: sign nothing, and say so.
    Untrusted(&'static str),
    /// It may not sign, and that is an error.
    Refused(Cause),
}

impl Standing {
    /// An error of class refused.
    pub(super) fn refused(message: impl Into<String>, hint: &str) -> Self {
        Self::Refused(Cause {
            class: Class::Refused,
            message: message.into(),
            hint: Some(hint.to_owned()),
        })
    }
}
