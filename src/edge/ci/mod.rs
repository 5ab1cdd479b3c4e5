//! Know the host: which CI system this is, its variables and places, and the one writer that may print.
//!
//! For: telling hosts apart by data, reading the environment once, printing so that nothing foreign becomes a
//! command, and the files of a report.
//! Not for: deciding what is printed; `domain/report` renders, `app/` chooses.
//! Speaks: the variables and log commands of GitHub Actions, GitLab CI/CD and AWS CodeBuild; XDG directories.
//!
//! ```
//! use countersign::edge::ci::{Environment, Host};
//! let environment = Environment::of([("GITHUB_ACTIONS", "true")]);
//! assert_eq!(Host::detect(&environment), Host::GitHub);
//! ```

mod build;
mod codebuild;
mod env;
mod files;
mod github;
mod gitlab;
mod handed;
mod id_token;
mod output_dir;
mod paths;
mod publish;
mod standing;
mod terminal;
mod writer;

pub use build::HostFacts;
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

/// The system that runs us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI/CD.
    GitLab,
    /// AWS CodeBuild.
    CodeBuild,
    /// Anything else.
    Terminal,
}

impl Host {
    /// Tells the host by what it sets: `GITHUB_ACTIONS` (GitHub, "Default environment variables"), `GITLAB_CI`
    /// (GitLab, "Predefined CI/CD variables"), `CODEBUILD_BUILD_ARN` (AWS `CodeBuild`, "Environment variables in build
    /// environments").
    pub fn detect(environment: &Environment) -> Self {
        if environment.get("GITHUB_ACTIONS") == Some("true") {
            Self::GitHub
        } else if environment.get("GITLAB_CI") == Some("true") {
            Self::GitLab
        } else if environment.get("CODEBUILD_BUILD_ARN").is_some() {
            Self::CodeBuild
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
            Self::GitLab | Self::Terminal => Standing::Trusted,
        }
    }

    /// What the environment says of the build; none where the host is not known or does not say enough.
    pub fn facts(self, environment: &Environment) -> Option<HostFacts> {
        match self {
            Self::GitHub => github::facts(environment),
            Self::GitLab => gitlab::facts(environment),
            Self::CodeBuild => codebuild::facts(environment),
            Self::Terminal => None,
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
        assert_eq!(host("GITHUB_ACTIONS", "false"), Host::Terminal);
        assert_eq!(host("HOME", "/root"), Host::Terminal);
    }
}
