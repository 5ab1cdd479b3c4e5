//! Amazon Resource Names, and the kinds of them that countersign acts on.
//!
//! Source: AWS General Reference, "Amazon Resource Names (ARNs)"; Service Authorization Reference, "AWS Signer".

use std::fmt;
use std::str::FromStr;

use super::failure::{Class, Classified};
use super::foreign::Foreign;

/// Why a text is not the ARN that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {}", found.quote())]
pub struct ArnError {
    /// The shape that was expected.
    pub expected: &'static str,
    /// The text.
    pub found: Foreign,
}

impl Classified for ArnError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// Longest ARN accepted (IAM's limit for role ARNs is 2048).
const ARN_CHARS: usize = 2_048;

/// Any ARN, cut into its six parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// `signer`, `iam`, …
    pub service: String,
    /// `eu-west-1`; empty for global services.
    pub region: String,
    /// Twelve digits, or empty.
    pub account: String,
    /// Everything after the fifth colon.
    pub resource: String,
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let refused = || ArnError {
            expected: "an ARN (arn:partition:service:region:account:resource)",
            found: Foreign::new(text),
        };
        if text.len() > ARN_CHARS || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused());
        }
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().map(str::to_owned);
        match (part(), part(), part(), part(), part(), part()) {
            (Some(prefix), Some(partition), Some(service), Some(region), Some(account), Some(resource))
                if prefix == "arn" =>
            {
                Ok(Self {
                    partition,
                    service,
                    region,
                    account,
                    resource,
                })
            }
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl Arn {
    fn is_regional(&self) -> bool {
        is_partition(&self.partition) && is_region(&self.region) && is_account(&self.account)
    }
}

/// `aws`, or `aws-` and more.
fn is_partition(text: &str) -> bool {
    text == "aws"
        || text.strip_prefix("aws-").is_some_and(|rest| {
            !rest.is_empty()
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

/// Lower-case words and digits joined by hyphens, at least two of them.
fn is_region(text: &str) -> bool {
    text.contains('-')
        && text.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// AWS Signer API reference, `PutSigningProfile`, `profileName`: 2 to 64 of `[a-zA-Z0-9_]`.
pub fn is_profile_name(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// AWS Signer API reference, `profileVersion`: ten of `[a-zA-Z0-9]`.
fn is_profile_version(text: &str) -> bool {
    text.len() == 10 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// A signing profile: `arn:aws:signer:REGION:ACCOUNT:/signing-profiles/NAME`.
///
/// ```
/// use countersign::base::arn::ProfileArn;
/// let arn: ProfileArn = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release".parse()?;
/// assert_eq!(arn.name(), "release");
/// assert!("arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release/OF8IVUsPJq"
///     .parse::<ProfileArn>().is_err());
/// # Ok::<(), countersign::base::arn::ArnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProfileArn {
    arn: Arn,
    name: String,
}

const PROFILE_SHAPE: &str = "a signing profile (arn:aws:signer:REGION:ACCOUNT:/signing-profiles/NAME)";

impl ProfileArn {
    /// The ARN's parts.
    pub fn arn(&self) -> &Arn {
        &self.arn
    }

    /// The profile's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for ProfileArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let refused = || ArnError {
            expected: PROFILE_SHAPE,
            found: Foreign::new(text),
        };
        let arn: Arn = text.parse().map_err(|_| refused())?;
        let name = arn.resource.strip_prefix("/signing-profiles/").map(str::to_owned);
        match name {
            Some(name) if arn.service == "signer" && arn.is_regional() && is_profile_name(&name) => {
                Ok(Self { arn, name })
            }
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for ProfileArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.arn.fmt(f)
    }
}

/// One version of a signing profile: a [`ProfileArn`] followed by `/VERSION`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProfileVersionArn {
    profile: ProfileArn,
    version: String,
}

impl ProfileVersionArn {
    /// The profile that this is a version of.
    pub fn profile(&self) -> &ProfileArn {
        &self.profile
    }

    /// The ten characters that name the version.
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl FromStr for ProfileVersionArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let refused = || ArnError {
            expected: "a signing profile version (arn:aws:signer:REGION:ACCOUNT:/signing-profiles/NAME/VERSION)",
            found: Foreign::new(text),
        };
        let (profile, version) = text.rsplit_once('/').ok_or_else(refused)?;
        let profile = profile.parse().map_err(|_| refused())?;
        if !is_profile_version(version) {
            return Err(refused());
        }
        Ok(Self {
            profile,
            version: version.to_owned(),
        })
    }
}

impl fmt::Display for ProfileVersionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.profile, self.version)
    }
}

/// An IAM role: `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoleArn(Arn);

impl RoleArn {
    /// The ARN's parts.
    pub fn arn(&self) -> &Arn {
        &self.0
    }
}

impl FromStr for RoleArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let refused = || ArnError {
            expected: "an IAM role (arn:aws:iam::ACCOUNT:role/NAME)",
            found: Foreign::new(text),
        };
        let arn: Arn = text.parse().map_err(|_| refused())?;
        let named = arn
            .resource
            .strip_prefix("role/")
            .is_some_and(|rest| !rest.is_empty());
        let global = is_partition(&arn.partition) && arn.region.is_empty() && is_account(&arn.account);
        if arn.service == "iam" && named && global {
            Ok(Self(arn))
        } else {
            Err(refused())
        }
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROFILE: &str = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release";

    #[test]
    fn a_profile_is_not_a_version_and_the_reverse() {
        let version = format!("{PROFILE}/OF8IVUsPJq");
        assert!(PROFILE.parse::<ProfileVersionArn>().is_err());
        assert!(version.parse::<ProfileArn>().is_err());
        let parsed: ProfileVersionArn = version.parse().unwrap();
        assert_eq!(parsed.profile().to_string(), PROFILE);
        assert_eq!(parsed.to_string(), version);
    }

    #[test]
    fn other_services_resources_accounts_and_regions_are_refused() {
        for text in [
            "arn:aws:kms:eu-west-1:111122223333:/signing-profiles/release",
            "arn:aws:signer:eu-west-1:111122223333:/signing-jobs/release",
            "arn:aws:signer:eu-west-1:11112222333:/signing-profiles/release",
            "arn:aws:signer::111122223333:/signing-profiles/release",
            "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/re-lease",
            "arn:AWS:signer:eu-west-1:111122223333:/signing-profiles/release",
            "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release\n",
        ] {
            assert!(text.parse::<ProfileArn>().is_err(), "{text}");
        }
        assert!(
            "arn:aws:iam::111122223333:role/ci/countersign"
                .parse::<RoleArn>()
                .is_ok()
        );
        assert!("arn:aws:iam::111122223333:user/me".parse::<RoleArn>().is_err());
        assert!("arn:aws:iam::111122223333:role/".parse::<RoleArn>().is_err());
    }

    proptest! {
        #[test]
        fn what_parses_prints_the_same(text in "arn:[a-z-]{0,8}:[a-z]{0,6}:[a-z0-9-]{0,10}:[0-9]{0,12}:[!-~]{0,40}") {
            if let Ok(arn) = text.parse::<Arn>() {
                prop_assert_eq!(arn.to_string(), text);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = (text.parse::<Arn>(), text.parse::<ProfileArn>(), text.parse::<RoleArn>());
        }
    }
}
