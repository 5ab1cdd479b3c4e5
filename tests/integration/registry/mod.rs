//! The registry room against the registry emulator and against registries nobody here wrote.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test that cannot go on fails the test"
)]

mod fallback;
mod faults;
mod logins;
mod outside;
mod plain;
mod proxy;
mod tls;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use countersign::base::secret::Secret;
use countersign::domain::oci::{
    Blob, Descriptor, Digest, ImageRef, Manifest, MediaType, Place, RegistryHost, Subject,
};
use countersign::domain::report::Event;
use countersign::edge::net::{Addresses, Network, client};
use countersign::edge::pace::Retry;
use countersign::edge::registry::{Anonymous, Options, Registry, Static};
use countersign::seams::{Login, LoginError, Logins, Observer, ReadStore as _, StoreError, WriteStore as _};
use serde_json::json;

use crate::support::registry as emulator;

/// A repository in which every test works.
const REPOSITORY: &str = "team/web";

/// What the emulator accepts where a login is needed; the password must never show anywhere.
const LOGIN: &str = "AWS:canary-password";

/// Notes every event.
#[derive(Default)]
struct Recorder(RefCell<Vec<Event>>);

impl Observer for Recorder {
    fn on(&self, event: &Event) {
        self.0.borrow_mut().push(event.clone());
    }
}

impl Recorder {
    fn retries(&self) -> usize {
        self.0
            .borrow()
            .iter()
            .filter(|event| matches!(event, Event::Retry { .. }))
            .count()
    }

    fn requests(&self) -> usize {
        self.0
            .borrow()
            .iter()
            .filter(|event| matches!(event, Event::Request { .. }))
            .count()
    }
}

/// Repetitions without the waits.
const QUICK: Retry = Retry {
    attempts: 3,
    base: Duration::from_millis(2),
    cap: Duration::from_millis(5),
    patience: Duration::from_secs(2),
};

fn quick() -> Options {
    Options {
        retry: QUICK,
        timeout: Duration::from_secs(5),
        ..Options::default()
    }
}

/// The same for registries that stall.
fn hasty() -> Options {
    Options {
        timeout: Duration::from_millis(400),
        ..quick()
    }
}

fn store<L: Logins>(options: Options, logins: L) -> (Registry<L>, Rc<Recorder>) {
    let addresses = Addresses::default();
    let client = client(&Network::default(), &addresses).unwrap();
    let recorder = Rc::new(Recorder::default());
    let observer: Rc<dyn Observer> = Rc::clone(&recorder) as Rc<dyn Observer>;
    (
        Registry::new(client, addresses, options, logins, observer),
        recorder,
    )
}

fn password() -> Static {
    let (user, password) = LOGIN.split_once(':').unwrap();
    Static::new(user, &Secret::new(password.to_owned()))
}

/// A login known to be taken as Basic, as ECR's are.
struct Ecr;

impl Logins for Ecr {
    async fn login(&self, _: &RegistryHost) -> Result<Login, LoginError> {
        Ok(Login::Basic(Secret::new(LOGIN.to_owned())))
    }
}

fn place(registry: &emulator::Registry) -> Place {
    Place::Repository(format!("{}/{REPOSITORY}", registry.host()).parse().unwrap())
}

fn tagged(registry: &emulator::Registry, tag: &str) -> ImageRef {
    format!("{}:{tag}", place(registry)).parse().unwrap()
}

fn by_digest(registry: &emulator::Registry, digest: &Digest) -> ImageRef {
    format!("{}@{digest}", place(registry)).parse().unwrap()
}

/// A small artifact that refers to a manifest.
fn artifact(subject: &Descriptor, artifact_type: &str, layer: &Blob) -> Manifest {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": Blob::empty().descriptor(),
        "layers": [layer.descriptor()],
        "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
        "annotations": {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"},
    });
    Manifest::parse(manifest.to_string().into_bytes(), &MediaType::OCI_MANIFEST).unwrap()
}

fn statement(text: &str) -> Blob {
    Blob::new(MediaType::IN_TOTO, text.as_bytes().to_vec())
}

/// Uploads and pushes a referrer.
async fn attach<L: Logins>(
    store: &Registry<L>,
    at: &Place,
    to: &Subject,
    text: &str,
) -> Result<Digest, StoreError> {
    let layer = statement(text);
    store.upload(at, &layer).await?;
    store.upload(at, &Blob::empty()).await?;
    let manifest = artifact(to.descriptor(), "application/vnd.example+json", &layer);
    Ok(store.push_referrer(at, &manifest).await?.digest().clone())
}

fn digests(found: &[Descriptor]) -> Vec<Digest> {
    found.iter().map(|entry| entry.digest.clone()).collect()
}
