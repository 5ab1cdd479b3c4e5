//! AWS: who we are, logins to ECR, signing by AWS Signer and asking it what was revoked.
//!
//! For: being the `Signer`, `Revocation` and `Logins` of a run on AWS, with the official SDK, and explaining denials.
//! Not for: where an identity token comes from (the host's room), what a signature must look like to be believed
//! ([`crate::domain::notary`], [`crate::domain::trust`]), or speaking to a registry.
//! Speaks: AWS Signer API 2017-08-25 (`SignPayload`, `GetRevocationStatus`, `GetSigningProfile`), Amazon ECR API
//! 2015-09-21 (`GetAuthorizationToken`, `BatchGetImage`, `DescribeImages`), AWS `CodeBuild` API 2016-10-06
//! (`BatchGetBuilds`), STS API 2011-06-15 (`AssumeRoleWithWebIdentity`, `AssumeRole`,
//! `GetCallerIdentity`), all through the AWS SDK for Rust.
//!
//! Nothing is read from the environment here except by the SDK's own credential providers; endpoints, region, roles
//! and the HTTP client come as [`Settings`].
//!
//! ```
//! use countersign::edge::aws::ecr::EcrHost;
//! use countersign::edge::aws::regions::Region;
//! use countersign::edge::aws::profile::ProfileName;
//!
//! let profile: ProfileName = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release".parse()?;
//! let registry = "111122223333.dkr.ecr.eu-west-1.amazonaws.com".parse()?;
//! let hosts: Vec<EcrHost> = EcrHost::of(&registry).into_iter().collect();
//! assert_eq!(Region::choose(None, profile.arn(), None, &hosts)?.as_str(), "eu-west-1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::domain::x509::Certificate;
use crate::edge::pace::Pace;
use crate::seams::Clock;
use assume::Sts;
use builds::BuildRecords;
use credentials::{Acting, Base, Caller, Identity, IdentityError};
use ecr::{EcrLogins, PrivateRegistry};
use ecr_images::EcrImages;
use endpoints::{Endpoint, Endpoints};
use http::{Names, Watch, Wire};
use profile::{ProfileError, ProfileName};
use regions::Region;
use revocation::SignerRevocation;
use roles::{Roles, SettingsError};
use signing::SigningProfile;

pub mod ambient;
pub mod answer;
mod assume;
pub mod builds;
pub mod credentials;
pub mod denial;
pub mod ecr;
pub mod ecr_images;
pub mod endpoints;
pub mod http;
mod json_service;
pub mod profile;
pub mod regions;
pub mod revocation;
pub mod roles;
pub mod signing;

/// What AWS is used with; everything a person or the host decides.
#[derive(Debug)]
pub struct Settings {
    /// The program's HTTP client, with its roots and proxy. It must follow no redirects.
    pub http: reqwest::Client,
    /// Where names may lead; the resolver of `http`.
    pub names: Names,
    /// The clock.
    pub clock: Clock,
    /// Where the services are.
    pub endpoints: Endpoints,
    /// The region of STS, and of a signing profile that is given by name; see [`Region::choose`].
    pub region: Region,
    /// Where the first credentials come from.
    pub base: Base,
    /// The roles to take on.
    pub roles: Roles,
    /// Accounts that may act; empty allows any.
    pub allowed_accounts: Vec<String>,
    /// How long to wait.
    pub patience: Patience,
    /// The quota of `SignPayload` that the run keeps to; [`signing::QUOTA`] unless the account has another.
    pub pace: Pace,
    /// Is told of each request.
    pub watch: Watch,
}

/// How long one attempt and one operation with all its attempts may take.
///
/// The SDK by itself bounds only the connecting; a service that accepts and never answers would hold a job forever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// One attempt.
    pub attempt: Duration,
    /// One operation, attempts and waits included.
    pub operation: Duration,
    /// The wait before the second attempt, at most; it doubles from there.
    pub first_wait: Duration,
}

impl Default for Patience {
    /// Ten seconds an attempt, 45 an operation, a quarter before the second attempt (ours; the services answer in
    /// well under a second).
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(10),
            operation: Duration::from_secs(45),
            first_wait: Duration::from_millis(250),
        }
    }
}

/// Attempts of each operation: many jobs share the ten signatures a second of an account, so signing is patient; a
/// verification must not hang.
const STS_ATTEMPTS: u32 = 8;
const SIGN_ATTEMPTS: u32 = 8;
const ECR_ATTEMPTS: u32 = 5;
const REVOCATION_ATTEMPTS: u32 = 4;
const PROFILE_ATTEMPTS: u32 = 3;

/// Longest time connecting may take (the AWS SDKs' own value).
const CONNECT: Duration = Duration::from_millis(3_100);

/// How every client is made: one HTTP client, fixed retries and deadlines, nothing from the environment. (The SDK
/// would choose another way of retrying if `AWS_RETRY_MODE` said so; `adaptive` makes a short process wait for minutes.)
#[derive(Clone, Debug)]
struct Dial {
    http: reqwest::Client,
    names: Names,
    endpoints: Endpoints,
    region: Region,
    patience: Patience,
    watch: Watch,
    pace: Pace,
}

/// One service of one region, and how often it is asked.
struct Line<'a> {
    service: &'static str,
    region: &'a Region,
    endpoint: Option<&'a Endpoint>,
    attempts: u32,
    fips: bool,
    dual_stack: bool,
    throttled: Arc<AtomicU32>,
}

impl Dial {
    fn line<'a>(
        &self,
        service: &'static str,
        region: &'a Region,
        endpoint: Option<&'a Endpoint>,
        attempts: u32,
    ) -> Line<'a> {
        Line {
            service,
            region,
            endpoint,
            attempts,
            fips: self.endpoints.fips,
            dual_stack: self.endpoints.dual_stack,
            throttled: Arc::default(),
        }
    }

    /// A configuration without credentials. A custom endpoint goes without FIPS and dual-stack, which choose between
    /// public addresses only.
    fn config(&self, line: &Line<'_>) -> SdkConfig {
        let wire = Wire {
            http: self.http.clone(),
            service: line.service,
            watch: self.watch.clone(),
            names: self.names.clone(),
            throttled: Arc::clone(&line.throttled),
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(self.patience.attempt)
            .operation_timeout(self.patience.operation);
        let retries = RetryConfig::standard()
            .with_max_attempts(line.attempts)
            .with_initial_backoff(self.patience.first_wait);
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(wire.client())
            .region(aws_config::Region::new(line.region.as_str().to_owned()))
            .identity_cache(IdentityCache::no_cache())
            .retry_config(retries)
            .timeout_config(timeouts.build());
        config.set_app_name(AppName::new("countersign").ok());
        match line.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint.as_str()),
            None => config.use_fips(line.fips).use_dual_stack(line.dual_stack),
        }
        .build()
    }
}

/// AWS as one identity sees it; the seams' backends come from here.
#[derive(Clone, Debug)]
pub struct Aws {
    dial: Dial,
    identity: Arc<Identity>,
}

impl Aws {
    /// Takes the settings; asks nobody yet.
    ///
    /// # Errors
    /// [`SettingsError`], class usage, when they cannot work whatever AWS says.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let dial = Dial {
            http: settings.http,
            names: settings.names,
            endpoints: settings.endpoints,
            region: settings.region,
            patience: settings.patience,
            watch: settings.watch,
            pace: settings.pace,
        };
        let sts = Sts {
            dial: dial.clone(),
            clock: settings.clock,
        };
        let identity = Identity::new(settings.base, settings.roles, settings.allowed_accounts, sts)?;
        Ok(Self {
            dial,
            identity: Arc::new(identity),
        })
    }

    /// Makes the credentials, if they are not made yet, and says whose they are. With a role this costs nothing
    /// beyond making them; with ambient credentials it asks STS once.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub async fn caller(&self) -> Result<Caller, IdentityError> {
        self.identity.caller().await
    }

    /// The signing profile that a name or ARN means. A bare name is of the acting account and of the region given
    /// by [`Settings::region`]; only with ambient credentials does finding that account ask anybody. What it signs
    /// must chain to one of `roots`.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub async fn signing_profile(
        &self,
        name: &ProfileName,
        roots: Vec<Certificate>,
    ) -> Result<SigningProfile, ProfileError> {
        SigningProfile::open(self, name, roots).await
    }

    /// Asks AWS Signer what was revoked.
    pub fn revocation(&self) -> SignerRevocation {
        SignerRevocation::new(self.clone())
    }

    /// Logs in to ECR registries.
    pub fn logins(&self) -> EcrLogins {
        EcrLogins::new(self.clone())
    }

    /// Reads many images of ECR repositories at once.
    pub fn images(&self) -> EcrImages {
        EcrImages::new(self.clone())
    }

    /// Reads what `CodeBuild` recorded of builds.
    pub fn builds(&self) -> BuildRecords {
        BuildRecords::new(self.clone())
    }

    /// A client of the ECR API that a registry belongs to.
    fn ecr(&self, registry: &PrivateRegistry) -> aws_sdk_ecr::Client {
        aws_sdk_ecr::Client::new(&self.config(&registry.line(&self.dial)))
    }

    /// A configuration that acts as us.
    fn config(&self, line: &Line<'_>) -> SdkConfig {
        let credentials = SharedCredentialsProvider::new(Acting(Arc::clone(&self.identity)));
        let config = self.dial.config(line).into_builder();
        config.credentials_provider(credentials).build()
    }
}
