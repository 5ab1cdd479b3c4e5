//! The choice of backends: closed sets, by data.

use std::path::PathBuf;

use super::Scene;
use crate::base::failure::{Cause, Class};
use crate::cli::KeyChoice;
use crate::domain::notary::{Expected, Payload};
use crate::domain::oci::{Blob, Descriptor, Digest, ImageRef, Manifest, Place, Subject};
use crate::edge::ci::{read_named, state_directory};
use crate::edge::layout::Layout;
use crate::edge::local_key::LocalKey;
use crate::seams::{
    Clock, OwnReferrer, ReadStore, Resolved, SignError, Signature, Signer, SignerIdentity, StoreError,
    StoreProblem, WriteStore,
};

/// Whoever signs.
pub(super) enum AnySigner {
    LocalKey(LocalKey),
}

impl Signer for AnySigner {
    fn identity(&self) -> &SignerIdentity {
        match self {
            Self::LocalKey(key) => key.identity(),
        }
    }

    fn expected(&self) -> Expected {
        match self {
            Self::LocalKey(key) => key.expected(),
        }
    }

    async fn sign(&self, payload: &Payload) -> Result<Signature, SignError> {
        match self {
            Self::LocalKey(key) => key.sign(payload).await,
        }
    }
}

/// Reads the local key, or makes it.
pub(super) fn local_key(choice: &KeyChoice, scene: &Scene<'_>) -> Result<LocalKey, Cause> {
    match choice {
        KeyChoice::Files {
            key: Some(key),
            chain,
        } => {
            let key = read_named(key).map_err(|error| Cause::of(&error))?;
            let chain = read_named(chain).map_err(|error| Cause::of(&error))?;
            LocalKey::read(&key, &chain, Clock::System)
        }
        KeyChoice::Files { key: None, .. } | KeyChoice::Made => LocalKey::kept(&state(scene)?, Clock::System),
    }
    .map_err(|error| Cause::of(&error))
}

/// Where the CA that was made once is kept.
pub(super) fn state(scene: &Scene<'_>) -> Result<PathBuf, Cause> {
    state_directory(scene.environment).ok_or_else(|| Cause {
        class: Class::Usage,
        message: "expected HOME or XDG_STATE_HOME to keep the local CA in, found neither".to_owned(),
        hint: Some("set one of them, or give local-key and local-chain".to_owned()),
    })
}

/// Whatever holds an image: its place says which.
#[derive(Default)]
pub(super) struct AnyStore {
    layout: Layout,
}

/// The store of a place.
enum Chosen<'a> {
    Layout(&'a Layout),
}

impl AnyStore {
    fn of(&self, place: &Place) -> Result<Chosen<'_>, StoreError> {
        match place {
            Place::Layout(_) => Ok(Chosen::Layout(&self.layout)),
            Place::Repository(repository) => Err(StoreError {
                verb: "reach",
                what: repository.to_string(),
                problem: StoreProblem::Usage("registries are not available yet".to_owned()),
                hint: Some("copy the image into an OCI layout, and name it oci:PATH".to_owned()),
            }),
        }
    }

    /// Refuses places that no backend serves, before anything is touched.
    pub(super) fn serves<'a>(&self, images: impl IntoIterator<Item = &'a ImageRef>) -> Result<(), Cause> {
        let mut images = images.into_iter();
        let refused = images.find_map(|image| self.of(image.place()).err());
        refused.map_or(Ok(()), |error| Err(Cause::of(&error)))
    }
}

impl ReadStore for AnyStore {
    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, StoreError> {
        match self.of(image.place())? {
            Chosen::Layout(layout) => layout.resolve(image).await,
        }
    }

    async fn manifest(&self, place: &Place, descriptor: &Descriptor) -> Result<Manifest, StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.manifest(place, descriptor).await,
        }
    }

    async fn blob(&self, place: &Place, blob: &Descriptor, limit: usize) -> Result<Vec<u8>, StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.blob(place, blob, limit).await,
        }
    }

    async fn referrers(&self, place: &Place, of: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.referrers(place, of).await,
        }
    }
}

impl WriteStore for AnyStore {
    async fn upload(&self, place: &Place, blob: &Blob) -> Result<(), StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.upload(place, blob).await,
        }
    }

    async fn push_referrer(&self, place: &Place, manifest: &Manifest) -> Result<Subject, StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.push_referrer(place, manifest).await,
        }
    }

    async fn delete(&self, own: &OwnReferrer) -> Result<(), StoreError> {
        match self.of(own.subject().place())? {
            Chosen::Layout(layout) => layout.delete(own).await,
        }
    }
}
