//! What the environment redirects: named in the report, or refused.

use std::path::Path;

use super::network::ROOTS;
use crate::base::failure::{Cause, Class};
use crate::domain::report::{Finding, Rule};
use crate::edge::ci::{Environment, file_is_there};

/// Endpoints and proxies, besides the files of roots.
const ELSEWHERE: [&str; 12] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_CODEBUILD",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_SIGNER",
    "AWS_ENDPOINT_URL_SIGNER_DATA",
    "AWS_ENDPOINT_URL_STS",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What chooses among the profiles of the AWS SDKs and where they are.
const PROFILES: [&str; 3] = ["AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];

/// The files of those profiles below `HOME`, where nothing else is said. They may name a program to run for credentials.
const PROFILE_FILES: [(&str, &str, &str); 2] = [
    ("AWS_CONFIG_FILE", ".aws/config", "~/.aws/config"),
    (
        "AWS_SHARED_CREDENTIALS_FILE",
        ".aws/credentials",
        "~/.aws/credentials",
    ),
];

/// Those that are there; profiles count only where `profiles` says that credentials may come from them.
pub(super) fn found(environment: &Environment, profiles: bool) -> Vec<&'static str> {
    let is_set = |name: &&'static str| environment.get(name).is_some();
    let mut found: Vec<_> = ELSEWHERE.into_iter().chain(ROOTS).filter(is_set).collect();
    if profiles {
        found.extend(PROFILES.into_iter().filter(is_set));
        let home = environment.get("HOME").map(Path::new);
        let there = |(variable, path, name): (&'static str, &str, &'static str)| {
            let moved = environment.get(variable).is_some();
            let file = home.filter(|_| !moved)?.join(path);
            file_is_there(&file).then_some(name)
        };
        found.extend(PROFILE_FILES.into_iter().filter_map(there));
    }
    found
}

/// One note for each.
pub(super) fn findings(found: &[&str]) -> Vec<Finding> {
    let note = |name: &&str| Finding::new(Rule::EnvironmentOverride, format!("the environment sets {name}"));
    found.iter().map(note).collect()
}

/// For `overrides: refuse`.
pub(super) fn refusal(found: &[&str]) -> Cause {
    Cause {
        class: Class::Usage,
        message: format!("the environment sets {} (overrides is refuse)", found.join(", ")),
        hint: Some("unset what is not meant, or find out which step sets it".to_owned()),
    }
}
