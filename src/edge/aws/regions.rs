//! Regions and the partitions they belong to: what follows from a name, without asking anybody.
//!
//! Sources: AWS General Reference, "AWS service endpoints" and "AWS Signer endpoints and quotas"; the partition table
//! that the AWS SDKs share (`partitions.json`).

use std::fmt;
use std::str::FromStr;

use super::ecr::EcrHost;
use crate::base::arn::{Arn, ProfileArn};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;

/// A set of regions with one root of trust and no way out: credentials, ARNs and revocations never cross it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Partition {
    /// Commercial regions.
    Commercial,
    /// China.
    China,
    /// AWS `GovCloud` (US).
    GovCloud,
    /// The European Sovereign Cloud.
    EuropeanSovereign,
    /// US isolated, top secret.
    Iso,
    /// US isolated, secret.
    IsoB,
    /// European isolated.
    IsoE,
    /// US isolated, F.
    IsoF,
}

impl Partition {
    /// Every partition.
    pub const ALL: [Self; 8] = [
        Self::Commercial,
        Self::China,
        Self::GovCloud,
        Self::EuropeanSovereign,
        Self::Iso,
        Self::IsoB,
        Self::IsoE,
        Self::IsoF,
    ];

    /// The second part of its ARNs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commercial => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
            Self::EuropeanSovereign => "aws-eusc",
            Self::Iso => "aws-iso",
            Self::IsoB => "aws-iso-b",
            Self::IsoE => "aws-iso-e",
            Self::IsoF => "aws-iso-f",
        }
    }

    /// How the names of its regions begin, with the hyphen; commercial regions are all others.
    const fn region_prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Commercial => &[],
            Self::China => &["cn-"],
            Self::GovCloud => &["us-gov-"],
            Self::EuropeanSovereign => &["eusc-"],
            Self::Iso => &["us-iso-"],
            Self::IsoB => &["us-isob-"],
            Self::IsoE => &["eu-isoe-"],
            Self::IsoF => &["us-isof-", "eu-isof-"],
        }
    }

    /// The partition of a region, by the region's name.
    pub fn of_region(region: &str) -> Self {
        let owns = |partition: &Self| {
            let prefixes = partition.region_prefixes();
            prefixes.iter().any(|prefix| region.starts_with(prefix))
        };
        Self::ALL.into_iter().find(owns).unwrap_or(Self::Commercial)
    }

    /// Whether AWS Signer has an endpoint there (endpoint tables of the AWS SDKs: none in the isolated partitions).
    pub const fn has_signer(self) -> bool {
        matches!(
            self,
            Self::Commercial | Self::China | Self::GovCloud | Self::EuropeanSovereign
        )
    }

    /// What stands behind the region in the names of services: with IPv4 alone, or with both (`partitions.json`,
    /// `dnsSuffix` and `dualStackDnsSuffix`).
    pub const fn domain(self, dual_stack: bool) -> &'static str {
        match (self, dual_stack) {
            (Self::Commercial | Self::GovCloud, false) => "amazonaws.com",
            (Self::Commercial | Self::GovCloud, true) => "api.aws",
            (Self::China, false) => "amazonaws.com.cn",
            (Self::China, true) => "api.amazonwebservices.com.cn",
            (Self::EuropeanSovereign, false) => "amazonaws.eu",
            (Self::EuropeanSovereign, true) => "api.amazonwebservices.eu",
            (Self::Iso, false) => "c2s.ic.gov",
            (Self::Iso, true) => "api.aws.ic.gov",
            (Self::IsoB, false) => "sc2s.sgov.gov",
            (Self::IsoB, true) => "api.aws.scloud",
            (Self::IsoE, false) => "cloud.adc-e.uk",
            (Self::IsoE, true) => "api.cloud-aws.adc-e.uk",
            (Self::IsoF, false) => "csp.hci.ic.gov",
            (Self::IsoF, true) => "api.aws.hci.ic.gov",
        }
    }

    /// The audience that a token for STS carries there (README of `aws-actions/configure-aws-credentials`).
    pub const fn audience(self) -> &'static str {
        match self {
            Self::China => "sts.amazonaws.com.cn",
            _ => "sts.amazonaws.com",
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text names no region, or why none could be found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// Not the shape of a region.
    #[error("expected a region like eu-west-1, found {}", .0.quote())]
    Shape(Foreign),
    /// A partition that no table names.
    #[error("expected one of the partitions aws, aws-cn, aws-us-gov or aws-eusc, found {}", .0.quote())]
    Partition(Foreign),
    /// An ARN whose region is in another partition.
    #[error("the region {region} belongs to the partition {actual}, not to {}", named.quote())]
    Mismatch {
        /// The region.
        region: String,
        /// Its partition.
        actual: Partition,
        /// The partition of the ARN.
        named: Foreign,
    },
    /// Nothing names a region.
    #[error("no AWS region is known")]
    None,
}

impl Classified for RegionError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::None => Some(
                "give region (or AWS_REGION), or write the signing profile as an ARN: its region is used then"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// A region's name, checked for its shape: it becomes part of host names.
///
/// ```
/// use countersign::edge::aws::regions::{Partition, Region};
/// let region: Region = "us-gov-west-1".parse()?;
/// assert_eq!(region.partition(), Partition::GovCloud);
/// assert!("eu-west-1.example.com/".parse::<Region>().is_err());
/// # Ok::<(), countersign::edge::aws::regions::RegionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

/// Longest region accepted (ours; the longest in use has 15 characters).
const REGION_CHARS: usize = 32;

impl Region {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition it belongs to.
    pub fn partition(&self) -> Partition {
        Partition::of_region(&self.0)
    }

    /// The region of an ARN, which must lie in the ARN's own partition.
    ///
    /// # Errors
    /// [`RegionError`] when the partition is unknown or the two do not belong together.
    pub fn of_arn(arn: &Arn) -> Result<Self, RegionError> {
        let region: Self = arn.region.parse()?;
        let named = Partition::ALL.into_iter().find(|p| p.name() == arn.partition);
        match named {
            None => Err(RegionError::Partition(Foreign::new(&arn.partition))),
            Some(partition) if partition == region.partition() => Ok(region),
            Some(_) => Err(RegionError::Mismatch {
                actual: region.partition(),
                region: region.0,
                named: Foreign::new(&arn.partition),
            }),
        }
    }

    /// The region to ask for identities: what a person gave, else the profile's, else the environment's, else that of
    /// the first ECR registry among the images.
    ///
    /// # Errors
    /// [`RegionError`] when nothing names a region, or the profile's ARN names an impossible one.
    pub fn choose(
        given: Option<&Self>,
        profile: Option<&ProfileArn>,
        environment: Option<&Self>,
        hosts: &[EcrHost],
    ) -> Result<Self, RegionError> {
        if let Some(given) = given {
            return Ok(given.clone());
        }
        if let Some(profile) = profile {
            return Self::of_arn(profile.arn());
        }
        let from_host = || hosts.iter().find_map(EcrHost::region).cloned();
        environment.cloned().or_else(from_host).ok_or(RegionError::None)
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if text.len() <= REGION_CHARS && text.contains('-') && text.split('-').all(word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RegionError::Shape(Foreign::new(text)))
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn regions_name_their_partition() {
        let of = |name: &str| name.parse::<Region>().unwrap().partition();
        assert_eq!(of("eu-west-1"), Partition::Commercial);
        assert_eq!(of("us-west-2"), Partition::Commercial);
        assert_eq!(of("cn-northwest-1"), Partition::China);
        assert_eq!(of("us-gov-east-1"), Partition::GovCloud);
        assert_eq!(of("us-iso-east-1"), Partition::Iso);
        assert_eq!(of("us-isob-east-1"), Partition::IsoB);
        assert_eq!(of("eu-isoe-west-1"), Partition::IsoE);
        assert_eq!(of("us-isof-south-1"), Partition::IsoF);
        assert_eq!(of("eusc-de-east-1"), Partition::EuropeanSovereign);
    }

    #[test]
    fn an_arn_across_partitions_is_refused() {
        let region = |text: &str| Region::of_arn(&text.parse::<Arn>().unwrap());
        assert_eq!(
            region("arn:aws:signer:cn-north-1:111122223333:/signing-profiles/p1")
                .unwrap_err()
                .to_string(),
            r#"the region cn-north-1 belongs to the partition aws-cn, not to "aws""#
        );
        assert_eq!(
            region("arn:aws-moon:signer:eu-west-1:111122223333:/signing-profiles/p1")
                .unwrap_err()
                .to_string(),
            r#"expected one of the partitions aws, aws-cn, aws-us-gov or aws-eusc, found "aws-moon""#
        );
    }

    #[test]
    fn the_nearest_word_wins() {
        let region = |text: &str| text.parse::<Region>().unwrap();
        let profile: ProfileArn = "arn:aws:signer:us-west-2:111122223333:/signing-profiles/p1"
            .parse()
            .unwrap();
        let (given, environment) = (region("eu-west-1"), region("eu-north-1"));
        let choose = Region::choose;
        assert_eq!(
            choose(Some(&given), Some(&profile), Some(&environment), &[]),
            Ok(region("eu-west-1"))
        );
        assert_eq!(
            choose(None, Some(&profile), Some(&environment), &[]),
            Ok(region("us-west-2"))
        );
        assert_eq!(
            choose(None, None, Some(&environment), &[]),
            Ok(region("eu-north-1"))
        );
        let error = choose(None, None, None, &[]).unwrap_err();
        assert_eq!(
            (error.class(), error.to_string().as_str()),
            (Class::Usage, "no AWS region is known")
        );
        assert!(error.hint().is_some_and(|hint| hint.contains("AWS_REGION")));
    }

    proptest! {
        #[test]
        fn what_parses_is_part_of_a_host_name(text in any::<String>()) {
            if let Ok(region) = text.parse::<Region>() {
                prop_assert!(region.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            }
        }
    }
}
