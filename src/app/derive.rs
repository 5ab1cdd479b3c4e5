//! What follows from the local key alone: its chain, and the trust that a self-check is made under.

use super::Scene;
use super::backends::state;
use crate::base::failure::{Cause, Class};
use crate::cli::{KeyChoice, TrustFiles};
use crate::domain::oci::Repository;
use crate::domain::trust::{DerivedTrust, RegistryScope};
use crate::domain::x509::{Chain, read_certificates};
use crate::edge::ci::read_named;

/// The trust that follows from a chain.
pub(super) fn derived(chain: &Chain, repository: Option<&Repository>) -> Result<DerivedTrust, Cause> {
    let scope = repository
        .map(|name| name.to_string().parse::<RegistryScope>())
        .transpose();
    let scopes = scope.map_err(|error| Cause {
        class: Class::Usage,
        message: format!("could not derive a trust policy for the repository: {error}"),
        hint: None,
    })?;
    let scopes = Vec::from_iter(scopes);
    DerivedTrust::local(&scopes, chain.leaf(), chain.root()).map_err(|error| Cause::of(&error))
}

/// The chain of the local key, without touching the key.
pub(super) fn chain(choice: &KeyChoice, scene: &Scene<'_>) -> Result<Chain, Cause> {
    let path = match choice {
        KeyChoice::Files { chain, .. } => chain.clone(),
        KeyChoice::Made => state(scene)?.join("local-chain.pem"),
    };
    if *choice == KeyChoice::Made && !path.exists() {
        return Err(Cause {
            class: Class::Usage,
            message: format!(
                "expected the chain of a local key in {}, found none",
                path.display()
            ),
            hint: Some(
                "sign something with `run --signer local` first, or give trust-policy and trust-store"
                    .to_owned(),
            ),
        });
    }
    let pem = read_named(&path).map_err(|error| Cause::of(&error))?;
    let certificates = read_certificates(&pem).map_err(|error| Cause::of(&error))?;
    Chain::code_signing(certificates).map_err(|error| Cause::of(&error))
}

/// The trust that follows from a key's chain; required unless policy and store were both named.
pub(super) fn of_key(
    key: Option<&KeyChoice>,
    named: &TrustFiles,
    repository: Option<&Repository>,
    scene: &Scene<'_>,
) -> Result<Option<DerivedTrust>, Cause> {
    match key {
        Some(key) if named.policy.is_none() || named.store.is_none() => {
            derived(&chain(key, scene)?, repository).map(Some)
        }
        // What is derived from this machine's own key is then only compared with: the same policy given as a file
        // proves no more.
        _ => Ok(chain(key.unwrap_or(&KeyChoice::Made), scene)
            .and_then(|chain| derived(&chain, repository))
            .ok()),
    }
}
