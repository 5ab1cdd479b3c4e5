//! What the environment redirects: named in the report, or refused.

use super::network::ROOTS;
use crate::base::failure::{Cause, Class};
use crate::domain::report::{Finding, Rule};
use crate::edge::ci::Environment;

/// Endpoints and proxies, besides the files of roots.
const ELSEWHERE: [&str; 9] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_SIGNER",
    "AWS_ENDPOINT_URL_SIGNER_DATA",
    "AWS_ENDPOINT_URL_STS",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "http_proxy",
    "https_proxy",
];

/// Those that are set.
pub(super) fn found(environment: &Environment) -> Vec<&'static str> {
    let names = ELSEWHERE.into_iter().chain(ROOTS);
    names.filter(|name| environment.get(name).is_some()).collect()
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
