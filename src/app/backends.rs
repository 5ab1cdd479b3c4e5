//! The choice of stores: a closed set, by data. Futures of a registry are boxed: they are large, and nest deep.

use super::logins::AnyLogins;
use crate::base::time::Timestamp;
use crate::domain::oci::{Blob, Descriptor, Digest, ImageRef, Manifest, Place, Subject};
use crate::edge::aws::ecr_images::EcrImages;
use crate::edge::layout::Layout;
use crate::edge::registry::Registry;
use crate::seams::{OwnReferrer, ReadStore, Resolved, StoreError, StoreProblem, WriteStore};

/// Whatever holds an image: its place says which.
#[derive(Default)]
pub(super) struct AnyStore {
    layout: Layout,
    /// None where no target is in a registry.
    registry: Option<Registry<AnyLogins>>,
    /// None where there is no identity for AWS.
    ecr: Option<EcrImages>,
}

/// The store of a place.
pub(super) enum Chosen<'a> {
    Layout(&'a Layout),
    Registry(&'a Registry<AnyLogins>),
}

impl AnyStore {
    pub(super) fn new(registry: Registry<AnyLogins>, ecr: Option<EcrImages>) -> Self {
        Self {
            layout: Layout::default(),
            registry: Some(registry),
            ecr,
        }
    }

    pub(super) fn of(&self, place: &Place) -> Result<Chosen<'_>, StoreError> {
        match (place, &self.registry) {
            (Place::Layout(_), _) => Ok(Chosen::Layout(&self.layout)),
            (Place::Repository(_), Some(registry)) => Ok(Chosen::Registry(registry)),
            (Place::Repository(repository), None) => Err(StoreError {
                verb: "reach",
                what: repository.to_string(),
                problem: StoreProblem::Usage("no registry was named by any target".to_owned()),
                hint: None,
            }),
        }
    }
}

impl ReadStore for AnyStore {
    async fn foresee(&self, images: &[ImageRef]) {
        if let Some(ecr) = &self.ecr {
            Box::pin(ecr.read_ahead(images)).await;
        }
    }

    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, StoreError> {
        if let Some(read) = self.ecr.as_ref().and_then(|ecr| ecr.take(image)) {
            return read;
        }
        match self.of(image.place())? {
            Chosen::Layout(layout) => layout.resolve(image).await,
            Chosen::Registry(registry) => Box::pin(registry.resolve(image)).await,
        }
    }

    async fn manifest(&self, place: &Place, descriptor: &Descriptor) -> Result<Manifest, StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.manifest(place, descriptor).await,
            Chosen::Registry(registry) => Box::pin(registry.manifest(place, descriptor)).await,
        }
    }

    async fn blob(&self, place: &Place, blob: &Descriptor, limit: usize) -> Result<Vec<u8>, StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.blob(place, blob, limit).await,
            Chosen::Registry(registry) => Box::pin(registry.blob(place, blob, limit)).await,
        }
    }

    async fn referrers(&self, place: &Place, of: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.referrers(place, of).await,
            Chosen::Registry(registry) => Box::pin(registry.referrers(place, of)).await,
        }
    }

    async fn stored_at(&self, place: &Place, of: &Digest) -> Result<Option<Timestamp>, StoreError> {
        match &self.ecr {
            Some(ecr) => Box::pin(ecr.pushed_at(place, of)).await,
            None => Ok(None),
        }
    }
}

impl WriteStore for AnyStore {
    async fn prepare(&self, place: &Place, uploads: usize) {
        match self.of(place) {
            Ok(Chosen::Layout(layout)) => layout.prepare(place, uploads).await,
            Ok(Chosen::Registry(registry)) => Box::pin(registry.prepare(place, uploads)).await,
            Err(_) => {}
        }
    }

    async fn upload(&self, place: &Place, blob: &Blob) -> Result<(), StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.upload(place, blob).await,
            Chosen::Registry(registry) => Box::pin(registry.upload(place, blob)).await,
        }
    }

    async fn push_referrer(&self, place: &Place, manifest: &Manifest) -> Result<Subject, StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.push_referrer(place, manifest).await,
            Chosen::Registry(registry) => Box::pin(registry.push_referrer(place, manifest)).await,
        }
    }

    async fn delete(&self, own: &OwnReferrer) -> Result<(), StoreError> {
        match self.of(own.subject().place())? {
            Chosen::Layout(layout) => layout.delete(own).await,
            Chosen::Registry(registry) => Box::pin(registry.delete(own)).await,
        }
    }
}
