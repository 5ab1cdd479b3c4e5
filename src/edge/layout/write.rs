//! Changing a layout: blobs, then the manifest, then `index.json` as a whole, by one writer at a time.
//!
//! At every moment the directory is a layout that any tool can read. What may be left by a process that was killed
//! is blobs that nothing refers to, and one hidden file next to `index.json`, which the next writer removes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::files::Files;
use super::index::{Appended, Entries, has_tag};
use super::listing::Listings;
use super::resolve::children;
use crate::base::limits::{INDEX_DEPTH, MANIFEST_BYTES};
use crate::domain::oci::{Blob, Descriptor, Digest, Manifest, ManifestView, Tag};
use crate::seams::{StoreError, StoreProblem};

/// Where bytes are written before they get their name; on the same file system, and outside `blobs`, where every
/// file name has to be a digest.
pub(super) const DRAFT: &str = ".countersign-draft";

/// How long to wait for another writer (ours; writers hold the lock for milliseconds).
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How often to look whether it is done (ours).
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Blobs that were stored and that no listed manifest uses yet. A failure takes none of them back at once: another
/// target may have found one of them stored, and be about to list a manifest that uses it.
#[derive(Debug, Default)]
pub(super) struct Unlisted(RefCell<BTreeMap<PathBuf, BTreeSet<Digest>>>);

impl Unlisted {
    fn note(&self, root: &Path, digest: &Digest) {
        let mut noted = self.0.borrow_mut();
        noted.entry(root.to_owned()).or_default().insert(digest.clone());
    }

    fn forget(&self, root: &Path, listed: impl Fn(&Digest) -> bool) {
        if let Some(noted) = self.0.borrow_mut().get_mut(root) {
            noted.retain(|digest| !listed(digest));
        }
    }

    /// Deletes them, when nothing is going to be listed any more. Another process may have found such a blob and
    /// listed a manifest that uses it; then it stays, as it does while somebody else writes: a blob that nothing
    /// refers to is no harm.
    pub(super) fn take_back(&self, disk: &Disk) {
        for (root, digests) in std::mem::take(&mut *self.0.borrow_mut()) {
            let files = Files::at(&root);
            let Ok(lock) = open_lock(&files.marker_path()).map(Lock) else {
                continue;
            };
            if lock.0.try_lock().is_ok() {
                remove_unused(files, disk, digests);
            }
        }
    }
}

/// A file that is unlocked when it is dropped. Closing it would not do: a process that is being started at that moment
/// holds a copy of it until it runs its program, and with it the lock.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing follows, and lets go of what could not be unlocked.
        let _ = self.0.unlock();
    }
}

/// A change in progress; nobody else changes the layout until it is dropped.
pub(super) struct Transaction<'a> {
    files: Files<'a>,
    disk: &'a Disk,
    unlisted: &'a Unlisted,
    listings: &'a Listings,
    _lock: Lock,
}

impl<'a> Transaction<'a> {
    /// Waits for the lock: an advisory one on the file `oci-layout`, which every layout has and which is never
    /// replaced; the system lets go of it when a process dies.
    pub(super) async fn begin(
        files: Files<'a>,
        disk: &'a Disk,
        unlisted: &'a Unlisted,
        listings: &'a Listings,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let path = files.marker_path();
        let lock = open_lock(&path).map_err(|error| not_stored("lock", &path, &error))?;
        let lock = Lock(lock);
        let deadline = Instant::now() + patience;
        loop {
            match lock.0.try_lock() {
                Ok(()) => {
                    return Ok(Self {
                        files,
                        disk,
                        unlisted,
                        listings,
                        _lock: lock,
                    });
                }
                Err(TryLockError::Error(error)) => return Err(not_stored("lock", &path, &error)),
                Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(locked(&path, patience));
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Stores a blob, unless it is there.
    pub(super) fn upload(&self, blob: &Blob) -> Result<(), StoreError> {
        self.store(&blob.descriptor().digest, blob.bytes())
    }

    /// Stores a manifest whose blobs are there, and lists it.
    pub(super) fn push(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let parts = parts(manifest);
        self.check_parts(&parts)?;
        self.store(manifest.digest(), manifest.bytes())?;
        self.list(manifest)?;
        self.unlisted.forget(self.files.root(), |digest| {
            digest == manifest.digest() || parts.iter().any(|part| part.digest == *digest)
        });
        Ok(())
    }

    /// Stores the bytes of an image and lists it, under its tag where it has one.
    pub(super) fn name(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let (entries, entry) = (self.files.index()?, manifest.descriptor());
        if let Some(error) = taken(self.files, &entries, manifest.digest(), tag) {
            return Err(error);
        }
        self.store(manifest.digest(), manifest.bytes())?;
        match tag {
            None if entries.lists(manifest.digest()) => {}
            None => self.replace_index(self.appended(&entries, &entry)?.text())?,
            Some(tag) => {
                let text = entries.named(&entry, tag);
                self.replace_index(&self.readable(text)?)?;
            }
        }
        // Everything below the image is reached through it now.
        self.unlisted.forget(self.files.root(), |_| true);
        Ok(())
    }

    /// Takes a manifest off the list, then deletes the blobs that only it used.
    pub(super) fn delete(&self, descriptor: &Descriptor) -> Result<(), StoreError> {
        let entries = self.files.index()?;
        if !entries.lists(&descriptor.digest) {
            let problem = StoreProblem::Missing("index.json does not list it".to_owned());
            let what = self.files.blob_path(&descriptor.digest);
            return Err(StoreError {
                verb: "delete",
                what: what.display().to_string(),
                problem,
                hint: Some("nothing was changed; somebody else deleted it".to_owned()),
            });
        }
        // A manifest that can not be read leaves blobs behind that nothing refers to, which is no harm.
        let parts = self
            .files
            .manifest(descriptor)
            .map(|manifest| parts(&manifest))
            .unwrap_or_default();
        self.replace_index(&self.readable(entries.without(&descriptor.digest))?)?;
        let mut candidates: BTreeSet<Digest> = parts.into_iter().map(|part| part.digest).collect();
        candidates.insert(descriptor.digest.clone());
        remove_unused(self.files, self.disk, candidates);
        Ok(())
    }

    fn check_parts(&self, parts: &[Descriptor]) -> Result<(), StoreError> {
        parts
            .iter()
            .find(|part| !self.files.has(part))
            .map_or(Ok(()), |part| {
                let path = self.files.blob_path(&part.digest);
                let expected = format!(
                    "expected a blob of {} bytes to be stored before its manifest, found none",
                    part.size
                );
                let hint = Some("run again when nobody else writes to the layout".to_owned());
                let problem = StoreProblem::Unavailable(expected);
                Err(StoreError {
                    verb: "store",
                    what: path.display().to_string(),
                    problem,
                    hint,
                })
            })
    }

    /// Gives a digest its bytes; a file with other bytes under that name is mended.
    fn store(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        if self.files.holds(digest, bytes) {
            return Ok(());
        }
        let path = self.files.blob_path(digest);
        let directory = self.files.blob_directory(digest);
        let is_new = path.symlink_metadata().is_err();
        let stored = self.disk.create_directory(&directory);
        let stored = stored.and_then(|()| self.disk.replace(&path, &self.draft(), bytes));
        // Known from here on, so that it is taken back should the name not become durable.
        if stored.is_ok() && is_new {
            self.unlisted.note(self.files.root(), digest);
        }
        let stored = stored.and_then(|()| self.disk.sync_directory(&directory));
        stored.map_err(|error| not_stored("store", &path, &error))
    }

    fn list(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let entry = || Descriptor {
            artifact_type: manifest.artifact_type().cloned(),
            annotations: manifest.annotations().clone(),
            ..manifest.descriptor()
        };
        let appended = self.listings.look(self.files, |listing| {
            let listed = listing.lists(manifest.digest());
            let appended = (!listed).then(|| self.appended(listing.entries(), &entry()));
            appended.transpose()
        })?;
        if let Some(appended) = appended {
            self.replace_index(appended.text())?;
            self.listings.extended(self.files, appended);
        }
        Ok(())
    }

    /// A list with one more entry, if it can be read again afterwards.
    fn appended(&self, entries: &Entries, entry: &Descriptor) -> Result<Appended, StoreError> {
        let appended = entries.appended(entry);
        appended.map_err(|error| self.unreadable(&error))
    }

    /// Another list, if it can be read again afterwards.
    fn readable(&self, text: Result<String, serde_json::Error>) -> Result<String, StoreError> {
        let text = text.map_err(|error| self.unreadable(&error))?;
        Entries::parse(text.clone().into_bytes()).map_err(|error| self.unreadable(&error))?;
        Ok(text)
    }

    fn unreadable(&self, why: &impl std::fmt::Display) -> StoreError {
        StoreError {
            verb: "store",
            what: self.files.index_path().display().to_string(),
            problem: StoreProblem::Unavailable(why.to_string()),
            hint: Some(format!(
                "start a new layout when index.json comes near {MANIFEST_BYTES} bytes"
            )),
        }
    }

    /// Puts another list in place of the one there is.
    fn replace_index(&self, text: &str) -> Result<(), StoreError> {
        let path = self.files.index_path();
        let replaced = self.disk.replace(&path, &self.draft(), text.as_bytes());
        replaced.map_err(|error| not_stored("store", &path, &error))?;
        // It is listed now; that a power cut may undo this is no reason to say that it is not.
        let _ = self.disk.sync_directory(self.files.root());
        Ok(())
    }

    fn draft(&self) -> PathBuf {
        self.files.root().join(DRAFT)
    }
}

/// Says that a tag names another image, where it does: it is nobody's to take away.
pub(super) fn taken(
    files: Files<'_>,
    entries: &Entries,
    digest: &Digest,
    tag: Option<&Tag>,
) -> Option<StoreError> {
    let tag = tag?;
    let other = entries
        .descriptors()
        .iter()
        .find(|entry| entry.digest != *digest && has_tag(entry, tag))?;
    Some(StoreError {
        verb: "name",
        what: format!("{digest} oci:{}:{tag}", files.root().display()),
        problem: StoreProblem::Usage(format!(
            "the tag names another image of this layout, {}",
            other.digest
        )),
        hint: Some("name another tag or another directory".to_owned()),
    })
}

/// The file whose lock writers hold.
fn open_lock(path: &Path) -> io::Result<File> {
    let lock = OpenOptions::new().read(true).write(true).open(path);
    lock.or_else(|_| File::open(path))
}

fn remove_unused(files: Files<'_>, disk: &Disk, candidates: BTreeSet<Digest>) {
    for digest in unused(files, candidates) {
        // A blob that nothing refers to is no harm.
        let _ = disk.remove(&files.blob_path(&digest));
    }
}

/// The config and layers of a manifest.
fn parts(manifest: &Manifest) -> Vec<Descriptor> {
    match manifest.view() {
        ManifestView::Image(image) => image.config.iter().chain(&image.layers).cloned().collect(),
        ManifestView::Index(_) => Vec::new(),
    }
}

/// Which of the digests nothing in the layout refers to; none of them, where that can not be told.
fn unused(files: Files<'_>, mut candidates: BTreeSet<Digest>) -> BTreeSet<Digest> {
    let Ok(entries) = files.index() else {
        return BTreeSet::new();
    };
    let mut level = entries.descriptors().to_vec();
    let mut seen = BTreeSet::new();
    for _ in 0..=INDEX_DEPTH {
        let mut next = Vec::new();
        for entry in &level {
            candidates.remove(&entry.digest);
            if !is_manifest(entry) || !seen.insert(entry.digest.clone()) {
                continue;
            }
            match files.manifest(entry) {
                Ok(manifest) => {
                    for part in parts(&manifest) {
                        candidates.remove(&part.digest);
                    }
                    next.extend(children(&manifest).iter().cloned());
                }
                // What is not there uses nothing.
                Err(error) if matches!(error.problem, StoreProblem::Missing(_)) => {}
                Err(_) => return BTreeSet::new(),
            }
        }
        if next.is_empty() {
            return candidates;
        }
        level = next;
    }
    BTreeSet::new()
}

fn is_manifest(entry: &Descriptor) -> bool {
    entry.media_type.is_index() || entry.media_type.is_manifest()
}

/// What an operating system's answer to an attempt to write means.
pub(super) fn not_stored(verb: &'static str, path: &Path, error: &io::Error) -> StoreError {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let (problem, hint) = match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => (
            StoreProblem::Refused(error.to_string()),
            "allow this user to write to the layout",
        ),
        StorageFull | QuotaExceeded | FileTooLarge => (
            StoreProblem::Unavailable(error.to_string()),
            "make room on the disk that holds the layout, then run again",
        ),
        _ => (
            StoreProblem::Unavailable(error.to_string()),
            "check the disk that holds the layout, then run again",
        ),
    };
    StoreError {
        verb,
        what: path.display().to_string(),
        problem,
        hint: Some(hint.to_owned()),
    }
}

fn locked(path: &Path, patience: Duration) -> StoreError {
    let problem = format!(
        "expected its lock to be free within {} seconds, found it held",
        patience.as_secs()
    );
    StoreError {
        verb: "lock",
        what: path.display().to_string(),
        problem: StoreProblem::Unavailable(problem),
        hint: Some("another process is changing this layout; run again when it is done".to_owned()),
    }
}
