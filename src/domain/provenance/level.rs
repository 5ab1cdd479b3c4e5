//! Which SLSA build level the evidence of a run supports, and why; a level is never part of a provenance.

use std::fmt;
use std::str::FromStr;

use super::{Account, Attested, Kind, MANUAL_BUILD_TYPE, Member, Runner, Voucher};
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
    /// Every level, from the lowest.
    pub const ALL: [Self; 3] = [Self::L1, Self::L2, Self::L3];

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
        let level = Self::ALL.into_iter().find(|level| level.to_string() == text);
        level.ok_or_else(|| LevelError {
            found: Foreign::new(text),
        })
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
    /// Whoever it is: the signature does not tell.
    Unknown,
}

/// What the evidence supports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supported {
    /// The highest level that nothing speaks against.
    pub level: BuildLevel,
    /// Why not more: a sentence each, none empty.
    pub reasons: Vec<String>,
}

/// What a level rests on, as far as somebody can see it.
struct Evidence {
    ground: Ground,
    runner: Runner,
    key: KeyHolder,
    /// What stands against level 3.
    against_three: &'static str,
}

/// Whose word the facts are.
enum Ground {
    Platform,
    Record,
    Environment,
    Caller,
}

/// Weighs the evidence of a run (SLSA v1.2, "Build: Requirements for producing artifacts").
///
/// Never more than 2: whether a build step could have reached the signing role cannot be seen from inside the job, and
/// what vouches for the signature is that role, not the platform. So even 2 is "the shape of": claims checked against
/// the platform's token, signed by a key that the job cannot read.
pub fn supported(account: &Account, key: KeyHolder) -> Supported {
    weigh(&Evidence {
        ground: match account.voucher {
            Voucher::Issuer(_) => Ground::Platform,
            Voucher::Record(_) => Ground::Record,
            Voucher::Environment => Ground::Environment,
            Voucher::Caller => Ground::Caller,
        },
        runner: account.runner,
        key,
        against_three: if account.reusable {
            "the job is that of a reusable workflow, but whether its role is closed to others is IAM's to say, not a signer's"
        } else {
            "the job's own steps could have used the signing role: a reusable workflow of its own, named in the role's \
             trust policy, keeps them apart"
        },
    })
}

/// The end of a builder's URI that says that everything in the provenance came from the job's environment
/// (`docs/decisions/0013-a-builder-id-for-the-environment.md`).
const FROM_ENVIRONMENT: &str = "#environment";

/// Weighs the same for somebody who has nothing but a signed provenance: never more than the run that wrote it could
/// support by the same evidence, and what the document does not say does not hold.
///
/// That is the word of the document and of its signer, not of a platform: anybody whose signature is accepted can name any
/// builder, so a level counts only beside an expected builder.
///
/// None for what is no SLSA provenance that names its builder: that supports no level.
///
/// ```
/// use std::sync::Arc;
/// use countersign::domain::provenance::{
///     Attested, BuildFacts, BuildLevel, KeyHolder, Statement, provenance_statement, supported_by_document,
/// };
/// # use countersign::domain::oci::Digest;
/// let facts = BuildFacts::manual("https://ci.example/1".parse()?, "https://git.example/app".parse()?);
/// let subjects = [("app".to_owned(), Digest::of(b"the image"))];
/// let attested = Attested::Statement(Statement::read(&provenance_statement(&subjects, &facts))?);
/// let supported = supported_by_document(&attested, KeyHolder::Service).ok_or("no provenance")?;
/// assert_eq!(supported.level, BuildLevel::L1);
/// assert!(supported.reasons.iter().any(|reason| reason.contains("the word of whoever ran countersign")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn supported_by_document(attested: &Attested, key: KeyHolder) -> Option<Supported> {
    if attested.kind() != Some(Kind::Provenance) {
        return None;
    }
    let builder = attested.statement()?.builder()?;
    let build_type = attested.text("/predicate/buildDefinition/buildType");
    Some(weigh(&Evidence {
        ground: if build_type == Some(MANUAL_BUILD_TYPE) {
            Ground::Caller
        } else if builder.ends_with(FROM_ENVIRONMENT) {
            Ground::Environment
        } else {
            Ground::Platform
        },
        runner: match Member::RunnerEnvironment.of(attested) {
            Some("github-hosted" | "gitlab-hosted") => Runner::Hosted,
            Some(_) => Runner::SelfHosted,
            None => Runner::Unknown,
        },
        key,
        against_three: "no document can show that the build could not reach the signing role",
    }))
}

fn weigh(evidence: &Evidence) -> Supported {
    let ground = match evidence.ground {
        Ground::Platform => None,
        Ground::Record => Some(
            "its facts are the build service's own record, but which build's record was read is the job's word: no \
             token says which build this is",
        ),
        Ground::Environment => Some("its facts come from variables that any step of the job can set"),
        Ground::Caller => Some("its facts are the word of whoever ran countersign"),
    };
    let runner = match evidence.runner {
        Runner::Hosted => None,
        Runner::SelfHosted => {
            Some("the job ran on a self-hosted runner, about which the platform vouches for nothing")
        }
        // Where the platform says nothing at all, it says nothing of its runners either.
        Runner::Unknown if ground.is_some() => None,
        Runner::Unknown => Some("nothing says that the job ran on a runner of the host"),
    };
    let key = match evidence.key {
        KeyHolder::Service => None,
        KeyHolder::Job => Some("it is signed with a key file that every step of the job can read"),
        KeyHolder::Unknown => Some("the signature does not show that its key was out of the job's reach"),
    };
    let against_two: Vec<String> = [ground, runner, key]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect();
    if !against_two.is_empty() {
        return Supported {
            level: BuildLevel::L1,
            reasons: against_two,
        };
    }
    let shape = "the shape of level 2: the platform's token vouches for the facts, the signing role for the signature";
    Supported {
        level: BuildLevel::L2,
        reasons: vec![shape.to_owned(), evidence.against_three.to_owned()],
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
        assert_eq!(level(token(), Unknown, KeyHolder::Service), BuildLevel::L1);
        assert_eq!(level(token(), Hosted, KeyHolder::Unknown), BuildLevel::L1);
        let record = Voucher::Record("arn:aws:codebuild:eu-west-1:1:build/web:8d1f".to_owned());
        assert_eq!(level(record, Hosted, KeyHolder::Service), BuildLevel::L1);
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
