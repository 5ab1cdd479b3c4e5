//! AWS `CodeBuild`: may this build sign, and what does the host say of it.

use std::collections::BTreeMap;

use super::build::{self, HostFacts};
use super::{Environment, Standing};
use crate::base::time::Timestamp;
use crate::domain::provenance::{BuildFacts, Dependency, Parameter};

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

/// What the environment says of the build (AWS `CodeBuild` User Guide, "Environment variables in build
/// environments"); none where it does not say enough.
pub(super) fn facts(environment: &Environment) -> Option<HostFacts> {
    let arn = environment.get("CODEBUILD_BUILD_ARN")?;
    let repository = build::url(environment.get("CODEBUILD_SOURCE_REPO_URL")?)?;
    let commit = environment.get("CODEBUILD_RESOLVED_SOURCE_VERSION")?;
    let source = format!("{repository}@{commit}").parse::<crate::domain::provenance::Source>();
    let source = source.ok().filter(|source| source.commit().is_some())?;
    let text = |name: &str| environment.get(name).map(Parameter::from);
    let version = environment.get("CODEBUILD_SOURCE_VERSION").unwrap_or(commit);
    let started = environment
        .get("CODEBUILD_START_TIME")
        .and_then(|milliseconds| milliseconds.parse::<i64>().ok())
        .map(|milliseconds| Timestamp::from_unix(milliseconds / 1_000));
    let base = BuildFacts::manual(BUILDER.parse().ok()?, source);
    Some(HostFacts::new(BuildFacts {
        build_type: BUILD_TYPE.to_owned(),
        external_parameters: build::map([
            ("project", Some(project(arn)?.as_str().into())),
            ("source", Some(repository.as_str().into())),
            ("sourceVersion", Some(version.into())),
        ]),
        internal_parameters: build::map([
            ("initiator", text("CODEBUILD_INITIATOR")),
            ("batchIdentifier", text("CODEBUILD_BATCH_BUILD_IDENTIFIER")),
            ("image", text("CODEBUILD_BUILD_IMAGE")),
            ("kmsKey", text("CODEBUILD_KMS_KEY_ID")),
        ]),
        resolved_dependencies: vec![Dependency {
            uri: format!("git+{repository}@{version}"),
            digest: BTreeMap::from([("gitCommit".to_owned(), commit.to_owned())]),
        }],
        invocation_id: Some(arn.to_owned()),
        started_on: started,
        ..base
    }))
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
        let facts = facts(&Environment::of([
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
        assert_eq!(super::facts(&s3), None);
    }
}
