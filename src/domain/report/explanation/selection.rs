//! Which policy speaks for the image in an explanation, and what it asks.

use super::line;
use crate::base::failure::Cause;
use crate::base::foreign::Foreign;
use crate::domain::report::ordered::Json;
use crate::domain::trust::{
    Applicable, RegistryScope, TrustPolicy, TrustPolicyDocument, TrustStore, ValidationKind,
};

/// Which policy speaks for the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    policy: Option<Foreign>,
    why: String,
    pub(super) trust: Option<Trust>,
}

/// What the policy asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trust {
    level: &'static str,
    actions: Vec<(&'static str, &'static str)>,
    stores: Vec<Store>,
    identities: Vec<Foreign>,
}

/// One trust store that the policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Store {
    name: String,
    /// How many certificates, or why it cannot be used.
    certificates: Result<usize, String>,
}

impl Selection {
    pub(super) fn of(scope: &str, document: &TrustPolicyDocument, store: &TrustStore) -> Self {
        let applicable = match document.applicable(scope) {
            Ok(applicable) => applicable,
            Err(error) => {
                return Self {
                    policy: None,
                    why: Cause::of(&error).message,
                    trust: None,
                };
            }
        };
        let everything = applicable.scopes().contains(&RegistryScope::Every);
        let reason = match (everything, scope) {
            (true, "*") => "it speaks for everything (registryScopes \"*\")".to_owned(),
            (true, scope) => {
                format!("no policy names {scope}, and this one speaks for everything (registryScopes \"*\")")
            }
            (false, scope) => format!("its registryScopes name {scope}"),
        };
        Self {
            policy: Some(Foreign::new(applicable.name())),
            why: match applicable {
                Applicable::Judge(_) => reason,
                Applicable::Skip(_) => format!("{reason}; its level is skip, so nothing is looked at"),
            },
            trust: match applicable {
                Applicable::Judge(policy) => Some(Trust::of(policy, store)),
                Applicable::Skip(_) => None,
            },
        }
    }

    pub(super) fn write(&self, text: &mut String) {
        let name = self.policy.as_ref();
        let name = name.map_or_else(
            || "no policy".to_owned(),
            |name| format!("policy {}", name.quote()),
        );
        line(text, 0, &format!("{name}: {}", self.why));
        let Some(trust) = &self.trust else { return };
        let actions: Vec<String> = trust
            .actions
            .iter()
            .map(|(kind, action)| format!("{kind} {action}"))
            .collect();
        line(text, 1, &format!("level {}: {}", trust.level, actions.join(", ")));
        for store in &trust.stores {
            let holds = match &store.certificates {
                Ok(1) => "1 certificate".to_owned(),
                Ok(count) => format!("{count} certificates"),
                Err(why) => format!("cannot be used, so nothing counts as trusted: {why}"),
            };
            line(text, 1, &format!("trust store {}: {holds}", store.name));
        }
        for identity in &trust.identities {
            line(text, 1, &format!("trusts {}", identity.quote()));
        }
    }

    pub(super) fn json(&self) -> Json {
        let actions = |trust: &Trust| {
            let members = trust
                .actions
                .iter()
                .map(|(kind, action)| ((*kind).to_owned(), (*action).into()));
            Json::Map(members.collect())
        };
        let stores = |trust: &Trust| {
            Json::list(trust.stores.iter().map(|store| {
                Json::map([
                    ("name", (&store.name).into()),
                    ("certificates", store.certificates.as_ref().ok().copied().into()),
                    ("problem", store.certificates.as_ref().err().into()),
                ])
            }))
        };
        Json::map([
            ("name", self.policy.as_ref().into()),
            ("reason", (&self.why).into()),
            ("level", self.trust.as_ref().map(|trust| trust.level).into()),
            ("actions", self.trust.as_ref().map(actions).into()),
            ("trustStores", self.trust.as_ref().map(stores).into()),
            (
                "trustedIdentities",
                self.trust
                    .as_ref()
                    .map(|trust| Json::list(&trust.identities))
                    .into(),
            ),
        ])
    }
}

impl Trust {
    fn of(policy: &TrustPolicy, store: &TrustStore) -> Self {
        let verification = policy.verification();
        let actions = ValidationKind::ALL.map(|kind| (kind.name(), verification.action(kind).name()));
        let stores = policy.stores().iter().map(|name| Store {
            name: name.to_string(),
            certificates: match store.certificates(name) {
                Ok(certificates) => Ok(certificates.len()),
                Err(error) => Err(Cause::of(&error).message),
            },
        });
        let identities = policy
            .identities()
            .iter()
            .map(|identity| Foreign::new(identity.to_string()));
        Self {
            level: verification.level().name(),
            actions: actions.to_vec(),
            stores: stores.collect(),
            identities: identities.collect(),
        }
    }
}
