//! Jenkins: what the host says of the build.

use super::Environment;
use super::build::{self, Fact, Said};
use crate::domain::provenance::{Account, BuildFacts};

const BUILD_TYPE: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/jenkins.md";

/// Who builds, since only the environment says so.
const BUILDER: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/jenkins.md#environment";

/// What a build on Jenkins is told by (Jenkins, "Using a Jenkinsfile", "Using environment variables"; Git plugin,
/// "Environment variables").
pub(super) const FACTS: &[Fact] = &[
    Fact::variable("JENKINS_URL", "`externalParameters.jenkins`"),
    Fact::variable("JOB_NAME", "`externalParameters.job`"),
    Fact::variable(
        "GIT_URL",
        "`externalParameters.source`, `resolvedDependencies[0].uri`",
    ),
    Fact::variable("GIT_BRANCH", "`externalParameters.branch`"),
    Fact::variable("NODE_NAME", "`internalParameters.node`"),
    Fact::variable(
        "GIT_COMMIT",
        "`resolvedDependencies[0].uri`, `resolvedDependencies[0].digest.gitCommit`",
    ),
    Fact::variable("BUILD_URL", "`metadata.invocationId`"),
];

/// Whether a build of Jenkins runs us. Its own command line takes `JENKINS_URL` too, so that alone says nothing.
pub(super) fn is_here(environment: &Environment) -> bool {
    let tag = environment.get("BUILD_TAG");
    tag.is_some_and(|tag| tag.starts_with("jenkins-")) && environment.get("JENKINS_URL").is_some()
}

/// What the environment says of the build; none where it does not say enough. There is no token here.
pub(super) fn account(environment: &Environment) -> Option<Account> {
    let said = Said {
        facts: FACTS,
        environment,
        witness: None,
    };
    let repository = build::repository(&said.text("GIT_URL")?)?;
    let source = build::committed(&repository, &said.text("GIT_COMMIT")?)?;
    let jenkins = build::url(&said.text("JENKINS_URL")?)?;
    let base = BuildFacts::manual(BUILDER.parse().ok()?, source);
    let facts = BuildFacts {
        build_type: BUILD_TYPE.to_owned(),
        external_parameters: build::map([
            ("jenkins", Some(jenkins.as_str().into())),
            ("job", Some(said.parameter("JOB_NAME")?)),
            ("source", Some(repository.as_str().into())),
            ("branch", said.parameter("GIT_BRANCH")),
        ]),
        internal_parameters: build::map([("node", said.parameter("NODE_NAME"))]),
        invocation_id: Some(build::url(&said.text("BUILD_URL")?)?),
        ..base
    };
    Some(said.account(facts, None).wanting(build::TYPED))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn of(url: &str, commit: &str) -> Option<Account> {
        account(&Environment::of([
            ("JENKINS_URL", "https://ci.example/"),
            ("JOB_NAME", "team/web"),
            ("BUILD_URL", "https://ci.example/job/team/job/web/7/"),
            ("GIT_URL", url),
            ("GIT_COMMIT", commit),
        ]))
    }

    #[test]
    fn the_facts_name_controller_job_commit_and_run() {
        let facts = of("git@github.com:octo/web.git", COMMIT).unwrap().facts;
        assert_eq!(
            serde_json::to_string(&facts.external_parameters).unwrap(),
            r#"{"jenkins":"https://ci.example","job":"team/web","source":"ssh://github.com/octo/web.git"}"#
        );
        assert_eq!(
            facts.resolved_dependencies[0].uri,
            format!("git+ssh://github.com/octo/web.git@{COMMIT}")
        );
        assert_eq!(
            facts.invocation_id.as_deref(),
            Some("https://ci.example/job/team/job/web/7")
        );
        let secret = of("https://u:secret@git.example/web", COMMIT).unwrap();
        assert!(!format!("{secret:?}").contains("secret"));
        assert_eq!(of("https://git.example/web", "main"), None);
        assert_eq!(of("/srv/git/web", COMMIT), None);
    }

    #[test]
    fn an_address_of_jenkins_alone_is_no_build_of_it() {
        let here = |tag| {
            is_here(&Environment::of([
                ("JENKINS_URL", "https://ci.example/"),
                ("BUILD_TAG", tag),
            ]))
        };
        assert!(here("jenkins-team-web-7"));
        assert!(!here("") && !here("v1"));
    }
}
