//! The image that `countersign demo` works on: small, real, of two platforms, the same bytes every time.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::disk::Disk;
use super::files::Files;
use super::index::has_tag;
use super::write::{DRAFT, not_stored};
use crate::domain::oci::{Blob, Descriptor, Digest, ImageRef, LayoutPath, MediaType, Place, Tag};
use crate::seams::{StoreError, StoreProblem};

/// The tag of the demo image.
const TAG: &str = "1.0";

/// The processors that it is for; both run Linux.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// When it says that it was made; fixed, so that its digest is.
const CREATED: &str = "2025-01-01T00:00:00Z";

const README: &str =
    "This image was written by `countersign demo`. It holds two text files and runs nothing.\n";

/// The content of `oci-layout` (OCI image specification 1.1, `image-layout.md`, "oci-layout file").
const MARKER: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// The demo image, written or found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoImage {
    /// Its name: `oci:DIRECTORY:1.0`.
    pub image: ImageRef,
    /// The digest of its index.
    pub digest: Digest,
    /// Whether it was there already, perhaps with signatures; then nothing was written.
    pub reused: bool,
}

/// Writes the demo image into a directory that is absent or empty, or that it was written into before.
///
/// # Errors
/// [`StoreError`]: of class usage when the directory holds anything else, else what the disk answers.
pub fn write(directory: &Path) -> Result<DemoImage, StoreError> {
    let place = LayoutPath::new(directory);
    let content = Content::make();
    let reused = content.is_listed_in(&place);
    if !reused {
        content.check_only_own(directory)?;
        content.store(directory, &Disk::default())?;
    }
    let tag: Option<Tag> = TAG.parse().ok();
    Ok(DemoImage {
        image: ImageRef::new(Place::Layout(place), tag, None),
        digest: content.digest,
        reused,
    })
}

/// Everything the layout consists of.
struct Content {
    blobs: Vec<Blob>,
    index_json: String,
    digest: Digest,
}

impl Content {
    fn make() -> Self {
        let mut blobs = Vec::new();
        let mut platforms = Vec::new();
        for architecture in ARCHITECTURES {
            let manifest = platform_manifest(architecture, &mut blobs);
            let mut entry = described(&manifest);
            set(
                &mut entry,
                "platform",
                json!({ "architecture": architecture, "os": "linux" }),
            );
            platforms.push(entry);
            blobs.push(manifest);
        }
        let index = document(MediaType::OCI_INDEX, &json!({ "manifests": platforms }));
        let mut entry = described(&index);
        set(
            &mut entry,
            "annotations",
            json!({ "org.opencontainers.image.ref.name": TAG }),
        );
        let digest = index.descriptor().digest.clone();
        blobs.push(index);
        let index_json = document(MediaType::OCI_INDEX, &json!({ "manifests": [entry] }));
        let index_json = String::from_utf8_lossy(index_json.bytes()).into_owned();
        Self {
            blobs,
            index_json,
            digest,
        }
    }

    /// Whether a layout lists the demo image under its tag; whatever else it lists was put beside it later.
    fn is_listed_in(&self, place: &LayoutPath) -> bool {
        let ours = |entry: &Descriptor| {
            entry.digest == self.digest && TAG.parse().is_ok_and(|tag| has_tag(entry, &tag))
        };
        let entries = Files::open(place).and_then(Files::index);
        entries.is_ok_and(|entries| entries.descriptors().iter().any(ours))
    }

    /// Refuses a directory with anything in it but what an interrupted writing of this image leaves.
    fn check_only_own(&self, directory: &Path) -> Result<(), StoreError> {
        let found = foreign_file(directory, "", &|path| self.owns(directory, path));
        let found = found.map_err(|error| not_stored("write", directory, &error))?;
        found.map_or(Ok(()), |name| {
            let problem = format!("expected an empty directory or the demo image, found {name}");
            Err(StoreError {
                verb: "write",
                what: format!("the demo image to {}", directory.display()),
                problem: StoreProblem::Usage(problem),
                hint: Some("name a new directory, as in: countersign demo NEW-DIRECTORY".to_owned()),
            })
        })
    }

    fn owns(&self, directory: &Path, path: &str) -> bool {
        let same = |text: &str| fs::read(directory.join(path)).is_ok_and(|bytes| bytes == text.as_bytes());
        match path {
            "blobs" | "blobs/sha256" | DRAFT => true,
            "oci-layout" => same(MARKER),
            "index.json" => same(&self.index_json),
            _ => {
                let hex = path.strip_prefix("blobs/sha256/");
                self.blobs
                    .iter()
                    .any(|blob| hex == Some(blob.descriptor().digest.hex()))
            }
        }
    }

    /// Writes every file; the one that makes the directory a layout comes last.
    fn store(&self, directory: &Path, disk: &Disk) -> Result<(), StoreError> {
        let draft = directory.join(DRAFT);
        let put = |path: &Path, bytes: &[u8]| {
            let done = path
                .parent()
                .map_or(Ok(()), |parent| disk.create_directory(parent));
            done.and_then(|()| disk.replace(path, &draft, bytes))
                .map_err(|error| not_stored("write", path, &error))
        };
        for blob in &self.blobs {
            put(
                &directory
                    .join("blobs/sha256")
                    .join(blob.descriptor().digest.hex()),
                blob.bytes(),
            )?;
        }
        put(&directory.join("index.json"), self.index_json.as_bytes())?;
        put(&directory.join("oci-layout"), MARKER.as_bytes())
    }
}

/// The first file below a directory that is not owned, if there is one.
fn foreign_file(root: &Path, below: &str, owned: &impl Fn(&str) -> bool) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(root.join(below)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() {
            name
        } else {
            format!("{below}/{name}")
        };
        if !owned(&path) {
            return Ok(Some(crate::base::foreign::quote(&path).to_string()));
        }
        if entry.file_type()?.is_dir()
            && let Some(found) = foreign_file(root, &path, owned)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The manifest for one processor; its config and layer are added to the blobs.
fn platform_manifest(architecture: &str, blobs: &mut Vec<Blob>) -> Blob {
    let hello = format!("Hello from linux/{architecture}.\n");
    let layer = Blob::new(
        MediaType::OCI_LAYER,
        tar(&[("hello.txt", &hello), ("README", README)]),
    );
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        "config": { "Cmd": ["/hello.txt"] },
        "rootfs": { "type": "layers", "diff_ids": [layer.descriptor().digest] },
        "history": [{ "created": CREATED, "created_by": "countersign demo" }],
    });
    let config = Blob::new(MediaType::OCI_CONFIG, config.to_string().into_bytes());
    let members = json!({
        "config": described(&config),
        "layers": [described(&layer)],
        "annotations": { "org.opencontainers.image.created": CREATED },
    });
    let manifest = document(MediaType::OCI_MANIFEST, &members);
    blobs.extend([layer, config]);
    manifest
}

/// A manifest or index with these members.
fn document(media_type: MediaType, members: &Value) -> Blob {
    let mut document = json!({ "schemaVersion": 2, "mediaType": media_type });
    for (name, value) in members.as_object().into_iter().flatten() {
        set(&mut document, name, value.clone());
    }
    Blob::new(media_type, document.to_string().into_bytes())
}

/// The descriptor of a blob, as a value that members can be added to.
fn described(blob: &Blob) -> Value {
    let descriptor = blob.descriptor();
    json!({ "mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size })
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Bytes of a block of a tar file (POSIX.1-2001, `pax`, "ustar Interchange Format").
const BLOCK: usize = 512;

/// A tar file of text files that belong to root and can be read by all.
fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, text) in files {
        archive.extend(tar_header(name, text.len()));
        archive.extend(text.as_bytes());
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

/// The header of one file: fields of fixed width, numbers in octal, a checksum over itself with blanks in its place.
fn tar_header(name: &str, size: usize) -> Vec<u8> {
    let fields = |checksum: &str| {
        let mut header = Vec::with_capacity(BLOCK);
        let times = format!("{size:011o}\0{:011o}\0", 0);
        for (width, text) in [
            (100, name),
            (24, "0000644\x000000000\x000000000\0"),
            (24, &times),
            (8, checksum),
            (1, "0"),
        ] {
            let end = header.len() + width;
            header.extend(text.as_bytes());
            header.resize(end, 0);
        }
        header.resize(257, 0);
        header.extend(b"ustar\x0000");
        header.resize(BLOCK, 0);
        header
    };
    let sum: u32 = fields("        ").iter().map(|byte| u32::from(*byte)).sum();
    fields(&format!("{sum:06o}\0 "))
}
