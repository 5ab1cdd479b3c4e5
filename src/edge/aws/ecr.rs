//! Amazon ECR registries by their host names, and logins to them.
//!
//! Sources: Amazon ECR user guide, "Private registry authentication" and "Making requests over IPv6"; Amazon ECR API
//! reference, `GetAuthorizationToken`; AWS General Reference, "Amazon ECR endpoints and quotas".

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::OnceCell;

use super::answer::{Kind, ServiceError};
use super::regions::{Partition, Region};
use super::{Aws, Dial, ECR_ATTEMPTS, Line};
use crate::base::failure::{Class, Classified};
use crate::base::secret::Secret;
use crate::domain::oci::RegistryHost;
use crate::seams::{Login, LoginError, Logins};

/// The host of an ECR registry, recognised by its whole name.
///
/// ```
/// use countersign::edge::aws::ecr::EcrHost;
/// let host = "111122223333.dkr-ecr-fips.us-west-2.on.aws".parse()?;
/// let ecr = EcrHost::of(&host).unwrap();
/// assert_eq!(ecr.region().unwrap().as_str(), "us-west-2");
/// let other = "111122223333.dkr.ecr.us-west-2.amazonaws.com.example.com".parse()?;
/// assert_eq!(EcrHost::of(&other), None);
/// # Ok::<(), countersign::domain::oci::ReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EcrHost {
    /// A registry of an account.
    Private(PrivateRegistry),
    /// The public registry.
    Public,
}

/// A private registry, as its host name tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrivateRegistry {
    account: String,
    api: Api,
}

impl PrivateRegistry {
    /// The account, twelve digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The region.
    pub fn region(&self) -> &Region {
        &self.api.region
    }

    /// The line to its API.
    pub(super) fn line<'a>(&'a self, dial: &'a Dial) -> Line<'a> {
        let api = &self.api;
        let mut line = dial.line("ecr", &api.region, dial.endpoints.ecr.as_ref(), ECR_ATTEMPTS);
        line.fips |= api.fips;
        line.dual_stack |= api.dual_stack;
        line
    }
}

/// What stands behind the region, per partition: with IPv4 only, and with both.
const DOMAINS: [(Partition, &str, Option<&str>); 8] = [
    (Partition::Commercial, "amazonaws.com", Some("on.aws")),
    (
        Partition::China,
        "amazonaws.com.cn",
        Some("on.amazonwebservices.com.cn"),
    ),
    (Partition::GovCloud, "amazonaws.com", Some("on.aws")),
    (Partition::EuropeanSovereign, "amazonaws.eu", None),
    (Partition::Iso, "c2s.ic.gov", None),
    (Partition::IsoB, "sc2s.sgov.gov", None),
    (Partition::IsoE, "cloud.adc-e.uk", None),
    (Partition::IsoF, "csp.hci.ic.gov", None),
];

/// The names of the public registry.
const PUBLIC: [&str; 2] = ["public.ecr.aws", "ecr-public.aws.com"];

impl EcrHost {
    /// Recognises an ECR registry; `None` for every other host, one with a port included.
    pub fn of(host: &RegistryHost) -> Option<Self> {
        let name = host.as_str().to_ascii_lowercase();
        if PUBLIC.contains(&name.as_str()) {
            return Some(Self::Public);
        }
        let (account, rest) = name.split_once('.')?;
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // `dkr.ecr` and `dkr-ecr` both occur with either domain: AWS's own tools accept every combination.
        let rest = rest
            .strip_prefix("dkr.ecr")
            .or_else(|| rest.strip_prefix("dkr-ecr"))?;
        let (fips, rest) = match rest.strip_prefix("-fips.") {
            Some(rest) => (true, rest),
            None => (false, rest.strip_prefix('.')?),
        };
        let (region, domain) = rest.split_once('.')?;
        let region: Region = region.parse().ok()?;
        let (_, single, dual) = DOMAINS.into_iter().find(|(p, ..)| *p == region.partition())?;
        let dual_stack = dual == Some(domain);
        (dual_stack || domain == single).then(|| {
            Self::Private(PrivateRegistry {
                account: account.to_owned(),
                api: Api {
                    region,
                    fips,
                    dual_stack,
                },
            })
        })
    }

    /// The region of a private registry.
    pub fn region(&self) -> Option<&Region> {
        match self {
            Self::Private(registry) => Some(registry.region()),
            Self::Public => None,
        }
    }
}

/// One endpoint of the ECR API; its tokens are good for every registry of that region that the identity may use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Api {
    region: Region,
    fips: bool,
    dual_stack: bool,
}

/// `user:password`, or why there is none; one per region, got once however many targets ask at the same time.
type Cell = Rc<OnceCell<Result<Secret<String>, LoginError>>>;

/// Logs in to ECR with our identity: one token per region, shared by all targets of a run.
#[derive(Clone, Debug)]
pub struct EcrLogins {
    aws: Aws,
    current: Rc<RefCell<BTreeMap<Api, Cell>>>,
    given: Rc<RefCell<BTreeMap<RegistryHost, Cell>>>,
}

impl EcrLogins {
    pub(super) fn new(aws: Aws) -> Self {
        Self {
            aws,
            current: Rc::default(),
            given: Rc::default(),
        }
    }

    /// Gets a token. Its own date of expiry is not looked at: it lives for twelve hours, longer than a run, and a
    /// registry that refuses it is answered by one new login.
    async fn token(&self, registry: &PrivateRegistry) -> Result<Secret<String>, ServiceError> {
        const OPERATION: &str = "GetAuthorizationToken";
        let client = self.aws.ecr(registry);
        let answer = client.get_authorization_token().send().await;
        let answer = answer.map_err(|error| ServiceError::of(SERVICE, OPERATION, &error))?;
        let data = answer.authorization_data.unwrap_or_default();
        let token = data.into_iter().next().and_then(|data| data.authorization_token);
        token
            .map(Secret::new)
            .and_then(|token| decode(&token))
            .ok_or_else(|| ServiceError::lacking(SERVICE, OPERATION, "token of a name and a password"))
    }
}

/// What the report calls the service.
const SERVICE: &str = "Amazon ECR";

/// Takes `base64(user:password)` and sees that it is that, in characters that may stand in a header.
fn decode(token: &Secret<String>) -> Option<Secret<String>> {
    let text = Secret::new(String::from_utf8(STANDARD.decode(token.expose()).ok()?).ok()?);
    let (user, password) = text.expose().split_once(':')?;
    let good = !user.is_empty() && !password.is_empty() && !text.expose().chars().any(char::is_control);
    good.then_some(text)
}

impl Logins for EcrLogins {
    /// Logs in to a private registry; the public one and all others are anonymous here.
    async fn login(&self, host: &RegistryHost) -> Result<Login, LoginError> {
        let Some(EcrHost::Private(registry)) = EcrHost::of(host) else {
            return Ok(Login::Anonymous);
        };
        let cell = Rc::clone(self.current.borrow_mut().entry(registry.api.clone()).or_default());
        self.given.borrow_mut().insert(host.clone(), Rc::clone(&cell));
        let token =
            cell.get_or_init(|| async { self.token(&registry).await.map_err(|error| refusal(host, &error)) });
        token.await.clone().map(Login::Basic)
    }

    /// Gets a new token for the next login, unless another registry of the region had that done meanwhile.
    fn forget(&self, host: &RegistryHost) {
        let Some(EcrHost::Private(registry)) = EcrHost::of(host) else {
            return;
        };
        let given = self.given.borrow_mut().remove(host);
        let mut current = self.current.borrow_mut();
        let is_same = |cell: &Cell| given.as_ref().is_some_and(|given| Rc::ptr_eq(given, cell));
        if current.get(&registry.api).is_some_and(is_same) {
            current.remove(&registry.api);
        }
    }
}

fn refusal(host: &RegistryHost, error: &ServiceError) -> LoginError {
    let class = match error.problem.kind() {
        Kind::Refused | Kind::Expired => Class::Refused,
        Kind::Invalid => Class::Usage,
        Kind::Missing | Kind::Throttled | Kind::Unavailable => Class::Unavailable,
    };
    let identity_hint = match &error.problem {
        super::answer::Problem::Identity(identity) => Some(identity.hint()),
        _ => None,
    };
    let denied = error
        .problem
        .code()
        .is_some_and(|code| code.starts_with("AccessDenied"));
    let hint = identity_hint.unwrap_or_else(|| {
        denied.then(|| "the role needs ecr:GetAuthorizationToken on resource \"*\"".to_owned())
    });
    LoginError {
        class,
        host: host.clone(),
        reason: chain(error),
        hint,
    }
}

/// The whole chain of causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Option<EcrHost> {
        EcrHost::of(&text.parse().unwrap())
    }

    fn told(text: &str) -> Option<(String, bool, bool)> {
        match of(text)? {
            EcrHost::Private(registry) => {
                assert_eq!(registry.account(), "111122223333");
                {
                    let api = &registry.api;
                    Some((api.region.to_string(), api.fips, api.dual_stack))
                }
            }
            EcrHost::Public => None,
        }
    }

    #[test]
    fn every_partition_and_kind_is_known() {
        for (host, region, fips, dual_stack) in [
            ("dkr.ecr.us-west-2.amazonaws.com", "us-west-2", false, false),
            ("dkr-ecr.us-west-2.on.aws", "us-west-2", false, true),
            (
                "dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                "us-gov-west-1",
                true,
                false,
            ),
            ("dkr-ecr-fips.us-west-2.on.aws", "us-west-2", true, true),
            ("dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", false, false),
            (
                "dkr.ecr.cn-north-1.on.amazonwebservices.com.cn",
                "cn-north-1",
                false,
                true,
            ),
            (
                "dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
                "cn-north-1",
                false,
                true,
            ),
            ("dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", false, false),
            (
                "dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
                "us-isob-east-1",
                false,
                false,
            ),
            (
                "dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
                "eu-isoe-west-1",
                false,
                false,
            ),
            (
                "dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
                "us-isof-south-1",
                false,
                false,
            ),
            (
                "dkr.ecr.eusc-de-east-1.amazonaws.eu",
                "eusc-de-east-1",
                false,
                false,
            ),
            ("DKR.ECR.US-WEST-2.AMAZONAWS.COM", "us-west-2", false, false),
        ] {
            let found = told(&format!("111122223333.{host}"));
            assert_eq!(found, Some((region.to_owned(), fips, dual_stack)), "{host}");
        }
        assert_eq!(of("public.ecr.aws"), Some(EcrHost::Public));
        assert_eq!(of("ecr-public.aws.com"), Some(EcrHost::Public));
    }

    #[test]
    fn what_only_looks_alike_gets_no_token() {
        for host in [
            "111122223333.dkr.ecr.us-west-2.amazonaws.com.fake.example.com",
            "111122223333.dkr.ecr.us-west-2.amazonaws.com:8443",
            "111122223333.dkr.ecr.us-west-2.amazonaws.com.cn",
            "111122223333.dkr.ecr.cn-north-1.amazonaws.com",
            "111122223333.dkr.ecr.us-west-2.xamazonaws.com",
            "x111122223333.dkr.ecr.us-west-2.amazonaws.com",
            "11112222333.dkr.ecr.us-west-2.amazonaws.com",
            "a.111122223333.dkr.ecr.us-west-2.amazonaws.com",
            "111122223333.dkr.ecrx.us-west-2.amazonaws.com",
            "111122223333.dkr.ecr-fipsx.us-west-2.amazonaws.com",
            "111122223333.dkr.ecr.uswest2.amazonaws.com",
            "111122223333.dkr.ecr.amazonaws.com",
            "public.ecr.aws.example.com",
            "public.ecr.aws:80",
            "localhost:5000",
        ] {
            assert_eq!(of(host), None, "{host}");
        }
    }

    #[test]
    fn a_token_is_a_name_and_a_password() {
        let token = |text: &str| decode(&Secret::new(STANDARD.encode(text)));
        assert_eq!(token("AWS:a:b").unwrap().expose(), "AWS:a:b");
        for text in ["AWS", "AWS:", ":x", "AWS:a\r\nb"] {
            assert!(token(text).is_none(), "{text:?}");
        }
        assert!(decode(&Secret::new("not base64".to_owned())).is_none());
    }

    proptest! {
        #[test]
        fn only_amazons_domains_are_recognised(name in "[a-z0-9.-]{0,60}") {
            let host = format!("111122223333.dkr.ecr.us-west-2.{name}").parse();
            if let Ok(host) = host {
                let known = name == "amazonaws.com" || name == "on.aws";
                prop_assert_eq!(EcrHost::of(&host).is_some(), known);
            }
        }
    }
}
