//! AWS as far as countersign speaks to it: STS, the ECR API, CodeBuild's records, AWS Signer with its data plane, and
//! GitHub's OIDC issuer; every signature they are sent is checked, every envelope they make is real.
//!
//! Shapes follow the service models of botocore; error texts those that AWS documents. `tests/interop/` holds the
//! answers to botocore itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

use time::OffsetDateTime;

use super::World;
use super::http::{Response, Service};
use super::pki::{Authority, TlsAuthority};
use super::proxy::Proxy;
use super::registry::{Quirks, Registry};

pub mod codebuild;
pub mod ecr;
pub mod oidc;
pub mod signer;
pub mod sigv4;
pub mod sts;

/// The account that everything is in.
pub const ACCOUNT: &str = "111122223333";

/// The region that everything is in.
pub const REGION: &str = "eu-west-1";

/// A role that the OIDC token of [`oidc`] may assume.
pub const ROLE: &str = "arn:aws:iam::111122223333:role/countersign";

/// A signing profile that is well.
pub const PROFILE: &str = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release";

/// Texts that must never be seen outside of requests: parts of every secret that the world hands out contain it.
pub const CANARY: &str = "CANARYcanary0";

/// The services and what they know.
pub struct Aws {
    cloud: Arc<Cloud>,
    environment: BTreeMap<&'static str, String>,
    names: Option<Names>,
}

/// What it takes to be reached by the real names.
struct Names {
    proxy: Proxy,
    authority: TlsAuthority,
    root: tempfile::NamedTempFile,
}

/// The issuer of GitHub's identity tokens.
const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// What the services share.
pub struct Cloud {
    /// The signing authority.
    pub authority: Authority,
    /// The issuer of identity tokens.
    pub issuer: oidc::Issuer,
    state: Mutex<State>,
    counter: AtomicU64,
    issuer_url: OnceLock<String>,
}

/// The switches of the world.
pub struct State {
    /// Roles by ARN.
    pub roles: BTreeMap<String, sts::Role>,
    /// Credentials by access key id.
    pub credentials: BTreeMap<String, sigv4::Known>,
    /// Signing profiles by `owner/name`.
    pub profiles: BTreeMap<String, signer::Profile>,
    /// Signing jobs by ARN, with the profile version that made them.
    pub jobs: BTreeMap<String, String>,
    /// Actions that no identity has (`signer:SignPayload`).
    pub denied: BTreeSet<String>,
    /// Job ARNs that are revoked.
    pub revoked_jobs: BTreeSet<String>,
    /// Profile versions that are revoked, and from which signing time on (seconds since 1970).
    pub revoked_profiles: BTreeMap<String, i64>,
    /// Certificates that are revoked, by the SHA-384 of what they sign (lower-case hex).
    pub revoked_certificates: BTreeSet<String>,
    /// The records of builds, by `PROJECT:ID`.
    pub builds: BTreeMap<String, serde_json::Value>,
    /// When images were pushed, by digest, in seconds since 1970; those not named were pushed a moment ago.
    pub pushed: BTreeMap<String, f64>,
    /// How signatures come out wrong.
    pub flaw: Option<signer::Flaw>,
    /// Quotas by operation: tokens a second, and how many at once.
    pub quotas: BTreeMap<&'static str, Bucket>,
    /// Identity providers: issuer to audiences.
    pub providers: BTreeMap<String, Vec<String>>,
    /// Every password of the registry that was handed out, as `AWS:password`.
    pub registry_logins: Vec<String>,
    /// Registries by account.
    pub registries: BTreeMap<String, Arc<Registry>>,
    /// Is told of each new registry login; the registry emulators listen here.
    pub on_registry_login: Vec<Told>,
}

/// Somebody who is told a text.
pub type Told = Arc<dyn Fn(&str) + Send + Sync>;

/// A token bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_second: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    /// A bucket that is full.
    pub fn new(per_second: f64, burst: f64) -> Self {
        Self {
            per_second,
            burst,
            left: burst,
            at: Instant::now(),
        }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * self.per_second).min(self.burst);
        self.at = now;
        let has = self.left >= 1.0;
        if has {
            self.left -= 1.0;
        }
        has
    }
}

impl Cloud {
    /// The switches.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Seconds since 1970.
    pub fn now(&self) -> i64 {
        OffsetDateTime::now_utc().unix_timestamp()
    }

    /// A number that was not used before.
    pub fn next(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    /// A number in the form of a UUID.
    pub fn uuid(&self) -> String {
        format!("5808635f-05de-4207-a891-{:012x}", self.next())
    }

    /// Whether a call is within its quota.
    fn within_quota(&self, operation: &'static str) -> bool {
        self.state().quotas.get_mut(operation).is_none_or(Bucket::take)
    }
}

impl Cloud {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            authority: Authority::new(REGION),
            issuer: oidc::Issuer::new(),
            state: Mutex::new(State::new()),
            counter: AtomicU64::new(1),
            issuer_url: OnceLock::new(),
        })
    }

    /// Tells who issues the tokens, and lets STS know it.
    fn issue_as(&self, url: String) {
        self.state()
            .providers
            .insert(url.clone(), vec!["sts.amazonaws.com".to_owned()]);
        let _ = self.issuer_url.set(url);
    }

    /// Each service with the variable that moves it, and its real name.
    fn services(self: &Arc<Self>) -> [(Arc<dyn Service>, &'static str, &'static str); 5] {
        let cloud = || Arc::clone(self);
        [
            (Arc::new(sts::Sts(cloud())), "AWS_ENDPOINT_URL_STS", "sts"),
            (Arc::new(ecr::Ecr(cloud())), "AWS_ENDPOINT_URL_ECR", "api.ecr"),
            (
                Arc::new(codebuild::CodeBuild(cloud())),
                "AWS_ENDPOINT_URL_CODEBUILD",
                "codebuild",
            ),
            (
                Arc::new(signer::Signer::control(cloud())),
                "AWS_ENDPOINT_URL_SIGNER",
                "signer",
            ),
            (
                Arc::new(signer::Signer::data(cloud())),
                "AWS_ENDPOINT_URL_SIGNER_DATA",
                "data-signer",
            ),
        ]
    }
}

/// What a job on GitHub has to ask for a token.
fn token_request(address: &str) -> [(&'static str, String); 3] {
    [
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        (
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            format!("{address}/token?api-version=2.0"),
        ),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", oidc::REQUEST_TOKEN.to_owned()),
    ]
}

impl World {
    /// Boots AWS behind endpoint overrides on loopback: one account, one region, one role, one signing profile.
    pub fn aws(&self) -> Aws {
        let cloud = Cloud::new();
        let issuer = format!("http://{}", self.serve(Arc::new(oidc::Oidc(Arc::clone(&cloud)))));
        let mut environment = BTreeMap::from(token_request(&issuer));
        cloud.issue_as(issuer);
        for (service, variable, _) in cloud.services() {
            environment.insert(variable, format!("http://{}", self.serve(service)));
        }
        Aws {
            cloud,
            environment,
            names: None,
        }
    }

    /// Boots AWS and GitHub's issuer under their real names, over TLS, behind a proxy that leads nowhere else.
    pub fn aws_by_name(&self) -> Aws {
        self.aws_trusting(GITHUB)
    }

    /// The same with the issuer of another GitHub, by its https address.
    pub fn aws_trusting(&self, issuer: &str) -> Aws {
        let (cloud, proxy, authority) = (Cloud::new(), self.proxy(), TlsAuthority::new());
        let put = |service: Arc<dyn Service>, name: &str| {
            proxy.lead(name, self.serve_tls(service, authority.server(&[name])));
        };
        let host = issuer.split('/').nth(2).unwrap();
        put(Arc::new(oidc::Oidc(Arc::clone(&cloud))), host);
        cloud.issue_as(issuer.to_owned());
        for (service, _, name) in cloud.services() {
            put(service, &format!("{name}.{REGION}.amazonaws.com"));
        }
        let mut root = tempfile::NamedTempFile::new().unwrap();
        root.write_all(authority.root_pem().as_bytes()).unwrap();
        let mut environment = BTreeMap::from(token_request(issuer));
        environment.insert("HTTPS_PROXY", proxy.url());
        environment.insert("SSL_CERT_FILE", root.path().display().to_string());
        Aws {
            cloud,
            environment,
            names: Some(Names {
                proxy,
                authority,
                root,
            }),
        }
    }
}

impl State {
    fn new() -> Self {
        Self {
            roles: BTreeMap::from([(ROLE.to_owned(), sts::Role::for_subjects(&["repo:octo-org/app:*"]))]),
            credentials: BTreeMap::new(),
            profiles: BTreeMap::from([(
                format!("{ACCOUNT}/release"),
                signer::Profile::new("release", "OF8IVUsPJq"),
            )]),
            jobs: BTreeMap::new(),
            denied: BTreeSet::new(),
            revoked_jobs: BTreeSet::new(),
            revoked_profiles: BTreeMap::new(),
            revoked_certificates: BTreeSet::new(),
            builds: BTreeMap::from([(codebuild::BUILD.to_owned(), codebuild::record(codebuild::BUILD))]),
            pushed: BTreeMap::new(),
            flaw: None,
            quotas: BTreeMap::new(),
            providers: BTreeMap::new(),
            registry_logins: Vec::new(),
            registries: BTreeMap::new(),
            on_registry_login: Vec::new(),
        }
    }
}

impl Aws {
    /// What the services know and how they behave.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }

    /// Switches on the quotas of a real account (AWS Signer endpoints and quotas; Amazon ECR service quotas).
    pub fn with_quotas(&self) {
        let quotas = [
            ("SignPayload", 10.0),
            ("GetRevocationStatus", 100.0),
            ("GetSigningProfile", 3.0),
        ];
        let quotas = quotas.map(|(operation, rate)| (operation, Bucket::new(rate, rate)));
        self.cloud.state().quotas = quotas.into();
    }

    /// The variables of a job on GitHub that may have an identity token, and that make a program speak to us.
    pub fn environment(&self) -> BTreeMap<&'static str, String> {
        self.environment.clone()
    }

    /// The issuer's address, as tokens name it.
    pub fn issuer(&self) -> &str {
        self.cloud
            .issuer_url
            .get()
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// A file with the root that signatures end in, PEM: a trust store.
    pub fn signing_root(&self) -> tempfile::NamedTempFile {
        let mut file = tempfile::Builder::new().suffix(".pem").tempfile().unwrap();
        file.write_all(self.cloud.authority.root_pem().as_bytes())
            .unwrap();
        file
    }

    /// The proxy, where services are reached by name.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.names.as_ref().map(|names| &names.proxy)
    }

    /// The root of the servers' certificates, PEM, where services are reached by name.
    pub fn tls_root(&self) -> Option<Vec<u8>> {
        self.names
            .as_ref()
            .map(|names| std::fs::read(names.root.path()).unwrap())
    }

    /// Puts an ECR registry of an account under its real name; it takes the logins that the ECR API gives. Blobs come
    /// from the registry itself.
    pub fn registry(&self, world: &World, account: &str) -> (String, Arc<Registry>) {
        self.registry_with(world, account, |quirks| quirks)
    }

    /// The same with its switches set otherwise.
    pub fn registry_with(
        &self,
        world: &World,
        account: &str,
        change: impl FnOnce(Quirks) -> Quirks,
    ) -> (String, Arc<Registry>) {
        let name = format!("{account}.dkr.ecr.{REGION}.amazonaws.com");
        let quirks = Quirks {
            blobs_elsewhere: false,
            ..Quirks::ecr()
        };
        let registry = self.ecr(world, &name, change(quirks));
        (name, registry)
    }

    /// Puts an ECR registry under a name; with `blobs_elsewhere` its blobs are on S3, under a real name too.
    pub fn ecr(&self, world: &World, name: &str, quirks: Quirks) -> Arc<Registry> {
        let registry = self.registry_named(world, name, quirks);
        let told = Arc::clone(&registry);
        let tell: Told = Arc::new(move |login| told.accept(login));
        let mut state = self.cloud.state();
        state.on_registry_login.push(tell);
        let account = name.split('.').next().unwrap_or_default();
        state.registries.insert(account.to_owned(), Arc::clone(&registry));
        drop(state);
        registry
    }

    /// Puts a registry under a name; it takes only the logins it is told of.
    pub fn registry_named(&self, world: &World, name: &str, quirks: Quirks) -> Arc<Registry> {
        let names = self.names.as_ref().unwrap();
        let label = name.split('.').next().unwrap_or_default();
        let storage_name = format!("prod-{label}-starport-layer-bucket.s3.{REGION}.amazonaws.com");
        let quirks = Quirks {
            relative_location: true,
            ..quirks
        };
        let (registry, address, storage) =
            world.registry_by_name(quirks, &storage_name, &names.authority, name);
        names.proxy.lead(name, address);
        names.proxy.lead(&storage_name, storage);
        registry
    }

    /// Puts the services under other names too: `name` gets what a service is called (`sts`, `api.ecr`, `signer`,
    /// `data-signer`).
    pub fn also_as(&self, world: &World, name: impl Fn(&str) -> String) {
        let names = self.names.as_ref().unwrap();
        for (service, _, called) in self.cloud.services() {
            let name = name(called);
            let address = world.serve_tls(service, names.authority.server(&[&name]));
            names.proxy.lead(&name, address);
        }
    }

    /// An identity token of the job, for an audience.
    pub fn id_token(&self, audience: &str) -> String {
        let cloud = &self.cloud;
        cloud
            .issuer
            .token(self.issuer(), audience, cloud.now(), cloud.next())
    }

    /// Credentials of a role's session, as a build container or an earlier step has them.
    pub fn session(&self, role: &str) -> (String, sigv4::Known) {
        let number = self.cloud.next();
        let known = sigv4::Known {
            secret: format!("{CANARY}/secret/{number}"),
            session: Some(format!("{CANARY}+session+{number}==")),
            expires: self.cloud.now() + 3_600,
            arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/ambient"),
        };
        let key = format!("ASIAX{number:015}");
        let credentials = &mut self.cloud.state().credentials;
        credentials.insert(key.clone(), known.clone());
        (key, known)
    }
}

/// An AWS query name or JSON error, by protocol.
#[derive(Clone, Debug)]
pub struct AwsError {
    /// HTTP status.
    pub status: u16,
    /// The error's name.
    pub code: &'static str,
    /// What it says.
    pub message: String,
}

impl AwsError {
    /// An error.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// As REST services say it.
    fn rest(&self, cloud: &Cloud) -> Response {
        let body = serde_json::json!({ "message": self.message, "code": self.code });
        identified(Response::json(self.status, &body), cloud).with("x-amzn-errortype", self.code)
    }
}

/// Gives an answer its request id.
fn identified(response: Response, cloud: &Cloud) -> Response {
    response.with("x-amzn-requestid", &cloud.uuid())
}

/// Whether `text` fits a pattern in which `*` stands for anything (IAM, `StringLike`).
pub fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            let mut cuts = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
            cuts.any(|at| is_like(rest, &tail[at..]))
        }),
    }
}
