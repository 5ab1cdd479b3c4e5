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
        // Sorted members, as notation writes them.
        let mut artifact = BTreeMap::from([
            ("mediaType", json!(media_type)),
            ("digest", json!(digest)),
            ("size", json!(size)),
        ]);
        if !metadata.is_empty() {
            artifact.insert("annotations", json!(metadata));
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

    /// Media type, digest and size of the subject; the annotations are the user's metadata, as far as [`Foreign`] keeps
    /// them. [`Payload::metadata`] has them whole.
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
    #[error("expected a signature of {expected}, found {}", found.quote())]
    Target {
        /// The first member of the subject that differs: "content whose digest is …".
        expected: String,
        /// As signed.
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
        let members = [
            ("digest", subject.digest.to_string(), self.digest.clone()),
            ("size", subject.size.to_string(), self.size.to_string()),
            (
                "mediaType",
                subject.media_type.to_string(),
                self.media_type.clone(),
            ),
        ];
        match members.into_iter().find(|(_, expected, found)| expected != found) {
            None => Ok(()),
            Some((member, expected, found)) => Err(SignedPayloadError::Target {
                expected: format!("content whose {member} is {expected}"),
                found: Foreign::new(found),
            }),
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::subject;
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn bytes_are_compact_with_sorted_members() {
        let payload = Payload::new(&subject(), &pairs(&[("b", "2"), ("a", "\"<1>\"")])).unwrap();
        let expected = r#"{"targetArtifact":{"annotations":{"a":"\"<1>\"","b":"2"},"digest":"sha256:DIGEST","mediaType":"application/vnd.oci.image.index.v1+json","size":88}}"#;
        let expected = expected.replace("DIGEST", subject().digest().hex());
        assert_eq!(String::from_utf8_lossy(payload.bytes()), expected);
        let plain = Payload::new(&subject(), &pairs(&[])).unwrap();
        assert!(!String::from_utf8_lossy(plain.bytes()).contains("annotations"));
        assert!(plain.target().same_content(subject().descriptor()));
    }

    #[test]
    fn reserved_and_empty_keys_are_refused() {
        let reserved = "io.cncf.notary.x".to_owned();
        assert_eq!(
            Payload::new(&subject(), &pairs(&[(&reserved, "1")])),
            Err(PayloadError::Reserved(reserved))
        );
        assert_eq!(
            Payload::new(&subject(), &pairs(&[("", "1")])),
            Err(PayloadError::EmptyKey)
        );
    }

    #[test]
    fn what_was_written_is_read_back() {
        let long = "x".repeat(5_000);
        let metadata = pairs(&[("build", "123"), ("long", &long)]);
        let payload = Payload::new(&subject(), &metadata).unwrap();
        let signed = SignedPayload::read(payload.bytes()).unwrap();
        assert_eq!(signed.annotations(), &metadata);
        assert_eq!(signed.check_target(subject().descriptor()), Ok(()));
        assert_eq!(signed.check_metadata(&metadata), Ok(()));
    }

    #[test]
    fn a_difference_is_named() {
        let signed =
            SignedPayload::read(Payload::new(&subject(), &pairs(&[("k", "v")])).unwrap().bytes()).unwrap();
        let mut other = subject().descriptor().clone();
        other.size += 1;
        assert_eq!(
            signed.check_target(&other).unwrap_err().to_string(),
            "expected a signature of content whose size is 89, found \"88\""
        );
        assert_eq!(
            signed
                .check_metadata(&pairs(&[("k", "V")]))
                .unwrap_err()
                .to_string(),
            r#"expected the signed metadata "k"="V", found "v""#
        );
        assert_eq!(
            signed
                .check_metadata(&pairs(&[("l", "v")]))
                .unwrap_err()
                .to_string(),
            r#"expected the signed metadata "l"="v", found no such key"#
        );
    }

    #[test]
    fn sizes_are_whole_numbers_and_members_stand_once() {
        let text = |size: &str, more: &str| {
            let digest = subject().digest().to_string();
            format!(r#"{{"targetArtifact":{{"mediaType":"a/b","digest":"{digest}","size":{size}{more}}}}}"#)
        };
        assert!(SignedPayload::read(text("88", r#","urls":[]"#).as_bytes()).is_ok());
        for size in ["88.0", "\"88\"", "-1", "8.8e1", "null"] {
            assert!(SignedPayload::read(text(size, "").as_bytes()).is_err(), "{size}");
        }
        assert!(SignedPayload::read(text("88", r#","size":88"#).as_bytes()).is_err());
        assert!(SignedPayload::read(text("88", r#","annotations":{"a":1}"#).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = SignedPayload::read(&bytes);
        }
    }
}
