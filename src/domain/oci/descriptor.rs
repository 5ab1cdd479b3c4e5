//! Descriptors (OCI image specification 1.1, `descriptor.md`) and the blobs they describe.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{ArtifactType, Digest, MediaType};
use crate::base::foreign::Foreign;
use crate::base::tree::{Cursor, DocumentError, Object};

/// The operating system and processor that an image runs on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// `linux`, `windows`, …
    pub os: Foreign,
    /// `amd64`, `arm64`, …
    pub architecture: Foreign,
    /// `v7`, `v8`, …
    pub variant: Option<Foreign>,
}

impl Platform {
    /// `os/architecture[/variant]`, as text from outside.
    pub fn name(&self) -> Foreign {
        let variant = self.variant.as_ref().map(|variant| format!("/{}", variant.raw()));
        Foreign::new(format!(
            "{}/{}{}",
            self.os.raw(),
            self.architecture.raw(),
            variant.unwrap_or_default()
        ))
    }
}

/// What a piece of content is, its digest and its size in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The media type of the content.
    pub media_type: MediaType,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content in bytes.
    pub size: u64,
    /// What the described manifest carries, where the list says so; never a reason to trust or to skip.
    pub artifact_type: Option<ArtifactType>,
    /// Free annotations.
    pub annotations: BTreeMap<String, Foreign>,
    /// The platform of an index's entry.
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// A descriptor of these bytes.
    pub fn of(media_type: MediaType, bytes: &[u8]) -> Self {
        Self {
            media_type,
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            artifact_type: None,
            annotations: BTreeMap::new(),
            platform: None,
        }
    }

    /// Reads a descriptor.
    ///
    /// # Errors
    /// [`DocumentError`] when a mandatory member is absent or malformed.
    pub fn read(cursor: &Cursor<'_>) -> Result<Self, DocumentError> {
        let object = cursor.object()?;
        Ok(Self {
            media_type: object
                .required("mediaType")?
                .parse("a media type (type/subtype)")?,
            digest: object.required("digest")?.parse("a digest (sha256:…)")?,
            size: object.required("size")?.unsigned()?,
            artifact_type: object
                .optional("artifactType")
                .and_then(|text| text.string().ok()?.parse().ok()),
            annotations: read_annotations(&object)?,
            platform: object
                .optional("platform")
                .map(|platform| read_platform(&platform))
                .transpose()?,
        })
    }

    /// Whether both describe the same content: media type, digest and size.
    pub fn same_content(&self, other: &Self) -> bool {
        self.media_type == other.media_type && self.digest == other.digest && self.size == other.size
    }
}

/// Reads the `annotations` of an object; absent or `null` is empty.
pub(super) fn read_annotations(object: &Object<'_>) -> Result<BTreeMap<String, Foreign>, DocumentError> {
    match object
        .optional("annotations")
        .filter(|annotations| !annotations.is_null())
    {
        None => Ok(BTreeMap::new()),
        Some(annotations) => annotations
            .object()?
            .members()
            .map(|(key, value)| Ok((key.to_owned(), Foreign::new(value.string()?))))
            .collect(),
    }
}

fn read_platform(cursor: &Cursor<'_>) -> Result<Platform, DocumentError> {
    let object = cursor.object()?;
    let text = |name: &str| object.required(name)?.string().map(Foreign::new);
    Ok(Platform {
        os: text("os")?,
        architecture: text("architecture")?,
        variant: object
            .optional("variant")
            .map(|variant| variant.string().map(Foreign::new))
            .transpose()?,
    })
}

/// Writes media type, digest, size and, where present, artifact type and annotations, in the order of the
/// specification's examples.
impl Serialize for Descriptor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("mediaType", &self.media_type)?;
        map.serialize_entry("digest", &self.digest)?;
        map.serialize_entry("size", &self.size)?;
        if let Some(artifact_type) = &self.artifact_type {
            map.serialize_entry("artifactType", artifact_type)?;
        }
        if !self.annotations.is_empty() {
            let annotations: BTreeMap<&str, &str> = self
                .annotations
                .iter()
                .map(|(key, value)| (key.as_str(), value.raw()))
                .collect();
            map.serialize_entry("annotations", &annotations)?;
        }
        if let Some(platform) = &self.platform {
            let mut members = BTreeMap::from([
                ("architecture", platform.architecture.raw()),
                ("os", platform.os.raw()),
            ]);
            members.extend(platform.variant.iter().map(|variant| ("variant", variant.raw())));
            map.serialize_entry("platform", &members)?;
        }
        map.end()
    }
}

/// Bytes to be stored, with their descriptor.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob {
    descriptor: Descriptor,
    bytes: Vec<u8>,
}

impl Blob {
    /// Wraps bytes.
    pub fn new(media_type: MediaType, bytes: Vec<u8>) -> Self {
        Self {
            descriptor: Descriptor::of(media_type, &bytes),
            bytes,
        }
    }

    /// The empty JSON object that artifact manifests use as config (image specification, `manifest.md`).
    pub fn empty() -> Self {
        Self::new(MediaType::EMPTY, b"{}".to_vec())
    }

    /// What the bytes are.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("descriptor", &self.descriptor)
            .finish_non_exhaustive()
    }
}
