//! Reading ahead: what is going to be asked for is fetched all at once, and handed out when it is asked for.
//!
//! It saves waiting and never a check: each thing is read from the store as often as without it, and what nobody asks
//! for, because a list does not name it, counts for nothing.

use std::cell::RefCell;
use std::collections::HashMap;

use super::pool;
use crate::base::time::Timestamp;
use crate::domain::oci::{Descriptor, Digest, ImageRef, Manifest, Place};
use crate::seams::{ReadStore, Resolved, StoreError};

/// What is to be fetched.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    /// Manifests, as a list will describe them.
    pub(super) manifests: Vec<Descriptor>,
    /// Blobs, each with the limit it will be read with.
    pub(super) blobs: Vec<(Descriptor, usize)>,
    /// Lists of referrers, by subject.
    pub(super) referrers: Vec<Digest>,
}

/// One thing that is fetched.
enum Wish<'a> {
    Manifest(&'a Descriptor),
    Blob(&'a Descriptor, usize),
    Referrers(&'a Digest),
}

/// A store that has read ahead in one place; each answer is handed out once.
#[derive(Debug)]
pub(super) struct Ahead<'a, S> {
    store: &'a S,
    place: Place,
    manifests: RefCell<HashMap<Digest, Result<Manifest, StoreError>>>,
    blobs: RefCell<HashMap<Digest, Result<Vec<u8>, StoreError>>>,
    referrers: RefCell<HashMap<Digest, Result<Vec<Descriptor>, StoreError>>>,
}

impl<'a, S: ReadStore> Ahead<'a, S> {
    /// Fetches all wishes together.
    pub(super) async fn read(store: &'a S, place: &Place, wishes: &Wishes) -> Self {
        let ahead = Self {
            store,
            place: place.clone(),
            manifests: RefCell::default(),
            blobs: RefCell::default(),
            referrers: RefCell::default(),
        };
        let referrers = wishes.referrers.iter().map(Wish::Referrers);
        let manifests = wishes.manifests.iter().map(Wish::Manifest);
        let blobs = wishes.blobs.iter().map(|(blob, limit)| Wish::Blob(blob, *limit));
        let all = referrers.chain(manifests).chain(blobs);
        pool::each(all, pool::PER_TARGET, |wish| ahead.fetch(wish)).await;
        ahead
    }

    async fn fetch(&self, wish: Wish<'_>) {
        match wish {
            Wish::Manifest(descriptor) => {
                let manifest = self.store.manifest(&self.place, descriptor).await;
                self.manifests
                    .borrow_mut()
                    .insert(descriptor.digest.clone(), manifest);
            }
            Wish::Blob(descriptor, limit) => {
                let bytes = self.store.blob(&self.place, descriptor, limit).await;
                self.blobs.borrow_mut().insert(descriptor.digest.clone(), bytes);
            }
            Wish::Referrers(of) => {
                let listed = self.store.referrers(&self.place, of).await;
                self.referrers.borrow_mut().insert(of.clone(), listed);
            }
        }
    }
}

impl<S: ReadStore> ReadStore for Ahead<'_, S> {
    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, StoreError> {
        self.store.resolve(image).await
    }

    async fn manifest(&self, place: &Place, descriptor: &Descriptor) -> Result<Manifest, StoreError> {
        let held = self.manifests.borrow_mut().remove(&descriptor.digest);
        match held {
            // A list that describes it otherwise is answered by the store, which says what is wrong.
            Some(Ok(manifest)) if *place == self.place && manifest.descriptor().same_content(descriptor) => {
                Ok(manifest)
            }
            Some(Err(error)) if *place == self.place => Err(error),
            _ => self.store.manifest(place, descriptor).await,
        }
    }

    async fn blob(&self, place: &Place, blob: &Descriptor, limit: usize) -> Result<Vec<u8>, StoreError> {
        let held = self.blobs.borrow_mut().remove(&blob.digest);
        match held {
            Some(Ok(bytes))
                if *place == self.place && bytes.len() as u64 == blob.size && bytes.len() <= limit =>
            {
                Ok(bytes)
            }
            Some(Err(error)) if *place == self.place => Err(error),
            _ => self.store.blob(place, blob, limit).await,
        }
    }

    async fn referrers(&self, place: &Place, of: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let held = self.referrers.borrow_mut().remove(of);
        match held {
            Some(listed) if *place == self.place => listed,
            _ => self.store.referrers(place, of).await,
        }
    }

    async fn stored_at(&self, place: &Place, of: &Digest) -> Result<Option<Timestamp>, StoreError> {
        self.store.stored_at(place, of).await
    }
}
