//! Trusted identities: whom a trust policy accepts as signer (trust store and trust policy specification, "Trusted
//! Identities").

use std::fmt;

use super::dn::{DistinguishedName, DnError};
use crate::base::foreign::Foreign;
use crate::domain::x509::Name;

/// The prefix of identities that name a certificate's subject.
const SUBJECT_PREFIX: &str = "x509.subject";

/// Why a text is not a trusted identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Nothing at all.
    #[error("expected an identity (x509.subject: and a name, an ARN, or \"*\" alone), found nothing")]
    Empty,
    /// Text without a prefix.
    #[error("expected PREFIX:VALUE (x509.subject: and a name, or an ARN), found {}", .0.quote())]
    Prefix(Foreign),
    /// A prefix without a name behind it.
    #[error("expected a distinguished name after x509.subject:, found nothing")]
    NoName,
    /// A name that is none.
    #[error("not a distinguished name")]
    Name(#[from] DnError),
}

/// Why the subject of a certificate matches none of a policy's identities.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The policy names no subject at all.
    #[error("the policy names no identity of the kind x509.subject")]
    NoSubjects,
    /// No policy can name such a subject.
    #[error("the subject can be matched by no x509.subject")]
    Unnamed(#[from] DnError),
    /// None of them matches.
    #[error("the subject is none of the policy's trusted identities")]
    None,
}

/// One trusted identity of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrustedIdentity {
    /// `*`: any signer whose chain ends in the policy's trust stores.
    Any,
    /// A signer whose certificate's subject holds at least these attributes.
    Subject(DistinguishedName),
    /// An identity with another prefix, kept as written; built-in verifiers read those they know (`arn:…`).
    Other(String),
}

impl TrustedIdentity {
    /// Reads an identity.
    ///
    /// # Errors
    /// [`IdentityError`] for an empty text, one without a prefix, or a subject that is no distinguished name.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        match text.split_once(':') {
            None if text.is_empty() => Err(IdentityError::Empty),
            None => Err(IdentityError::Prefix(Foreign::new(text))),
            Some((SUBJECT_PREFIX, "")) => Err(IdentityError::NoName),
            Some((SUBJECT_PREFIX, name)) => Ok(Self::Subject(name.parse()?)),
            Some(_) => Ok(Self::Other(text.to_owned())),
        }
    }

    /// The first of some identities that the subject of a certificate matches: `*`, or a name of which every attribute
    /// stands in the subject. Identities of other prefixes match no certificate.
    ///
    /// # Errors
    /// [`Mismatch`]: why there is none.
    pub fn matching<'a>(identities: &'a [Self], subject: &Name) -> Result<&'a Self, Mismatch> {
        if let Some(any) = identities.iter().find(|identity| **identity == Self::Any) {
            return Ok(any);
        }
        if identities.iter().all(|identity| identity.subject().is_none()) {
            return Err(Mismatch::NoSubjects);
        }
        let subject = DistinguishedName::of_subject(subject)?;
        let matches = |identity: &&Self| identity.subject().is_some_and(|name| name.is_subset_of(&subject));
        identities.iter().find(matches).ok_or(Mismatch::None)
    }

    /// The distinguished name, where the identity is one.
    pub fn subject(&self) -> Option<&DistinguishedName> {
        match self {
            Self::Subject(name) => Some(name),
            Self::Any | Self::Other(_) => None,
        }
    }
}

/// The identity as a policy would write it.
impl fmt::Display for TrustedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Subject(name) => write!(f, "{SUBJECT_PREFIX}: {name}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_decide_how_an_identity_is_read() {
        assert_eq!(TrustedIdentity::parse("*"), Ok(TrustedIdentity::Any));
        assert_eq!(
            TrustedIdentity::parse("x509.subject: C=US, ST=WA, O=x"),
            Ok(TrustedIdentity::Subject("C=US,ST=WA,O=x".parse().unwrap()))
        );
        assert_eq!(
            TrustedIdentity::parse("X509.subject:C=US"),
            Ok(TrustedIdentity::Other("X509.subject:C=US".to_owned()))
        );
        assert_eq!(TrustedIdentity::parse(""), Err(IdentityError::Empty));
        assert_eq!(
            TrustedIdentity::parse("C=US"),
            Err(IdentityError::Prefix(Foreign::new("C=US")))
        );
        assert_eq!(
            TrustedIdentity::parse("x509.subject:"),
            Err(IdentityError::NoName)
        );
        assert_eq!(
            TrustedIdentity::parse("x509.subject:C=US"),
            Err(IdentityError::Name(DnError::Mandatory("ST")))
        );
    }

    #[test]
    fn an_identity_prints_as_a_policy_writes_it() {
        for text in [
            "*",
            "x509.subject: C=US,O=x,ST=WA",
            "arn:aws:signer:us-west-2:1:/x",
        ] {
            assert_eq!(TrustedIdentity::parse(text).unwrap().to_string(), text);
        }
    }
}
