//! Names of trust stores (trust store and trust policy specification, "Trust Store").

use std::fmt;
use std::str::FromStr;

use crate::base::foreign::Foreign;

/// What the certificates of a trust store are trusted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StoreType {
    /// Certificate authorities of the scheme `notary.x509`.
    Ca,
    /// Services that sign for others and whose signing time is believed.
    SigningAuthority,
    /// Timestamping authorities.
    Tsa,
}

impl StoreType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Ca, Self::SigningAuthority, Self::Tsa];

    /// The name in policies and directories.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::SigningAuthority => "signingAuthority",
            Self::Tsa => "tsa",
        }
    }
}

impl fmt::Display for StoreType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text does not name a trust store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreNameError {
    /// No colon.
    #[error("expected TYPE:NAME (as ca:release), found {}", .0.quote())]
    Separator(Foreign),
    /// A type that the specification does not know, or in other letters.
    #[error("expected the type ca, signingAuthority or tsa in front of the colon, found {}", .0.quote())]
    Type(Foreign),
    /// A name that is no name of a directory below the trust store.
    #[error("expected a name of letters, digits, _ . and - (neither \".\" nor \"..\"), found {}", .0.quote())]
    Name(Foreign),
}

/// One trust store, as policies write it: `ca:release`.
///
/// ```
/// use countersign::domain::trust::{StoreName, StoreType};
/// let store: StoreName = "signingAuthority:aws-signer-ts".parse()?;
/// assert_eq!((store.kind(), store.name()), (StoreType::SigningAuthority, "aws-signer-ts"));
/// assert!("ca:..".parse::<StoreName>().is_err());
/// # Ok::<(), countersign::domain::trust::StoreNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreName {
    kind: StoreType,
    name: String,
}

impl StoreName {
    /// Names a store.
    ///
    /// # Errors
    /// [`StoreNameError::Name`] for a name that may not stand in a policy.
    pub fn new(kind: StoreType, name: impl Into<String>) -> Result<Self, StoreNameError> {
        let name = name.into();
        let spelled = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        // "." and ".." have the right letters and would lead out of the directory of the type.
        if name.is_empty() || !name.bytes().all(spelled) || name == "." || name == ".." {
            return Err(StoreNameError::Name(Foreign::new(name)));
        }
        Ok(Self { kind, name })
    }

    /// What its certificates are trusted for.
    pub const fn kind(&self) -> StoreType {
        self.kind
    }

    /// Its name among the stores of its type.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for StoreName {
    type Err = StoreNameError;

    fn from_str(text: &str) -> Result<Self, StoreNameError> {
        let (kind, name) = text
            .split_once(':')
            .ok_or_else(|| StoreNameError::Separator(Foreign::new(text)))?;
        let known = StoreType::ALL.into_iter().find(|known| known.name() == kind);
        Self::new(
            known.ok_or_else(|| StoreNameError::Type(Foreign::new(kind)))?,
            name,
        )
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_and_name_are_exact() {
        let refused = |text: &str| text.parse::<StoreName>().unwrap_err();
        assert_eq!(refused("ca"), StoreNameError::Separator(Foreign::new("ca")));
        assert_eq!(refused("CA:x"), StoreNameError::Type(Foreign::new("CA")));
        for name in [
            "", ".", "..", "a/b", "a\\b", "a:b", "ä", "a b", "*", "a\n", "../a",
        ] {
            assert_eq!(
                refused(&format!("ca:{name}")),
                StoreNameError::Name(Foreign::new(name))
            );
        }
        for name in ["a", "A_b.c-1", "...", "-"] {
            assert_eq!(format!("tsa:{name}").parse::<StoreName>().unwrap().name(), name);
        }
    }
}
