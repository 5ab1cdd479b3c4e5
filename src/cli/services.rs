//! What the arguments say of AWS and of registries.

use std::time::Duration;

use super::args::{AwsArgs, ServiceArgs, SignerArgs};
use super::error::CliError;
use super::origin::Origins;
use super::settings::word;
use super::words::{Overrides, SessionPolicy, SignerKind};
use crate::base::arn::RoleArn;
use crate::base::pages::address;
use crate::domain::oci::RegistryHost;
use crate::job::Issuer;

/// AWS and registries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// AWS.
    pub aws: AwsSettings,
    /// Registries.
    pub registry: RegistrySettings,
    /// Whether overrides found in the environment are refused.
    pub overrides: Overrides,
}

/// Who we are to AWS, as it was typed; what the words mean is the room's that speaks to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSettings {
    /// The signing profile.
    pub profile: Option<String>,
    /// Roles, in the order they are assumed.
    pub roles: Vec<RoleArn>,
    /// The session's name.
    pub session_name: Option<String>,
    /// How long the credentials live.
    pub duration: Duration,
    /// The last role's external id.
    pub external_id: Option<String>,
    /// The token's audience.
    pub audience: Option<String>,
    /// Variable or file of the token.
    pub id_token: Option<String>,
    /// Who issues it, where that is not known.
    pub token_issuer: Option<Issuer>,
    /// The region.
    pub region: Option<String>,
    /// Accounts that may act; empty allows any.
    pub allowed_accounts: Vec<String>,
}

/// How registries are spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Hosts without TLS.
    pub plain_http: Vec<RegistryHost>,
    /// User, and the variable or file of the password.
    pub login: Option<(String, String)>,
    /// Longest time for one request.
    pub request_timeout: Duration,
}

impl Default for ServiceSettings {
    /// Nothing given.
    fn default() -> Self {
        Self {
            aws: AwsSettings {
                profile: None,
                roles: Vec::new(),
                session_name: None,
                duration: Duration::from_mins(15),
                external_id: None,
                audience: None,
                id_token: None,
                token_issuer: None,
                region: None,
                allowed_accounts: Vec::new(),
            },
            registry: RegistrySettings {
                plain_http: Vec::new(),
                login: None,
                request_timeout: Duration::from_secs(30),
            },
            overrides: Overrides::Report,
        }
    }
}

/// Checks what belongs together.
pub(super) fn services(
    signer: &SignerArgs,
    args: ServiceArgs,
    origins: &Origins,
) -> Result<ServiceSettings, CliError> {
    if signer.signer == SignerKind::Local && signer.signing_profile.is_some() {
        return Err(CliError::Together {
            first: origins.spell("signing-profile"),
            second: format!("{} local", origins.spell("signer")),
            why: "a signing profile is for the signer aws",
        });
    }
    let services = unsigned(args, origins)?;
    let profile = signer.signing_profile.clone();
    Ok(ServiceSettings {
        aws: AwsSettings {
            profile,
            ..services.aws
        },
        ..services
    })
}

/// The same for commands that have nothing to do with a signer.
pub(super) fn unsigned(args: ServiceArgs, origins: &Origins) -> Result<ServiceSettings, CliError> {
    let overrides = args.aws.overrides;
    let registry = args.registry;
    Ok(ServiceSettings {
        aws: aws(args.aws, origins)?,
        registry: RegistrySettings {
            plain_http: registry.plain_http,
            login: login(
                registry.registry_username,
                registry.registry_password_from,
                origins,
            )?,
            request_timeout: registry.request_timeout.0,
        },
        overrides,
    })
}

fn aws(args: AwsArgs, origins: &Origins) -> Result<AwsSettings, CliError> {
    if args.session_policy == SessionPolicy::Auto {
        return Err(CliError::NotYet {
            what: format!("{} auto", origins.spell("session-policy")),
            instead: Some(format!(
                "give the role no more than it needs: {}",
                address("docs/guides/aws.md#what-the-role-may-do")
            )),
        });
    }
    if args.role_arn.is_none() && !args.role_chain.is_empty() {
        return Err(CliError::Missing {
            argument: origins.spell("role-arn"),
            why: "the role that the chain begins with".to_owned(),
        });
    }
    let issuer = args.token_issuer.map(|text| word(&text, "token-issuer", origins));
    let issuer = issuer.transpose()?;
    Ok(AwsSettings {
        profile: None,
        roles: args.role_arn.into_iter().chain(args.role_chain).collect(),
        session_name: args.role_session_name,
        duration: args.role_duration.0,
        external_id: args.external_id,
        audience: args.audience,
        id_token: args.id_token,
        token_issuer: issuer,
        region: args.region,
        allowed_accounts: args.allowed_account_ids,
    })
}

fn login(
    user: Option<String>,
    password_from: Option<String>,
    origins: &Origins,
) -> Result<Option<(String, String)>, CliError> {
    let missing = |name: &str, why: &str| CliError::Missing {
        argument: origins.spell(name),
        why: why.to_owned(),
    };
    match (user, password_from) {
        (None, None) => Ok(None),
        (Some(user), Some(from)) => Ok(Some((user, from))),
        (Some(_), None) => Err(missing(
            "registry-password-from",
            "the password of the registry's user",
        )),
        (None, Some(_)) => Err(missing("registry-username", "the user whose password it is")),
    }
}
