//! GitLab CI/CD: what the host says of the build, and sections of its log.

use std::collections::BTreeMap;

use super::Environment;
use super::build::{self, Fact, Said};
use crate::base::time::Timestamp;
use crate::domain::provenance::{Account, BuildFacts, Claims, Dependency, Issuer, Parameter, Witness};

const BUILD_TYPE: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/gitlab-job.md";

/// Who builds, where only the environment says so.
const BUILDER: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/gitlab-job.md#environment";

/// What a build on GitLab is told by (GitLab, "`OpenID` Connect (OIDC) authentication using ID tokens", "Predefined
/// CI/CD variables").
pub(super) const FACTS: &[Fact] = &[
    Fact::other(
        "project_path",
        "CI_PROJECT_URL",
        "`externalParameters.source`, `resolvedDependencies[0].uri`, `builder.id`, `metadata.invocationId`",
    ),
    Fact::both(
        "ref",
        "CI_COMMIT_REF_NAME",
        "`externalParameters.ref`, `resolvedDependencies[0].uri`",
    ),
    Fact::other("ref_type", "CI_COMMIT_TAG", "`externalParameters.tag`"),
    Fact::variable("CI_JOB_NAME", "`externalParameters.entryPoint`"),
    Fact::other(
        "ci_config_ref_uri",
        "CI_CONFIG_PATH",
        "`externalParameters.configPath`",
    ),
    Fact::both(
        "pipeline_source",
        "CI_PIPELINE_SOURCE",
        "`externalParameters.pipelineSource`",
    ),
    Fact::both("project_id", "CI_PROJECT_ID", "`internalParameters.projectId`"),
    Fact::both(
        "namespace_id",
        "CI_PROJECT_NAMESPACE_ID",
        "`internalParameters.namespaceId`",
    ),
    Fact::both(
        "ref_protected",
        "CI_COMMIT_REF_PROTECTED",
        "`internalParameters.refProtected`",
    ),
    Fact::both(
        "runner_id",
        "CI_RUNNER_ID",
        "`builder.id`, `internalParameters.runnerId`",
    ),
    Fact::claimed("runner_environment", "`internalParameters.runnerEnvironment`"),
    Fact::variable("CI_RUNNER_EXECUTABLE_ARCH", "`internalParameters.executorArch`"),
    Fact::variable("CI_JOB_IMAGE", "`internalParameters.jobImage`"),
    Fact::both(
        "sha",
        "CI_COMMIT_SHA",
        "`resolvedDependencies[0].digest.gitCommit`",
    ),
    Fact::other("job_id", "CI_JOB_URL", "`metadata.invocationId`"),
    Fact::variable("CI_JOB_STARTED_AT", "`metadata.startedOn`"),
];

/// What the claims of the verified token say of the build, or the environment where there are none; none where that is
/// not enough.
pub(super) fn account(environment: &Environment, claims: Option<&Claims>) -> Option<Account> {
    let said = Said {
        facts: FACTS,
        environment,
        witness: claims.map(Witness::Token),
    };
    let (project, job) = (said.text("project_path")?, said.text("job_id")?);
    let runner = said.text("runner_id");
    let (project, builder, job) = match claims {
        Some(claims) => {
            let project = format!("{}/{project}", claims.issuer().server());
            let builder = build::uri(&format!("{project}/-/runners/{}", runner?));
            let job = format!("{project}/-/jobs/{job}");
            (project, builder, job)
        }
        None => (build::url(&project)?, BUILDER.to_owned(), build::url(&job)?),
    };
    let (reference, commit) = (said.text("ref")?, said.text("sha")?);
    let tag = match (claims, said.text("ref_type").as_deref()) {
        (None, tag) => tag.map(Parameter::from),
        (Some(_), Some("tag")) => Some(reference.as_str().into()),
        (Some(_), _) => None,
    };
    let source = format!("{project}@{commit}").parse().ok()?;
    let base = BuildFacts::manual(builder.parse().ok()?, source);
    let facts = BuildFacts {
        build_type: BUILD_TYPE.to_owned(),
        external_parameters: build::map([
            ("source", Some(project.as_str().into())),
            ("ref", Some(reference.as_str().into())),
            ("tag", tag),
            ("entryPoint", Some(said.parameter("CI_JOB_NAME")?)),
            ("configPath", said.parameter("ci_config_ref_uri")),
            ("pipelineSource", said.parameter("pipeline_source")),
        ]),
        internal_parameters: build::map([
            ("projectId", said.parameter("project_id")),
            ("namespaceId", said.parameter("namespace_id")),
            ("refProtected", said.parameter("ref_protected")),
            ("runnerId", said.parameter("runner_id")),
            ("runnerEnvironment", said.parameter("runner_environment")),
            ("executorArch", said.parameter("CI_RUNNER_EXECUTABLE_ARCH")),
            ("jobImage", said.parameter("CI_JOB_IMAGE")),
        ]),
        resolved_dependencies: vec![Dependency {
            uri: format!("git+{project}@{reference}"),
            digest: BTreeMap::from([("gitCommit".to_owned(), commit)]),
        }],
        invocation_id: Some(job.clone()),
        started_on: said.text("CI_JOB_STARTED_AT").and_then(|time| time.parse().ok()),
        ..base
    };
    let others = [
        said.other_address("project_path", "CI_PROJECT_URL", &project),
        said.other_address("job_id", "CI_JOB_URL", &job),
    ];
    Some(said.account(facts, others.into_iter().flatten()))
}

/// The issuer of this GitLab's tokens, where it is known.
pub(super) fn issuer(environment: &Environment) -> Option<Issuer> {
    Issuer::of_gitlab(&build::url(environment.get("CI_SERVER_URL")?)?)
}

/// When the commit was made (GitLab, "Predefined CI/CD variables", `CI_COMMIT_TIMESTAMP`).
pub(super) fn commit_time(environment: &Environment) -> Option<Timestamp> {
    let time = environment.get("CI_COMMIT_TIMESTAMP")?.parse::<Timestamp>();
    time.ok().map(Timestamp::whole)
}

/// The beginning of a collapsed section (GitLab, "Job logs", custom collapsible sections).
pub(super) fn section_start(at: i64, target: usize, header: &str) -> String {
    format!("\u{1b}[0Ksection_start:{at}:countersign_{target}[collapsed=true]\r\u{1b}[0K{header}\n")
}

/// Its end.
pub(super) fn section_end(at: i64, target: usize) -> String {
    format!("\u{1b}[0Ksection_end:{at}:countersign_{target}\r\u{1b}[0K\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_of_a_job_hold_no_password() {
        let environment = Environment::of([
            ("CI_PROJECT_URL", "https://u:secret@git.example/g/p"),
            ("CI_COMMIT_REF_NAME", "main"),
            ("CI_COMMIT_SHA", "0123456789abcdef0123456789abcdef01234567"),
            ("CI_JOB_NAME", "sign"),
            ("CI_JOB_URL", "https://git.example/g/p/-/jobs/7"),
            ("CI_JOB_STARTED_AT", "2026-08-01T10:00:00Z"),
            ("CI_PROJECT_ID", "3"),
        ]);
        let facts = account(&environment, None).unwrap().facts;
        assert_eq!(
            serde_json::to_string(&facts.external_parameters).unwrap(),
            r#"{"entryPoint":"sign","ref":"main","source":"https://git.example/g/p"}"#
        );
        assert_eq!(
            facts.resolved_dependencies[0].uri,
            "git+https://git.example/g/p@main"
        );
        assert!(facts.started_on.is_some());
        assert!(!format!("{facts:?}").contains("secret"));
    }
}
