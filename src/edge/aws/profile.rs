//! Signing profiles as people write them, and what is wrong with what they wrote.
//!
//! Sources: AWS Signer API reference, `PutSigningProfile`; Service Authorization Reference, "AWS Signer", resource types.

use std::fmt;
use std::str::FromStr;

use super::credentials::IdentityError;
use super::regions::{Partition, Region, RegionError};
use crate::base::arn::{Arn, ArnError, ProfileArn, ProfileVersionArn, is_profile_name};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;

/// A signing profile as people write it: a name, an ARN, or the ARN of one version.
///
/// ```
/// use countersign::edge::aws::profile::ProfileName;
/// let name: ProfileName = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release/OF8IVUsPJq".parse()?;
/// assert_eq!(name.arn().unwrap().name(), "release");
/// assert_eq!(name.version().unwrap().version(), "OF8IVUsPJq");
/// # Ok::<(), countersign::edge::aws::profile::ProfileError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileName {
    /// A name; account and region come from elsewhere.
    Name(String),
    /// A profile.
    Profile(ProfileArn),
    /// One version of a profile. The service signs with the current version; where that is another one, the signature
    /// is refused when it comes back.
    Version(ProfileVersionArn),
}

impl ProfileName {
    /// The profile, where the text says all of it.
    pub fn arn(&self) -> Option<&ProfileArn> {
        match self {
            Self::Name(_) => None,
            Self::Profile(profile) => Some(profile),
            Self::Version(version) => Some(version.profile()),
        }
    }

    /// The version that is demanded.
    pub fn version(&self) -> Option<&ProfileVersionArn> {
        match self {
            Self::Version(version) => Some(version),
            _ => None,
        }
    }
}

impl FromStr for ProfileName {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        if is_profile_name(text) {
            return Ok(Self::Name(text.to_owned()));
        }
        if !text.starts_with("arn:") {
            return Err(ProfileError::Name(Foreign::new(text)));
        }
        if let Ok(version) = text.parse() {
            return Ok(Self::Version(version));
        }
        text.parse()
            .map(Self::Profile)
            .map_err(|error| wrong_arn(text, error))
    }
}

/// Says which part of an ARN is not that of a signing profile.
fn wrong_arn(text: &str, error: ArnError) -> ProfileError {
    let Ok(arn) = text.parse::<Arn>() else {
        return ProfileError::Arn(error);
    };
    if arn.service != "signer" {
        return ProfileError::Service(Foreign::new(&arn.service));
    }
    if arn.region.parse::<Region>().is_ok() && !arn.resource.starts_with("/signing-profiles/") {
        return ProfileError::Resource(Foreign::new(&arn.resource));
    }
    match Region::of_arn(&arn) {
        Err(error @ RegionError::Partition(_)) => ProfileError::Region(error),
        _ => ProfileError::Arn(error),
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Profile(profile) => profile.fmt(f),
            Self::Version(version) => version.fmt(f),
        }
    }
}

/// Why a text does not lead to a signing profile, or the profile cannot be used from here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Neither a name nor an ARN.
    #[error("expected a signing profile's name (2 to 64 letters, digits and _) or its ARN, found {}", .0.quote())]
    Name(Foreign),
    /// An ARN of the wrong shape.
    #[error(transparent)]
    Arn(ArnError),
    /// An ARN of another service.
    #[error("expected an ARN of the service signer, found one of the service {}", .0.quote())]
    Service(Foreign),
    /// Something else of AWS Signer.
    #[error("expected the resource /signing-profiles/NAME, found {}", .0.quote())]
    Resource(Foreign),
    /// A region or partition that cannot be.
    #[error(transparent)]
    Region(RegionError),
    /// A partition without the service.
    #[error("there is no AWS Signer in the partition {0}")]
    NoSigner(Partition),
    /// A profile beyond the reach of our credentials.
    #[error("the signing profile is of the partition {profile}, the credentials are of {ours}")]
    OtherPartition {
        /// The profile's partition.
        profile: Partition,
        /// Where our credentials are good.
        ours: Partition,
    },
    /// The account of a bare name is not known.
    #[error("could not tell the account of the signing profile")]
    Account(#[source] IdentityError),
}

impl Classified for ProfileError {
    fn class(&self) -> Class {
        match self {
            Self::Account(error) => error.class(),
            _ => Class::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Account(error) => error.hint(),
            Self::Resource(found) if found.raw().starts_with("signing-profiles/") => Some(
                "ARNs of AWS Signer have a slash after the last colon: …:/signing-profiles/NAME".to_owned(),
            ),
            Self::Region(error) => error.hint(),
            Self::OtherPartition { .. } => {
                Some("credentials never cross partitions; give a role of the profile's partition".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ARN: &str = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release";

    fn refusal(text: &str) -> (String, Class, Option<String>) {
        let error = text.parse::<ProfileName>().unwrap_err();
        (error.to_string(), error.class(), error.hint())
    }

    #[test]
    fn a_profile_is_given_by_name_arn_or_version() {
        assert_eq!("release".parse(), Ok(ProfileName::Name("release".to_owned())));
        let profile: ProfileName = ARN.parse().unwrap();
        assert_eq!(
            (profile.arn().unwrap().to_string().as_str(), profile.version()),
            (ARN, None)
        );
        let version: ProfileName = format!("{ARN}/OF8IVUsPJq").parse().unwrap();
        assert_eq!(version.arn().unwrap().to_string(), ARN);
        assert_eq!(
            version.version().map(ProfileVersionArn::version),
            Some("OF8IVUsPJq")
        );
        assert_eq!(version.to_string(), format!("{ARN}/OF8IVUsPJq"));
    }

    #[test]
    fn what_is_wrong_with_an_arn_is_named() {
        for (text, message) in [
            (
                "arn:aws:kms:eu-west-1:111122223333:key/1",
                r#"expected an ARN of the service signer, found one of the service "kms""#,
            ),
            (
                "arn:aws:signer:eu-west-1:111122223333:/signing-jobs/1",
                r#"expected the resource /signing-profiles/NAME, found "/signing-jobs/1""#,
            ),
            (
                "arn:aws-moon:signer:eu-west-1:111122223333:/signing-profiles/re-lease",
                r#"expected one of the partitions aws, aws-cn, aws-us-gov or aws-eusc, found "aws-moon""#,
            ),
            (
                "re-lease",
                r#"expected a signing profile's name (2 to 64 letters, digits and _) or its ARN, found "re-lease""#,
            ),
        ] {
            assert_eq!(refusal(text), (message.to_owned(), Class::Usage, None), "{text}");
        }
        let (message, _, _) = refusal("arn:aws:signer:eu-west-1:111122223333:/signing-profiles/re-lease");
        assert!(
            message.starts_with("expected a signing profile (arn:aws:signer:REGION"),
            "{message}"
        );
        let (_, _, hint) = refusal("arn:aws:signer:eu-west-1:111122223333:signing-profiles/release");
        assert!(hint.is_some_and(|hint| hint.contains("a slash after the last colon")));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(arn:aws:signer:)?\\PC{0,60}") {
            if let Ok(name) = text.parse::<ProfileName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
