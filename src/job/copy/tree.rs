//! Everything that belongs to an image, in the order in which it can be stored: what an index names before the index,
//! a subject before what refers to it.
//!
//! What is kept of each manifest is where it is and what it needs; manifests themselves only up to a limit. A tree of
//! ten thousand manifests, each as large as a manifest may be, takes no more memory than one of ten.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;

use futures_util::stream::{self, StreamExt as _};

use crate::base::failure::{Cause, Class};
use crate::base::limits;
use crate::domain::oci::{Descriptor, Digest, Manifest, ManifestView, Place, Subject};
use crate::job::pool;
use crate::seams::{ReadStore, StoreProblem};

/// One manifest of a tree.
#[derive(Debug)]
pub(super) struct Node {
    /// The manifest, without annotations.
    pub(super) descriptor: Descriptor,
    /// What it refers to.
    pub(super) subject: Option<Digest>,
    /// Whether it names other manifests.
    index: bool,
    /// Its configuration and layers, each once, as places in [`Tree::blobs`].
    parts: Vec<u32>,
}

/// An image with its tree.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Every manifest, in the order of storing.
    pub(super) nodes: Vec<Node>,
    /// Configurations and layers of all of them, each once.
    blobs: Vec<Descriptor>,
    /// What an index or a list of referrers names and is not there.
    pub(super) sparse: Vec<Digest>,
    /// Entries of lists of referrers that refer to something else, and are no part of the tree.
    pub(super) strangers: usize,
    /// Manifests that need not be read again.
    kept: HashMap<Digest, Manifest>,
}

impl Tree {
    /// Configurations and layers of some of the manifests, each once.
    pub(super) fn blobs(&self, of: impl Fn(&Node) -> bool) -> Vec<&Descriptor> {
        let nodes = self.nodes.iter().filter(|node| of(node));
        let wanted: HashSet<u32> = nodes.flat_map(|node| node.parts.iter().copied()).collect();
        let blobs = (0_u32..).zip(&self.blobs);
        blobs
            .filter(|(place, _)| wanted.contains(place))
            .map(|(_, blob)| blob)
            .collect()
    }

    /// The manifests in groups, each to be stored behind the one before it; within a group nothing needs another.
    pub(super) fn waves(&self) -> Vec<&[Node]> {
        let mut waves = Vec::new();
        let (mut begin, mut inside) = (0, HashSet::new());
        for (place, node) in self.nodes.iter().enumerate() {
            let waits = node.index
                || node
                    .subject
                    .as_ref()
                    .is_some_and(|subject| inside.contains(subject));
            if waits && begin < place {
                waves.extend(self.nodes.get(begin..place));
                (begin, inside) = (place, HashSet::new());
            }
            inside.insert(&node.descriptor.digest);
        }
        waves.extend(self.nodes.get(begin..).filter(|last| !last.is_empty()));
        waves
    }

    /// What each manifest is referred to by, where anything refers to it.
    pub(super) fn referrers(&self) -> HashMap<&Digest, Vec<&Digest>> {
        let mut referrers: HashMap<&Digest, Vec<&Digest>> = HashMap::new();
        for node in &self.nodes {
            if let Some(subject) = &node.subject {
                referrers
                    .entry(subject)
                    .or_default()
                    .push(&node.descriptor.digest);
            }
        }
        referrers
    }

    /// A manifest of the tree, read again unless it was kept.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn manifest(
        &self,
        node: &Node,
        store: &impl ReadStore,
        from: &Place,
    ) -> Result<Manifest, Cause> {
        if let Some(kept) = self.kept.get(&node.descriptor.digest) {
            return Ok(kept.clone());
        }
        let read = store.manifest(from, &node.descriptor).await;
        read.map_err(|error| Cause::of(&error))
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
        done: HashSet::new(),
        places: HashMap::new(),
        sums: Sums::default(),
        tree: Tree::default(),
    };
    reading.whole(manifest, 0).await?;
    let mut next = 0;
    while let Some(rest) = reading.tree.nodes.get(next..).filter(|rest| !rest.is_empty()) {
        let subjects: Vec<Digest> = rest.iter().map(|node| node.descriptor.digest.clone()).collect();
        next += subjects.len();
        reading.referrers_of(&subjects).await?;
    }
    Ok(reading.tree)
}

/// What a tree adds up to so far.
#[derive(Default)]
struct Sums {
    parts: usize,
    bytes: u64,
    kept: usize,
}

/// A tree being read.
struct Reading<'a, S> {
    store: &'a S,
    place: &'a Place,
    root: &'a Subject,
    /// Every digest that was added, or is not there.
    done: HashSet<Digest>,
    /// Where each blob is in the tree's list.
    places: HashMap<Digest, u32>,
    sums: Sums,
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
            self.done.insert(manifest.digest().clone());
            if depth > limits::INDEX_DEPTH {
                let found = format!("indexes nested deeper than {} levels", limits::INDEX_DEPTH);
                return Err(too_large(self.root, &found));
            }
            if let ManifestView::Index(index) = manifest.view() {
                let children = index.manifests.iter().map(bare).collect();
                self.children(children, depth + 1).await?;
            }
            self.add(manifest)
        })
    }

    /// Adds what an index names, as it is read; what is not there is remembered as missing. What one entry names and
    /// the index does too is added with that entry, before it.
    async fn children(&mut self, entries: Vec<Descriptor>, depth: usize) -> Result<(), Cause> {
        let wanted = self.unseen(entries)?;
        let (store, place) = (self.store, self.place);
        let read = wanted.into_iter().map(async |entry| {
            let manifest = store.manifest(place, &entry).await;
            (entry, manifest)
        });
        let mut read = stream::iter(read).buffered(pool::PER_TARGET);
        while let Some((entry, manifest)) = read.next().await {
            if self.done.contains(&entry.digest) {
                continue;
            }
            match manifest {
                Ok(manifest) => self.whole(manifest, depth).await?,
                Err(error) if matches!(error.problem, StoreProblem::Missing(_)) => {
                    self.is_missing(entry.digest);
                }
                Err(error) => return Err(Cause::of(&error)),
            }
        }
        Ok(())
    }

    fn is_missing(&mut self, digest: Digest) {
        self.done.insert(digest.clone());
        self.tree.sparse.push(digest);
    }

    /// Those that were not added before, each once. They are not done yet: another of them may name one, and has to
    /// find it missing to be put behind it.
    fn unseen(&self, entries: Vec<Descriptor>) -> Result<Vec<Descriptor>, Cause> {
        let (mut wanted, mut seen) = (entries, HashSet::new());
        wanted.retain(|entry| !self.done.contains(&entry.digest) && seen.insert(entry.digest.clone()));
        if self.done.len() + wanted.len() > limits::COPIED_MANIFESTS {
            let found = format!("more than {} manifests", limits::COPIED_MANIFESTS);
            return Err(too_large(self.root, &found));
        }
        Ok(wanted)
    }

    /// Adds what refers to these, behind them.
    async fn referrers_of(&mut self, subjects: &[Digest]) -> Result<(), Cause> {
        let (store, place) = (self.store, self.place);
        let listed = subjects
            .iter()
            .map(async |subject| (subject, store.referrers(place, subject).await));
        let mut listed = stream::iter(listed).buffered(pool::PER_TARGET);
        while let Some((subject, listed)) = listed.next().await {
            let listed = listed.map_err(|error| Cause::of(&error))?;
            self.referrers(subject, listed.iter().map(bare).collect()).await?;
        }
        Ok(())
    }

    /// Adds the referrers of one manifest; an entry whose manifest refers to something else is none of them.
    async fn referrers(&mut self, subject: &Digest, entries: Vec<Descriptor>) -> Result<(), Cause> {
        let wanted = self.unseen(entries)?;
        let (store, place) = (self.store, self.place);
        let read = wanted
            .iter()
            .map(async |entry| (entry, store.manifest(place, entry).await));
        let mut read = stream::iter(read).buffered(pool::PER_TARGET);
        while let Some((entry, manifest)) = read.next().await {
            if self.done.contains(&entry.digest) {
                continue;
            }
            match manifest {
                Ok(manifest) if manifest.subject().is_some_and(|own| own.digest == *subject) => {
                    self.whole(manifest, 0).await?;
                }
                // It may still be somebody else's referrer, or a part of one.
                Ok(_) => self.tree.strangers += 1,
                Err(error) if matches!(error.problem, StoreProblem::Missing(_)) => {
                    self.is_missing(entry.digest.clone());
                }
                Err(error) => return Err(Cause::of(&error)),
            }
        }
        if self.tree.strangers > limits::COPIED_MANIFESTS {
            let found = "as many entries in lists of referrers that refer to something else";
            return Err(too_large(self.root, found));
        }
        Ok(())
    }

    /// Notes a manifest and its blobs.
    fn add(&mut self, manifest: Manifest) -> Result<(), Cause> {
        let parts = self.parts(&manifest)?;
        self.sums.parts += parts.len();
        self.sums.bytes = self.sums.bytes.saturating_add(manifest.bytes().len() as u64);
        self.tree.nodes.push(Node {
            descriptor: manifest.descriptor(),
            subject: manifest.subject().map(|subject| subject.digest.clone()),
            index: matches!(manifest.view(), ManifestView::Index(_)),
            parts,
        });
        let kept = self.sums.kept + manifest.bytes().len();
        if kept <= limits::COPIED_BYTES_KEPT {
            self.sums.kept = kept;
            self.tree.kept.insert(manifest.digest().clone(), manifest);
        }
        let Sums { parts, bytes, .. } = self.sums;
        let blobs = self.tree.blobs.len();
        if blobs > limits::COPIED_BLOBS || parts > limits::COPIED_PARTS || bytes > limits::COPIED_BYTES {
            let found = format!("at least {blobs} blobs, named {parts} times, {bytes} bytes in all");
            return Err(too_large(self.root, &found));
        }
        Ok(())
    }

    fn parts(&mut self, manifest: &Manifest) -> Result<Vec<u32>, Cause> {
        let ManifestView::Image(image) = manifest.view() else {
            return Ok(Vec::new());
        };
        let (mut seen, mut parts) = (HashSet::new(), Vec::new());
        for blob in image.config.iter().chain(&image.layers) {
            let place = match self.places.get(&blob.digest) {
                Some(place) => *place,
                None => self.blob(blob)?,
            };
            if seen.insert(place) {
                parts.push(place);
            }
        }
        Ok(parts)
    }

    /// Notes a blob that was not named before.
    fn blob(&mut self, blob: &Descriptor) -> Result<u32, Cause> {
        let place = u32::try_from(self.tree.blobs.len());
        let place = place.map_err(|_| too_large(self.root, "more blobs than can be counted"))?;
        self.sums.bytes = self.sums.bytes.saturating_add(blob.size);
        self.tree.blobs.push(bare(blob));
        self.places.insert(blob.digest.clone(), place);
        Ok(place)
    }
}

/// What it takes to read something: what is written about it may be as long as a manifest.
fn bare(entry: &Descriptor) -> Descriptor {
    Descriptor {
        media_type: entry.media_type.clone(),
        digest: entry.digest.clone(),
        size: entry.size,
        artifact_type: None,
        annotations: std::collections::BTreeMap::new(),
        platform: None,
    }
}

fn too_large(root: &Subject, found: &str) -> Cause {
    Cause {
        class: Class::Usage,
        message: format!(
            "could not copy {root}: expected at most {} manifests, {} blobs named {} times and {} bytes, found {found}",
            limits::COPIED_MANIFESTS,
            limits::COPIED_BLOBS,
            limits::COPIED_PARTS,
            limits::COPIED_BYTES
        ),
        hint: Some("copy its platforms one by one, or delete referrers that nobody needs".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::domain::oci::{ImageRef, LayoutPath, MediaType};
    use crate::edge::layout::Layout;

    /// A manifest in a layout, as an index names it.
    fn put(layout: &Path, media_type: &MediaType, manifest: &Value) -> Value {
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        fs::write(blobs.join(digest.hex()), &bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    fn index(layout: &Path, entries: &[&Value]) -> Value {
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": entries});
        put(layout, &MediaType::OCI_INDEX, &index)
    }

    /// The tree of an index of these entries, in the order of storing.
    fn order(layout: &Path, entries: &[&Value]) -> (Tree, Vec<String>) {
        let root = index(layout, entries);
        let listed = json!({"schemaVersion": 2, "manifests": [root]});
        fs::write(layout.join("index.json"), listed.to_string()).unwrap();
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let digest = root["digest"].as_str().unwrap().parse().unwrap();
        let image = ImageRef::new(Place::Layout(LayoutPath::new(layout)), None, Some(digest));
        let store = Layout::new();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let tree = runtime.block_on(async {
            let found = store.resolve(&image).await.unwrap();
            read(&store, &found.subject, found.manifest).await.unwrap()
        });
        let order = tree.nodes.iter().map(|node| node.descriptor.digest.to_string());
        let order = order.collect();
        (tree, order)
    }

    #[test]
    fn what_two_indexes_name_comes_before_both() {
        let dir = tempfile::TempDir::new().unwrap();
        let layout = dir.path();
        let config = put(layout, &MediaType::OCI_CONFIG, &json!({}));
        let image =
            json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": []});
        let image = put(layout, &MediaType::OCI_MANIFEST, &image);
        let gone = json!({"mediaType": MediaType::OCI_MANIFEST, "digest": Digest::of(b"gone"), "size": 4});
        let second = index(layout, &[&image, &gone]);
        let first = index(layout, &[&second, &gone]);
        let (tree, order) = order(layout, &[&first, &second, &image, &gone, &first]);
        let names: Vec<&str> = [&image, &second, &first]
            .iter()
            .map(|entry| entry["digest"].as_str().unwrap())
            .collect();
        assert_eq!(order.get(..3).unwrap(), names);
        assert_eq!(order.len(), 4);
        assert_eq!(tree.sparse, [Digest::of(b"gone")]);
        // Each index waits for what it names.
        assert_eq!(tree.waves().len(), 4);
    }
}
