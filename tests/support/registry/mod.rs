//! A registry in memory (OCI distribution specification 1.1), with the quirks of real ones as switches.

mod content;
mod login;
mod quirks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use countersign::domain::oci::{Digest, MediaType, RegistryHost};
use serde_json::{Value, json};

pub use quirks::{Auth, Quirks};

use content::subject_of;

use super::World;
use super::http::{Request, Response, Service};
use super::pki::TlsAuthority;

/// A manifest that is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// As announced by who pushed it.
    pub media_type: String,
    /// As pushed.
    pub bytes: Vec<u8>,
    order: usize,
    subject: Option<String>,
}

#[derive(Default)]
struct Repo {
    manifests: BTreeMap<String, Stored>,
    tags: BTreeMap<String, String>,
    blobs: BTreeMap<String, Vec<u8>>,
}

struct Grant {
    scopes: Vec<String>,
    until: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Password {
    Good,
    Expired,
}

#[derive(Default)]
struct State {
    repos: BTreeMap<String, Repo>,
    uploads: BTreeMap<String, Vec<u8>>,
    tokens: BTreeMap<String, Grant>,
    logins: BTreeMap<String, Password>,
    serial: usize,
    quota: Option<(f64, Instant)>,
}

impl State {
    fn next(&mut self) -> usize {
        self.serial += 1;
        self.serial
    }
}

/// A registry of the small world.
pub struct Registry {
    quirks: Quirks,
    state: Mutex<State>,
    address: OnceLock<SocketAddr>,
    storage: OnceLock<String>,
    scheme: &'static str,
    name: Option<String>,
}

/// Where blobs are served from, when not by the registry.
struct Storage {
    registry: Arc<Registry>,
}

impl World {
    /// Boots a registry.
    pub fn registry(&self, quirks: Quirks) -> Arc<Registry> {
        let registry = Registry::new(quirks, "http");
        let address = self.serve(Arc::clone(&registry) as Arc<dyn Service>);
        let _ = registry.address.set(address);
        let storage = self.serve(Arc::new(Storage {
            registry: Arc::clone(&registry),
        }));
        let _ = registry.storage.set(format!("http://{storage}"));
        registry
    }

    /// Boots a registry behind TLS; its blob storage too.
    pub fn registry_tls(
        &self,
        quirks: Quirks,
        identity: &Arc<tokio_rustls::rustls::ServerConfig>,
    ) -> Arc<Registry> {
        let registry = Registry::new(quirks, "https");
        let address = self.serve_tls(Arc::clone(&registry) as Arc<dyn Service>, Arc::clone(identity));
        let _ = registry.address.set(address);
        let storage = Arc::new(Storage {
            registry: Arc::clone(&registry),
        });
        let storage = self.serve_tls(storage, Arc::clone(identity));
        let _ = registry
            .storage
            .set(format!("https://localhost:{}", storage.port()));
        registry
    }

    /// Boots a registry that is reached by name, and its blob storage under another name; returns their addresses.
    pub fn registry_by_name(
        &self,
        quirks: Quirks,
        storage_name: &str,
        authority: &TlsAuthority,
        name: &str,
    ) -> (Arc<Registry>, SocketAddr, SocketAddr) {
        let mut registry = Registry::new(quirks, "https");
        let known = Arc::get_mut(&mut registry).unwrap();
        known.name = Some(name.to_owned());
        let service = Arc::clone(&registry) as Arc<dyn Service>;
        let address = self.serve_tls(service, authority.server(&[name]));
        let _ = registry.address.set(address);
        let storage = Arc::new(Storage {
            registry: Arc::clone(&registry),
        });
        let storage = self.serve_tls(storage, authority.server(&[storage_name]));
        let _ = registry.storage.set(format!("https://{storage_name}"));
        (registry, address, storage)
    }
}

impl Registry {
    fn new(quirks: Quirks, scheme: &'static str) -> Arc<Self> {
        Arc::new(Self {
            quirks,
            state: Mutex::default(),
            address: OnceLock::new(),
            storage: OnceLock::new(),
            scheme,
            name: None,
        })
    }

    /// The host and port to write in an image's name: its own name if it has one; `localhost` with TLS, whose
    /// certificate names it.
    pub fn host(&self) -> RegistryHost {
        if let Some(name) = &self.name {
            return name.parse().unwrap();
        }
        let address = self.address.get().unwrap();
        let text = if self.scheme == "https" {
            format!("localhost:{}", address.port())
        } else {
            address.to_string()
        };
        text.parse().unwrap()
    }

    /// `http://host:port` of the registry.
    pub fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.host())
    }

    /// `http://host:port` where blobs are served from, if `blobs_elsewhere`.
    pub fn storage(&self) -> &str {
        self.storage.get().unwrap()
    }

    /// Accepts `user:password` from now on.
    pub fn accept(&self, user_password: &str) {
        self.state
            .lock()
            .unwrap()
            .logins
            .insert(user_password.to_owned(), Password::Good);
    }

    /// Answers that this `user:password` is expired from now on, as ECR does after twelve hours.
    pub fn expire(&self, user_password: &str) {
        self.state
            .lock()
            .unwrap()
            .logins
            .insert(user_password.to_owned(), Password::Expired);
    }

    /// No token that was given is good any more.
    pub fn revoke_tokens(&self) {
        self.state.lock().unwrap().tokens.clear();
    }

    /// Makes a repository, where none is made by the first write.
    pub fn create(&self, repository: &str) {
        self.state
            .lock()
            .unwrap()
            .repos
            .entry(repository.to_owned())
            .or_default();
    }

    /// Puts a blob in place, no questions asked; returns its digest.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let mut state = self.state.lock().unwrap();
        let repo = state.repos.entry(repository.to_owned()).or_default();
        repo.blobs.insert(digest.to_string(), bytes.to_vec());
        digest
    }

    /// Puts a manifest in place, no questions asked; returns its digest.
    pub fn put_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: &MediaType,
        bytes: &[u8],
    ) -> Digest {
        let digest = Digest::of(bytes);
        let mut state = self.state.lock().unwrap();
        let order = state.next();
        let repo = state.repos.entry(repository.to_owned()).or_default();
        let stored = Stored {
            media_type: media_type.to_string(),
            bytes: bytes.to_vec(),
            order,
            subject: subject_of(bytes),
        };
        repo.manifests.insert(digest.to_string(), stored);
        if let Some(tag) = tag {
            repo.tags.insert(tag.to_owned(), digest.to_string());
        }
        digest
    }

    /// Puts a one-layer image under a tag; returns its digest. Different `seed`s make different images.
    pub fn put_image(&self, repository: &str, tag: &str, seed: &str) -> Digest {
        let config = json!({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}});
        let config = config.to_string().into_bytes();
        let layer = seed.as_bytes();
        self.put_blob(repository, &config);
        self.put_blob(repository, layer);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": {"mediaType": MediaType::OCI_CONFIG, "digest": Digest::of(&config), "size": config.len()},
            "layers": [{"mediaType": MediaType::OCI_LAYER, "digest": Digest::of(layer), "size": layer.len()}],
        });
        self.put_manifest(
            repository,
            Some(tag),
            &MediaType::OCI_MANIFEST,
            manifest.to_string().as_bytes(),
        )
    }

    /// Whether there is such a repository.
    pub fn has(&self, repository: &str) -> bool {
        self.state.lock().unwrap().repos.contains_key(repository)
    }

    /// Every manifest of a repository, by digest.
    pub fn manifests(&self, repository: &str) -> BTreeMap<String, Stored> {
        let state = self.state.lock().unwrap();
        state
            .repos
            .get(repository)
            .map(|repo| repo.manifests.clone())
            .unwrap_or_default()
    }

    /// Every tag of a repository and its digest.
    pub fn tags(&self, repository: &str) -> BTreeMap<String, String> {
        let state = self.state.lock().unwrap();
        state
            .repos
            .get(repository)
            .map(|repo| repo.tags.clone())
            .unwrap_or_default()
    }

    /// Every blob of a repository, by digest.
    pub fn blobs(&self, repository: &str) -> BTreeMap<String, Vec<u8>> {
        let state = self.state.lock().unwrap();
        state
            .repos
            .get(repository)
            .map(|repo| repo.blobs.clone())
            .unwrap_or_default()
    }

    /// What refers to a manifest, computed from what is stored, whatever the API says.
    pub fn referrers(&self, repository: &str, subject: &Digest) -> Vec<Digest> {
        let mut found: Vec<(usize, Digest)> = Vec::new();
        for (digest, stored) in self.manifests(repository) {
            if stored.subject.as_deref() == Some(&subject.to_string()) {
                found.push((stored.order, digest.parse().unwrap()));
            }
        }
        found.sort();
        found.into_iter().map(|(_, digest)| digest).collect()
    }

    /// What readers find that refers to a manifest: by the API, or without one in the list under the tag.
    pub fn listed(&self, repository: &str, subject: &Digest) -> Vec<Digest> {
        if self.quirks.referrers_api {
            return self.referrers(repository, subject);
        }
        let tag = format!("{}-{}", subject.algorithm().name(), subject.hex());
        let Some(list) = self.tags(repository).remove(&tag) else {
            return Vec::new();
        };
        let list: Value = serde_json::from_slice(&self.manifests(repository)[&list].bytes).unwrap();
        let entries = list["manifests"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["digest"].as_str().unwrap().parse().unwrap())
            .collect()
    }
}

/// What a path under `/v2/` means.
enum Route {
    Base,
    Token,
    Manifest(String, String),
    Referrers(String, String),
    Upload(String, String),
    Blob(String, String),
    Tags(String),
    Unknown,
}

fn route(path: &str) -> Route {
    if path == "/token" {
        return Route::Token;
    }
    if path == "/v2/" || path == "/v2" {
        return Route::Base;
    }
    let Some(rest) = path.strip_prefix("/v2/") else {
        return Route::Unknown;
    };
    let split = |middle: &str| {
        rest.split_once(middle)
            .map(|(name, last)| (name.to_owned(), last.replace("%3A", ":")))
    };
    if let Some((name, last)) = split("/blobs/uploads/") {
        Route::Upload(name, last)
    } else if let Some((name, last)) = split("/manifests/") {
        Route::Manifest(name, last)
    } else if let Some((name, last)) = split("/referrers/") {
        Route::Referrers(name, last)
    } else if let Some((name, last)) = split("/blobs/") {
        Route::Blob(name, last)
    } else if let Some((name, _)) = split("/tags/list") {
        Route::Tags(name)
    } else {
        Route::Unknown
    }
}

impl Service for Registry {
    fn name(&self) -> &'static str {
        self.quirks.name
    }

    fn operation(&self, request: &Request) -> &'static str {
        match (route(&request.path), request.method.as_str()) {
            (Route::Base, _) => "GET base",
            (Route::Token, _) => "GET token",
            (Route::Manifest(..), "HEAD") => "HEAD manifest",
            (Route::Manifest(..), "PUT") => "PUT manifest",
            (Route::Manifest(..), "DELETE") => "DELETE manifest",
            (Route::Manifest(..), _) => "GET manifest",
            (Route::Referrers(..), _) => "GET referrers",
            (Route::Upload(..), "POST") => "POST upload",
            (Route::Upload(..), "PATCH") => "PATCH upload",
            (Route::Upload(..), _) => "PUT blob",
            (Route::Blob(..), "HEAD") => "HEAD blob",
            (Route::Blob(..), "DELETE") => "DELETE blob",
            (Route::Blob(..), _) => "GET blob",
            (Route::Tags(_), _) => "GET tags",
            (Route::Unknown, _) => "unknown",
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let route = route(&request.path);
        let name = match &route {
            Route::Manifest(name, _)
            | Route::Referrers(name, _)
            | Route::Upload(name, _)
            | Route::Blob(name, _)
            | Route::Tags(name) => Some(name.as_str()),
            Route::Base | Route::Token | Route::Unknown => None,
        };
        if !matches!(route, Route::Token)
            && let Some(refused) = self.authorize(request, name)
        {
            return refused;
        }
        match &route {
            Route::Base => Response::json(200, &json!({})),
            Route::Token => self.token(request),
            Route::Manifest(name, reference) => self.manifest(request, name, reference),
            Route::Referrers(name, subject) => self.list(request, name, subject),
            Route::Upload(name, session) => self.upload(request, name, session),
            Route::Blob(name, digest) => self.blob(request, name, digest),
            Route::Tags(name) => {
                let tags: Vec<String> = self.tags(name).into_keys().collect();
                Response::json(200, &json!({ "name": name, "tags": tags }))
            }
            Route::Unknown => Response::text(404, "404 page not found\n"),
        }
    }
}

impl Service for Storage {
    fn name(&self) -> &'static str {
        "storage"
    }

    fn operation(&self, _: &Request) -> &'static str {
        "GET object"
    }

    fn answer(&self, request: &Request) -> Response {
        // S3 refuses a presigned request that carries another kind of authorization.
        if request.headers.contains_key("authorization") {
            return Response::text(400, "Only one auth mechanism allowed");
        }
        let path = request.path.trim_start_matches('/');
        let Some((name, digest)) = path.rsplit_once('/') else {
            return Response::text(403, "AccessDenied");
        };
        match self.registry.blobs(name).remove(&digest.replace("%3A", ":")) {
            Some(bytes) => Response::new(200)
                .with("content-type", "application/octet-stream")
                .body(bytes),
            None => Response::text(403, "AccessDenied"),
        }
    }
}
