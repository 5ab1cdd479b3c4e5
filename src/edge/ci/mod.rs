//! Know the host: which CI system this is, its variables and places, and the one writer that may print.
//!
//! For: telling hosts apart by data, reading the environment once, printing so that nothing foreign becomes a
//! command, and the files of a report.
//! Not for: deciding what is printed; `domain/report` renders, `app/` chooses.
//! Speaks: the variables and log commands of GitHub Actions, GitLab CI/CD and AWS CodeBuild; the variables of Bitbucket
//! Pipelines and Jenkins; XDG directories.
//!
//! ```
//! use countersign::edge::ci::{Environment, Host};
//! let environment = Environment::of([("GITHUB_ACTIONS", "true")]);
//! assert_eq!(Host::detect(&environment), Host::GitHub);
//! ```

mod bitbucket;
mod build;
mod codebuild;
mod env;
mod files;
mod github;
mod gitlab;
mod handed;
mod id_token;
mod jenkins;
mod output_dir;
mod paths;
mod publish;
mod standing;
mod terminal;
mod writer;

pub use build::Fact;
pub use env::{Environment, EnvironmentError, REGISTER, Variable, register_table};
pub use files::{FileError, file_is_there, read_named};
pub use handed::{Found, Room, read_input};
pub use id_token::{IdTokenError, IdTokenSource, ServiceProblem, secret_named};
pub use output_dir::{OutputDir, OutputError};
pub use paths::Paths;
pub use publish::publish;
pub use standing::Standing;
pub use terminal::{notation_directory, state_directory};
pub use writer::{Shade, Writer};

use crate::base::time::Timestamp;
use crate::domain::provenance::{Account, BuildRecord, Claims, Issuer};

/// The system that runs us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI/CD.
    GitLab,
    /// AWS CodeBuild.
    CodeBuild,
    /// Bitbucket Pipelines.
    Bitbucket,
    /// Jenkins.
    Jenkins,
    /// Anything else.
    Terminal,
}

impl Host {
    /// Tells the host by what it sets: `GITHUB_ACTIONS` (GitHub, "Default environment variables"), `GITLAB_CI`
    /// (GitLab, "Predefined CI/CD variables"), `CODEBUILD_BUILD_ARN` (AWS `CodeBuild`, "Environment variables in build
    /// environments"), `BITBUCKET_PIPELINE_UUID` (Bitbucket Cloud, "Variables and secrets"), `BUILD_TAG` with `JENKINS_URL`
    /// (Jenkins, "Using a Jenkinsfile").
    pub fn detect(environment: &Environment) -> Self {
        if environment.get("GITHUB_ACTIONS") == Some("true") {
            Self::GitHub
        } else if environment.get("GITLAB_CI") == Some("true") {
            Self::GitLab
        } else if environment.get("CODEBUILD_BUILD_ARN").is_some() {
            Self::CodeBuild
        } else if bitbucket::is_here(environment) {
            Self::Bitbucket
        } else if jenkins::is_here(environment) {
            Self::Jenkins
        } else {
            Self::Terminal
        }
    }

    /// Whether the host looks for commands in what is printed.
    pub const fn reads_commands(self) -> bool {
        matches!(self, Self::GitHub)
    }

    /// Whether the event that runs us may sign.
    pub fn standing(self, environment: &Environment) -> Standing {
        match self {
            Self::GitHub => github::standing(environment),
            Self::CodeBuild => codebuild::standing(environment),
            Self::GitLab | Self::Bitbucket | Self::Jenkins | Self::Terminal => Standing::Trusted,
        }
    }

    /// What the environment alone says of the build; none where the host is not known or does not say enough.
    pub fn facts(self, environment: &Environment) -> Option<Account> {
        self.account(environment, None)
    }

    /// What is known of the build: by the claims of the job's verified token, or by the environment where there are
    /// none; none where the host is not known or does not say enough.
    pub fn account(self, environment: &Environment, claims: Option<&Claims>) -> Option<Account> {
        match self {
            Self::GitHub => github::account(environment, claims),
            Self::GitLab => gitlab::account(environment, claims),
            Self::CodeBuild => codebuild::account(environment, None),
            Self::Bitbucket => bitbucket::account(environment),
            Self::Jenkins => jenkins::account(environment),
            Self::Terminal => None,
        }
    }

    /// What the build service's own record says of the build; none where the host keeps no such records, or this one
    /// does not say enough.
    pub fn recorded(self, environment: &Environment, record: &BuildRecord) -> Option<Account> {
        match self {
            Self::CodeBuild => codebuild::account(environment, Some(record)),
            Self::GitHub | Self::GitLab | Self::Bitbucket | Self::Jenkins | Self::Terminal => None,
        }
    }

    /// The build that this is, where the host keeps records of builds that can be asked for.
    pub fn recorded_build(self, environment: &Environment) -> Option<&str> {
        match self {
            Self::CodeBuild => codebuild::build(environment),
            Self::GitHub | Self::GitLab | Self::Bitbucket | Self::Jenkins | Self::Terminal => None,
        }
    }

    /// Where each fact of a build comes from, for the pages in `docs/buildtypes/`.
    pub const fn sources(self) -> &'static [Fact] {
        match self {
            Self::GitHub => github::FACTS,
            Self::GitLab => gitlab::FACTS,
            Self::CodeBuild => codebuild::FACTS,
            Self::Bitbucket => bitbucket::FACTS,
            Self::Jenkins => jenkins::FACTS,
            Self::Terminal => &[],
        }
    }

    /// Who issues the identity tokens of jobs here, where that is known without being told.
    pub fn issuer(self, environment: &Environment) -> Option<Issuer> {
        match self {
            Self::GitHub => github::issuer(environment),
            Self::GitLab => gitlab::issuer(environment),
            Self::CodeBuild | Self::Bitbucket | Self::Jenkins | Self::Terminal => None,
        }
    }

    /// Whether jobs here can have identity tokens that speak of the build.
    pub const fn has_tokens(self) -> bool {
        matches!(self, Self::GitHub | Self::GitLab)
    }

    /// Why nobody speaks for a build here beside its environment, where nobody does.
    pub const fn silence(self) -> &'static str {
        match self {
            Self::Bitbucket => "this host's identity token names neither commit nor ref",
            _ => "this host gives no identity token",
        }
    }

    /// Whether somebody here may speak for a build beside its environment.
    pub fn vouches(self, environment: &Environment) -> bool {
        self.has_tokens() || self.recorded_build(environment).is_some()
    }

    /// When the commit that is built was made, by the event's word.
    pub fn commit_time(self, environment: &Environment) -> Option<Timestamp> {
        match self {
            Self::GitHub => github::commit_time(environment),
            Self::GitLab => gitlab::commit_time(environment),
            Self::CodeBuild | Self::Bitbucket | Self::Jenkins | Self::Terminal => None,
        }
    }

    /// Whether the host shows colours although no terminal is there.
    pub const fn shows_colours(self) -> bool {
        matches!(self, Self::GitHub | Self::GitLab)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_by_what_they_set() {
        let host = |name, value| Host::detect(&Environment::of([(name, value)]));
        assert_eq!(host("GITHUB_ACTIONS", "true"), Host::GitHub);
        assert_eq!(host("GITLAB_CI", "true"), Host::GitLab);
        assert_eq!(
            host("CODEBUILD_BUILD_ARN", "arn:aws:codebuild:…"),
            Host::CodeBuild
        );
        assert_eq!(host("BITBUCKET_PIPELINE_UUID", "{1f0c}"), Host::Bitbucket);
        assert_eq!(host("JENKINS_URL", "https://ci.example/"), Host::Terminal);
        assert_eq!(host("GITHUB_ACTIONS", "false"), Host::Terminal);
        assert_eq!(host("HOME", "/root"), Host::Terminal);
    }
}
