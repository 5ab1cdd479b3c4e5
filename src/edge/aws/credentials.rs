//! Who we are to AWS: a role assumed with an identity token, or the credentials that are already there; in memory
//! only, made once for all clients, and again before they run out.
//!
//! Sources: STS API reference, `AssumeRoleWithWebIdentity`, `AssumeRole`, `GetCallerIdentity`; AWS SDKs and Tools
//! Reference Guide, "Standardized credential providers".

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::ambient;
use super::answer::{Kind, ServiceError};
use super::assume::Sts;
use super::denial::Denial;
use super::roles::{Roles, SettingsError, check};
use crate::base::arn::{Arn, RoleArn};
use crate::base::failure::{Cause, Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::secret::Secret;

/// Gets a fresh identity token from the host; asked once per attempt, since such tokens live for minutes.
///
/// The function comes from outside: this room knows what a token is for, not where one comes from.
#[derive(Clone)]
pub struct IdToken(Arc<dyn Fn() -> TokenFuture + Send + Sync>);

type TokenFuture = Pin<Box<dyn Future<Output = Result<Secret<String>, Cause>> + Send>>;

impl IdToken {
    /// Uses `fetch` to get tokens.
    pub fn new<F, T>(fetch: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<Secret<String>, Cause>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(fetch())))
    }

    pub(super) async fn fetch(&self) -> Result<Secret<String>, IdentityError> {
        (self.0)().await.map_err(IdentityError::Token)
    }
}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdToken(…)")
    }
}

/// Where the first credentials come from.
#[derive(Clone, Debug)]
pub enum Base {
    /// An identity token, exchanged for the first role.
    Token(IdToken),
    /// Whatever is there: environment, profile files, a token file, a container's endpoint, and the instance
    /// metadata service only where `instance_metadata` says that this machine has one.
    Ambient {
        /// Whether to ask the instance metadata service; see [`ambient::has_instance_metadata`].
        instance_metadata: bool,
    },
}

/// Why there is nobody to act as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The host gave no token.
    #[error("could not get an identity token: {0}")]
    Token(Cause),
    /// STS did not give a role.
    #[error(transparent)]
    Denied(Box<Denial>),
    /// Nothing in the environment, files or container gives credentials.
    #[error("could not find AWS credentials ({0})")]
    Absent(String),
    /// The credentials are not of an allowed account.
    #[error("the credentials are of account {}, expected one of {}", found.quote(), allowed.join(", "))]
    Account {
        /// Their account.
        found: Foreign,
        /// Those allowed.
        allowed: Vec<String>,
    },
    /// STS could not say whose the credentials are.
    #[error("could not ask whose the AWS credentials are")]
    Caller(#[source] Box<ServiceError>),
}

impl Classified for IdentityError {
    fn class(&self) -> Class {
        match self {
            Self::Token(cause) => cause.class,
            Self::Denied(denial) => denial.class(),
            Self::Absent(_) | Self::Account { .. } => Class::Refused,
            Self::Caller(error) => match error.problem.kind() {
                Kind::Unavailable | Kind::Throttled => Class::Unavailable,
                _ => Class::Refused,
            },
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Token(cause) => cause.hint.clone(),
            Self::Denied(denial) => denial.hint(),
            Self::Absent(_) => Some(
                "give role-arn and an identity token, or credentials in the ways that the AWS SDKs know"
                    .to_owned(),
            ),
            Self::Account { .. } => {
                Some("see which role or profile is in use; allowed-account-ids lists what may be".to_owned())
            }
            Self::Caller(_) => None,
        }
    }
}

/// Who the credentials turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// The role session or user, where it is known.
    pub arn: Option<Foreign>,
}

/// Credentials, and until when they are used without asking again.
struct Held {
    credentials: Credentials,
    until: Option<Instant>,
    caller: Option<Caller>,
}

/// Credentials are renewed this long before they run out.
const MARGIN: Duration = Duration::from_mins(2);

/// Credentials are used at least this long, even where the clocks disagree.
const LEAST: Duration = Duration::from_mins(1);

/// Makes the credentials and keeps them; shared by the clients of all services.
pub(super) struct Identity {
    base: Base,
    roles: Roles,
    allowed_accounts: Vec<String>,
    sts: Sts,
    held: Mutex<Option<Held>>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("base", &self.base)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

impl Identity {
    pub(super) fn new(
        base: Base,
        roles: Roles,
        allowed_accounts: Vec<String>,
        sts: Sts,
    ) -> Result<Self, SettingsError> {
        check(&base, &roles, sts.partition())?;
        Ok(Self {
            base,
            roles,
            allowed_accounts,
            sts,
            held: Mutex::new(None),
        })
    }

    /// The account that will act, where it is known without asking: that of the last role.
    pub(super) fn known_account(&self) -> Option<&str> {
        self.roles.chain.last().map(|role| role.arn().account.as_str())
    }

    /// The account that acts, asked of STS only where no role says it.
    pub(super) async fn account(&self) -> Result<String, IdentityError> {
        match self.known_account() {
            Some(account) => Ok(account.to_owned()),
            None => Ok(self.caller().await?.account),
        }
    }

    /// Who acts, with the credentials made.
    pub(super) async fn caller(&self) -> Result<Caller, IdentityError> {
        let mut held = self.held.lock().await;
        let fresh = self.fresh(held.take()).await?;
        let held = held.insert(fresh);
        if let Some(caller) = &held.caller {
            return Ok(caller.clone());
        }
        let caller = self.sts.caller(&held.credentials).await?;
        Ok(held.caller.insert(caller).clone())
    }

    async fn credentials(&self) -> Result<Credentials, IdentityError> {
        let mut held = self.held.lock().await;
        let fresh = self.fresh(held.take()).await?;
        Ok(held.insert(fresh).credentials.clone())
    }

    /// What is held if it is still good, else new credentials, of an allowed account.
    async fn fresh(&self, held: Option<Held>) -> Result<Held, IdentityError> {
        if let Some(held) = held
            && held.until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(held);
        }
        if let Some(account) = self.known_account() {
            self.allow(account)?;
        }
        let mut held = self.make().await?;
        if !self.allowed_accounts.is_empty() {
            let caller = match held.caller.take() {
                Some(caller) => caller,
                None => self.sts.caller(&held.credentials).await?,
            };
            self.allow(&caller.account)?;
            held.caller = Some(caller);
        }
        Ok(held)
    }

    fn allow(&self, account: &str) -> Result<(), IdentityError> {
        let allowed = &self.allowed_accounts;
        if allowed.is_empty() || allowed.iter().any(|each| each == account) {
            return Ok(());
        }
        Err(IdentityError::Account {
            found: Foreign::new(account),
            allowed: allowed.clone(),
        })
    }

    async fn make(&self) -> Result<Held, IdentityError> {
        let (mut held, rest) = match (&self.base, self.roles.chain.split_first()) {
            (Base::Token(token), Some((first, rest))) => {
                let assumed = self.sts.with_token(first, &self.roles, token).await?;
                (self.held_role(first, assumed), rest)
            }
            (base, _) => {
                let instance_metadata = matches!(
                    base,
                    Base::Ambient {
                        instance_metadata: true
                    }
                );
                let credentials = self.ambient(instance_metadata).await?;
                (
                    held_ambient(credentials, self.sts.now()),
                    self.roles.chain.as_slice(),
                )
            }
        };
        for (place, role) in rest.iter().enumerate() {
            let last = place + 1 == rest.len();
            let external_id = self.roles.external_id.as_deref().filter(|_| last);
            let assumed = self
                .sts
                .by_role(role, &self.roles, external_id, &held.credentials)
                .await?;
            held = self.held_role(role, assumed);
        }
        Ok(held)
    }

    /// Counts a session's life from its request by our own clock, so that a clock that is wrong does no harm.
    fn held_role(&self, role: &RoleArn, assumed: (Credentials, Option<String>)) -> Held {
        let (credentials, arn) = assumed;
        let life = Duration::from_secs(self.roles.duration.seconds().into());
        let account = arn
            .as_ref()
            .and_then(|arn| Some(arn.parse::<Arn>().ok()?.account));
        Held {
            credentials,
            until: Some(Instant::now() + life.saturating_sub(MARGIN)),
            caller: Some(Caller {
                account: account.unwrap_or_else(|| role.arn().account.clone()),
                arn: arn.map(Foreign::new),
            }),
        }
    }

    async fn ambient(&self, instance_metadata: bool) -> Result<Credentials, IdentityError> {
        let config = self.sts.provider_config();
        let chain = ambient::chain(&config, instance_metadata);
        chain
            .provide_credentials()
            .await
            .map_err(|error| ambient::absent(&error))
    }
}

fn held_ambient(credentials: Credentials, now: i64) -> Held {
    let expiry = credentials
        .expiry()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let life = expiry.map(|at| {
        let left = i64::try_from(at.as_secs())
            .unwrap_or(i64::MAX)
            .saturating_sub(now);
        Duration::from_secs(u64::try_from(left).unwrap_or_default())
    });
    Held {
        credentials,
        until: life.map(|life| Instant::now() + life.saturating_sub(MARGIN).max(LEAST)),
        caller: None,
    }
}

/// The identity as the SDK asks for it.
#[derive(Debug)]
pub(super) struct Acting(pub(super) Arc<Identity>);

impl ProvideCredentials for Acting {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.0
                .credentials()
                .await
                .map_err(CredentialsError::provider_error)
        })
    }
}
