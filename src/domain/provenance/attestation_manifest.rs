//! The manifest that carries an attestation as a referrer of its image (OCI image specification 1.1, `manifest.md`,
//! "Guidelines for Artifact Usage").
//!
//! The layout is the one that most readers understand: a distinct artifact type per kind of predicate, the empty
//! config, exactly one uncompressed layer with the document, and a full subject descriptor.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Kind, to_json};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::limits::STATEMENT_BYTES;
use crate::base::time::Timestamp;
use crate::domain::oci::{
    ArtifactType, Blob, Descriptor, Digest, Manifest, ManifestError, ManifestView, MediaType,
};

/// When the artifact was made (OCI image specification 1.1, `annotations.md`); some readers demand it.
pub const CREATED: &str = "org.opencontainers.image.created";

/// A name for people (OCI image specification 1.1, `annotations.md`).
pub const TITLE: &str = "org.opencontainers.image.title";

/// The predicate type of the document, under the name that `BuildKit` gave it.
pub const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";

/// Why a manifest carries no attestation of an image, or cannot be made to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestationManifestError {
    /// An index has no document.
    #[error("expected an image manifest, found an index")]
    Index,
    /// Not exactly one document.
    #[error("expected exactly one layer, found {0}")]
    Layers(usize),
    /// Bigger than readers accept.
    #[error("expected a document of at most {STATEMENT_BYTES} bytes, found {0}")]
    TooLarge(u64),
    /// It is about something else.
    #[error("expected the subject {expected}, found {}", found.as_ref().map_or_else(|| "none".to_owned(), Digest::to_string))]
    Subject {
        /// The image's digest.
        expected: Digest,
        /// What it refers to.
        found: Option<Digest>,
    },
    /// Same digest, but media type or size differ.
    #[error("expected the subject's media type {expected} and its size, found {} of {size} bytes", quote(found.as_str()))]
    SubjectShape {
        /// The image's media type.
        expected: MediaType,
        /// The media type it states.
        found: MediaType,
        /// The size in bytes it states.
        size: u64,
    },
    /// The document is not of a type that readers would open for this artifact type.
    #[error("expected a layer of type {expected}, found {}", quote(found.as_str()))]
    LayerType {
        /// The types that fit.
        expected: String,
        /// The layer's.
        found: MediaType,
    },
    /// What was to be written is no manifest.
    #[error("could not write the attestation's manifest")]
    Unwritable(#[from] ManifestError),
}

impl Classified for AttestationManifestError {
    fn class(&self) -> Class {
        match self {
            Self::Unwritable(_) => Class::Internal,
            _ => Class::Rejected,
        }
    }
}

/// What is to be attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// What the manifest will say it carries; one per kind of predicate.
    pub artifact_type: ArtifactType,
    /// What the document is: `application/vnd.in-toto+json` for a Statement, else the artifact type.
    pub layer_type: MediaType,
    /// The predicate's type URI.
    pub predicate_type: String,
    /// The document.
    pub bytes: Vec<u8>,
}

impl Attachment {
    /// A document of a kind, in the form that the kind is stored in.
    pub fn of(kind: Kind, bytes: Vec<u8>) -> Self {
        Self {
            artifact_type: kind.artifact_type(),
            layer_type: kind.layer_type(),
            predicate_type: kind.predicate_type().to_owned(),
            bytes,
        }
    }
}

/// The manifest for an attachment, and the blobs it needs, the document first.
///
/// Of the subject only media type, digest and size are written, so that the bytes do not depend on where the
/// descriptor was found.
///
/// # Errors
/// [`AttestationManifestError::TooLarge`], and the errors that [`document_of`] would have when reading it back.
pub fn write(
    what: &Attachment,
    subject: &Descriptor,
    created: Timestamp,
) -> Result<(Manifest, Vec<Blob>), AttestationManifestError> {
    let document = Blob::new(what.layer_type.clone(), what.bytes.clone());
    let empty = Blob::empty();
    let bytes = to_json(&Written {
        schema_version: 2,
        media_type: MediaType::OCI_MANIFEST,
        artifact_type: &what.artifact_type,
        config: empty.descriptor(),
        layers: [document.descriptor()],
        subject: plain(subject),
        annotations: BTreeMap::from([
            (CREATED, created.whole().to_string()),
            (PREDICATE_TYPE, what.predicate_type.clone()),
            (TITLE, title(&what.predicate_type).to_owned()),
        ]),
    });
    let manifest = Manifest::parse(bytes, &MediaType::OCI_MANIFEST)?;
    document_of(&manifest, subject)?;
    Ok((manifest, vec![document, empty]))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    schema_version: u8,
    media_type: MediaType,
    artifact_type: &'a ArtifactType,
    config: &'a Descriptor,
    layers: [&'a Descriptor; 1],
    subject: Descriptor,
    annotations: BTreeMap<&'static str, String>,
}

/// Media type, digest and size alone.
fn plain(subject: &Descriptor) -> Descriptor {
    Descriptor {
        artifact_type: None,
        annotations: BTreeMap::new(),
        platform: None,
        ..subject.clone()
    }
}

/// A file name for the document.
fn title(predicate_type: &str) -> &'static str {
    Kind::of_predicate_type(predicate_type).map_or("attestation.json", Kind::title)
}

/// Whether the one document of a manifest is a Statement, by the type of its layer.
pub fn is_statement(manifest: &Manifest) -> bool {
    match manifest.view() {
        ManifestView::Image(image) => {
            matches!(image.layers.as_slice(), [layer] if layer.media_type == MediaType::IN_TOTO)
        }
        ManifestView::Index(_) => false,
    }
}

/// The single document of an attestation about `subject`.
///
/// # Errors
/// [`AttestationManifestError`] for an index, for none or several layers, for a document over 10,000,000 bytes, for
/// another subject, and for a layer that readers of this artifact type would not open.
pub fn document_of(
    manifest: &Manifest,
    subject: &Descriptor,
) -> Result<Descriptor, AttestationManifestError> {
    let ManifestView::Image(image) = manifest.view() else {
        return Err(AttestationManifestError::Index);
    };
    check_subject(image.subject.as_ref(), subject)?;
    let [layer] = image.layers.as_slice() else {
        return Err(AttestationManifestError::Layers(image.layers.len()));
    };
    if layer.size > STATEMENT_BYTES as u64 {
        return Err(AttestationManifestError::TooLarge(layer.size));
    }
    check_layer_type(manifest.artifact_type(), &layer.media_type)?;
    Ok(layer.clone())
}

fn check_subject(found: Option<&Descriptor>, expected: &Descriptor) -> Result<(), AttestationManifestError> {
    match found {
        Some(found) if found.same_content(expected) => Ok(()),
        Some(found) if found.digest == expected.digest => Err(AttestationManifestError::SubjectShape {
            expected: expected.media_type.clone(),
            found: found.media_type.clone(),
            size: found.size,
        }),
        other => Err(AttestationManifestError::Subject {
            expected: expected.digest.clone(),
            found: other.map(|found| found.digest.clone()),
        }),
    }
}

/// A Statement fits every artifact type; a raw document only the type it is named after, and never one that promises
/// a Statement.
fn check_layer_type(
    artifact_type: Option<&ArtifactType>,
    layer: &MediaType,
) -> Result<(), AttestationManifestError> {
    let raw = artifact_type.filter(|own| !own.as_str().starts_with("application/vnd.in-toto"));
    if *layer == MediaType::IN_TOTO || raw == Some(layer) {
        return Ok(());
    }
    let mut expected = MediaType::IN_TOTO.to_string();
    if let Some(raw) = raw {
        expected = format!("{expected} or {}", quote(raw.as_str()));
    }
    Err(AttestationManifestError::LayerType {
        expected,
        found: layer.clone(),
    })
}

impl AttestationManifestError {
    /// What was found, where it is a digest or a type; for reports.
    pub fn found(&self) -> Option<Foreign> {
        match self {
            Self::Layers(count) => Some(Foreign::new(format!("{count} layers"))),
            Self::TooLarge(size) => Some(Foreign::new(format!("{size} bytes"))),
            Self::Subject { found, .. } => found.as_ref().map(|digest| Foreign::new(digest.to_string())),
            Self::SubjectShape { found, .. } | Self::LayerType { found, .. } => {
                Some(Foreign::new(found.as_str()))
            }
            Self::Index | Self::Unwritable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oci::Platform;
    use proptest::prelude::*;

    fn subject() -> Descriptor {
        Descriptor::of(MediaType::OCI_INDEX, b"the index")
    }

    fn written() -> Manifest {
        let attachment = Attachment::of(Kind::Provenance, b"{}".to_vec());
        write(&attachment, &subject(), Timestamp::from_unix(0)).unwrap().0
    }

    /// The written manifest with one text replaced, parsed again.
    fn changed(from: &str, to: &str) -> Manifest {
        let text = String::from_utf8(written().bytes().to_vec()).unwrap();
        assert!(text.contains(from), "{text}");
        Manifest::parse(text.replacen(from, to, 1).into_bytes(), &MediaType::OCI_MANIFEST).unwrap()
    }

    #[test]
    fn the_bytes_are_these_and_no_others() {
        let digest = subject().digest;
        assert_eq!(
            String::from_utf8(written().bytes().to_vec()).unwrap(),
            format!(
                "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\
                 \"artifactType\":\"application/vnd.in-toto.provenance+json\",\
                 \"config\":{{\"mediaType\":\"application/vnd.oci.empty.v1+json\",\
                 \"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2}},\
                 \"layers\":[{{\"mediaType\":\"application/vnd.in-toto+json\",\
                 \"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2}}],\
                 \"subject\":{{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\
                 \"digest\":\"{digest}\",\"size\":9}},\
                 \"annotations\":{{\"in-toto.io/predicate-type\":\"https://slsa.dev/provenance/v1\",\
                 \"org.opencontainers.image.created\":\"1970-01-01T00:00:00Z\",\
                 \"org.opencontainers.image.title\":\"provenance.intoto.json\"}}}}"
            )
        );
    }

    #[test]
    fn where_the_descriptor_was_found_does_not_change_the_bytes() {
        let listed = Descriptor {
            artifact_type: Some(MediaType::OCI_CONFIG),
            annotations: BTreeMap::from([("a".to_owned(), Foreign::new("b"))]),
            platform: Some(Platform {
                os: Foreign::new("linux"),
                architecture: Foreign::new("amd64"),
                variant: None,
            }),
            ..subject()
        };
        let attachment = Attachment::of(Kind::Provenance, b"{}".to_vec());
        let (manifest, blobs) = write(&attachment, &listed, Timestamp::from_unix(0)).unwrap();
        assert_eq!(manifest, written());
        let types: Vec<_> = blobs.iter().map(|blob| &blob.descriptor().media_type).collect();
        assert_eq!(types, [&MediaType::IN_TOTO, &MediaType::EMPTY]);
    }

    #[test]
    fn the_document_is_found_again() {
        let document = document_of(&written(), &subject()).unwrap();
        assert!(document.same_content(&Descriptor::of(MediaType::IN_TOTO, b"{}")));
    }

    #[test]
    fn another_subject_is_refused() {
        let other = Descriptor::of(MediaType::OCI_INDEX, b"another");
        let found = Some(subject().digest);
        let expected = other.digest.clone();
        assert_eq!(
            document_of(&written(), &other),
            Err(AttestationManifestError::Subject { expected, found })
        );
        let grown = Descriptor {
            size: 10,
            ..subject()
        };
        assert!(matches!(
            document_of(&written(), &grown),
            Err(AttestationManifestError::SubjectShape { size: 9, .. })
        ));
        assert!(matches!(
            document_of(&changed("\"subject\"", "\"other\""), &subject()),
            Err(AttestationManifestError::Subject { found: None, .. })
        ));
    }

    #[test]
    fn none_or_two_layers_are_refused() {
        let layer = "{\"mediaType\":\"application/vnd.in-toto+json\",\
            \"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2}";
        let none = changed(layer, "");
        let two = changed(layer, &format!("{layer},{layer}"));
        assert_eq!(
            document_of(&none, &subject()),
            Err(AttestationManifestError::Layers(0))
        );
        assert_eq!(
            document_of(&two, &subject()),
            Err(AttestationManifestError::Layers(2))
        );
    }

    #[test]
    fn a_document_over_ten_megabytes_is_refused_both_ways() {
        let large = Attachment::of(Kind::Provenance, vec![b' '; STATEMENT_BYTES + 1]);
        let error = write(&large, &subject(), Timestamp::from_unix(0)).unwrap_err();
        assert_eq!(error, AttestationManifestError::TooLarge(10_000_001));
        let manifest = changed("\"size\":2}],", "\"size\":10000001}],");
        assert_eq!(document_of(&manifest, &subject()), Err(error));
    }

    #[test]
    fn the_layer_must_fit_the_artifact_type() {
        let layer = changed("application/vnd.in-toto+json", "application/json");
        assert_eq!(
            document_of(&layer, &subject()).unwrap_err().to_string(),
            "expected a layer of type application/vnd.in-toto+json, found \"application/json\""
        );
        let sbom = Attachment {
            artifact_type: "application/spdx+json".parse().unwrap(),
            layer_type: "application/spdx+json".parse().unwrap(),
            predicate_type: "https://spdx.dev/Document".to_owned(),
            bytes: b"{}".to_vec(),
        };
        assert!(write(&sbom, &subject(), Timestamp::from_unix(0)).is_ok());
        let wrong = Attachment {
            layer_type: MediaType::OCI_LAYER,
            ..sbom
        };
        assert_eq!(
            write(&wrong, &subject(), Timestamp::from_unix(0))
                .unwrap_err()
                .to_string(),
            "expected a layer of type application/vnd.in-toto+json or \"application/spdx+json\", \
             found \"application/vnd.oci.image.layer.v1.tar\""
        );
    }

    #[test]
    fn an_index_carries_no_document() {
        let index = Manifest::parse(br#"{"manifests":[]}"#.to_vec(), &MediaType::OCI_INDEX).unwrap();
        assert_eq!(
            document_of(&index, &subject()),
            Err(AttestationManifestError::Index)
        );
    }

    proptest! {
        #[test]
        fn no_manifest_of_another_document_is_mistaken_for_ours(at in any::<usize>(), bit in 0u8..8) {
            let mut bytes = written().bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(manifest) = Manifest::parse(bytes, &MediaType::OCI_MANIFEST) {
                let good = written();
                prop_assert_ne!(manifest.digest(), good.digest());
                let _ = document_of(&manifest, &subject());
            }
        }
    }
}
