//! Everything that belongs to an image, in the order in which it can be stored: what an index names before the index,
//! a subject before what refers to it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::pin::Pin;

use super::pool;
use crate::base::failure::{Cause, Class};
use crate::base::limits;
use crate::domain::oci::{Descriptor, Digest, Manifest, ManifestView, Place, Subject};
use crate::seams::{ReadStore, StoreProblem};

/// An image with its tree.
#[derive(Debug)]
pub(super) struct Tree {
    /// Every manifest, in the order of storing.
    pub(super) manifests: Vec<Manifest>,
    /// What refers to each manifest of the tree, where anything does.
    pub(super) referrers: BTreeMap<Digest, Vec<Digest>>,
    /// Entries of indexes that are not there.
    pub(super) sparse: Vec<Descriptor>,
}

impl Tree {
    /// Configurations and layers, each once.
    pub(super) fn blobs<'a>(&'a self, of: impl Fn(&Manifest) -> bool + 'a) -> Vec<Descriptor> {
        let mut seen = HashSet::new();
        let manifests = self.manifests.iter().filter(move |manifest| of(manifest));
        let parts = manifests.flat_map(|manifest| match manifest.view() {
            ManifestView::Image(image) => image.config.iter().chain(&image.layers).collect(),
            ManifestView::Index(_) => Vec::new(),
        });
        parts
            .filter(|blob| seen.insert(blob.digest.clone()))
            .cloned()
            .collect()
    }

    /// Bytes of everything, as descriptors announce them.
    fn bytes(&self) -> u64 {
        let manifests = self
            .manifests
            .iter()
            .map(|manifest| manifest.bytes().len() as u64);
        let blobs = self.blobs(|_| true);
        manifests
            .chain(blobs.iter().map(|blob| blob.size))
            .fold(0, u64::saturating_add)
    }
}

/// Reads the tree of an image; a signature or attestation counts whoever made it.
///
/// # Errors
/// The store's, or a tree that holds more than is copied (usage).
pub(super) async fn read(store: &impl ReadStore, root: &Subject, manifest: Manifest) -> Result<Tree, Cause> {
    let mut reading = Reading {
        store,
        place: root.place(),
        root,
        fetched: HashMap::new(),
        done: HashSet::new(),
        tree: Tree {
            manifests: Vec::new(),
            referrers: BTreeMap::new(),
            sparse: Vec::new(),
        },
    };
    reading.whole(manifest, 0).await?;
    let mut next = 0;
    while let Some(rest) = reading.tree.manifests.get(next..).filter(|rest| !rest.is_empty()) {
        let subjects: Vec<Digest> = rest.iter().map(|manifest| manifest.digest().clone()).collect();
        next += subjects.len();
        reading.referrers_of(subjects).await?;
    }
    let tree = reading.tree;
    let (blobs, bytes) = (tree.blobs(|_| true).len(), tree.bytes());
    if blobs > limits::COPIED_BLOBS || bytes > limits::COPIED_BYTES {
        return Err(too_large(root, &format!("{blobs} blobs, {bytes} bytes in all")));
    }
    Ok(tree)
}

/// A tree being read.
struct Reading<'a, S> {
    store: &'a S,
    place: &'a Place,
    root: &'a Subject,
    fetched: HashMap<Digest, Manifest>,
    done: HashSet<Digest>,
    tree: Tree,
}

impl<S: ReadStore> Reading<'_, S> {
    /// Adds a manifest behind everything that it names.
    fn whole(
        &mut self,
        manifest: Manifest,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<(), Cause>> + '_>> {
        Box::pin(async move {
            if !self.done.insert(manifest.digest().clone()) {
                return Ok(());
            }
            if depth > limits::INDEX_DEPTH {
                let found = format!("indexes nested deeper than {} levels", limits::INDEX_DEPTH);
                return Err(too_large(self.root, &found));
            }
            if let ManifestView::Index(index) = manifest.view() {
                self.fetch(&index.manifests).await?;
                for child in &index.manifests {
                    if let Some(child) = self.fetched.remove(&child.digest) {
                        self.whole(child, depth + 1).await?;
                    }
                }
            }
            self.tree.manifests.push(manifest);
            Ok(())
        })
    }

    /// Reads manifests that were not read yet; those that are not there are remembered as missing.
    async fn fetch(&mut self, entries: &[Descriptor]) -> Result<(), Cause> {
        let mut wanted: Vec<&Descriptor> = Vec::new();
        for entry in entries {
            let known = self.done.contains(&entry.digest) || self.fetched.contains_key(&entry.digest);
            if !known && !wanted.iter().any(|other| other.digest == entry.digest) {
                wanted.push(entry);
            }
        }
        let count = self.tree.manifests.len() + self.fetched.len() + wanted.len();
        if count > limits::COPIED_MANIFESTS {
            let found = format!("more than {} manifests", limits::COPIED_MANIFESTS);
            return Err(too_large(self.root, &found));
        }
        let read = pool::each(wanted, pool::PER_TARGET, async |entry| {
            (entry, self.store.manifest(self.place, entry).await)
        });
        for (entry, manifest) in read.await {
            match manifest {
                Ok(manifest) => {
                    self.fetched.insert(entry.digest.clone(), manifest);
                }
                Err(error) if matches!(error.problem, StoreProblem::Missing(_)) => {
                    self.tree.sparse.push(entry.clone());
                }
                Err(error) => return Err(Cause::of(&error)),
            }
        }
        Ok(())
    }

    /// Adds what refers to these, behind them.
    async fn referrers_of(&mut self, subjects: Vec<Digest>) -> Result<(), Cause> {
        let listed = pool::each(subjects, pool::PER_TARGET, async |subject| {
            let listed = self.store.referrers(self.place, &subject).await;
            (subject, listed)
        });
        for (subject, listed) in listed.await {
            let listed = listed.map_err(|error| Cause::of(&error))?;
            if listed.is_empty() {
                continue;
            }
            self.fetch(&listed).await?;
            let digests = listed.iter().map(|entry| entry.digest.clone());
            let there =
                digests.filter(|digest| self.done.contains(digest) || self.fetched.contains_key(digest));
            let there: Vec<Digest> = there.collect();
            for digest in &there {
                if let Some(referrer) = self.fetched.remove(digest) {
                    self.whole(referrer, 0).await?;
                }
            }
            self.tree.referrers.insert(subject, there);
        }
        Ok(())
    }
}

fn too_large(root: &Subject, found: &str) -> Cause {
    Cause {
        class: Class::Usage,
        message: format!(
            "could not copy {root}: expected at most {} manifests, {} blobs and {} bytes, found {found}",
            limits::COPIED_MANIFESTS,
            limits::COPIED_BLOBS,
            limits::COPIED_BYTES
        ),
        hint: Some("copy its platforms one by one, or delete referrers that nobody needs".to_owned()),
    }
}
