//! The words of taking on roles: sessions, their length, chains; and what cannot work whatever AWS says.
//!
//! Source: STS API reference, `AssumeRoleWithWebIdentity` and `AssumeRole`.

use std::fmt;
use std::str::FromStr;

use super::credentials::Base;
use super::regions::{Partition, RegionError};
use crate::base::arn::RoleArn;
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};

/// The roles to take on, one after the other, and how.
#[derive(Clone, Debug)]
pub struct Roles {
    /// In order; with [`Base::Token`] the first one is assumed with the token.
    pub chain: Vec<RoleArn>,
    /// The name of the session, as audit logs show it.
    pub session_name: SessionName,
    /// How long the credentials shall live.
    pub duration: SessionDuration,
    /// A word that the owner of the last role asks for; sent with `AssumeRole` only.
    pub external_id: Option<String>,
}

/// A session's name: 2 to 64 of letters, digits and `_+=,.@-` (STS API reference, `RoleSessionName`).
///
/// ```
/// use countersign::edge::aws::roles::SessionName;
/// assert_eq!(SessionName::from_text("octo-org/app run 7").to_string(), "octo-org-app-run-7");
/// assert!("octo-org/app".parse::<SessionName>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName(String);

/// Longest session name.
const SESSION_NAME_CHARS: usize = 64;

impl SessionName {
    /// Makes a name of any text: what is not allowed becomes `-`, what is too long is cut.
    pub fn from_text(text: &str) -> Self {
        let fitting = |c: char| if is_session_char(c) { c } else { '-' };
        let name: String = text.chars().map(fitting).take(SESSION_NAME_CHARS).collect();
        Self(if name.len() < 2 {
            "countersign".to_owned()
        } else {
            name
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_session_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '=' | ',' | '.' | '@' | '-')
}

impl FromStr for SessionName {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        if (2..=SESSION_NAME_CHARS).contains(&text.len()) && text.chars().all(is_session_char) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SettingsError::SessionName(Foreign::new(text)))
        }
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long a session lives: 900 to 43,200 seconds (STS API reference, `DurationSeconds`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionDuration(u16);

impl SessionDuration {
    /// The shortest there is; signing takes minutes.
    pub const SHORTEST: Self = Self(900);
    /// The longest.
    pub const LONGEST: Self = Self(43_200);
    /// The longest of a role assumed by another role.
    pub const LONGEST_CHAINED: Self = Self(3_600);

    /// Takes seconds.
    ///
    /// # Errors
    /// [`SettingsError::Duration`] outside 900 to 43,200.
    pub fn from_seconds(seconds: u64) -> Result<Self, SettingsError> {
        let duration = u16::try_from(seconds).map(Self);
        duration
            .ok()
            .filter(|duration| (Self::SHORTEST..=Self::LONGEST).contains(duration))
            .ok_or(SettingsError::Duration { seconds })
    }

    /// The seconds.
    pub const fn seconds(self) -> u16 {
        self.0
    }
}

impl Default for SessionDuration {
    fn default() -> Self {
        Self::SHORTEST
    }
}

/// Why the settings make no sense, found before anybody is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A session name outside its grammar.
    #[error("expected a session name of 2 to 64 letters, digits and _+=,.@-, found {}", .0.quote())]
    SessionName(Foreign),
    /// A duration outside its range.
    #[error("expected a role duration of 900 to 43200 seconds, found {seconds}")]
    Duration {
        /// What was given.
        seconds: u64,
    },
    /// A chain that asks for too long a session.
    #[error(
        "expected a role duration of at most 3600 seconds for a role assumed by another role, found {seconds}"
    )]
    ChainedDuration {
        /// What was given.
        seconds: u16,
    },
    /// A token and no role to use it for.
    #[error("there is an identity token, but no role to assume with it")]
    NoRole,
    /// An external id where it is not sent.
    #[error("an external id is sent only for a role that is assumed by another role or by AWS credentials")]
    ExternalId,
    /// A role that belongs to another partition than everything else.
    #[error(
        "the role {} is of another partition than the region's ({partition})",
        quote(role)
    )]
    Partition {
        /// The role.
        role: String,
        /// The region's partition.
        partition: Partition,
    },
    /// A region, or the lack of one.
    #[error(transparent)]
    Region(#[from] RegionError),
}

impl Classified for SettingsError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoRole => Some("give role-arn".to_owned()),
            Self::ExternalId => Some("leave external-id out, or give role-chain".to_owned()),
            Self::Partition { .. } => Some(
                "credentials never cross partitions; give a role and a region of one partition".to_owned(),
            ),
            Self::Region(error) => error.hint(),
            _ => None,
        }
    }
}

/// Refuses settings that no answer of AWS could make work.
pub(super) fn check(base: &Base, roles: &Roles, partition: Partition) -> Result<(), SettingsError> {
    let (tokens, hops) = (matches!(base, Base::Token(_)), roles.chain.len());
    if tokens && hops == 0 {
        return Err(SettingsError::NoRole);
    }
    let chained = hops > 1;
    if chained && roles.duration > SessionDuration::LONGEST_CHAINED {
        return Err(SettingsError::ChainedDuration {
            seconds: roles.duration.seconds(),
        });
    }
    let sends_external_id = if tokens { chained } else { hops > 0 };
    if roles.external_id.is_some() && !sends_external_id {
        return Err(SettingsError::ExternalId);
    }
    let foreign = roles
        .chain
        .iter()
        .find(|role| role.arn().partition != partition.name());
    foreign.map_or(Ok(()), |role| {
        Err(SettingsError::Partition {
            role: role.to_string(),
            partition,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_stay_in_their_range() {
        assert_eq!(SessionDuration::from_seconds(900), Ok(SessionDuration::SHORTEST));
        assert_eq!(
            SessionDuration::from_seconds(43_200),
            Ok(SessionDuration::LONGEST)
        );
        for seconds in [0, 899, 43_201, u64::MAX] {
            assert_eq!(
                SessionDuration::from_seconds(seconds),
                Err(SettingsError::Duration { seconds })
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_makes_a_session_name(text in any::<String>()) {
            let name = SessionName::from_text(&text);
            prop_assert_eq!(name.as_str().parse::<SessionName>(), Ok(name));
        }
    }
}
