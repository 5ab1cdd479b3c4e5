//! Registries: the OCI distribution protocol as a store.
//!
//! For: resolving names, reading manifests, blobs and referrers, storing referrers and whole images, on any registry that speaks
//! OCI distribution, Amazon ECR and old ones without the referrers API included.
//! Not for: judging what is found, or knowing where logins come from (the `Logins` seam).
//! Speaks: OCI distribution specification 1.1; distribution's token authentication (`spec/auth/token.md`).
//!
//! Everything that comes back is bounded and hashed; absent, refused, unavailable and tampered are four answers.
//!
//! ```no_run
//! use std::rc::Rc;
//! use countersign::domain::oci::ImageRef;
//! use countersign::edge::net::{Addresses, Network, client};
//! use countersign::edge::registry::{Anonymous, Options, Registry};
//! use countersign::seams::{Event, Observer, ReadStore};
//!
//! struct Quiet;
//! impl Observer for Quiet {
//!     fn on(&self, _: &Event) {}
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let addresses = Addresses::default();
//! let client = client(&Network::default(), &addresses)?;
//! let registry = Registry::new(client, addresses, Options::default(), Anonymous, Rc::new(Quiet));
//! let image: ImageRef = "registry.example.com/team/web:1.4".parse()?;
//! println!("{}", registry.resolve(&image).await?.subject);
//! # Ok(())
//! # }
//! ```

mod answer;
mod auth;
mod challenge;
mod docker_config;
mod http;
mod link;
mod logins;
mod read;
mod referrers;
mod stream;
mod upload;
mod write;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;
use std::time::Duration;

use reqwest::Method;
use url::Url;

pub use answer::{RegistryError, error_body, retry_after};
pub use challenge::{Challenge, challenges};
pub use docker_config::{DockerConfig, DockerConfigError};
pub use link::next_page;
pub use logins::{Anonymous, Chain, Static};

use self::answer::{Answer, Trouble};
use self::auth::{Access, Auth, Next, no_login};
use self::http::{Ask, Line};
use self::upload::Sessions;
use crate::domain::oci::{
    Blob, Descriptor, Digest, ImageRef, Manifest, Place, RegistryHost, Repository, Subject,
};
use crate::edge::net::{Addresses, is_loopback_name};
use crate::edge::pace::{Bucket, Pace, Retry};
use crate::seams::{Logins, Observer, OwnReferrer, ReadStore, Resolved, StoreError, WriteStore};

/// Where the registry of `docker.io` is (Docker's documentation, "Registry API").
const DOCKER_HUB: &str = "registry-1.docker.io";

/// How the registry room works, beyond what protocols say.
#[derive(Clone)]
pub struct Options {
    /// Hosts spoken to without TLS.
    pub plain_http: BTreeSet<RegistryHost>,
    /// Whether this machine's own hosts (`localhost`, `127.0.0.1`, …) are spoken to without TLS.
    pub plain_loopback: bool,
    /// How often a request is repeated.
    pub retry: Retry,
    /// How long one request may take, body included.
    pub timeout: Duration,
    /// The pace of manifest pushes to a registry, where it has a quota.
    pub manifest_pace: fn(&RegistryHost) -> Option<Pace>,
}

impl Default for Options {
    /// TLS but for this machine, four attempts of at most 30 seconds, no quota.
    fn default() -> Self {
        Self {
            plain_http: BTreeSet::new(),
            plain_loopback: true,
            retry: Retry::default(),
            timeout: Duration::from_secs(30),
            manifest_pace: |_| None,
        }
    }
}

/// Every registry there is, as one store.
pub struct Registry<L> {
    line: Line,
    auth: Auth<L>,
    options: Options,
    /// Blobs that are known to be stored, because this run stored or saw them.
    known: RefCell<HashSet<(Repository, Digest)>>,
    /// Whether a repository's registry has the referrers API, once known.
    api: RefCell<BTreeMap<Repository, bool>>,
    buckets: RefCell<BTreeMap<RegistryHost, Option<Rc<Bucket>>>>,
    sessions: Sessions,
    /// One writer per subject's fallback tag.
    writers: Locks<(Repository, Digest)>,
}

impl<L: Logins> Registry<L> {
    /// A store over a client; `addresses` must be the client's own resolver.
    pub fn new(
        client: reqwest::Client,
        addresses: Addresses,
        options: Options,
        logins: L,
        observer: Rc<dyn Observer>,
    ) -> Self {
        let plain = options.plain_http.clone();
        let line = Line {
            client,
            addresses,
            retry: options.retry,
            timeout: options.timeout,
            observer,
            plain: Rc::new(move |url| authority(url).is_some_and(|host| plain.contains(&host))),
        };
        Self {
            line,
            auth: Auth::new(logins),
            options,
            known: RefCell::default(),
            api: RefCell::default(),
            buckets: RefCell::default(),
            sessions: Sessions::default(),
            writers: Locks::default(),
        }
    }

    /// Opens a connection ahead of need and learns how the registry wants to be logged in to; costs one request, which
    /// saves the first refused one of a registry that is not known to take Basic. Problems show when they matter.
    pub async fn warm(&self, host: &RegistryHost) {
        let Ok(base) = self.base(host) else { return };
        let ask = Ask::new("GET base", Method::GET, base.clone());
        if let Ok(answer) = self.line.try_once(&ask).await {
            self.auth.learn(&self.line, host, &base, &answer).await;
        }
    }

    /// `https://host/v2/`, or `http:` where the host may be spoken to so.
    fn base(&self, host: &RegistryHost) -> Result<Url, Trouble> {
        let loopback = self.options.plain_loopback && is_loopback_name(host.name());
        let plain = loopback || self.options.plain_http.contains(host);
        let scheme = if plain { "http" } else { "https" };
        let server = if host.as_str() == "docker.io" {
            DOCKER_HUB
        } else {
            host.as_str()
        };
        let url = Url::parse(&format!("{scheme}://{server}/v2/"));
        let url = url.map_err(|_| Trouble::usage(format!("{host} is no host that can be spoken to")))?;
        self.line.addresses.name(url.host_str().unwrap_or_default());
        Ok(url)
    }

    /// The address of something in a repository.
    fn url(&self, repository: &Repository, path: &str) -> Result<Url, Trouble> {
        let base = self.base(repository.host())?;
        let url = base.join(&format!("{}/{path}", repository.path()));
        url.map_err(|_| Trouble::usage(format!("{repository} is no address")))
    }

    /// Sends a request with the login it needs; asks for a new login once where the registry does not take it.
    async fn send(&self, ask: &Ask, repository: &Repository, access: Access) -> Result<Answer, Trouble> {
        let (mut asked, mut renewed) = (false, false);
        loop {
            let permit = self.auth.permit(&self.line, repository, access).await?;
            let answer = match self.line.exchange(ask, permit.header.as_ref()).await {
                Ok(answer) if answer.wants_login() => answer,
                other => {
                    // Without an answer too, or the requests behind this one would find that out one by one.
                    self.auth.answered(repository, &permit);
                    return other;
                }
            };
            let had_login = permit.header.is_some();
            if (had_login && renewed) || (!had_login && asked) {
                return Err(no_login(
                    &answer,
                    had_login && !self.auth.is_stranger(repository.host()),
                ));
            }
            (asked, renewed) = (true, renewed || had_login);
            let request = (&ask.url, repository, access);
            match self.auth.asked(&self.line, request, permit, &answer).await? {
                Next::Again => {}
                Next::Refused(trouble) => return Err(trouble),
            }
        }
    }

    /// Reads, following redirects.
    async fn fetch(&self, ask: &Ask, repository: &Repository) -> Result<Answer, Trouble> {
        let answer = self.send(ask, repository, Access::Pull).await?;
        self.line.follow(ask, answer).await
    }

    fn bucket(&self, host: &RegistryHost) -> Option<Rc<Bucket>> {
        let mut buckets = self.buckets.borrow_mut();
        let bucket = buckets
            .entry(host.clone())
            .or_insert_with(|| (self.options.manifest_pace)(host).map(|pace| Rc::new(Bucket::new(pace))));
        bucket.clone()
    }
}

/// Host and port of an address, as an image's name has them.
fn authority(url: &Url) -> Option<RegistryHost> {
    let host = url.host_str()?;
    let text = url
        .port()
        .map_or(host.to_owned(), |port| format!("{host}:{port}"));
    text.parse().ok()
}

/// The repository of a place.
fn repository(place: &Place) -> Result<&Repository, Trouble> {
    match place {
        Place::Repository(repository) => Ok(repository),
        Place::Layout(_) => Err(Trouble::usage("a layout is no registry")),
    }
}

/// One lock per key; a key is kept while the run lasts.
struct Locks<K>(RefCell<BTreeMap<K, Rc<tokio::sync::Mutex<()>>>>);

impl<K> Default for Locks<K> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Ord> Locks<K> {
    fn of(&self, key: K) -> Rc<tokio::sync::Mutex<()>> {
        Rc::clone(self.0.borrow_mut().entry(key).or_default())
    }
}

/// Says of what a trouble is.
fn store_error(verb: &'static str, what: &impl ToString) -> impl FnOnce(Trouble) -> StoreError {
    let what = what.to_string();
    move |trouble| StoreError {
        verb,
        what,
        problem: trouble.problem,
        hint: trouble.hint,
    }
}

impl<L: Logins> ReadStore for Registry<L> {
    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, StoreError> {
        self.find(image).await.map_err(store_error("resolve", image))
    }

    async fn manifest(&self, place: &Place, descriptor: &Descriptor) -> Result<Manifest, StoreError> {
        let what = format!("{place}@{}", descriptor.digest);
        self.read_manifest(place, descriptor)
            .await
            .map_err(store_error("read", &what))
    }

    async fn blob(&self, place: &Place, blob: &Descriptor, limit: usize) -> Result<Vec<u8>, StoreError> {
        let what = format!("the blob {place}@{}", blob.digest);
        self.read_blob(place, blob, limit)
            .await
            .map_err(store_error("read", &what))
    }

    async fn referrers(&self, place: &Place, of: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let what = format!("{place}@{of}");
        self.list(place, of)
            .await
            .map_err(store_error("list the referrers of", &what))
    }
}

impl<L: Logins> WriteStore for Registry<L> {
    async fn prepare(&self, place: &Place, uploads: usize) {
        if let Ok(repository) = repository(place) {
            self.open_sessions(repository, uploads).await;
        }
    }

    async fn upload(&self, place: &Place, blob: &Blob) -> Result<(), StoreError> {
        let what = format!("the blob {place}@{}", blob.descriptor().digest);
        self.store_blob(place, blob)
            .await
            .map_err(store_error("store", &what))
    }

    async fn push_referrer(&self, place: &Place, manifest: &Manifest) -> Result<Subject, StoreError> {
        let what = format!("{place}@{}", manifest.digest());
        self.push(place, manifest)
            .await
            .map_err(store_error("store", &what))
    }

    async fn delete(&self, own: &OwnReferrer) -> Result<(), StoreError> {
        let subject = own.subject();
        self.remove(subject).await.map_err(store_error("delete", subject))
    }
}
