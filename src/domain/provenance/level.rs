//! Which SLSA build level the evidence of a run supports, and why; a level is never part of a provenance.

use std::fmt;
use std::str::FromStr;

use super::{Account, Runner, Voucher};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;

/// A build level (SLSA v1.2, "Build track: Basics").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuildLevel {
    /// Provenance exists.
    L1,
    /// A hosted platform, and provenance that is authentic.
    L2,
    /// Builds that cannot influence one another, and keys that no build step can reach.
    L3,
}

/// Why a text is no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a SLSA build level, 1 to 3, found {}", found.quote())]
pub struct LevelError {
    found: Foreign,
}

impl Classified for LevelError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

impl BuildLevel {
    /// The number.
    pub const fn number(self) -> u8 {
        match self {
            Self::L1 => 1,
            Self::L2 => 2,
            Self::L3 => 3,
        }
    }
}

impl FromStr for BuildLevel {
    type Err = LevelError;

    /// ```
    /// use countersign::domain::provenance::BuildLevel;
    /// assert_eq!("2".parse(), Ok(BuildLevel::L2));
    /// assert!("4".parse::<BuildLevel>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, LevelError> {
        match text {
            "1" => Ok(Self::L1),
            "2" => Ok(Self::L2),
            "3" => Ok(Self::L3),
            _ => Err(LevelError {
                found: Foreign::new(text),
            }),
        }
    }
}

impl fmt::Display for BuildLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// Who holds the key that signs the provenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyHolder {
    /// A service outside the job.
    Service,
    /// The job itself, in a file.
    Job,
}

/// What the evidence supports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supported {
    /// The highest level that nothing speaks against.
    pub level: BuildLevel,
    /// Why not more: a sentence each, none empty.
    pub reasons: Vec<String>,
}

/// Weighs the evidence of a run (SLSA v1.2, "Build: Requirements for producing artifacts").
///
/// Never more than 2: whether a build step could have reached the signing role cannot be seen from inside the job, and
/// what vouches for the signature is that role, not the platform. So even 2 is "the shape of": claims checked against
/// the platform's token, signed by a key that the job cannot read.
pub fn supported(account: &Account, key: KeyHolder) -> Supported {
    let mut against_two = Vec::new();
    match &account.voucher {
        Voucher::Issuer(_) => {}
        Voucher::Environment => {
            against_two.push("its facts come from variables that any step of the job can set");
        }
        Voucher::Caller => against_two.push("its facts are the word of whoever ran countersign"),
    }
    if account.runner == Runner::SelfHosted {
        against_two.push("the job ran on a self-hosted runner, about which the platform vouches for nothing");
    }
    if key == KeyHolder::Job {
        against_two.push("it is signed with a key file that every step of the job can read");
    }
    let against_three = if account.reusable {
        "the job is that of a reusable workflow, but whether its role is closed to others is IAM's to say, not a signer's"
    } else {
        "the job's own steps could have used the signing role: a reusable workflow of its own, named in the role's trust \
         policy, keeps them apart"
    };
    if !against_two.is_empty() {
        return Supported {
            level: BuildLevel::L1,
            reasons: against_two.into_iter().map(str::to_owned).collect(),
        };
    }
    let shape = "the shape of level 2: the platform's token vouches for the facts, the signing role for the signature";
    Supported {
        level: BuildLevel::L2,
        reasons: vec![shape.to_owned(), against_three.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::provenance::Issuer;

    fn account(voucher: Voucher, runner: Runner) -> Account {
        let builder = "https://b.example/1".parse().unwrap();
        let source = "https://g.example/r".parse().unwrap();
        Account {
            voucher,
            runner,
            ..Account::manual(builder, source)
        }
    }

    #[test]
    fn two_is_the_most_and_needs_all_of_it() {
        use Runner::{Hosted, SelfHosted, Unknown};
        let level = |voucher, runner, key| supported(&account(voucher, runner), key).level;
        let token = || Voucher::Issuer(Issuer::github());
        assert_eq!(level(token(), Hosted, KeyHolder::Service), BuildLevel::L2);
        assert_eq!(level(token(), SelfHosted, KeyHolder::Service), BuildLevel::L1);
        assert_eq!(level(token(), Hosted, KeyHolder::Job), BuildLevel::L1);
        assert_eq!(
            level(Voucher::Environment, Unknown, KeyHolder::Service),
            BuildLevel::L1
        );
        assert_eq!(
            level(Voucher::Caller, Unknown, KeyHolder::Service),
            BuildLevel::L1
        );
    }

    #[test]
    fn every_obstacle_is_told() {
        let worst = supported(&account(Voucher::Environment, Runner::SelfHosted), KeyHolder::Job);
        assert_eq!(worst.reasons.len(), 3);
        let called = Account {
            reusable: true,
            ..account(Voucher::Issuer(Issuer::github()), Runner::Hosted)
        };
        let best = supported(&called, KeyHolder::Service);
        assert_eq!(best.reasons.len(), 2);
        assert!(best.reasons[1].contains("reusable workflow"));
    }
}
