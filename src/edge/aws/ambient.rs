//! Credentials that are there already, found by the SDK's own providers in the SDKs' order.
//!
//! The SDK's default chain is not used whole: it asks the instance metadata service wherever nothing else is found,
//! and on every machine that has none it waits for seconds.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers".

use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;

use super::credentials::IdentityError;
use crate::base::foreign::quote;

/// Whether an instance metadata service is there to be asked: somebody says so by variable, or the machine says it is
/// one of Amazon's. Guessing wrong the other way costs seconds of waiting on every other machine.
///
/// `vendor` is the content of `/sys/class/dmi/id/sys_vendor`, or of `board_vendor`.
pub fn has_instance_metadata(lookup: impl Fn(&str) -> Option<String>, vendor: Option<&str>) -> bool {
    let disabled = lookup("AWS_EC2_METADATA_DISABLED").map(|value| value.to_ascii_lowercase());
    match disabled.as_deref() {
        Some("true") => false,
        Some("false") => true,
        _ => {
            lookup("AWS_EC2_METADATA_SERVICE_ENDPOINT").is_some_and(|endpoint| !endpoint.is_empty())
                || vendor.is_some_and(|vendor| vendor.trim() == "Amazon EC2")
        }
    }
}

/// Longest wait for an instance metadata service that is said to be there (ours; it answers in a millisecond, and
/// from a container whose hops it does not allow it never answers).
const METADATA_WAIT: Duration = Duration::from_millis(500);

/// The order of the AWS SDKs; each gives way to the next when it has nothing.
pub(super) fn chain(config: &ProviderConfig, instance_metadata: bool) -> CredentialsProviderChain {
    let profile = ProfileFileCredentialsProvider::builder()
        .configure(config)
        .build();
    let token_file = WebIdentityTokenCredentialsProvider::builder()
        .configure(config)
        .build();
    let container = EcsCredentialsProvider::builder().configure(config).build();
    let chain =
        CredentialsProviderChain::first_try("environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("profile", profile)
            .or_else("web identity token file", token_file)
            .or_else("container", container);
    if !instance_metadata {
        return chain;
    }
    let client = imds::Client::builder()
        .configure(config)
        .max_attempts(1)
        .connect_timeout(METADATA_WAIT)
        .read_timeout(METADATA_WAIT)
        .operation_timeout(METADATA_WAIT * 2)
        .operation_attempt_timeout(METADATA_WAIT)
        .build();
    chain.or_else(
        "instance metadata",
        ImdsCredentialsProvider::builder().imds_client(client).build(),
    )
}

/// Says where credentials were looked for, or what went wrong where there were some.
pub(super) fn absent(error: &CredentialsError) -> IdentityError {
    IdentityError::Absent(match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            "asked: environment, profile files, web identity token file, container".to_owned()
        }
        error => {
            let mut last: &dyn std::error::Error = error;
            while let Some(source) = last.source() {
                last = source;
            }
            quote(&last.to_string()).to_string()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_metadata_is_asked_only_where_something_says_it_is_there() {
        let asks = |variable: Option<(&str, &str)>, vendor| {
            let lookup = |name: &str| {
                variable
                    .filter(|(key, _)| *key == name)
                    .map(|(_, value)| value.to_owned())
            };
            has_instance_metadata(lookup, vendor)
        };
        assert!(!asks(None, None));
        assert!(!asks(None, Some("QEMU\n")));
        assert!(asks(None, Some("Amazon EC2\n")));
        assert!(!asks(
            Some(("AWS_EC2_METADATA_DISABLED", "True")),
            Some("Amazon EC2")
        ));
        assert!(asks(Some(("AWS_EC2_METADATA_DISABLED", "false")), None));
        assert!(asks(
            Some(("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")),
            None
        ));
    }
}
