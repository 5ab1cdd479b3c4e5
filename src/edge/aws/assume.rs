//! STS: taking on a role with a token or as another role, and asking who one is.
//!
//! A token lives for minutes, so each attempt gets a fresh one; the SDK would repeat a request with the stale one.
//!
//! Source: STS API reference, `AssumeRoleWithWebIdentity`, `AssumeRole`, `GetCallerIdentity`.

use std::time::{Duration, SystemTime};

use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::Client;
use aws_sdk_sts::types::{AssumedRoleUser, Credentials as Issued};

use super::answer::{Kind, Problem, ServiceError};
use super::credentials::{Caller, IdToken, IdentityError};
use super::denial::{Denial, is_key_fetch};
use super::regions::Partition;
use super::roles::Roles;
use super::{Dial, STS_ATTEMPTS};
use crate::base::arn::RoleArn;
use crate::base::foreign::Foreign;
use crate::base::secret::Secret;
use crate::edge::pace::Retry;
use crate::seams::Clock;

/// What the report calls the service.
const STS: &str = "STS";

/// The security token service of one region.
#[derive(Debug)]
pub(super) struct Sts {
    pub(super) dial: Dial,
    pub(super) clock: Clock,
}

/// Credentials as issued, and the session's ARN where it came along.
type Assumed = (Credentials, Option<String>);

impl Sts {
    pub(super) fn partition(&self) -> Partition {
        self.dial.region.partition()
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now().unix()
    }

    /// What the SDK's own credential providers are made from.
    pub(super) fn provider_config(&self) -> ProviderConfig {
        let line = self
            .dial
            .line("credentials", &self.dial.region, None, STS_ATTEMPTS);
        let config = self.dial.config(&line);
        let mut provider = ProviderConfig::without_region().with_region(config.region().cloned());
        if let Some(http) = config.http_client() {
            provider = provider.with_http_client(http);
        }
        provider.with_behavior_version(config.behavior_version())
    }

    fn client(&self, attempts: u32, credentials: Option<&Credentials>) -> Client {
        let endpoint = self.dial.endpoints.sts.as_ref();
        let line = self.dial.line("sts", &self.dial.region, endpoint, attempts);
        let mut config = self.dial.config(&line).into_builder();
        config.set_credentials_provider(credentials.cloned().map(SharedCredentialsProvider::new));
        Client::new(&config.build())
    }

    /// Assumes a role with a token, fetching a fresh token for each attempt.
    pub(super) async fn with_token(
        &self,
        role: &RoleArn,
        roles: &Roles,
        token: &IdToken,
    ) -> Result<Assumed, IdentityError> {
        let client = self.client(1, None);
        let mut tries = Tries::new(self.dial.patience.first_wait);
        loop {
            let token = token.fetch().await?;
            let error = match exchange(&client, role, roles, &token).await {
                Ok(assumed) => return Ok(assumed),
                Err(error) => error,
            };
            let Some(wait) = tries.next(&error.problem) else {
                let denial = Denial::of_token(role, token.expose(), self.clock.now(), error);
                return Err(IdentityError::Denied(Box::new(denial)));
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Assumes a role as somebody who is known already.
    pub(super) async fn by_role(
        &self,
        role: &RoleArn,
        roles: &Roles,
        external_id: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Assumed, IdentityError> {
        const OPERATION: &str = "AssumeRole";
        let request = self.client(STS_ATTEMPTS, Some(credentials)).assume_role();
        let answer = request
            .role_arn(role.to_string())
            .role_session_name(roles.session_name.as_str())
            .duration_seconds(roles.duration.seconds().into())
            .set_external_id(external_id.map(str::to_owned))
            .send()
            .await;
        let assumed = match answer {
            Ok(answer) => issued(answer.credentials, answer.assumed_role_user, OPERATION),
            Err(error) => Err(ServiceError::of(STS, OPERATION, &error)),
        };
        assumed.map_err(|error| {
            IdentityError::Denied(Box::new(Denial {
                role: role.to_string(),
                claims: None,
                at: self.clock.now(),
                error,
            }))
        })
    }

    /// Asks whose credentials these are; needs no permission.
    pub(super) async fn caller(&self, credentials: &Credentials) -> Result<Caller, IdentityError> {
        const OPERATION: &str = "GetCallerIdentity";
        let answer = self
            .client(STS_ATTEMPTS, Some(credentials))
            .get_caller_identity()
            .send()
            .await;
        let caller = match answer {
            Ok(answer) => answer
                .account
                .filter(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
                .map(|account| Caller {
                    account,
                    arn: answer.arn.map(Foreign::new),
                })
                .ok_or_else(|| ServiceError::lacking(STS, OPERATION, "account")),
            Err(error) => Err(ServiceError::of(STS, OPERATION, &error)),
        };
        caller.map_err(|error| IdentityError::Caller(Box::new(error)))
    }
}

async fn exchange(
    client: &Client,
    role: &RoleArn,
    roles: &Roles,
    token: &Secret<String>,
) -> Result<Assumed, ServiceError> {
    const OPERATION: &str = "AssumeRoleWithWebIdentity";
    let answer = client
        .assume_role_with_web_identity()
        .role_arn(role.to_string())
        .role_session_name(roles.session_name.as_str())
        .duration_seconds(roles.duration.seconds().into())
        .web_identity_token(token.expose().trim())
        .send()
        .await;
    match answer {
        Ok(answer) => issued(answer.credentials, answer.assumed_role_user, OPERATION),
        Err(error) => Err(ServiceError::of(STS, OPERATION, &error)),
    }
}

fn issued(
    issued: Option<Issued>,
    user: Option<AssumedRoleUser>,
    operation: &'static str,
) -> Result<Assumed, ServiceError> {
    let issued = issued
        .filter(|issued| !issued.access_key_id.is_empty() && !issued.secret_access_key.is_empty())
        .ok_or_else(|| ServiceError::lacking(STS, operation, "credentials"))?;
    let credentials = Credentials::builder()
        .access_key_id(issued.access_key_id)
        .secret_access_key(issued.secret_access_key)
        .session_token(issued.session_token)
        .provider_name("countersign");
    let expiry = SystemTime::try_from(issued.expiration).ok();
    let credentials = expiry.map_or(credentials.clone(), |expiry| credentials.expiry(expiry));
    Ok((credentials.build(), user.map(|user| user.arn)))
}

/// Attempts where the service, or its fetching of the issuer's keys, is not well.
const THROTTLED_ATTEMPTS: u32 = 8;

/// Attempts where nobody answers.
const SILENT_ATTEMPTS: u32 = 4;

/// How often a token exchange was tried, and what for.
struct Tries {
    retry: Retry,
    made: u32,
    expired: bool,
    denied: bool,
}

impl Tries {
    fn new(first_wait: Duration) -> Self {
        let retry = Retry {
            base: first_wait,
            ..Retry::default()
        };
        Self {
            retry,
            made: 0,
            expired: false,
            denied: false,
        }
    }

    /// How long to wait before the next attempt; `None` when there is no point in one.
    ///
    /// A token that ran out is replaced once. A denial is asked once more, since changes of IAM take a moment to
    /// reach all of STS.
    fn next(&mut self, problem: &Problem) -> Option<Duration> {
        self.made += 1;
        let kind = problem.kind();
        let denied = problem.code() == Some("AccessDenied");
        if kind == Kind::Expired && !std::mem::replace(&mut self.expired, true) {
            return Some(Duration::ZERO);
        }
        if denied && !std::mem::replace(&mut self.denied, true) {
            return Some(self.retry.base);
        }
        let attempts = match (kind, problem) {
            (Kind::Throttled, _) => THROTTLED_ATTEMPTS,
            _ if is_key_fetch(problem) => THROTTLED_ATTEMPTS,
            (Kind::Unavailable, Problem::Reported { .. }) => THROTTLED_ATTEMPTS,
            (Kind::Unavailable, Problem::Nonsense { status, .. }) if *status < 500 => 1,
            (Kind::Unavailable, _) => SILENT_ATTEMPTS,
            _ => 1,
        };
        let retry = Retry {
            attempts,
            ..self.retry
        };
        retry.next(self.made, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(status: u16, code: &str, message: &str) -> Problem {
        Problem::Reported {
            status,
            code: Foreign::new(code),
            message: Some(Foreign::new(message)),
        }
    }

    fn attempts(problem: &Problem) -> u32 {
        let mut tries = Tries::new(Duration::from_millis(250));
        let mut made = 1;
        while let Some(wait) = tries.next(problem) {
            assert!(wait <= Retry::default().cap);
            made += 1;
            assert!(made < 20, "{problem:?}");
        }
        made
    }

    #[test]
    fn each_problem_has_its_number_of_attempts() {
        let key = "Couldn't retrieve verification key from your identity provider,  please reference";
        for (problem, expected) in [
            (reported(400, "IDPCommunicationError", ""), 8),
            (reported(400, "InvalidIdentityToken", key), 8),
            (reported(400, "InvalidIdentityToken", "other"), 1),
            (reported(400, "ExpiredTokenException", ""), 2),
            (reported(400, "ExpiredToken", ""), 2),
            (reported(403, "AccessDenied", ""), 2),
            (reported(403, "IDPRejectedClaim", ""), 1),
            (reported(400, "PackedPolicyTooLarge", ""), 1),
            (reported(403, "RegionDisabledException", ""), 1),
            (reported(400, "ValidationError", ""), 1),
            (reported(400, "Throttling", ""), 8),
            (reported(503, "ServiceUnavailable", ""), 8),
            (Problem::Timeout, 4),
            (Problem::Unreachable("x".to_owned()), 4),
            (
                Problem::Nonsense {
                    status: 200,
                    start: Foreign::new("<html>"),
                },
                1,
            ),
            (
                Problem::Nonsense {
                    status: 502,
                    start: Foreign::new("<html>"),
                },
                4,
            ),
        ] {
            assert_eq!(attempts(&problem), expected, "{problem:?}");
        }
    }
}
