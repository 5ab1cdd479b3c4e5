//! GitLab CI/CD: what the host says of the build, and sections of its log.

use std::collections::BTreeMap;

use super::Environment;
use super::build::{self, HostFacts};
use crate::domain::provenance::{BuildFacts, Dependency, Parameter};

const BUILD_TYPE: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/gitlab-job.md";

/// Who builds, where only the environment says so.
const BUILDER: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/gitlab-job.md#environment";

/// What the environment says of the build (GitLab, "Predefined CI/CD variables"); none where it does not say enough.
pub(super) fn facts(environment: &Environment) -> Option<HostFacts> {
    let project = build::url(environment.get("CI_PROJECT_URL")?)?;
    let reference = environment.get("CI_COMMIT_REF_NAME")?;
    let commit = environment.get("CI_COMMIT_SHA")?;
    let source = format!("{project}@{commit}").parse().ok()?;
    let text = |name: &str| environment.get(name).map(Parameter::from);
    let base = BuildFacts::manual(BUILDER.parse().ok()?, source);
    Some(HostFacts::new(BuildFacts {
        build_type: BUILD_TYPE.to_owned(),
        external_parameters: build::map([
            ("source", Some(project.as_str().into())),
            ("ref", Some(reference.into())),
            ("tag", text("CI_COMMIT_TAG")),
            ("entryPoint", Some(environment.get("CI_JOB_NAME")?.into())),
            ("configPath", text("CI_CONFIG_PATH")),
            ("pipelineSource", text("CI_PIPELINE_SOURCE")),
        ]),
        internal_parameters: build::map([
            ("projectId", text("CI_PROJECT_ID")),
            ("namespaceId", text("CI_PROJECT_NAMESPACE_ID")),
            ("refProtected", text("CI_COMMIT_REF_PROTECTED")),
            ("runnerId", text("CI_RUNNER_ID")),
            ("executorArch", text("CI_RUNNER_EXECUTABLE_ARCH")),
            ("jobImage", text("CI_JOB_IMAGE")),
        ]),
        resolved_dependencies: vec![Dependency {
            uri: format!("git+{project}@{reference}"),
            digest: BTreeMap::from([("gitCommit".to_owned(), commit.to_owned())]),
        }],
        invocation_id: Some(build::url(environment.get("CI_JOB_URL")?)?),
        started_on: environment
            .get("CI_JOB_STARTED_AT")
            .and_then(|time| time.parse().ok()),
        ..base
    }))
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
        let facts = facts(&Environment::of([
            ("CI_PROJECT_URL", "https://u:secret@git.example/g/p"),
            ("CI_COMMIT_REF_NAME", "main"),
            ("CI_COMMIT_SHA", "0123456789abcdef0123456789abcdef01234567"),
            ("CI_JOB_NAME", "sign"),
            ("CI_JOB_URL", "https://git.example/g/p/-/jobs/7"),
            ("CI_JOB_STARTED_AT", "2026-08-01T10:00:00Z"),
            ("CI_PROJECT_ID", "3"),
        ]))
        .unwrap()
        .facts;
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
