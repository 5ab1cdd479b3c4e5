//! The environment, read once; the register says which variables are looked at and why.

use std::collections::BTreeMap;

use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::secret::Secret;

/// A variable that is read besides inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is read for.
    pub meaning: &'static str,
    /// Whether its value may be shown.
    pub sensitive: bool,
}

/// Every variable that is read besides `COUNTERSIGN_*` and `INPUT_*`, by name.
pub const REGISTER: &[Variable] = &[
    hidden(
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "GitHub Actions: what a job shows to be given an identity token",
    ),
    shown(
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "GitHub Actions: where a job that may have an identity token asks for one",
    ),
    shown(
        "AWS_CA_BUNDLE",
        "a PEM file of certificate roots besides the embedded ones",
    ),
    shown(
        "AWS_CONFIG_FILE",
        "the AWS SDKs' configuration file, for credentials that are there already; default `~/.aws/config`",
    ),
    shown(
        "AWS_DEFAULT_REGION",
        "the AWS region, where `AWS_REGION` is not set",
    ),
    shown(
        "AWS_EC2_METADATA_DISABLED",
        "`true`: no instance metadata service is asked for credentials; `false`: it is there",
    ),
    shown(
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "where the instance metadata service is, which says that there is one",
    ),
    shown("AWS_ENDPOINT_URL", "where every AWS service is"),
    shown("AWS_ENDPOINT_URL_CODEBUILD", "where CodeBuild is"),
    shown("AWS_ENDPOINT_URL_ECR", "where the ECR API is"),
    shown(
        "AWS_ENDPOINT_URL_SIGNER",
        "where AWS Signer is, its data plane included",
    ),
    shown("AWS_ENDPOINT_URL_SIGNER_DATA", "where AWS Signer's data plane is"),
    shown("AWS_ENDPOINT_URL_STS", "where STS is"),
    shown(
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "`true`: the variables above do not count",
    ),
    shown(
        "AWS_PROFILE",
        "which profile of the AWS SDKs' files gives credentials, for credentials that are there already",
    ),
    shown(
        "AWS_REGION",
        "the AWS region, where neither `region` nor a profile's ARN names one",
    ),
    shown(
        "AWS_SHARED_CREDENTIALS_FILE",
        "the AWS SDKs' credentials file, for credentials that are there already; default `~/.aws/credentials`",
    ),
    shown(
        "AWS_USE_DUALSTACK_ENDPOINT",
        "`true`: the services' addresses with IPv6",
    ),
    shown("AWS_USE_FIPS_ENDPOINT", "`true`: the services' FIPS addresses"),
    shown("BITBUCKET_BRANCH", "Bitbucket: for the provenance"),
    shown(
        "BITBUCKET_BUILD_NUMBER",
        "Bitbucket: for the provenance, and in the name of a role's session",
    ),
    shown(
        "BITBUCKET_CLONE_DIR",
        "Bitbucket's workspace: files that name images are read below it",
    ),
    shown("BITBUCKET_COMMIT", "Bitbucket: for the provenance"),
    shown(
        "BITBUCKET_GIT_HTTP_ORIGIN",
        "Bitbucket: for the provenance, without user and password",
    ),
    shown(
        "BITBUCKET_PIPELINE_UUID",
        "set by Bitbucket Pipelines: this is a step; for the provenance",
    ),
    shown("BITBUCKET_PR_ID", "Bitbucket: for the provenance"),
    shown(
        "BITBUCKET_REPO_FULL_NAME",
        "Bitbucket: for the provenance, and in the name of a role's session",
    ),
    shown("BITBUCKET_STEP_UUID", "Bitbucket: for the provenance"),
    shown("BITBUCKET_TAG", "Bitbucket: for the provenance"),
    shown(
        "BUILD_TAG",
        "set by Jenkins: this is a build; names the session of a role",
    ),
    shown("BUILD_URL", "Jenkins: for the provenance"),
    shown("CI_COMMIT_REF_NAME", "GitLab: for the provenance"),
    shown("CI_COMMIT_REF_PROTECTED", "GitLab: for the provenance"),
    shown("CI_COMMIT_SHA", "GitLab: for the provenance"),
    shown("CI_COMMIT_TAG", "GitLab: for the provenance"),
    shown(
        "CI_COMMIT_TIMESTAMP",
        "GitLab: the time that attestations carry, unless `SOURCE_DATE_EPOCH` is set",
    ),
    shown("CI_CONFIG_PATH", "GitLab: for the provenance"),
    shown("CI_JOB_ID", "GitLab CI/CD: names the session of a role"),
    shown("CI_JOB_IMAGE", "GitLab: for the provenance"),
    shown("CI_JOB_NAME", "GitLab: for the provenance"),
    shown("CI_JOB_STARTED_AT", "GitLab: for the provenance"),
    shown("CI_JOB_URL", "GitLab: for the provenance"),
    shown("CI_PIPELINE_SOURCE", "GitLab: for the provenance"),
    shown(
        "CI_PROJECT_DIR",
        "GitLab's workspace: files that name images are read below it",
    ),
    shown("CI_PROJECT_ID", "GitLab: for the provenance"),
    shown("CI_PROJECT_NAMESPACE_ID", "GitLab: for the provenance"),
    shown("CI_PROJECT_URL", "GitLab: for the provenance"),
    shown("CI_RUNNER_EXECUTABLE_ARCH", "GitLab: for the provenance"),
    shown("CI_RUNNER_ID", "GitLab: for the provenance"),
    shown(
        "CI_SERVER_URL",
        "GitLab: whether it is GitLab.com, whose issuer of identity tokens is known",
    ),
    shown(
        "CODEBUILD_BATCH_BUILD_IDENTIFIER",
        "CodeBuild: for the provenance",
    ),
    shown(
        "CODEBUILD_BUILD_ARN",
        "set by AWS CodeBuild: this is a build; for the provenance",
    ),
    shown("CODEBUILD_BUILD_ID", "AWS CodeBuild: names the session of a role"),
    shown("CODEBUILD_BUILD_IMAGE", "CodeBuild: for the provenance"),
    shown(
        "CODEBUILD_BUILD_SUCCEEDING",
        "CodeBuild: not `1`: nothing is signed",
    ),
    shown("CODEBUILD_INITIATOR", "CodeBuild: for the provenance"),
    shown("CODEBUILD_KMS_KEY_ID", "CodeBuild: for the provenance"),
    shown(
        "CODEBUILD_RESOLVED_SOURCE_VERSION",
        "CodeBuild: for the provenance",
    ),
    shown(
        "CODEBUILD_SOURCE_REPO_URL",
        "CodeBuild: for the provenance, without user and password",
    ),
    shown("CODEBUILD_SOURCE_VERSION", "CodeBuild: for the provenance"),
    shown(
        "CODEBUILD_SRC_DIR",
        "CodeBuild's workspace: files that name images are read below it",
    ),
    shown("CODEBUILD_START_TIME", "CodeBuild: for the provenance"),
    shown("COLUMNS", "width of the terminal, for the progress line"),
    shown(
        "DOCKER_CONFIG",
        "the directory of Docker's `config.json`; default `~/.docker`",
    ),
    shown(
        "GITHUB_ACTIONS",
        "`true` on GitHub Actions: inputs count, variables do not",
    ),
    shown(
        "GITHUB_ARTIFACTS_LIST",
        "the file of subjects that earlier steps declared, for images-from github-artifacts-list",
    ),
    shown(
        "GITHUB_EVENT_NAME",
        "GitHub: whether a fork may be at work; for the provenance",
    ),
    shown(
        "GITHUB_EVENT_PATH",
        "GitHub: the file that says whose change is at work",
    ),
    shown("GITHUB_OUTPUT", "GitHub: the file that takes outputs"),
    shown("GITHUB_REF", "GitHub: for the provenance"),
    shown(
        "GITHUB_REPOSITORY",
        "GitHub: for the provenance, to know the workspace's other names, and in the name of a role's session",
    ),
    shown("GITHUB_REPOSITORY_ID", "GitHub: for the provenance"),
    shown("GITHUB_REPOSITORY_OWNER_ID", "GitHub: for the provenance"),
    shown("GITHUB_RUN_ATTEMPT", "GitHub: for the provenance"),
    shown(
        "GITHUB_RUN_ID",
        "GitHub: for the provenance, and in the name of a role's session",
    ),
    shown("GITHUB_SERVER_URL", "GitHub: for the provenance"),
    shown("GITHUB_SHA", "GitHub: for the provenance"),
    shown("GITHUB_STEP_SUMMARY", "GitHub: the file that takes the summary"),
    shown("GITHUB_WORKFLOW_REF", "GitHub: for the provenance"),
    shown(
        "GITHUB_WORKSPACE",
        "GitHub's workspace: where relative paths begin, and files that name images are read below it",
    ),
    shown("GITLAB_CI", "`true` on GitLab CI/CD"),
    shown("GIT_BRANCH", "Jenkins: for the provenance"),
    shown("GIT_COMMIT", "Jenkins: for the provenance"),
    shown(
        "GIT_URL",
        "Jenkins: for the provenance, without user and password",
    ),
    shown("HOME", "the user's directory, where no XDG directory is set"),
    hidden("HTTPS_PROXY", "the proxy for `https:` addresses"),
    hidden("HTTP_PROXY", "the proxy for `http:` addresses"),
    shown(
        "JENKINS_URL",
        "set by Jenkins: this is a build; for the provenance",
    ),
    shown("JOB_NAME", "Jenkins: for the provenance"),
    shown("NODE_NAME", "Jenkins: for the provenance"),
    shown(
        "NOTATION_CONFIG",
        "Notation's configuration directory, read only where `trust-policy` or `trust-store` is `notation`",
    ),
    shown("NO_COLOR", "not empty: no colours (no-color.org)"),
    shown("NO_PROXY", "hosts that are reached without a proxy"),
    shown(
        "RUNNER_TEMP",
        "the runner's temporary directory: files that name images are read below it too",
    ),
    shown(
        "RUNNER_WORKSPACE",
        "GitHub: another name of the workspace's parent",
    ),
    shown(
        "SOURCE_DATE_EPOCH",
        "seconds since 1970: when the attestation says it was made (reproducible-builds.org)",
    ),
    shown(
        "SSL_CERT_FILE",
        "a PEM file of certificate roots besides the embedded ones",
    ),
    shown("TERM", "`dumb`: no colours and no progress line"),
    shown(
        "WORKSPACE",
        "Jenkins' workspace: files that name images are read below it",
    ),
    shown(
        "XDG_CONFIG_HOME",
        "where Notation's configuration directory is, where `NOTATION_CONFIG` does not say",
    ),
    shown(
        "XDG_STATE_HOME",
        "where the local CA is kept, in `countersign/` (XDG Base Directory Specification)",
    ),
    hidden("http_proxy", "the same as `HTTP_PROXY`, which it stands behind"),
    hidden("https_proxy", "the same as `HTTPS_PROXY`, which it stands behind"),
    shown("no_proxy", "the same as `NO_PROXY`, which it stands behind"),
];

const fn shown(name: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        meaning,
        sensitive: false,
    }
}

const fn hidden(name: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        meaning,
        sensitive: true,
    }
}

/// The value of a variable that an input names, as `id-token` does; read from the process when it is needed, since no
/// register can list it.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one file that reads the environment"
)]
pub(super) fn named(name: &str) -> Option<Secret<String>> {
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return None;
    }
    let value = Secret::new(std::env::var(name).ok()?);
    (!value.expose().trim().is_empty()).then_some(value)
}

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not read the variable {}: expected UTF-8 text, found other bytes", name.quote())]
pub struct EnvironmentError {
    /// Its name.
    pub name: Foreign,
}

impl Classified for EnvironmentError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// The variables that concern us, as they were when the program started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`EnvironmentError`] for a variable of ours that is not text.
    pub fn read() -> Result<Self, EnvironmentError> {
        let mut values = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| concerns_us(name)) else {
                continue;
            };
            let value = value.into_string().map_err(|_| EnvironmentError {
                name: Foreign::new(name),
            })?;
            values.insert(name.to_owned(), value);
        }
        Ok(Self(values))
    }

    /// An environment of these variables.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self(
            variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        )
    }

    /// A variable's value; empty counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// All of them, for the table of inputs.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

fn concerns_us(name: &str) -> bool {
    name.starts_with("COUNTERSIGN_")
        || name.starts_with("INPUT_")
        || REGISTER.iter().any(|variable| variable.name == name)
}

/// The register as a Markdown table.
pub fn register_table() -> String {
    let rows = REGISTER.iter().map(|variable| {
        let shown = if variable.sensitive { "never" } else { "yes" };
        format!("| `{}` | {} | {shown} |\n", variable.name, variable.meaning)
    });
    format!(
        "| variable | read for | shown |\n|---|---|---|\n{}",
        rows.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_is_in_order_and_without_repetition() {
        let names: Vec<_> = REGISTER.iter().map(|variable| variable.name).collect();
        let sorted: std::collections::BTreeSet<_> = names.iter().copied().collect();
        assert_eq!(names, sorted.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn empty_counts_as_absent() {
        let environment = Environment::of([("NO_COLOR", ""), ("HOME", "/h")]);
        assert_eq!(environment.get("NO_COLOR"), None);
        assert_eq!(environment.get("HOME"), Some("/h"));
    }
}
