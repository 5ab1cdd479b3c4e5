//! Manifests: the bytes as they were served, and a view of them.

use std::collections::BTreeMap;

use serde_json::json;

use super::descriptor::read_annotations;
use super::{Algorithm, ArtifactType, Descriptor, Digest, MediaType, Place};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::tree::{DocumentError, Object};

/// Why bytes are not the manifest they were announced as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are not a document of that kind.
    #[error("not a manifest")]
    Document(#[from] DocumentError),
    /// The announced media type is none that countersign knows.
    #[error("expected an image manifest or index (OCI or Docker version 2), found {}", quote(.0.as_str()))]
    Unsupported(MediaType),
    /// The bytes say another media type than the one announced.
    #[error("expected the media type {expected}, found {}", found.quote())]
    MediaType {
        /// As announced by the registry or the descriptor.
        expected: MediaType,
        /// As written in the manifest.
        found: Foreign,
    },
}

impl Classified for ManifestError {
    /// Unavailable: the store answered something else than a manifest, which nobody can judge.
    fn class(&self) -> Class {
        match self {
            Self::Document(_) | Self::MediaType { .. } => Class::Unavailable,
            Self::Unsupported(_) => Class::Usage,
        }
    }
}

/// A manifest: its bytes, their digest, and what they say.
///
/// The digest is always of the bytes as served; nothing is ever serialised again to be hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    bytes: Vec<u8>,
    media_type: MediaType,
    digest: Digest,
    view: ManifestView,
}

/// What a manifest's bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestView {
    /// An image manifest, or the old artifact manifest, whose blobs count as layers.
    Image(ImageManifest),
    /// An index of manifests.
    Index(Index),
}

/// An image manifest (OCI image specification 1.1, `manifest.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageManifest {
    /// What the manifest carries, if it says so.
    pub artifact_type: Option<ArtifactType>,
    /// The configuration; absent in an artifact manifest of the release candidates.
    pub config: Option<Descriptor>,
    /// The layers, or the blobs of an artifact manifest.
    pub layers: Vec<Descriptor>,
    /// The manifest this one refers to.
    pub subject: Option<Descriptor>,
    /// Free annotations.
    pub annotations: BTreeMap<String, Foreign>,
}

/// An index of manifests (OCI image specification 1.1, `image-index.md`; Docker manifest list).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The manifests in it.
    pub manifests: Vec<Descriptor>,
    /// What the index carries, if it says so.
    pub artifact_type: Option<ArtifactType>,
    /// The manifest this one refers to.
    pub subject: Option<Descriptor>,
    /// Free annotations.
    pub annotations: BTreeMap<String, Foreign>,
}

impl Manifest {
    /// Parses bytes that a store announced as a media type.
    ///
    /// # Errors
    /// [`ManifestError`] when the bytes are no manifest of that media type.
    pub fn parse(bytes: Vec<u8>, announced: &MediaType) -> Result<Self, ManifestError> {
        if !announced.is_index() && !announced.is_manifest() {
            return Err(ManifestError::Unsupported(announced.clone()));
        }
        let document = json::read(&bytes, Bounds::MANIFEST)?;
        let top = document.cursor().object()?;
        if let Some(own) = top.optional("mediaType") {
            let own = own.string()?;
            if own != announced.as_str() {
                return Err(ManifestError::MediaType {
                    expected: announced.clone(),
                    found: Foreign::new(own),
                });
            }
        }
        let view = if announced.is_index() {
            ManifestView::Index(read_index(&top)?)
        } else {
            ManifestView::Image(read_image(&top, announced)?)
        };
        Ok(Self {
            digest: Digest::of(&bytes),
            media_type: announced.clone(),
            bytes,
            view,
        })
    }

    /// Writes an OCI image manifest of our own.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use countersign::domain::oci::{Blob, ImageManifest, Manifest, ManifestView};
    ///
    /// let image = ImageManifest {
    ///     artifact_type: None,
    ///     config: Some(Blob::empty().descriptor().clone()),
    ///     layers: Vec::new(),
    ///     subject: None,
    ///     annotations: BTreeMap::new(),
    /// };
    /// let manifest = Manifest::write(image.clone());
    /// assert_eq!(manifest, Manifest::parse(manifest.bytes().to_vec(), manifest.media_type())?);
    /// # Ok::<(), countersign::domain::oci::ManifestError>(())
    /// ```
    pub fn write(image: ImageManifest) -> Self {
        let mut members = vec![
            ("schemaVersion", json!(2)),
            ("mediaType", json!(MediaType::OCI_MANIFEST)),
        ];
        members.extend(image.artifact_type.iter().map(|of| ("artifactType", json!(of))));
        members.extend(image.config.iter().map(|config| ("config", json!(config))));
        members.push(("layers", json!(image.layers)));
        members.extend(image.subject.iter().map(|subject| ("subject", json!(subject))));
        if !image.annotations.is_empty() {
            let annotations = image
                .annotations
                .iter()
                .map(|(key, value)| (key.clone(), json!(value.raw())));
            members.push((
                "annotations",
                annotations.collect::<serde_json::Map<_, _>>().into(),
            ));
        }
        let members: Vec<String> = members
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        let bytes = format!("{{{}}}", members.join(",")).into_bytes();
        Self {
            digest: Digest::of(&bytes),
            media_type: MediaType::OCI_MANIFEST,
            bytes,
            view: ManifestView::Image(image),
        }
    }

    /// The same bytes under the name that another algorithm gives them: what was asked for by such a digest is signed
    /// and listed by it too.
    #[must_use]
    pub fn named_by(self, algorithm: Algorithm) -> Self {
        if self.digest.algorithm() == algorithm {
            return self;
        }
        let digest = Digest::by(algorithm, &self.bytes);
        Self { digest, ..self }
    }

    /// The bytes as served.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The media type.
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// The digest of the bytes: by SHA-256, unless it was [named](Self::named_by) otherwise.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What the bytes say.
    pub fn view(&self) -> &ManifestView {
        &self.view
    }

    /// A descriptor of the bytes, without annotations.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            digest: self.digest.clone(),
            ..Descriptor::of(self.media_type.clone(), &self.bytes)
        }
    }

    /// The manifest this one refers to, if it is a referrer.
    pub fn subject(&self) -> Option<&Descriptor> {
        match &self.view {
            ManifestView::Image(image) => image.subject.as_ref(),
            ManifestView::Index(index) => index.subject.as_ref(),
        }
    }

    /// Its annotations.
    pub fn annotations(&self) -> &BTreeMap<String, Foreign> {
        match &self.view {
            ManifestView::Image(image) => &image.annotations,
            ManifestView::Index(index) => &index.annotations,
        }
    }

    /// What it carries, judged by the manifest alone: `artifactType`, else the media type of the config
    /// (distribution specification 1.1, "Listing Referrers").
    pub fn artifact_type(&self) -> Option<&ArtifactType> {
        match &self.view {
            ManifestView::Image(image) => image
                .artifact_type
                .as_ref()
                .or(image.config.as_ref().map(|config| &config.media_type)),
            ManifestView::Index(index) => index.artifact_type.as_ref(),
        }
    }
}

fn read_image(top: &Object<'_>, announced: &MediaType) -> Result<ImageManifest, DocumentError> {
    let artifact = *announced == MediaType::OCI_ARTIFACT;
    let layers = if artifact {
        top.optional("blobs")
    } else {
        Some(top.required("layers")?)
    };
    let config = if artifact {
        None
    } else {
        Some(Descriptor::read(&top.required("config")?)?)
    };
    Ok(ImageManifest {
        artifact_type: read_artifact_type(top)?,
        config,
        layers: layers.map_or(Ok(Vec::new()), |layers| {
            layers.array()?.iter().map(Descriptor::read).collect()
        })?,
        subject: read_subject(top)?,
        annotations: read_annotations(top)?,
    })
}

fn read_index(top: &Object<'_>) -> Result<Index, DocumentError> {
    let manifests = top.required("manifests")?;
    // Go writes an empty list as null.
    let manifests = if manifests.is_null() {
        Vec::new()
    } else {
        manifests.array()?
    };
    Ok(Index {
        manifests: manifests.iter().map(Descriptor::read).collect::<Result<_, _>>()?,
        artifact_type: read_artifact_type(top)?,
        subject: read_subject(top)?,
        annotations: read_annotations(top)?,
    })
}

/// An absent or empty `artifactType` is none; anything else has to be a media type.
fn read_artifact_type(top: &Object<'_>) -> Result<Option<ArtifactType>, DocumentError> {
    match top.optional("artifactType") {
        None => Ok(None),
        Some(text) if text.string()?.is_empty() => Ok(None),
        Some(text) => text.parse("a media type (type/subtype)").map(Some),
    }
}

fn read_subject(top: &Object<'_>) -> Result<Option<Descriptor>, DocumentError> {
    let subject = top.optional("subject").filter(|subject| !subject.is_null());
    subject.map(|subject| Descriptor::read(&subject)).transpose()
}

/// A manifest that exists: where it is, and media type, digest and size taken from its bytes.
///
/// Only [`Subject::of`] makes one, so whatever takes a `Subject` (signing, attesting, judging) can not be handed a
/// tag or a digest that nobody has looked behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    place: Place,
    descriptor: Descriptor,
}

impl Subject {
    /// The subject that a manifest's bytes make, at the place they were read from or are about to be written to.
    pub fn of(place: Place, manifest: &Manifest) -> Self {
        Self {
            place,
            descriptor: manifest.descriptor(),
        }
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Media type, digest and size.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The digest.
    pub fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }
}

impl std::fmt::Display for Subject {
    /// `place@digest`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.place, self.descriptor.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY: &str = r#"{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#;

    fn parse(text: &str, media_type: &MediaType) -> Result<Manifest, ManifestError> {
        Manifest::parse(text.as_bytes().to_vec(), media_type)
    }

    #[test]
    fn the_digest_is_of_the_bytes_as_served() {
        let compact = parse(r#"{"manifests":[]}"#, &MediaType::OCI_INDEX).unwrap();
        let spaced = parse(r#"{ "manifests": [] }"#, &MediaType::OCI_INDEX).unwrap();
        assert_eq!(compact.view(), spaced.view());
        assert_ne!(compact.digest(), spaced.digest());
    }

    #[test]
    fn another_media_type_inside_is_refused() {
        let text = r#"{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        assert!(matches!(
            parse(text, &MediaType::DOCKER_LIST),
            Err(ManifestError::MediaType { expected, .. }) if expected == MediaType::DOCKER_LIST
        ));
        assert!(matches!(
            parse(text, &MediaType::JWS),
            Err(ManifestError::Unsupported(_))
        ));
    }

    #[test]
    fn the_artifact_type_falls_back_to_the_config() {
        let text = format!(r#"{{"config":{EMPTY},"layers":[],"subject":null}}"#);
        let manifest = parse(&text, &MediaType::OCI_MANIFEST).unwrap();
        assert_eq!(manifest.artifact_type(), Some(&MediaType::EMPTY));
        assert_eq!(manifest.subject(), None);
        let text = format!(r#"{{"artifactType":"a/b","config":{EMPTY},"layers":[]}}"#);
        let manifest = parse(&text, &MediaType::OCI_MANIFEST).unwrap();
        assert_eq!(manifest.artifact_type().unwrap().as_str(), "a/b");
    }

    #[test]
    fn errors_name_the_member() {
        let error = parse(r#"{"config":{},"layers":[]}"#, &MediaType::OCI_MANIFEST).unwrap_err();
        let ManifestError::Document(error) = error else {
            panic!("{error:?}")
        };
        assert_eq!(
            error.to_string(),
            "config, line 1, column 11: expected an object with the member \"mediaType\", found an empty object"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Manifest::parse(bytes.clone(), &MediaType::OCI_INDEX);
            let _ = Manifest::parse(bytes, &MediaType::OCI_MANIFEST);
        }
    }
}
