//! What the host's identity token claims, once it is verified; else what its environment says.

use super::Scene;
use super::identity::Wire;
use super::token::JobToken;
use super::watch::Counter;
use crate::base::failure::{Cause, Class, Classified as _, in_full};
use crate::cli::AwsSettings;
use crate::domain::provenance::claims::{Expected, verify};
use crate::domain::provenance::{Account, Claims, ClaimsError, IdentityToken, Issuer, IssuerKeys};
use crate::edge::aws::regions::Region;
use crate::edge::ci::{Environment, Host};
use crate::edge::issuer_keys;
use crate::edge::net::Addresses;
use crate::job::Provenance;
use crate::seams::{Clock, Event};

/// The job's token, and what its issuer is asked with.
#[derive(Clone)]
pub(super) struct Claimed {
    pub(super) token: JobToken,
    pub(super) client: reqwest::Client,
    pub(super) addresses: Addresses,
    pub(super) counter: Counter,
}

impl Claimed {
    /// The job's token, where it has one.
    pub(super) fn find(
        settings: &AwsSettings,
        region: Option<&Region>,
        wire: &Wire<'_>,
        scene: &Scene<'_>,
    ) -> Result<Option<Self>, Cause> {
        let token = JobToken::find(settings, region, wire, scene)?;
        Ok(token.map(|token| Self {
            token,
            client: wire.client.clone(),
            addresses: wire.addresses.clone(),
            counter: wire.counter.clone(),
        }))
    }

    /// Gets token and keys at once, and believes what verifies. Without keys the environment speaks; a token that does
    /// not verify is an error.
    pub(super) async fn account(self, issuer: &Issuer, fallback: Fallback) -> Result<Account, Cause> {
        let counter = self.counter.clone();
        let told = |operation| {
            counter.count(&Event::Request {
                service: "oidc",
                operation,
            });
        };
        let keys = issuer_keys::fetch(&self.client, issuer, told);
        match tokio::join!(self.token.first(), keys) {
            (Err(cause), _) => fallback.account(&cause.message),
            (Ok(_), Err(error)) => fallback.account(&in_full(&error)),
            (Ok(token), Ok(keys)) => {
                let claims = self.believe(token.expose(), &keys, issuer);
                let claims = claims.map_err(|error| disbelieved(&error))?;
                let account = fallback.host.account(&fallback.environment, Some(&claims));
                account.ok_or_else(|| insufficient(issuer))
            }
        }
    }

    fn believe(&self, token: &str, keys: &IssuerKeys, issuer: &Issuer) -> Result<Claims, ClaimsError> {
        let expected = Expected {
            issuer,
            audience: self.token.audience(),
            now: Clock::System.now(),
        };
        verify(&IdentityToken::read(token)?, keys, &expected)
    }
}

fn disbelieved(error: &ClaimsError) -> Cause {
    Cause {
        class: error.class(),
        message: format!("the job's identity token does not verify: {}", in_full(error)),
        hint: error.hint(),
    }
}

fn insufficient(issuer: &Issuer) -> Cause {
    Cause {
        class: Class::Refused,
        message: format!("expected the claims of the host in the identity token of {issuer}, found too few"),
        hint: Some("give builder-id and source, or provenance off".to_owned()),
    }
}

/// What the environment says, for want of something better.
pub(super) struct Fallback {
    pub(super) host: Host,
    pub(super) environment: Environment,
    /// What is said where that is not enough.
    pub(super) missing: Cause,
}

impl Fallback {
    pub(super) fn attach(self, because: &str) -> Result<Provenance, Cause> {
        self.account(because)
            .map(|account| Provenance::Attach(Box::new(account)))
    }

    pub(super) fn account(self, because: &str) -> Result<Account, Cause> {
        let account = self.host.account(&self.environment, None).ok_or(self.missing)?;
        Ok(Account {
            because: Some(because.to_owned()),
            ..account
        })
    }
}
