//! AWS `CodeBuild`: may this build sign, and what does the host say of it.

use std::collections::BTreeMap;

use super::build::{self, Fact, Said};
use super::{Environment, Standing};
use crate::base::time::Timestamp;
use crate::domain::provenance::{Account, BuildFacts, Dependency, Source};

const BUILD_TYPE: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/codebuild.md";

/// Who builds, where only the environment says so.
const BUILDER: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/codebuild.md#environment";

/// A build that failed does not sign, though its `post_build` phase runs (AWS `CodeBuild` User Guide, "Build phase
/// transitions" and `CODEBUILD_BUILD_SUCCEEDING`).
pub(super) fn standing(environment: &Environment) -> Standing {
    match environment.get("CODEBUILD_BUILD_SUCCEEDING") {
        Some("1") => Standing::Trusted,
        _ => Standing::refused(
            "the build has not succeeded so far: CODEBUILD_BUILD_SUCCEEDING is not 1",
            "mend the build; post_build runs after a failed build too, and what failed is not signed",
        ),
    }
}

/// What a build on `CodeBuild` is told by (AWS `CodeBuild` User Guide, "Environment variables in build environments").
pub(super) const FACTS: &[Fact] = &[
    Fact::variable(
        "CODEBUILD_BUILD_ARN",
        "`externalParameters.project`, `metadata.invocationId`",
    ),
    Fact::variable(
        "CODEBUILD_SOURCE_REPO_URL",
        "`externalParameters.source`, `resolvedDependencies[0].uri`",
    ),
    Fact::variable(
        "CODEBUILD_SOURCE_VERSION",
        "`externalParameters.sourceVersion`, `resolvedDependencies[0].uri`",
    ),
    Fact::variable("CODEBUILD_INITIATOR", "`internalParameters.initiator`"),
    Fact::variable(
        "CODEBUILD_BATCH_BUILD_IDENTIFIER",
        "`internalParameters.batchIdentifier`",
    ),
    Fact::variable("CODEBUILD_BUILD_IMAGE", "`internalParameters.image`"),
    Fact::variable("CODEBUILD_KMS_KEY_ID", "`internalParameters.kmsKey`"),
    Fact::variable(
        "CODEBUILD_RESOLVED_SOURCE_VERSION",
        "`resolvedDependencies[0].digest.gitCommit`",
    ),
    Fact::variable("CODEBUILD_START_TIME", "`metadata.startedOn`"),
];

/// What the environment says of the build; none where it does not say enough. There is no token here.
pub(super) fn account(environment: &Environment) -> Option<Account> {
    let said = Said {
        facts: FACTS,
        environment,
        claims: None,
    };
    let arn = said.text("CODEBUILD_BUILD_ARN")?;
    let repository = build::url(&said.text("CODEBUILD_SOURCE_REPO_URL")?)?;
    let commit = said.text("CODEBUILD_RESOLVED_SOURCE_VERSION")?;
    let source = format!("{repository}@{commit}").parse::<Source>();
    let source = source.ok().filter(|source| source.commit().is_some())?;
    let version = said.text("CODEBUILD_SOURCE_VERSION");
    let version = version.unwrap_or_else(|| commit.clone());
    let started = said
        .text("CODEBUILD_START_TIME")
        .and_then(|milliseconds| milliseconds.parse::<i64>().ok())
        .map(|milliseconds| Timestamp::from_unix(milliseconds / 1_000));
    let base = BuildFacts::manual(BUILDER.parse().ok()?, source);
    let facts = BuildFacts {
        build_type: BUILD_TYPE.to_owned(),
        external_parameters: build::map([
            ("project", Some(project(&arn)?.as_str().into())),
            ("source", Some(repository.as_str().into())),
            ("sourceVersion", Some(version.as_str().into())),
        ]),
        internal_parameters: build::map([
            ("initiator", said.parameter("CODEBUILD_INITIATOR")),
            (
                "batchIdentifier",
                said.parameter("CODEBUILD_BATCH_BUILD_IDENTIFIER"),
            ),
            ("image", said.parameter("CODEBUILD_BUILD_IMAGE")),
            ("kmsKey", said.parameter("CODEBUILD_KMS_KEY_ID")),
        ]),
        resolved_dependencies: vec![Dependency {
            uri: format!("git+{repository}@{version}"),
            digest: BTreeMap::from([("gitCommit".to_owned(), commit)]),
        }],
        invocation_id: Some(arn),
        started_on: started,
        ..base
    };
    Some(said.account(facts, None))
}

/// The project of a build: `arn:…:build/NAME:ID` belongs to `arn:…:project/NAME`.
fn project(arn: &str) -> Option<String> {
    let (before, build) = arn.split_once(":build/")?;
    let (name, _) = build.rsplit_once(':')?;
    Some(format!("{before}:project/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_build_that_succeeds_so_far_signs() {
        let standing = |value| standing(&Environment::of([("CODEBUILD_BUILD_SUCCEEDING", value)]));
        assert_eq!(standing("1"), Standing::Trusted);
        for other in ["0", "", "true", "11"] {
            assert!(matches!(standing(other), Standing::Refused(_)), "{other}");
        }
    }

    #[test]
    fn the_facts_name_project_build_and_commit() {
        let facts = account(&Environment::of([
            (
                "CODEBUILD_BUILD_ARN",
                "arn:aws:codebuild:eu-west-1:111122223333:build/web:8d1f",
            ),
            ("CODEBUILD_SOURCE_REPO_URL", "https://github.com/octo-org/web.git"),
            ("CODEBUILD_SOURCE_VERSION", "main"),
            (
                "CODEBUILD_RESOLVED_SOURCE_VERSION",
                "0123456789abcdef0123456789abcdef01234567",
            ),
            ("CODEBUILD_START_TIME", "1785578400123"),
        ]))
        .unwrap()
        .facts;
        assert_eq!(
            serde_json::to_string(&facts.external_parameters).unwrap(),
            r#"{"project":"arn:aws:codebuild:eu-west-1:111122223333:project/web","source":"https://github.com/octo-org/web.git","sourceVersion":"main"}"#
        );
        assert_eq!(facts.started_on, Some(Timestamp::from_unix(1_785_578_400)));
        // From S3 there is no commit, and so nothing that could be said.
        let s3 = Environment::of([
            (
                "CODEBUILD_BUILD_ARN",
                "arn:aws:codebuild:eu-west-1:1:build/web:8d1f",
            ),
            ("CODEBUILD_SOURCE_REPO_URL", "https://b.example/a.zip"),
            ("CODEBUILD_RESOLVED_SOURCE_VERSION", "v1"),
        ]);
        assert_eq!(account(&s3), None);
    }
}
