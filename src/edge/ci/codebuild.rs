//! AWS `CodeBuild`: may this build sign, and what does the host say of it.

use std::collections::BTreeMap;

use super::build::{self, Fact, Said};
use super::{Environment, Standing};
use crate::base::foreign::quote;
use crate::base::time::Timestamp;
use crate::domain::provenance::{Account, BuildFacts, BuildRecord, Dependency, Runner, Witness};

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

/// What a build on `CodeBuild` is told by (AWS `CodeBuild` API reference, `Build`; AWS `CodeBuild` User Guide,
/// "Environment variables in build environments"). Key and beginning are written in other forms in the two.
pub(super) const FACTS: &[Fact] = &[
    Fact::both(
        "arn",
        ARN,
        "`builder.id`, `externalParameters.project`, `metadata.invocationId`",
    ),
    Fact::other(
        "source.location",
        "CODEBUILD_SOURCE_REPO_URL",
        "`externalParameters.source`, `resolvedDependencies[0].uri`",
    ),
    Fact::both(
        "sourceVersion",
        "CODEBUILD_SOURCE_VERSION",
        "`externalParameters.sourceVersion`, `resolvedDependencies[0].uri`",
    ),
    Fact::both(
        "initiator",
        "CODEBUILD_INITIATOR",
        "`internalParameters.initiator`",
    ),
    Fact::variable(
        "CODEBUILD_BATCH_BUILD_IDENTIFIER",
        "`internalParameters.batchIdentifier`",
    ),
    Fact::both(
        "environment.image",
        "CODEBUILD_BUILD_IMAGE",
        "`internalParameters.image`",
    ),
    Fact::other(
        "encryptionKey",
        "CODEBUILD_KMS_KEY_ID",
        "`internalParameters.kmsKey`",
    ),
    Fact::both(
        "resolvedSourceVersion",
        "CODEBUILD_RESOLVED_SOURCE_VERSION",
        "`resolvedDependencies[0].digest.gitCommit`",
    ),
    Fact::other("startTime", "CODEBUILD_START_TIME", "`metadata.startedOn`"),
];

/// The variable that names the build, whose record is then asked for.
const ARN: &str = "CODEBUILD_BUILD_ARN";

/// The build that this is, by the environment's word.
pub(super) fn build(environment: &Environment) -> Option<&str> {
    environment.get(ARN)
}

/// What the service's record says of the build, or the environment where there is none; none where that is not enough.
pub(super) fn account(environment: &Environment, record: Option<&BuildRecord>) -> Option<Account> {
    let said = Said {
        facts: FACTS,
        environment,
        witness: record.map(Witness::Record),
    };
    let arn = said.text("arn")?;
    let project = project(&arn)?;
    let repository = build::url(&said.text("source.location")?)?;
    let commit = said.text("resolvedSourceVersion")?;
    let source = build::committed(&repository, &commit)?;
    let version = said.text("sourceVersion").unwrap_or_else(|| commit.clone());
    let builder = record.map_or(BUILDER, |_| project.as_str()).parse().ok()?;
    let base = BuildFacts::manual(builder, source);
    let facts = BuildFacts {
        build_type: BUILD_TYPE.to_owned(),
        external_parameters: build::map([
            ("project", Some(project.as_str().into())),
            ("source", Some(repository.as_str().into())),
            ("sourceVersion", Some(version.as_str().into())),
        ]),
        internal_parameters: build::map([
            ("initiator", said.parameter("initiator")),
            (
                "batchIdentifier",
                said.parameter("CODEBUILD_BATCH_BUILD_IDENTIFIER"),
            ),
            ("image", said.parameter("environment.image")),
            ("kmsKey", said.parameter("encryptionKey")),
        ]),
        resolved_dependencies: vec![Dependency {
            uri: format!("git+{repository}@{version}"),
            digest: BTreeMap::from([("gitCommit".to_owned(), commit)]),
        }],
        invocation_id: Some(arn),
        started_on: started(&said, record),
        ..base
    };
    let other = said.other_address("source.location", "CODEBUILD_SOURCE_REPO_URL", &repository);
    Some(Account {
        // Every machine of CodeBuild is AWS's own, reserved ones too.
        runner: record.map_or(Runner::Unknown, |_| Runner::Hosted),
        wanted: Some(format!(
            "CodeBuild's own record of the build, for which the role needs codebuild:BatchGetBuilds on {}",
            quote(&project)
        )),
        ..said.account(facts, other)
    })
}

/// When the build began: by the record, or in milliseconds by the variable.
fn started(said: &Said<'_>, record: Option<&BuildRecord>) -> Option<Timestamp> {
    if let Some(record) = record {
        return record.started();
    }
    let milliseconds = said.text("startTime")?.parse::<i64>().ok()?;
    Some(Timestamp::from_unix(milliseconds / 1_000))
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
    use crate::domain::provenance::Voucher;

    #[test]
    fn only_a_build_that_succeeds_so_far_signs() {
        let standing = |value| standing(&Environment::of([("CODEBUILD_BUILD_SUCCEEDING", value)]));
        assert_eq!(standing("1"), Standing::Trusted);
        for other in ["0", "", "true", "11"] {
            assert!(matches!(standing(other), Standing::Refused(_)), "{other}");
        }
    }

    const BUILD: &str = "arn:aws:codebuild:eu-west-1:111122223333:build/web:8d1f";
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn environment() -> Environment {
        Environment::of([
            (ARN, BUILD),
            ("CODEBUILD_SOURCE_REPO_URL", "https://github.com/octo-org/web.git"),
            ("CODEBUILD_SOURCE_VERSION", "main"),
            ("CODEBUILD_RESOLVED_SOURCE_VERSION", COMMIT),
            ("CODEBUILD_START_TIME", "1785578400123"),
        ])
    }

    fn record(commit: &str, location: &str) -> BuildRecord {
        let answer = format!(
            r#"{{"builds":[{{"arn":"{BUILD}","startTime":1785578500.5,"sourceVersion":"main",
                "resolvedSourceVersion":"{commit}","source":{{"location":"{location}"}}}}]}}"#
        );
        BuildRecord::find(answer.as_bytes(), BUILD).unwrap().unwrap()
    }

    #[test]
    fn the_record_speaks_and_what_the_environment_says_besides_is_compared() {
        let same = "https://github.com/octo-org/web.git";
        let good = account(&environment(), Some(&record(COMMIT, same))).unwrap();
        assert_eq!(
            good.facts.builder.as_str(),
            "arn:aws:codebuild:eu-west-1:111122223333:project/web"
        );
        assert_eq!(good.voucher, Voucher::Record(BUILD.to_owned()));
        assert_eq!(good.began(), Some(Timestamp::from_unix(1_785_578_500)));
        assert_eq!((good.contradictions.len(), good.runner), (0, Runner::Hosted));
        let other = account(
            &environment(),
            Some(&record(&"f".repeat(40), "https://e.example/x")),
        )
        .unwrap();
        let told: Vec<_> = other.contradictions.iter().map(|found| found.variable).collect();
        assert_eq!(
            told,
            ["CODEBUILD_SOURCE_REPO_URL", "CODEBUILD_RESOLVED_SOURCE_VERSION"]
        );
        assert_eq!(
            other.facts.resolved_dependencies[0].uri,
            "git+https://e.example/x@main"
        );
        // What the record does not say is not taken from the environment.
        assert_eq!(account(&environment(), Some(&record("v1", same))), None);
    }

    #[test]
    fn the_facts_name_project_build_and_commit() {
        let facts = account(&environment(), None).unwrap().facts;
        assert_eq!(facts.builder.as_str(), BUILDER);
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
        assert_eq!(account(&s3, None), None);
    }
}
