//! The choice of stores once more, for copying: whole images, and blobs as streams.

use super::backends::{AnyStore, Chosen};
use crate::domain::oci::{Descriptor, Digest, Manifest, Place, Tag};
use crate::seams::{BlobBytes, CopyStore, StoreError};

impl CopyStore for AnyStore {
    async fn may_name(&self, place: &Place, digest: &Digest, tag: Option<&Tag>) -> Result<(), StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.may_name(place, digest, tag).await,
            Chosen::Registry(registry) => registry.may_name(place, digest, tag).await,
        }
    }

    async fn found(&self, place: &Place) -> Result<(), StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.found(place).await,
            Chosen::Registry(registry) => registry.found(place).await,
        }
    }

    async fn open_blob(&self, place: &Place, blob: &Descriptor) -> Result<BlobBytes, StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.open_blob(place, blob).await,
            Chosen::Registry(registry) => Box::pin(registry.open_blob(place, blob)).await,
        }
    }

    async fn holds_blob(&self, place: &Place, blob: &Descriptor) -> Result<bool, StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.holds_blob(place, blob).await,
            Chosen::Registry(registry) => Box::pin(registry.holds_blob(place, blob)).await,
        }
    }

    async fn store_blob(&self, place: &Place, blob: &Descriptor, bytes: BlobBytes) -> Result<(), StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.store_blob(place, blob, bytes).await,
            Chosen::Registry(registry) => Box::pin(registry.store_blob(place, blob, bytes)).await,
        }
    }

    /// Only a registry can, from another repository of its own.
    async fn mount(&self, place: &Place, from: &Place, blob: &Descriptor) -> Result<bool, StoreError> {
        match (self.of(place)?, place, from) {
            (Chosen::Registry(registry), Place::Repository(to), Place::Repository(other))
                if to.host() == other.host() && to != other =>
            {
                Box::pin(registry.mount(place, from, blob)).await
            }
            _ => Ok(false),
        }
    }

    async fn store_manifest(&self, place: &Place, manifest: &Manifest) -> Result<(), StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.store_manifest(place, manifest).await,
            Chosen::Registry(registry) => Box::pin(registry.store_manifest(place, manifest)).await,
        }
    }

    async fn name_image(
        &self,
        place: &Place,
        manifest: &Manifest,
        tag: Option<&Tag>,
    ) -> Result<(), StoreError> {
        match self.of(place)? {
            Chosen::Layout(layout) => layout.name_image(place, manifest, tag).await,
            Chosen::Registry(registry) => Box::pin(registry.name_image(place, manifest, tag)).await,
        }
    }
}
