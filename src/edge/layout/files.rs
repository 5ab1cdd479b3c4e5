//! Reading the files of a layout: regular files only, nothing unbounded, digest and size checked.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::index::Entries;
use crate::base::failure::Cause;
use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::{Bounds, MANIFEST_BYTES, STATEMENT_BYTES};
use crate::domain::oci::{Descriptor, Digest, LayoutPath, Manifest, ManifestError};
use crate::seams::{StoreError, StoreProblem};

/// The only version of the layout (OCI image specification 1.1, `image-layout.md`, "oci-layout file").
const LAYOUT_VERSION: &str = "1.0.0";

/// Bytes of an `oci-layout` file (ours; real ones have 30).
const MARKER_BYTES: usize = 4_096;

/// Bytes of a wrong file that are still hashed to say what was found instead.
const EXPLAINED_BYTES: u64 = STATEMENT_BYTES as u64;

/// Attempts at opening a file that others replace meanwhile (ours).
const OPENINGS: usize = 20;

const COPY_AGAIN: &str = "copy the image into the layout again, with everything that belongs to it";

/// The directory of one layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files<'p> {
    root: &'p Path,
}

impl<'p> Files<'p> {
    /// Checks that the directory is a layout.
    pub(super) fn open(path: &'p LayoutPath) -> Result<Self, StoreError> {
        let files = Self { root: path.as_path() };
        let marker = files.marker_path();
        let bytes = read_whole(&marker, MARKER_BYTES).map_err(|error| files.no_marker(error))?;
        let not_one = |found: String| {
            let problem = StoreProblem::Usage(format!(
                "expected imageLayoutVersion \"{LAYOUT_VERSION}\", {found}"
            ));
            unread(
                &marker,
                problem,
                "name the directory of an OCI image layout, version 1.0.0",
            )
        };
        let document =
            json::read(&bytes, Bounds::SMALL_DOCUMENT).map_err(|error| not_one(error.to_string()))?;
        let version = document
            .cursor()
            .object()
            .and_then(|top| top.required("imageLayoutVersion")?.string());
        match version {
            Ok(LAYOUT_VERSION) => Ok(files),
            Ok(other) => Err(not_one(format!("found {}", Foreign::new(other).quote()))),
            Err(error) => Err(not_one(error.to_string())),
        }
    }

    /// A directory that was found to be a layout before.
    pub(super) fn at(root: &'p Path) -> Self {
        Self { root }
    }

    /// Says whether the whole directory is absent or only is no layout.
    fn no_marker(self, error: StoreError) -> StoreError {
        match (&error.problem, fs::metadata(self.root)) {
            (StoreProblem::Missing(_), Ok(found)) => {
                let found = if found.is_dir() {
                    "a directory without one"
                } else {
                    "a file"
                };
                StoreError {
                    problem: StoreProblem::Usage(format!("expected an OCI image layout, found {found}")),
                    hint: Some("name the directory that holds oci-layout, index.json and blobs".to_owned()),
                    ..error
                }
            }
            (StoreProblem::Missing(_), Err(_)) => StoreError {
                problem: StoreProblem::Missing(
                    "expected an OCI image layout, found no such directory".to_owned(),
                ),
                hint: Some("check the path behind oci:".to_owned()),
                ..error
            },
            _ => error,
        }
    }

    /// The file that marks a layout, which is also what writers lock.
    pub(super) fn marker_path(self) -> PathBuf {
        self.root.join("oci-layout")
    }

    /// The file that lists the manifests.
    pub(super) fn index_path(self) -> PathBuf {
        self.root.join("index.json")
    }

    /// The directory of the layout.
    pub(super) fn root(self) -> &'p Path {
        self.root
    }

    /// The directory that a digest's file is in.
    pub(super) fn blob_directory(self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm().name())
    }

    /// The file of a digest.
    pub(super) fn blob_path(self, digest: &Digest) -> PathBuf {
        self.blob_directory(digest).join(digest.hex())
    }

    /// Reads the list of manifests.
    pub(super) fn index(self) -> Result<Entries, StoreError> {
        self.entries(self.index_bytes()?.1)
    }

    /// Opens the list of manifests, and reads its bytes.
    pub(super) fn index_bytes(self) -> Result<(File, Vec<u8>), StoreError> {
        open_whole(&self.index_path(), Bounds::MANIFEST.bytes)
    }

    /// Parses the bytes of the list.
    pub(super) fn entries(self, bytes: Vec<u8>) -> Result<Entries, StoreError> {
        Entries::parse(bytes).map_err(|error| {
            let problem = StoreProblem::Unavailable(format!("expected an OCI image index, {error}"));
            unread(
                &self.index_path(),
                problem,
                "restore index.json, or copy the images into a new layout",
            )
        })
    }

    /// Reads a manifest.
    pub(super) fn manifest(self, descriptor: &Descriptor) -> Result<Manifest, StoreError> {
        self.parse(descriptor, self.blob(descriptor, MANIFEST_BYTES)?)
    }

    /// Parses the bytes of a manifest that were read and checked.
    pub(super) fn parse(self, descriptor: &Descriptor, bytes: Vec<u8>) -> Result<Manifest, StoreError> {
        let parsed = Manifest::parse(bytes, &descriptor.media_type);
        let named = parsed.map(|manifest| manifest.named_by(descriptor.digest.algorithm()));
        named.map_err(|error| {
            let problem = match error {
                ManifestError::Unsupported(_) => StoreProblem::Usage(error.to_string()),
                _ => StoreProblem::Unavailable(Cause::of(&error).message),
            };
            unread(&self.blob_path(&descriptor.digest), problem, COPY_AGAIN)
        })
    }

    /// Reads a blob of at most `limit` bytes.
    pub(super) fn blob(self, descriptor: &Descriptor, limit: usize) -> Result<Vec<u8>, StoreError> {
        let path = self.blob_path(&descriptor.digest);
        if descriptor.size > limit as u64 {
            let problem = StoreProblem::Unavailable(format!(
                "expected at most {limit} bytes, found a descriptor that announces {}",
                descriptor.size
            ));
            return Err(unread(&path, problem, COPY_AGAIN));
        }
        let file = self
            .open_blob(&descriptor.digest)
            .map_err(|error| match error.problem {
                StoreProblem::Missing(_) => StoreError {
                    problem: StoreProblem::Missing(format!(
                        "expected a file of {} bytes, found none",
                        descriptor.size
                    )),
                    ..error
                },
                _ => error,
            })?;
        let bytes = read_open(&path, &file, EXPLAINED_BYTES.max(descriptor.size))?;
        let found = bytes.as_deref().map_or_else(
            || format!("more than {EXPLAINED_BYTES} bytes"),
            |bytes| {
                content(
                    &Digest::by(descriptor.digest.algorithm(), bytes),
                    bytes.len() as u64,
                )
            },
        );
        let expected = content(&descriptor.digest, descriptor.size);
        match bytes {
            Some(bytes) if found == expected => Ok(bytes),
            _ => Err(unread(
                &path,
                StoreProblem::Tampered { expected, found },
                COPY_AGAIN,
            )),
        }
    }

    /// Opens a blob's file; neither it nor the directories between it and the layout may be links.
    pub(super) fn open_blob(self, digest: &Digest) -> Result<File, StoreError> {
        for directory in [self.root.join("blobs"), self.blob_directory(digest)] {
            let found = fs::symlink_metadata(&directory).map_err(|error| not_readable(&directory, &error))?;
            if !found.is_dir() {
                return Err(wrong_kind(&directory, "a directory", &found));
            }
        }
        open_regular(&self.blob_path(digest))
    }

    /// Whether the file of a digest holds exactly these bytes.
    pub(super) fn holds(self, digest: &Digest, bytes: &[u8]) -> bool {
        let found = self
            .open_blob(digest)
            .and_then(|file| read_open(&self.blob_path(digest), &file, bytes.len() as u64));
        found.is_ok_and(|found| found.as_deref() == Some(bytes))
    }

    /// Whether a file of the right size stands where a blob must be.
    pub(super) fn has(self, descriptor: &Descriptor) -> bool {
        let found = fs::symlink_metadata(self.blob_path(&descriptor.digest));
        found.is_ok_and(|found| found.is_file() && found.len() == descriptor.size)
    }
}

/// Digest and size, as errors about bytes name them.
fn content(digest: &Digest, size: u64) -> String {
    format!("{digest} ({size} bytes)")
}

/// Reads a file of the layout that is no blob.
fn read_whole(path: &Path, limit: usize) -> Result<Vec<u8>, StoreError> {
    Ok(open_whole(path, limit)?.1)
}

/// The same, with the file.
fn open_whole(path: &Path, limit: usize) -> Result<(File, Vec<u8>), StoreError> {
    let file = open_regular(path)?;
    let bytes = read_open(path, &file, limit as u64)?.ok_or_else(|| {
        let problem = StoreProblem::Unavailable(format!("expected at most {limit} bytes, found more"));
        unread(path, problem, "split the layout into smaller ones")
    })?;
    Ok((file, bytes))
}

/// Opens a regular file without following a link in its last component.
fn open_regular(path: &Path) -> Result<File, StoreError> {
    for _ in 0..OPENINGS {
        let named = fs::symlink_metadata(path).map_err(|error| not_readable(path, &error))?;
        if !named.is_file() {
            return Err(wrong_kind(path, "a regular file", &named));
        }
        let file = File::open(path).map_err(|error| not_readable(path, &error))?;
        let opened = file.metadata().map_err(|error| not_readable(path, &error))?;
        // Otherwise the name was given to something else in between, perhaps to a link.
        if (opened.dev(), opened.ino()) == (named.dev(), named.ino()) {
            return Ok(file);
        }
    }
    let problem = StoreProblem::Unavailable("it is replaced faster than it can be opened".to_owned());
    Err(unread(
        path,
        problem,
        "run again when nobody else writes to the layout",
    ))
}

/// The bytes of an open file, or nothing when it holds more than `limit`.
fn read_open(path: &Path, file: &File, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let mut bytes = Vec::new();
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| not_readable(path, &error))?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

fn wrong_kind(path: &Path, expected: &str, found: &Metadata) -> StoreError {
    let found = match found.file_type() {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a directory",
        kind if kind.is_file() => "a regular file",
        _ => "a special file",
    };
    let problem = StoreProblem::Usage(format!("expected {expected}, found {found}"));
    unread(
        path,
        problem,
        "make a copy of the layout in which links are replaced by what they point to (cp -rL)",
    )
}

/// What an operating system's answer to an attempt to read means.
fn not_readable(path: &Path, error: &io::Error) -> StoreError {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    let (problem, hint) = match error.kind() {
        NotFound | NotADirectory => (
            StoreProblem::Missing("expected a file, found none".to_owned()),
            COPY_AGAIN,
        ),
        PermissionDenied => (
            StoreProblem::Refused(error.to_string()),
            "allow this user to read the layout",
        ),
        _ => (
            StoreProblem::Unavailable(error.to_string()),
            "check the disk that holds the layout",
        ),
    };
    unread(path, problem, hint)
}

fn unread(path: &Path, problem: StoreProblem, hint: &str) -> StoreError {
    StoreError {
        verb: "read",
        what: path.display().to_string(),
        problem,
        hint: Some(hint.to_owned()),
    }
}
