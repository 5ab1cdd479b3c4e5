//! Bitbucket Pipelines: what the host says of the build.

use std::collections::BTreeMap;

use super::Environment;
use super::build::{self, Fact, Said};
use crate::domain::provenance::{Account, BuildFacts, Dependency};

const BUILD_TYPE: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/bitbucket-step.md";

/// Who builds, since only the environment says so.
const BUILDER: &str = "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/bitbucket-step.md#environment";

/// What a step says that it is one.
const PIPELINE: &str = "BITBUCKET_PIPELINE_UUID";

/// What a build on Bitbucket is told by (Bitbucket Cloud, "Variables and secrets", default variables).
pub(super) const FACTS: &[Fact] = &[
    Fact::variable(
        "BITBUCKET_GIT_HTTP_ORIGIN",
        "`externalParameters.source`, `resolvedDependencies[0].uri`, `metadata.invocationId`",
    ),
    Fact::variable(
        "BITBUCKET_BRANCH",
        "`externalParameters.branch`, `resolvedDependencies[0].uri`",
    ),
    Fact::variable(
        "BITBUCKET_TAG",
        "`externalParameters.tag`, `resolvedDependencies[0].uri`",
    ),
    Fact::variable("BITBUCKET_PR_ID", "`externalParameters.pullRequest`"),
    Fact::variable("BITBUCKET_REPO_FULL_NAME", "`internalParameters.repository`"),
    Fact::variable(PIPELINE, "`internalParameters.pipelineUuid`"),
    Fact::variable("BITBUCKET_STEP_UUID", "`internalParameters.stepUuid`"),
    Fact::variable("BITBUCKET_COMMIT", "`resolvedDependencies[0].digest.gitCommit`"),
    Fact::variable("BITBUCKET_BUILD_NUMBER", "`metadata.invocationId`"),
];

/// Whether a step of Bitbucket Pipelines runs us.
pub(super) fn is_here(environment: &Environment) -> bool {
    environment.get(PIPELINE).is_some()
}

/// What the environment says of the build; none where it does not say enough. No claim of the host's token names a
/// commit or a ref (docs/decisions/0029-bitbucket-and-jenkins.md).
pub(super) fn account(environment: &Environment) -> Option<Account> {
    let said = Said {
        facts: FACTS,
        environment,
        witness: None,
    };
    let repository = build::url(&said.text("BITBUCKET_GIT_HTTP_ORIGIN")?)?;
    let (commit, number) = (
        said.text("BITBUCKET_COMMIT")?,
        said.text("BITBUCKET_BUILD_NUMBER")?,
    );
    let source = build::committed(&repository, &commit)?;
    let named = said
        .text("BITBUCKET_TAG")
        .or_else(|| said.text("BITBUCKET_BRANCH"));
    let reference = named.unwrap_or_else(|| commit.clone());
    let base = BuildFacts::manual(BUILDER.parse().ok()?, source);
    let facts = BuildFacts {
        build_type: BUILD_TYPE.to_owned(),
        external_parameters: build::map([
            ("source", Some(repository.as_str().into())),
            ("branch", said.parameter("BITBUCKET_BRANCH")),
            ("tag", said.parameter("BITBUCKET_TAG")),
            ("pullRequest", said.parameter("BITBUCKET_PR_ID")),
        ]),
        internal_parameters: build::map([
            ("repository", said.parameter("BITBUCKET_REPO_FULL_NAME")),
            ("pipelineUuid", said.parameter(PIPELINE)),
            ("stepUuid", said.parameter("BITBUCKET_STEP_UUID")),
        ]),
        resolved_dependencies: vec![Dependency {
            uri: format!("git+{repository}@{reference}"),
            digest: BTreeMap::from([("gitCommit".to_owned(), commit)]),
        }],
        invocation_id: Some(build::uri(&format!("{repository}/pipelines/results/{number}"))),
        ..base
    };
    Some(said.account(facts, None).wanting(build::TYPED))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn the_facts_name_repository_ref_commit_and_run() {
        let of = |name, value| {
            account(&Environment::of([
                (PIPELINE, "{1f0c}"),
                (
                    "BITBUCKET_GIT_HTTP_ORIGIN",
                    "http://u:secret@bitbucket.org/octo/web",
                ),
                ("BITBUCKET_COMMIT", COMMIT),
                ("BITBUCKET_BUILD_NUMBER", "7"),
                (name, value),
            ]))
        };
        let facts = of("BITBUCKET_TAG", "v1").unwrap().facts;
        assert_eq!(
            serde_json::to_string(&facts.external_parameters).unwrap(),
            r#"{"source":"http://bitbucket.org/octo/web","tag":"v1"}"#
        );
        assert_eq!(
            facts.resolved_dependencies[0].uri,
            "git+http://bitbucket.org/octo/web@v1"
        );
        assert_eq!(
            facts.invocation_id.as_deref(),
            Some("http://bitbucket.org/octo/web/pipelines/results/7")
        );
        assert!(!format!("{facts:?}").contains("secret"));
        assert_eq!(
            of("BITBUCKET_COMMIT", "0123456"),
            None,
            "a short name is anybody's"
        );
        assert_eq!(of("BITBUCKET_BUILD_NUMBER", ""), None);
    }
}
