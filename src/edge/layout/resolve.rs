//! From a name to one manifest of a layout.

use std::collections::{BTreeMap, BTreeSet};

use super::files::Files;
use super::index::{Entries, has_reference_with, has_tag, name};
use crate::base::foreign::quote;
use crate::base::limits::{INDEX_DEPTH, INDEX_MANIFESTS};
use crate::domain::oci::{Descriptor, Digest, ImageRef, Manifest, ManifestView, MediaType, Subject, Tag};
use crate::seams::{Resolved, StoreError, StoreProblem};

/// Names shown in an error (ours).
const NAMES_SHOWN: usize = 10;

/// A Docker image configuration (distribution, `manifest-v2-2.md`).
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// Finds the manifest that a name means.
pub(super) fn resolve(files: Files<'_>, entries: &Entries, image: &ImageRef) -> Result<Resolved, StoreError> {
    let search = Search {
        files,
        image,
        entries,
    };
    let descriptor = match (image.digest(), image.tag()) {
        (Some(digest), _) => search.by_digest(digest)?,
        (None, Some(tag)) => search.by_tag(tag)?,
        (None, None) => search.only_one()?,
    };
    if !descriptor.digest.algorithm().is_registered() {
        let found = format!(
            "expected a digest by sha256 or sha512, found {}",
            descriptor.digest
        );
        let hint = "store the image again with SHA-256 digests".to_owned();
        return Err(search.error(StoreProblem::Usage(found), hint));
    }
    let manifest = files.manifest(&descriptor)?;
    Ok(Resolved {
        subject: Subject::of(image.place().clone(), &manifest),
        manifest,
    })
}

#[derive(Clone, Copy)]
struct Search<'a> {
    files: Files<'a>,
    image: &'a ImageRef,
    entries: &'a Entries,
}

impl Search<'_> {
    /// Looks through the entries, then through the indexes among them, one level after the other.
    fn by_digest(self, digest: &Digest) -> Result<Descriptor, StoreError> {
        let listed = self.entries.descriptors();
        if let Some(found) = listed.iter().find(|entry| entry.digest == *digest) {
            return Ok(found.clone());
        }
        let mut level: Vec<Descriptor> = listed
            .iter()
            .filter(|entry| entry.media_type.is_index())
            .cloned()
            .collect();
        let mut seen = BTreeSet::new();
        let mut unread = None;
        for _ in 0..INDEX_DEPTH {
            let mut next = Vec::new();
            for index in level.iter().filter(|index| seen.insert(index.digest.clone())) {
                match self.files.manifest(index) {
                    Ok(manifest) => next.extend(
                        children(&manifest)
                            .iter()
                            .filter(|c| leads_to(c, digest))
                            .cloned(),
                    ),
                    // A layout need not hold everything that it names.
                    Err(error) if matches!(error.problem, StoreProblem::Missing(_)) => {}
                    Err(error) => unread = unread.or(Some(error)),
                }
            }
            if let Some(found) = next.iter().find(|child| child.digest == *digest) {
                return Ok(found.clone());
            }
            if next.is_empty() {
                return Err(unread.unwrap_or_else(|| self.nothing()));
            }
            if next.len() > INDEX_MANIFESTS {
                break;
            }
            level = next;
        }
        Err(unread.unwrap_or_else(|| self.too_many()))
    }

    /// Looks for the tag itself, then for a whole reference that ends in it.
    fn by_tag(self, tag: &Tag) -> Result<Descriptor, StoreError> {
        let matching = |fits: fn(&Descriptor, &Tag) -> bool| {
            let entries = self
                .entries
                .descriptors()
                .iter()
                .filter(move |entry| fits(entry, tag));
            entries
                .map(|entry| (entry.digest.clone(), entry))
                .collect::<BTreeMap<_, _>>()
        };
        let mut found = matching(has_tag);
        if found.is_empty() {
            found = matching(has_reference_with);
        }
        match found.len() {
            0 => Err(self.nothing()),
            1 => found.into_values().next().cloned().ok_or_else(|| self.nothing()),
            count => {
                let digests: Vec<String> = found.keys().take(NAMES_SHOWN).map(Digest::to_string).collect();
                let problem = format!(
                    "expected one manifest with this tag, found {count}: {}",
                    digests.join(", ")
                );
                Err(self.error(
                    StoreProblem::Usage(problem),
                    "name one of them by its digest".to_owned(),
                ))
            }
        }
    }

    /// Takes the only image. What refers to something else is none, nor is a platform of a listed image; anything
    /// that is not a container image counts only where there is no image.
    fn only_one(self) -> Result<Descriptor, StoreError> {
        let mut roots: BTreeMap<&Digest, (&Descriptor, bool)> = BTreeMap::new();
        let mut nested = BTreeSet::new();
        for entry in self
            .entries
            .descriptors()
            .iter()
            .filter(|entry| may_be_named(entry))
        {
            let image = match self.files.manifest(entry) {
                Ok(manifest) if manifest.subject().is_some() => continue,
                Ok(manifest) => {
                    nested.extend(children(&manifest).iter().map(|child| child.digest.clone()));
                    is_image(&manifest)
                }
                Err(_) if entry.artifact_type.is_some() => continue,
                Err(_) => true,
            };
            let root = roots.entry(&entry.digest).or_insert((entry, image));
            if name(entry).is_some() {
                root.0 = entry;
            }
        }
        roots.retain(|digest, (entry, _)| name(entry).is_some() || !nested.contains(*digest));
        if roots.values().any(|(_, image)| *image) {
            roots.retain(|_, (_, image)| *image);
        }
        let found: Vec<&Descriptor> = roots.into_values().map(|(entry, _)| entry).collect();
        match found.as_slice() {
            [] => Err(self.nothing()),
            [only] => Ok((*only).clone()),
            several => Err(self.which_one(several)),
        }
    }

    fn which_one(self, found: &[&Descriptor]) -> StoreError {
        let problem = format!(
            "expected a tag or a digest, since there are {} images: {}",
            found.len(),
            names(found)
        );
        let hint = format!(
            "add one of them, as in {}:TAG or {}@DIGEST",
            self.image.place(),
            self.image.place()
        );
        self.error(StoreProblem::Usage(problem), hint)
    }

    fn nothing(self) -> StoreError {
        let named: Vec<&Descriptor> = self
            .entries
            .descriptors()
            .iter()
            .filter(|entry| name(entry).is_some())
            .collect();
        let there = match named.as_slice() {
            [] => "no tag at all".to_owned(),
            named => format!("the tags {}", names(named)),
        };
        let problem = match (self.image.digest(), self.image.tag()) {
            (Some(_), _) => "index.json does not lead to this digest".to_owned(),
            (None, Some(_)) => format!("index.json lists {there}"),
            (None, None) => "index.json lists no image".to_owned(),
        };
        self.error(
            StoreProblem::Missing(problem),
            "check the name, or copy the image into the layout".to_owned(),
        )
    }

    fn too_many(self) -> StoreError {
        let problem = format!(
            "expected at most {INDEX_DEPTH} levels of indexes with {INDEX_MANIFESTS} indexes each, found more"
        );
        let hint = "copy the image alone into a new layout".to_owned();
        self.error(StoreProblem::Unavailable(problem), hint)
    }

    fn error(self, problem: StoreProblem, hint: String) -> StoreError {
        StoreError {
            verb: "find",
            what: self.image.to_string(),
            problem,
            hint: Some(hint),
        }
    }
}

/// The entries of an index; of anything else, none.
pub(super) fn children(manifest: &Manifest) -> &[Descriptor] {
    match manifest.view() {
        ManifestView::Index(index) => &index.manifests,
        ManifestView::Image(_) => &[],
    }
}

fn leads_to(child: &Descriptor, digest: &Digest) -> bool {
    child.digest == *digest || child.media_type.is_index()
}

/// Whether an entry may be what is meant when nothing is named: a manifest, and not a tag that other tools derive
/// from a digest to keep signatures and referrers under.
fn may_be_named(entry: &Descriptor) -> bool {
    let derived = |name: &str| {
        let hex = name.strip_prefix("sha256-").and_then(|rest| rest.get(..64));
        hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let known = entry.media_type.is_index() || entry.media_type.is_manifest();
    known && !name(entry).is_some_and(|name| derived(name.raw()))
}

/// Whether a manifest is a container image, rather than some other artifact in the same clothes.
fn is_image(manifest: &Manifest) -> bool {
    match manifest.view() {
        ManifestView::Index(index) => index.artifact_type.is_none(),
        ManifestView::Image(image) => {
            let config = image.config.as_ref().map(|config| &config.media_type);
            image.artifact_type.is_none()
                && config.is_some_and(|config| {
                    *config == MediaType::OCI_CONFIG || config.as_str() == DOCKER_CONFIG
                })
        }
    }
}

/// The names of entries, the first ten; the digest where there is no name.
fn names(entries: &[&Descriptor]) -> String {
    let shown = entries.iter().take(NAMES_SHOWN);
    let shown = shown.map(|entry| {
        name(entry).map_or_else(|| entry.digest.to_string(), |name| quote(name.raw()).to_string())
    });
    let mut shown: Vec<String> = shown.collect();
    if entries.len() > NAMES_SHOWN {
        shown.push(format!("and {} more", entries.len() - NAMES_SHOWN));
    }
    shown.join(", ")
}
