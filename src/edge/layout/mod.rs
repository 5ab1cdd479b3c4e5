//! An OCI image layout on disk as a store: the same verbs as a registry, without a network.
//!
//! For: finding images in a layout that any tool wrote, listing what refers to them, adding referrers so that every
//! other tool still reads the layout, whatever happens in between.
//! Not for: judging what is found, or making images (but for the one that `demo` needs).
//! Speaks: OCI image specification 1.1, `image-layout.md`; names as skopeo, umoci, oras, crane and containerd write
//! them.
//!
//! ```
//! use countersign::domain::oci::{Digest, Place};
//! use countersign::edge::layout::{Layout, demo_image};
//! use countersign::seams::ReadStore;
//!
//! let directory = std::env::temp_dir().join(format!("countersign-doctest-{}", std::process::id()));
//! let demo = demo_image::write(&directory)?;
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let found = Layout::new().resolve(&demo.image).await?;
//! assert_eq!(found.subject.digest(), &demo.digest);
//! assert_eq!(Layout::new().referrers(demo.image.place(), &demo.digest).await?, []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! std::fs::remove_dir_all(directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod copy;
pub mod demo_image;
mod disk;
mod draft;
mod files;
mod index;
mod listing;
mod referrers;
mod resolve;
mod write;

use std::time::Duration;

use crate::domain::oci::{Blob, Descriptor, Digest, ImageRef, LayoutPath, Manifest, Place, Subject};
use crate::seams::{OwnReferrer, ReadStore, Resolved, StoreError, StoreProblem, WriteStore};

use self::disk::Disk;
use self::files::Files;
use self::listing::Listings;
use self::write::{PATIENCE, Transaction, Unlisted};

/// The store for every [`Place::Layout`]; one value serves any number of directories.
#[derive(Debug)]
pub struct Layout {
    disk: Disk,
    listings: Listings,
    unlisted: Unlisted,
    /// How long to wait for another writer.
    patience: Duration,
}

impl Default for Layout {
    fn default() -> Self {
        Self::new()
    }
}

impl Layout {
    /// A store that has seen nothing yet.
    pub fn new() -> Self {
        Self {
            disk: Disk::default(),
            listings: Listings::default(),
            unlisted: Unlisted::default(),
            patience: PATIENCE,
        }
    }

    /// A store on a disk whose changes can be made to fail.
    #[cfg(test)]
    fn on(disk: Disk) -> Self {
        let mut layout = Self::new();
        layout.disk = disk;
        layout
    }

    async fn transaction<'a>(&'a self, files: Files<'a>) -> Result<Transaction<'a>, StoreError> {
        Transaction::begin(files, &self.disk, &self.unlisted, &self.listings, self.patience).await
    }
}

impl Drop for Layout {
    /// Deletes the blobs whose manifests never came.
    fn drop(&mut self) {
        self.unlisted.take_back(&self.disk);
    }
}

impl ReadStore for Layout {
    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, StoreError> {
        let files = Files::open(directory(image.place())?)?;
        self.listings
            .look(files, |listing| resolve::resolve(files, listing.entries(), image))
    }

    async fn manifest(&self, place: &Place, descriptor: &Descriptor) -> Result<Manifest, StoreError> {
        Files::open(directory(place)?)?.manifest(descriptor)
    }

    async fn blob(&self, place: &Place, blob: &Descriptor, limit: usize) -> Result<Vec<u8>, StoreError> {
        Files::open(directory(place)?)?.blob(blob, limit)
    }

    /// Lists referrers by reading every manifest that `index.json` lists, once in the life of this store.
    async fn referrers(&self, place: &Place, of: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let files = Files::open(directory(place)?)?;
        self.listings.referrers(files, of)
    }
}

impl WriteStore for Layout {
    /// Stores a blob; unless a manifest comes to use it, it is deleted again when the store is dropped.
    async fn upload(&self, place: &Place, blob: &Blob) -> Result<(), StoreError> {
        let files = Files::open(directory(place)?)?;
        self.transaction(files).await?.upload(blob)
    }

    /// Stores and lists a manifest; when that fails, the blobs stored for it are deleted when the store is dropped.
    async fn push_referrer(&self, place: &Place, manifest: &Manifest) -> Result<Subject, StoreError> {
        let files = Files::open(directory(place)?)?;
        if manifest.subject().is_none() {
            let problem =
                StoreProblem::Usage("expected a manifest with a subject, found one without".to_owned());
            return Err(StoreError {
                verb: "store",
                what: format!("{place}@{}", manifest.digest()),
                problem,
                hint: None,
            });
        }
        self.transaction(files).await?.push(manifest)?;
        Ok(Subject::of(place.clone(), manifest))
    }

    async fn delete(&self, own: &OwnReferrer) -> Result<(), StoreError> {
        let files = Files::open(directory(own.subject().place())?)?;
        self.transaction(files).await?.delete(own.subject().descriptor())
    }
}

/// The directory of a place, which must be a layout.
fn directory(place: &Place) -> Result<&LayoutPath, StoreError> {
    match place {
        Place::Layout(path) => Ok(path),
        Place::Repository(_) => Err(StoreError {
            verb: "read",
            what: place.to_string(),
            problem: StoreProblem::Usage("expected an OCI layout on disk, found a repository".to_owned()),
            hint: Some("write oci:PATH".to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::rc::Rc;

    use super::demo_image::DemoImage;
    use super::*;
    use crate::base::failure::{Class, Classified};
    use crate::domain::oci::{ImageManifest, MediaType};

    /// Where the child finds out after how many changes it is to die; nothing but that test ever writes it.
    const DEATH_WARRANT: &str = "die-before-change";

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }

    fn demo(directory: &Path) -> DemoImage {
        demo_image::write(&directory.join("layout")).unwrap()
    }

    /// What a signature is to a store: a layer, a config that others share, a manifest that refers to the image.
    fn referrer(of: &Descriptor, content: &[u8]) -> (Vec<Blob>, Manifest) {
        let blobs = vec![Blob::new(MediaType::JWS, content.to_vec()), Blob::empty()];
        let manifest = Manifest::write(ImageManifest {
            artifact_type: Some(MediaType::NOTARY_SIGNATURE),
            config: Some(blobs[1].descriptor().clone()),
            layers: vec![blobs[0].descriptor().clone()],
            subject: Some(of.clone()),
            annotations: BTreeMap::new(),
        });
        (blobs, manifest)
    }

    /// Attaches a referrer as the job does.
    fn attach(layout: &Layout, image: &ImageRef, content: &[u8]) -> Result<Subject, StoreError> {
        wait(async {
            let subject = layout.resolve(image).await?.subject;
            let (blobs, manifest) = referrer(subject.descriptor(), content);
            for blob in &blobs {
                layout.upload(image.place(), blob).await?;
            }
            layout.push_referrer(image.place(), &manifest).await
        })
    }

    /// How many referrers another process would find.
    fn attached(demo: &DemoImage) -> usize {
        wait(Layout::new().referrers(demo.image.place(), &demo.digest))
            .unwrap()
            .len()
    }

    /// Every file and its bytes.
    fn snapshot(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(snapshot(&path));
            } else {
                files.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
        files
    }

    /// A disk whose change of this number, from 0, goes wrong.
    fn disk(number: usize, wrong: impl Fn() -> io::Result<()> + 'static) -> (Disk, Rc<Cell<usize>>) {
        let changes = Rc::new(Cell::new(0));
        let counted = Rc::clone(&changes);
        let disk = Disk::watched(move |_| {
            counted.set(counted.get() + 1);
            if counted.get() == number + 1 {
                wrong()
            } else {
                Ok(())
            }
        });
        (disk, changes)
    }

    #[test]
    fn a_failure_at_any_change_leaves_the_layout_as_it_was() {
        for (kind, class) in [
            (io::ErrorKind::StorageFull, Class::Unavailable),
            (io::ErrorKind::ReadOnlyFilesystem, Class::Refused),
        ] {
            let mut failures = 0;
            for number in 0.. {
                let directory = tempfile::tempdir().unwrap();
                let demo = demo(directory.path());
                let before = snapshot(directory.path());
                let (disk, changes) = disk(number, move || Err(kind.into()));
                let layout = Layout::on(disk);
                let result = attach(&layout, &demo.image, b"envelope");
                drop(layout);
                match result {
                    Err(error) => {
                        assert_eq!(
                            (error.verb, error.class()),
                            ("store", class),
                            "change {number}: {error:?}"
                        );
                        assert!(error.hint().is_some());
                        assert_eq!(snapshot(directory.path()), before, "change {number}");
                        failures += 1;
                    }
                    Ok(_) => assert_eq!(attached(&demo), 1, "change {number}"),
                }
                if changes.get() <= number {
                    break;
                }
                attach(&Layout::new(), &demo.image, b"envelope").unwrap();
                assert_eq!(attached(&demo), 1, "change {number}");
            }
            // Three blobs at seven changes each, the index at six, of which the last can not fail any more.
            assert_eq!(failures, 26);
        }
    }

    #[test]
    fn a_failure_leaves_another_targets_blobs_alone() {
        let directory = tempfile::tempdir().unwrap();
        let demo = demo(directory.path());
        let place = demo.image.place().clone();
        let layout = Layout::new();
        let subject = wait(layout.resolve(&demo.image)).unwrap().subject;
        let (ours, manifest) = referrer(subject.descriptor(), b"ours");
        let (_, broken) = referrer(subject.descriptor(), b"never uploaded");
        wait(layout.upload(&place, &ours[0])).unwrap();
        wait(layout.upload(&place, &ours[1])).unwrap();
        // The other target uses one of them too, and fails.
        wait(layout.upload(&place, &ours[1])).unwrap();
        wait(layout.push_referrer(&place, &broken)).unwrap_err();
        wait(layout.push_referrer(&place, &manifest)).unwrap();
        drop(layout);
        assert_eq!(attached(&demo), 1);
        let stored = |blob: &Blob| {
            let path = directory.path().join("layout/blobs/sha256");
            path.join(blob.descriptor().digest.hex()).exists()
        };
        assert!(stored(&ours[0]) && stored(&ours[1]));
    }

    #[test]
    fn death_at_any_change_leaves_a_layout_that_a_second_run_completes() {
        for number in 0.. {
            let directory = tempfile::tempdir().unwrap();
            let demo = demo(directory.path());
            fs::write(directory.path().join(DEATH_WARRANT), number.to_string()).unwrap();
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "edge::layout::tests::dies_when_told_to", "--nocapture"])
                .current_dir(directory.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            let found = wait(Layout::new().resolve(&demo.image)).unwrap();
            assert_eq!(found.subject.digest(), &demo.digest, "change {number}");
            assert!(attached(&demo) <= 1, "change {number}");
            attach(&Layout::new(), &demo.image, b"envelope").unwrap();
            assert_eq!(attached(&demo), 1, "change {number}");
            if child.success() {
                assert_eq!(number, 27);
                let drafts = snapshot(directory.path());
                assert!(!drafts.keys().any(|path| path.ends_with(write::DRAFT)));
                break;
            }
        }
    }

    /// The child of the test above; on its own it does nothing.
    #[test]
    fn dies_when_told_to() {
        let Ok(number) = fs::read_to_string(DEATH_WARRANT) else {
            return;
        };
        let (disk, _) = disk(number.parse().unwrap(), || std::process::abort());
        attach(&Layout::on(disk), &"oci:layout:1.0".parse().unwrap(), b"envelope").unwrap();
    }

    #[test]
    fn a_lock_that_is_never_free_is_reported_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let demo = demo(directory.path());
        let held = fs::File::open(directory.path().join("layout/oci-layout")).unwrap();
        held.lock().unwrap();
        let mut impatient = Layout::new();
        impatient.patience = Duration::from_millis(20);
        let error = attach(&impatient, &demo.image, b"envelope").unwrap_err();
        assert_eq!((error.verb, error.class()), ("lock", Class::Unavailable));
        drop(held);
        attach(&impatient, &demo.image, b"envelope").unwrap();
    }

    #[test]
    fn deleting_takes_what_nothing_else_uses() {
        let directory = tempfile::tempdir().unwrap();
        let demo = demo(directory.path());
        let layout = Layout::new();
        attach(&layout, &demo.image, b"first").unwrap();
        let before = snapshot(directory.path());
        let second = attach(&layout, &demo.image, b"second").unwrap();
        let delete = || {
            let path = directory_of(&demo);
            wait(async {
                layout
                    .transaction(Files::open(path)?)
                    .await?
                    .delete(second.descriptor())
            })
        };
        delete().unwrap();
        assert_eq!(snapshot(directory.path()), before);
        assert_eq!(delete().unwrap_err().class(), Class::Missing);
    }

    fn directory_of(demo: &DemoImage) -> &LayoutPath {
        directory(demo.image.place()).unwrap()
    }

    #[test]
    fn a_failure_keeps_blobs_that_another_process_listed_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let demo = demo(directory.path());
        let (disk, _) = disk(7, || Err(io::ErrorKind::StorageFull.into()));
        let failing = Layout::on(disk);
        let place = demo.image.place();
        wait(failing.upload(place, &Blob::empty())).unwrap();
        attach(&Layout::new(), &demo.image, b"envelope").unwrap();
        assert!(wait(failing.upload(place, &Blob::new(MediaType::JWS, b"x".to_vec()))).is_err());
        assert!(
            Files::open(directory_of(&demo))
                .unwrap()
                .has(Blob::empty().descriptor())
        );
    }
}
