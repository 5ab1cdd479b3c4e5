//! Whole images in a layout: blobs as streams, and entries that have a name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::files::Files;
use super::index::has_tag;
use super::write::{DRAFT, not_stored};
use super::{Layout, directory};
use crate::domain::oci::{Blob, Descriptor, Hasher, LayoutPath, Manifest, Place, Tag};
use crate::seams::{BlobBytes, CopyStore, StoreError, StoreProblem, WriteStore as _};

/// Bytes read at once (ours).
const PIECE: usize = 65_536;

/// What marks a layout (OCI image specification 1.1, `image-layout.md`, "oci-layout file").
const MARKER: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// A list of nothing (the same, "index.json file").
const EMPTY_INDEX: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

/// Makes a directory unless there is one; a link to one is none.
fn is_made(path: &Path) -> io::Result<bool> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(path.symlink_metadata()?.is_dir()),
    }
}

/// Makes the list of nothing; one that lists something is somebody's, whose marker was lost.
fn is_begun(path: &Path) -> io::Result<bool> {
    match File::create_new(path) {
        Ok(mut file) => file.write_all(EMPTY_INDEX.as_bytes()).map(|()| true),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => {
            let size = EMPTY_INDEX.len() as u64;
            let ours = path
                .symlink_metadata()
                .is_ok_and(|found| found.is_file() && found.len() == size);
            Ok(ours && fs::read(path)? == EMPTY_INDEX.as_bytes())
        }
    }
}

/// Makes an empty layout where nothing is; the marker last, since it makes it one.
fn found(path: &LayoutPath) -> Result<(), StoreError> {
    let root = path.as_path();
    if root.join("oci-layout").symlink_metadata().is_ok() {
        return Files::open(path).map(|_| ());
    }
    let made = || {
        fs::create_dir_all(root)?;
        let foreign = fs::read_dir(root)?.find_map(|entry| {
            let name = entry.ok()?.file_name();
            let ours = ["index.json", "blobs"].iter().any(|own| name == **own)
                || name.to_string_lossy().starts_with(DRAFT);
            (!ours).then_some(name)
        });
        if let Some(name) = foreign {
            return Ok(Some(name));
        }
        for part in ["blobs", "blobs/sha256"] {
            if !is_made(&root.join(part))? {
                return Ok(Some(part.into()));
            }
        }
        if !is_begun(&root.join("index.json"))? {
            return Ok(Some("index.json".into()));
        }
        File::create_new(root.join("oci-layout"))?.write_all(MARKER.as_bytes())?;
        Ok(None)
    };
    match made() {
        Ok(None) => Ok(()),
        Ok(Some(name)) => Err(StoreError {
            verb: "make a layout of",
            what: root.display().to_string(),
            problem: StoreProblem::Usage(format!(
                "expected an OCI image layout, an empty directory or none, found one with {}",
                crate::base::foreign::quote(&name.to_string_lossy())
            )),
            hint: Some("name a new directory".to_owned()),
        }),
        Err(error) => Err(not_stored("make a layout of", root, &error)),
    }
}

/// The pieces of a file.
fn pieces(file: File) -> BlobBytes {
    let next = |mut file: File| async move {
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece) {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                Some((Ok(piece), file))
            }
            Err(error) => Some((Err(StoreProblem::Unavailable(error.to_string())), file)),
        }
    };
    Box::pin(stream::unfold(file, next))
}

/// Whether a file holds what its name says.
async fn is_good(file: File, blob: &Descriptor) -> bool {
    let (mut bytes, mut hasher, mut size) = (pieces(file), Hasher::new(blob.digest.algorithm()), 0);
    while let Some(piece) = bytes.next().await {
        let Ok(piece) = piece else { return false };
        size += piece.len() as u64;
        hasher.update(&piece);
    }
    size == blob.size && hasher.finish() == blob.digest
}

/// Writes a draft until the bytes end well.
async fn write(draft: &Path, blob: &Descriptor, mut bytes: BlobBytes) -> Result<(), StoreError> {
    let refused = |error: &std::io::Error| not_stored("store", draft, error);
    let _ = fs::remove_file(draft);
    let file = OpenOptions::new().write(true).create_new(true).open(draft);
    let mut file = file.map_err(|error| refused(&error))?;
    let mut size = 0;
    while let Some(piece) = bytes.next().await {
        let piece = piece.map_err(|problem| StoreError {
            verb: "store",
            what: draft.display().to_string(),
            problem,
            hint: None,
        })?;
        size += piece.len() as u64;
        file.write_all(&piece).map_err(|error| refused(&error))?;
    }
    if size != blob.size {
        return Err(StoreError {
            verb: "store",
            what: draft.display().to_string(),
            problem: StoreProblem::Unavailable(format!("expected {} bytes, found {size}", blob.size)),
            hint: None,
        });
    }
    file.sync_all().map_err(|error| refused(&error))
}

impl CopyStore for Layout {
    async fn found(&self, place: &Place) -> Result<(), StoreError> {
        found(directory(place)?)
    }

    async fn open_blob(&self, place: &Place, blob: &Descriptor) -> Result<BlobBytes, StoreError> {
        Ok(pieces(Files::open(directory(place)?)?.open_blob(&blob.digest)?))
    }

    /// Reads the whole file: one with other bytes is none.
    async fn holds_blob(&self, place: &Place, blob: &Descriptor) -> Result<bool, StoreError> {
        let files = Files::open(directory(place)?)?;
        if !files.has(blob) {
            return Ok(false);
        }
        match files.open_blob(&blob.digest) {
            Ok(file) => Ok(is_good(file, blob).await),
            Err(error) => Err(error),
        }
    }

    async fn store_blob(&self, place: &Place, blob: &Descriptor, bytes: BlobBytes) -> Result<(), StoreError> {
        let files = Files::open(directory(place)?)?;
        let draft = files.root().join(format!("{DRAFT}-{}", blob.digest.hex()));
        let target = files.blob_path(&blob.digest);
        let written = write(&draft, blob, bytes).await.and_then(|()| {
            let moved = fs::create_dir_all(files.blob_directory(&blob.digest))
                .and_then(|()| fs::rename(&draft, &target));
            moved.map_err(|error| not_stored("store", &target, &error))
        });
        written.inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })
    }

    async fn mount(&self, _: &Place, _: &Place, _: &Descriptor) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Stores the bytes and lists nothing: what leads to them is listed.
    async fn store_manifest(&self, place: &Place, manifest: &Manifest) -> Result<(), StoreError> {
        let blob = Blob::new(manifest.media_type().clone(), manifest.bytes().to_vec());
        self.upload(place, &blob).await
    }

    async fn name_image(
        &self,
        place: &Place,
        manifest: &Manifest,
        tag: Option<&Tag>,
    ) -> Result<(), StoreError> {
        let files = Files::open(directory(place)?)?;
        let other =
            files.index()?.descriptors().iter().any(|entry| {
                entry.digest != *manifest.digest() && tag.is_some_and(|tag| has_tag(entry, tag))
            });
        if other {
            return Err(StoreError {
                verb: "store",
                what: tag.map_or_else(|| place.to_string(), |tag| format!("{place}:{tag}")),
                problem: StoreProblem::Usage("the tag names another image of this layout".to_owned()),
                hint: Some("name another tag or another directory".to_owned()),
            });
        }
        self.transaction(files).await?.name(manifest, tag)
    }
}
