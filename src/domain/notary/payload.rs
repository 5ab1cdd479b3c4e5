//! The payload: what exactly is signed (Notary signature specification, "Payload").

use std::collections::BTreeMap;

use serde_json::json;

use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::tree::{Cursor, DocumentError};
use crate::domain::oci::{Descriptor, Subject};

/// The start of annotation keys that belong to the Notary Project and may not be user metadata.
const RESERVED_PREFIX: &str = "io.cncf.notary";

/// The exact JSON bytes to sign for one subject, with what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    bytes: Vec<u8>,
    target: Descriptor,
    metadata: BTreeMap<String, String>,
}

/// Why metadata cannot be put into a payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// A key that belongs to the Notary Project.
    #[error("expected metadata keys that do not begin with {RESERVED_PREFIX}, found {}", quote(.0))]
    Reserved(String),
    /// An empty key.
    #[error("expected metadata as key=value, found an empty key")]
    EmptyKey,
}

impl Classified for PayloadError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("choose another key for the metadata".to_owned())
    }
}

impl Payload {
    /// The payload for a subject: media type, digest and size from its bytes, and the user's metadata as annotations.
    ///
    /// # Errors
    /// [`PayloadError`] for metadata keys that may not be signed.
    pub fn new(subject: &Subject, metadata: &BTreeMap<String, String>) -> Result<Self, PayloadError> {
        for key in metadata.keys() {
            if key.is_empty() {
                return Err(PayloadError::EmptyKey);
            }
            if key.starts_with(RESERVED_PREFIX) {
                return Err(PayloadError::Reserved(key.clone()));
            }
        }
        let Descriptor {
            media_type,
            digest,
            size,
            ..
        } = subject.descriptor().clone();
        let mut artifact = json!({"mediaType": media_type, "digest": digest, "size": size});
        if let (false, Some(members)) = (metadata.is_empty(), artifact.as_object_mut()) {
            members.insert("annotations".to_owned(), json!(metadata));
        }
        let annotations = metadata
            .iter()
            .map(|(key, value)| (key.clone(), Foreign::new(value)));
        Ok(Self {
            bytes: json!({"targetArtifact": artifact}).to_string().into_bytes(),
            target: Descriptor {
                media_type,
                digest,
                size,
                artifact_type: None,
                annotations: annotations.collect(),
                platform: None,
            },
            metadata: metadata.clone(),
        })
    }

    /// The bytes to sign.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Media type, digest and size of the subject; the annotations are the user's metadata.
    pub fn target(&self) -> &Descriptor {
        &self.target
    }

    /// The user's metadata.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }
}

/// What a signed payload says it is about; compared as text, believed by nobody yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPayload {
    media_type: String,
    digest: String,
    size: u64,
    annotations: BTreeMap<String, String>,
}

/// Why a signed payload is not about what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedPayloadError {
    /// The payload is not a Notary payload.
    #[error("the signed payload")]
    Document(#[from] DocumentError),
    /// The signature is about other content.
    #[error("expected a signature of {expected}, found one of {}", found.quote())]
    Target {
        /// The subject: media type, digest, size.
        expected: String,
        /// The same as signed.
        found: Foreign,
    },
    /// A required pair of metadata is not among the signed ones.
    #[error("expected the signed metadata {}={}, found {}", quote(key), quote(expected), found_metadata(found.as_ref()))]
    Metadata {
        /// The key.
        key: String,
        /// The value that is required.
        expected: String,
        /// The signed value, if the key is signed.
        found: Option<Foreign>,
    },
}

impl Classified for SignedPayloadError {
    fn class(&self) -> Class {
        Class::Rejected
    }
}

fn found_metadata(found: Option<&Foreign>) -> String {
    found.map_or_else(|| "no such key".to_owned(), |found| found.quote().to_string())
}

impl SignedPayload {
    /// Reads the payload of an envelope; unknown members are ignored, as the specification asks of verifiers.
    ///
    /// # Errors
    /// [`SignedPayloadError::Document`] when the members that matter are absent or of another type.
    pub fn read(bytes: &[u8]) -> Result<Self, SignedPayloadError> {
        let document = json::read(bytes, Bounds::ENVELOPE)?;
        Ok(Self::read_target(
            &document.cursor().object()?.required("targetArtifact")?,
        )?)
    }

    fn read_target(target: &Cursor<'_>) -> Result<Self, DocumentError> {
        let target = target.object()?;
        let text = |name: &str| target.required(name)?.string().map(str::to_owned);
        let annotations = match target
            .optional("annotations")
            .filter(|annotations| !annotations.is_null())
        {
            None => BTreeMap::new(),
            Some(annotations) => annotations
                .object()?
                .members()
                .map(|(key, value)| Ok((key.to_owned(), value.string()?.to_owned())))
                .collect::<Result<_, DocumentError>>()?,
        };
        Ok(Self {
            media_type: text("mediaType")?,
            digest: text("digest")?,
            size: target.required("size")?.unsigned()?,
            annotations,
        })
    }

    /// The signed annotations: the user's metadata.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// Checks that the signature is about this content: media type, digest and size; nothing else takes part.
    ///
    /// # Errors
    /// [`SignedPayloadError::Target`] when it is about something else.
    pub fn check_target(&self, subject: &Descriptor) -> Result<(), SignedPayloadError> {
        let same = self.media_type == subject.media_type.as_str()
            && self.digest == subject.digest.to_string()
            && self.size == subject.size;
        if same {
            return Ok(());
        }
        let Self {
            media_type,
            digest,
            size,
            ..
        } = self;
        Err(SignedPayloadError::Target {
            expected: format!(
                "{}, {} bytes, {}",
                subject.digest, subject.size, subject.media_type
            ),
            found: Foreign::new(format!("{digest}, {size} bytes, {media_type}")),
        })
    }

    /// Checks that every required pair is among the signed annotations, exactly.
    ///
    /// # Errors
    /// [`SignedPayloadError::Metadata`] with the first pair that is not.
    pub fn check_metadata(&self, required: &BTreeMap<String, String>) -> Result<(), SignedPayloadError> {
        match required
            .iter()
            .find(|(key, value)| self.annotations.get(*key) != Some(*value))
        {
            None => Ok(()),
            Some((key, expected)) => Err(SignedPayloadError::Metadata {
                key: key.clone(),
                expected: expected.clone(),
                found: self.annotations.get(key).map(Foreign::new),
            }),
        }
    }
}
