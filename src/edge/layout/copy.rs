//! Whole images in a layout: blobs as streams, and entries that have a name.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::disk::give;
use super::draft::{self, Draft};
use super::files::Files;
use super::write::{DRAFT, not_stored, taken};
use super::{Layout, directory};
use crate::domain::oci::{Blob, Descriptor, Digest, Hasher, LayoutPath, Manifest, Place, Tag};
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
        Err(_) => Ok(path.symlink_metadata()?.is_dir()),
        Ok(()) => {
            let _ = File::open(path).map(|made| give(&made, path));
            Ok(true)
        }
    }
}

/// Makes the list of nothing; one that lists something is somebody's, whose marker was lost.
fn is_begun(root: &Path) -> io::Result<bool> {
    if draft::make(root, "index.json", EMPTY_INDEX.as_bytes())? {
        return Ok(true);
    }
    let (path, size) = (root.join("index.json"), EMPTY_INDEX.len() as u64);
    let ours = path
        .symlink_metadata()
        .is_ok_and(|found| found.is_file() && found.len() == size);
    Ok(ours && fs::read(path)? == EMPTY_INDEX.as_bytes())
}

/// Makes an empty layout where nothing is; the marker last, since it makes it one. Whoever makes the same layout at the
/// same moment may be faster.
fn found(path: &LayoutPath) -> Result<(), StoreError> {
    let root = path.as_path();
    let is_one = || root.join("oci-layout").symlink_metadata().is_ok();
    if is_one() {
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
        if !is_begun(root)? {
            return Ok(Some("index.json".into()));
        }
        draft::make(root, "oci-layout", MARKER.as_bytes())?;
        Ok(None)
    };
    match made() {
        Ok(None) => Ok(()),
        _ if is_one() => Files::open(path).map(|_| ()),
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

/// Writes a draft until the bytes end well, and gives it its name.
async fn write(files: Files<'_>, blob: &Descriptor, mut bytes: BlobBytes) -> Result<(), StoreError> {
    let target = files.blob_path(&blob.digest);
    let refused = |error: &io::Error| not_stored("store", &target, error);
    let broken = |problem| StoreError {
        verb: "store",
        what: target.display().to_string(),
        problem,
        hint: None,
    };
    let mut draft = Draft::begin(files.root(), blob.digest.hex()).map_err(|error| refused(&error))?;
    let mut size = 0;
    while let Some(piece) = bytes.next().await {
        let piece = piece.map_err(broken)?;
        size += piece.len() as u64;
        draft.append(&piece).map_err(|error| refused(&error))?;
    }
    if size != blob.size {
        let problem = format!("expected {} bytes, found {size}", blob.size);
        return Err(broken(StoreProblem::Unavailable(problem)));
    }
    fs::create_dir_all(files.blob_directory(&blob.digest))
        .and_then(|()| draft.rename(&target))
        .map_err(|error| refused(&error))
}

impl CopyStore for Layout {
    async fn may_name(&self, place: &Place, digest: &Digest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let path = directory(place)?;
        if path.as_path().join("oci-layout").symlink_metadata().is_err() {
            return Ok(());
        }
        let files = Files::open(path)?;
        taken(files, &files.index()?, digest, tag).map_or(Ok(()), Err)
    }

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
        write(Files::open(directory(place)?)?, blob, bytes).await
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
        self.transaction(files).await?.name(manifest, tag)
    }
}
