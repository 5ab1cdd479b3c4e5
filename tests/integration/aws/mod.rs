//! The AWS room against the AWS of the small world: who we are, logins, signatures, revocations, and everything that
//! can be wrong with them, each with its class, its message and its way out.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign::base::failure::{Cause, Class, Classified};
use countersign::base::secret::Secret;
use countersign::base::time::Timestamp;
use countersign::domain::notary::{Payload, SealedEnvelope};
use countersign::domain::oci::{Manifest, MediaType, Place, RegistryHost, Subject};
use countersign::domain::trust::{RevocationAnswer, RevocationQuestion};
use countersign::domain::x509::{Certificate, paired_hashes};
use countersign::edge::aws::credentials::{Base, IdToken, IdentityError};
use countersign::edge::aws::endpoints::Endpoints;
use countersign::edge::aws::http::{Names, Watch};
use countersign::edge::aws::profile::ProfileName;
use countersign::edge::aws::regions::Region;
use countersign::edge::aws::roles::{Roles, SessionDuration, SessionName};
use countersign::edge::aws::signing::{QUOTA, SigningProfile};
use countersign::edge::aws::{Aws as Room, Patience, Settings};
use countersign::edge::pace::Pace;
use countersign::seams::{Clock, Event, Login, Logins, Revocation, SignError, Signature, Signer};
use serde_json::json;

use crate::support::World;
use crate::support::aws::signer::{Flaw, Profile};
use crate::support::aws::sigv4::Known;
use crate::support::aws::sts::{Role, error_body};
use crate::support::aws::{ACCOUNT, Aws, AwsError, CANARY, PROFILE, ROLE, oidc};
use crate::support::fault::{Fault, When};
use crate::support::http::{Body, Request, Response, Service};

mod identity;
mod judgement;
mod logins;
mod names;
mod revocation;
mod signing;
mod spoiled;

/// A world with AWS in it, a room that speaks to it, and everything that was ever said about it.
struct Stage {
    world: World,
    aws: Aws,
    dialled: Dialled,
    events: Arc<Mutex<Vec<Event>>>,
}

/// The names that somebody wanted resolved: there must be none, everything is on loopback addresses.
#[derive(Clone, Default)]
struct Dialled(Arc<Mutex<Vec<String>>>);

impl reqwest::dns::Resolve for Dialled {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        self.0.lock().unwrap().push(name.as_str().to_owned());
        Box::pin(std::future::ready(Err("nothing leaves this machine".into())))
    }
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let aws = world.aws();
        Self {
            world,
            aws,
            dialled: Dialled::default(),
            events: Arc::default(),
        }
    }

    fn http(&self) -> reqwest::Client {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(self.dialled.clone()))
            .build()
            .unwrap()
    }

    /// As the host's room gets a token: from the address that the environment names.
    fn token(&self, audience: &'static str) -> IdToken {
        let environment = self.aws.environment();
        let url = format!(
            "{}&audience={audience}",
            environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
        );
        let http = self.http();
        IdToken::new(move || {
            let request = http.get(&url).bearer_auth(oidc::REQUEST_TOKEN);
            async move {
                let body = request.send().await.unwrap().text().await.unwrap();
                let value: serde_json::Value = serde_json::from_str(&body).unwrap();
                Ok(Secret::new(value["value"].as_str().unwrap().to_owned()))
            }
        })
    }

    fn settings(&self) -> Settings {
        let environment = self.aws.environment();
        let events = Arc::clone(&self.events);
        Settings {
            http: self.http(),
            names: Names::default(),
            clock: Clock::System,
            endpoints: Endpoints::from_environment(|name| environment.get(name).cloned()).unwrap(),
            region: "eu-west-1".parse().unwrap(),
            base: Base::Token(self.token("sts.amazonaws.com")),
            roles: Roles {
                chain: vec![ROLE.parse().unwrap()],
                session_name: SessionName::from_text("octo-org/app 42"),
                duration: SessionDuration::SHORTEST,
                external_id: None,
            },
            allowed_accounts: Vec::new(),
            patience: Patience {
                attempt: Duration::from_millis(700),
                operation: Duration::from_secs(5),
                first_wait: Duration::from_millis(1),
            },
            pace: QUOTA,
            watch: Watch::new(move |event| events.lock().unwrap().push(event)),
        }
    }

    fn room(&self) -> Room {
        Room::new(self.settings()).unwrap()
    }

    fn roots(&self) -> Vec<Certificate> {
        vec![Certificate::from_der(self.aws.cloud().authority.root()).unwrap()]
    }

    async fn profile(&self, name: &str) -> SigningProfile {
        let name: ProfileName = name.parse().unwrap();
        self.room().signing_profile(&name, self.roots()).await.unwrap()
    }

    async fn sign(&self) -> Result<Signature, SignError> {
        self.profile(PROFILE).await.sign(&payload(&[])).await
    }

    fn count(&self, service: &str, operation: &str) -> usize {
        self.world.ledger().count(service, operation)
    }

    /// Every stage ends here: nothing left this machine.
    fn close(self) {
        assert_eq!(
            *self.dialled.0.lock().unwrap(),
            Vec::<String>::new(),
            "a name was dialled"
        );
    }
}

fn subject() -> Subject {
    let index = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [] });
    let media_type: MediaType = "application/vnd.oci.image.index.v1+json".parse().unwrap();
    let manifest = Manifest::parse(index.to_string().into_bytes(), &media_type).unwrap();
    Subject::of(Place::Repository("127.0.0.1:1/web".parse().unwrap()), &manifest)
}

fn payload(metadata: &[(&str, &str)]) -> Payload {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let metadata: BTreeMap<String, String> = metadata.iter().map(pair).collect();
    Payload::new(&subject(), &metadata).unwrap()
}

/// An error as it would be told, with no secret anywhere in it.
fn told(error: &(impl Classified + std::fmt::Debug)) -> Cause {
    let cause = Cause::of(error);
    let all = format!("{error:?} {cause:?}");
    assert!(!all.contains(CANARY), "{all}");
    assert!(!all.contains("eyJ"), "{all}");
    cause
}

fn assert_told(cause: &Cause, class: Class, message: &str, hint: &str) {
    assert_eq!(cause.class, class, "{cause:?}");
    assert!(
        cause.message.contains(message),
        "{message:?} is not in {:?}",
        cause.message
    );
    let given = cause.hint.clone().unwrap_or_default();
    assert!(given.contains(hint), "{hint:?} is not in {given:?}");
}

fn question(sealed: &SealedEnvelope) -> RevocationQuestion {
    let intact = sealed.intact();
    let text = |name: &str| match &intact.attributes().find(name).unwrap().value {
        countersign::base::tree::Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    RevocationQuestion::AwsSigner {
        profile_version: text("com.amazonaws.signer.signingProfileVersion"),
        job: text("com.amazonaws.signer.signingJob"),
        signed_at: intact.authentic_signing_time().unwrap(),
        certificate_hashes: paired_hashes(intact.chain().certificates()),
    }
}

const REGISTRIES: [&str; 2] = [
    "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
    "444455556666.dkr.ecr.eu-west-1.amazonaws.com",
];

async fn password(logins: &impl Logins, host: &str) -> String {
    match logins.login(&host.parse().unwrap()).await.unwrap() {
        Login::Basic(login) => login.expose().clone(),
        other => panic!("{other:?}"),
    }
}
