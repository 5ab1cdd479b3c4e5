//! From names to subjects: the manifest behind each name, and the manifests of an index where they are asked for.

use std::collections::HashSet;
use std::rc::Rc;

use futures_util::stream::{self, StreamExt as _};

use super::tags::{self, Stray};
use super::{Recursive, Stop, Target, pool};
use crate::base::failure::{Cause, Class};
use crate::base::foreign::Foreign;
use crate::base::limits;
use crate::domain::oci::{Descriptor, Digest, ImageRef, Manifest, ManifestView, Place, Subject, Tag};
use crate::domain::provenance::buildkit::REFERENCE_TYPE;
use crate::seams::{ReadStore, Resolved, StoreProblem};

/// System and processor of what is no image (the same).
const UNKNOWN: &str = "unknown";

/// One manifest to act on.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    /// The manifest.
    pub(super) subject: Subject,
    /// The image as it was named, or `place@digest` for a manifest reached through an index.
    pub(super) image: String,
    /// Whether this is what was named, not something inside it.
    pub(super) root: bool,
    /// The platforms of an index, or the platform of a manifest inside one.
    pub(super) platforms: Vec<Foreign>,
    /// The platform manifests of an index, which a Statement about it names too.
    pub(super) children: Vec<Descriptor>,
    /// What every Statement about what was named is about: it, and its platforms.
    pub(super) about: Rc<[Digest]>,
    /// The manifest itself.
    pub(super) manifest: Manifest,
    /// `org.opencontainers.image.created`.
    pub(super) created: Option<Foreign>,
    /// The tags that what was named was named by.
    pub(super) tags: Vec<Tag>,
    /// Those of them that stand beside a digest and point elsewhere.
    pub(super) strays: Vec<Stray>,
    /// The tag of a repository, where nothing else says which image is meant.
    pub(super) by_tag_alone: Option<Tag>,
    /// What it leads to and is not there, as far as it was walked.
    pub(super) sparse: Vec<Descriptor>,
    /// Whether it is here for what is attached to it alone, and is not signed.
    pub(super) attested_only: bool,
    /// The attestations that `BuildKit` lists for it in the index, where they are to be lifted.
    pub(super) beside: Vec<Descriptor>,
}

impl Unit {
    fn new(subject: Subject, manifest: &Manifest, image: String, root: bool) -> Self {
        let created = manifest
            .annotations()
            .get("org.opencontainers.image.created")
            .cloned();
        let children: Vec<Descriptor> = match manifest.view() {
            ManifestView::Index(index) => {
                let platforms = index.manifests.iter().filter(|child| is_platform(child));
                platforms.cloned().collect()
            }
            ManifestView::Image(_) => Vec::new(),
        };
        let subject_digest = subject.digest().clone();
        let platforms = children
            .iter()
            .filter_map(|child| Some(child.platform.as_ref()?.name()));
        Self {
            platforms: platforms.collect(),
            subject,
            image,
            root,
            about: about(&subject_digest, &children),
            children,
            manifest: manifest.clone(),
            created,
            tags: Vec::new(),
            strays: Vec::new(),
            by_tag_alone: None,
            sparse: Vec::new(),
            attested_only: false,
            beside: Vec::new(),
        }
    }

    /// A platform that nobody asked to sign, and that something is attached to.
    pub(super) fn attested_only(subject: &Subject, manifest: &Manifest, entry: &Descriptor) -> Self {
        Self {
            attested_only: true,
            ..Self::inside(subject, manifest, entry)
        }
    }

    /// A manifest that an index names.
    fn inside(subject: &Subject, manifest: &Manifest, entry: &Descriptor) -> Self {
        let mut unit = Self::new(subject.clone(), manifest, subject.to_string(), false);
        let platform = entry.platform.as_ref().filter(|_| is_platform(entry));
        unit.platforms
            .extend(platform.map(crate::domain::oci::Platform::name));
        unit
    }

    /// The platform that this is of an index that led to it.
    pub(super) fn platform(&self) -> Option<&Foreign> {
        match self.manifest.view() {
            ManifestView::Image(_) if !self.root => self.platforms.first(),
            ManifestView::Image(_) | ManifestView::Index(_) => None,
        }
    }
}

/// A manifest and its platforms.
fn about(digest: &Digest, platforms: &[Descriptor]) -> Rc<[Digest]> {
    let platforms = platforms.iter().map(|platform| &platform.digest);
    std::iter::once(digest).chain(platforms).cloned().collect()
}

/// Whether an index's entry is an image for a platform, not an attestation that BuildKit keeps beside it.
/// Both of BuildKit's layouts mark them so, the classic one and the artifact with a subject; where the mark was lost on
/// the way, the platform that is none gives them away.
fn is_platform(entry: &Descriptor) -> bool {
    let is_none = entry
        .platform
        .as_ref()
        .is_some_and(|platform| platform.os.raw() == UNKNOWN && platform.architecture.raw() == UNKNOWN);
    !is_none && !entry.annotations.contains_key(REFERENCE_TYPE)
}

/// Tells the store which images are going to be resolved, unless a signal comes first.
pub(super) async fn foresee(store: &impl ReadStore, targets: &[Target], stop: &Stop) {
    let tags = targets.iter().flat_map(|target| {
        target
            .tags
            .iter()
            .map(|tag| tags::tagged(target.image.place(), tag))
    });
    let images: Vec<ImageRef> = targets
        .iter()
        .map(|target| target.image.clone())
        .chain(tags)
        .collect();
    tokio::select! {
        biased;
        _ = stop.stopped() => {}
        () = store.foresee(&images) => {}
    }
}

/// Finds the manifest that a target names, and what is inside it as far as asked.
///
/// # Errors
/// The store's, a tag where a digest is demanded (usage), or an index that nests too deep or holds too much (usage).
pub(super) async fn resolve(
    store: &impl ReadStore,
    target: &Target,
    recursive: Recursive,
    require_digest: bool,
) -> Result<Vec<Unit>, Cause> {
    if require_digest && target.image.digest().is_none() {
        return Err(Cause {
            class: Class::Usage,
            message: format!(
                "expected a digest, found {} (require-digest is set)",
                target.image
            ),
            hint: Some("name the image as place@sha256:…; `countersign inspect` prints it".to_owned()),
        });
    }
    let (found, strays) = tokio::join!(store.resolve(&target.image), strays(store, target));
    let Resolved { subject, manifest } = found.map_err(|error| Cause::of(&error))?;
    let mut units = vec![Unit {
        tags: target.tags.clone(),
        strays: strays?,
        by_tag_alone: target
            .image
            .tag()
            .filter(|_| {
                target.image.digest().is_none() && matches!(target.image.place(), Place::Repository(_))
            })
            .cloned(),
        ..Unit::new(subject.clone(), &manifest, target.image.to_string(), true)
    }];
    if recursive != Recursive::Index {
        let mut seen = HashSet::from([subject.digest().clone()]);
        descend(store, &subject, &manifest, recursive, &mut seen, &mut units).await?;
    }
    Ok(units)
}

/// The tags beside a digest that point elsewhere; a tag alone is what says which image is meant.
async fn strays(store: &impl ReadStore, target: &Target) -> Result<Vec<Stray>, Cause> {
    match target.image.digest() {
        Some(digest) => tags::astray(store, target.image.place(), &target.tags, digest).await,
        None => Ok(Vec::new()),
    }
}

/// Walks an index level by level; each digest is visited once, so shared children cost nothing.
async fn descend(
    store: &impl ReadStore,
    root: &Subject,
    manifest: &Manifest,
    recursive: Recursive,
    seen: &mut HashSet<Digest>,
    units: &mut Vec<Unit>,
) -> Result<(), Cause> {
    let mut level = vec![manifest.clone()];
    let (mut bytes, mut sparse) = (manifest.bytes().len(), Vec::new());
    for _ in 0..limits::INDEX_DEPTH {
        let mut next = Vec::new();
        let children = level.iter().flat_map(|parent| entries(parent, recursive));
        let children: Vec<&Descriptor> = children
            .filter(|child| seen.insert(child.digest.clone()))
            .collect();
        if units.len() + children.len() > limits::INDEX_MANIFESTS {
            return Err(too_large(
                root,
                &format!("more than {} manifests", limits::INDEX_MANIFESTS),
            ));
        }
        let read = children
            .iter()
            .map(async |child| (*child, store.manifest(root.place(), child).await));
        let mut read = stream::iter(read).buffered(pool::PER_TARGET);
        while let Some((child, manifest)) = read.next().await {
            let manifest = match manifest {
                Ok(manifest) => manifest,
                // An index need not be stored with all that it names (OCI image specification 1.1, `image-index.md`).
                Err(error) if matches!(error.problem, StoreProblem::Missing(_)) => {
                    sparse.push(child.clone());
                    continue;
                }
                Err(error) => return Err(Cause::of(&error)),
            };
            bytes += manifest.bytes().len();
            if bytes > limits::INDEX_BYTES {
                let found = format!("more than {} bytes of manifests", limits::INDEX_BYTES);
                return Err(too_large(root, &found));
            }
            let subject = Subject::of(root.place().clone(), &manifest);
            let mut unit = Unit::inside(&subject, &manifest, child);
            if let Some(root) = units.first() {
                unit.about = Rc::clone(&root.about);
            }
            units.push(unit);
            next.push(manifest);
        }
        drop(read);
        level = next;
        if level.is_empty() {
            break;
        }
    }
    if let Some(root) = units.first_mut() {
        root.sparse = sparse;
    }
    let deeper = level
        .iter()
        .any(|parent| entries(parent, recursive).next().is_some());
    if deeper {
        return Err(too_large(
            root,
            &format!("indexes nested deeper than {} levels", limits::INDEX_DEPTH),
        ));
    }
    Ok(())
}

fn entries(parent: &Manifest, recursive: Recursive) -> impl Iterator<Item = &Descriptor> {
    let entries = match parent.view() {
        ManifestView::Index(index) => index.manifests.as_slice(),
        ManifestView::Image(_) => &[],
    };
    entries
        .iter()
        .filter(move |entry| recursive == Recursive::All || is_platform(entry))
}

fn too_large(root: &Subject, found: &str) -> Cause {
    Cause {
        class: Class::Usage,
        message: format!("could not walk the index {root}: found {found}"),
        hint: Some("sign the index alone (recursive: index) or name the manifests one by one".to_owned()),
    }
}
