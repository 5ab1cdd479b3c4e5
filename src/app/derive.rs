//! What follows from the signer alone: its chain or profile, and the trust that a self-check is made under.

use super::Scene;
use super::services::Services;
use super::signer::state;
use crate::base::arn::ProfileArn;
use crate::base::failure::{Cause, Class};
use crate::cli::{KeyChoice, TrustFiles};
use crate::domain::trust::expectation::Expectations;
use crate::domain::trust::{DerivedTrust, RegistryScope, StoreType, TrustStore};
use crate::domain::x509::{Certificate, Chain, read_certificates};
use crate::edge::aws::profile::ProfileName;
use crate::edge::ci::read_named;
use crate::edge::trust_files::read_store;

/// What trust is derived from, and for whom.
pub(super) struct Deriving<'a> {
    pub(super) key: Option<&'a KeyChoice>,
    pub(super) profile: Option<&'a ProfileName>,
    pub(super) named: &'a TrustFiles,
    /// What accepted attestations have to say.
    pub(super) expectations: Option<&'a Expectations>,
    /// Repositories, or `*`.
    pub(super) scopes: &'a [String],
}

impl Deriving<'_> {
    /// The trust that follows from the signer that was named; required unless a policy was named.
    pub(super) async fn derive(
        &self,
        services: &Services,
        scene: &Scene<'_>,
    ) -> Result<Option<DerivedTrust>, Cause> {
        if let Some(profile) = self.profile {
            let arn = services.profile_arn(profile).await?;
            return self.profile(&arn).map(Some);
        }
        match self.key {
            Some(key) if self.named.policy.is_none() || self.named.store.is_none() => {
                self.key(&chain(key, scene)?).map(Some)
            }
            // What is derived from this machine's own key is then only compared with: the same policy given as a file
            // proves no more.
            _ => Ok(chain(self.key.unwrap_or(&KeyChoice::Made), scene)
                .and_then(|chain| self.key(&chain))
                .ok()),
        }
    }

    /// The trust that follows from a chain.
    pub(super) fn key(&self, chain: &Chain) -> Result<DerivedTrust, Cause> {
        DerivedTrust::local(&self.parsed()?, chain.leaf(), chain.root()).map_err(|error| Cause::of(&error))
    }

    /// The trust that follows from a signing profile, under the embedded roots or those that were named.
    fn profile(&self, arn: &ProfileArn) -> Result<DerivedTrust, Cause> {
        let scopes = self.parsed()?;
        let derived = match &self.named.store {
            None => DerivedTrust::aws(&scopes, arn),
            Some(path) => {
                let shape = DerivedTrust::aws_under(&scopes, arn, &[]).map_err(|error| Cause::of(&error))?;
                let store = read_store(path, shape.document()).map_err(|error| Cause::of(&error))?;
                DerivedTrust::aws_under(&scopes, arn, &roots(&store))
            }
        };
        derived.map_err(|error| Cause::of(&error))
    }

    fn parsed(&self) -> Result<Vec<RegistryScope>, Cause> {
        let scopes = self.scopes.iter().map(|scope| scope.parse());
        scopes.collect::<Result<_, _>>().map_err(|error| Cause {
            class: Class::Usage,
            message: format!("could not derive a trust policy for the repository: {error}"),
            hint: None,
        })
    }
}

/// Every root that a signing authority may end in.
pub(super) fn roots(store: &TrustStore) -> Vec<Certificate> {
    let authorities = store
        .iter()
        .filter(|(name, _)| name.kind() == StoreType::SigningAuthority);
    authorities
        .filter_map(|(_, roots)| roots.ok())
        .flatten()
        .cloned()
        .collect()
}

/// The chain of the local key, without touching the key.
fn chain(choice: &KeyChoice, scene: &Scene<'_>) -> Result<Chain, Cause> {
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
                "nothing was signed with a local key by this user; to check what somebody else signed, give their \
                 trust-policy and trust-store, which `trust` in the report of their run holds"
                    .to_owned(),
            ),
        });
    }
    let pem = read_named(&path).map_err(|error| Cause::of(&error).within("local-chain"))?;
    let certificates = read_certificates(&pem).map_err(|error| Cause::of(&error))?;
    Chain::code_signing(certificates).map_err(|error| Cause::of(&error))
}
