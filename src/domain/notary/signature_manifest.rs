//! Signature manifests: reading every form that is out there, writing one (Notary signature specification,
//! "Storage").
//!
//! We write the form of version 1.0 of the specification, with the signature's type as that of the config and no
//! `artifactType`: every known consumer reads it, and it survives registries that drop `artifactType`.

use std::collections::BTreeMap;

use serde_json::json;

use super::envelope::{EnvelopeFormat, IntactEnvelope};
use super::seal::SealedEnvelope;
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::limits::ENVELOPE_BYTES;
use crate::domain::oci::{Algorithm, Blob, Descriptor, ImageManifest, Manifest, ManifestView, MediaType};

/// The annotation that lists the SHA-256 thumbprints of the chain, leaf first; unsigned, so never a reason to accept.
pub const THUMBPRINTS: &str = "io.cncf.notary.x509chain.thumbprint#S256";

/// When the signature was made (OCI image specification 1.1, `annotations.md`).
pub const CREATED: &str = "org.opencontainers.image.created";

/// Why a manifest does not lead to an envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureManifestError {
    /// The manifest carries something else.
    #[error("expected a Notary Project signature, found {}", found.quote())]
    NotASignature {
        /// What it carries instead, and in what kind of manifest.
        found: Foreign,
    },
    /// The signature belongs to other content.
    #[error("expected a signature of {expected}, found one of {found}")]
    Subject {
        /// The digest, media type and size asked for.
        expected: String,
        /// As the manifest says.
        found: String,
    },
    /// Not exactly one layer.
    #[error("expected exactly one layer, found {found}")]
    Layers {
        /// How many.
        found: usize,
    },
    /// An envelope type that does not exist.
    #[error("expected an envelope of type {} or {}, found {}", MediaType::JWS, MediaType::COSE, quote(.0.as_str()))]
    Format(MediaType),
    /// An envelope larger than any real one.
    #[error("expected an envelope of at most {limit} bytes, found {found}")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
        /// Bytes announced.
        found: u64,
    },
    /// A digest by an algorithm that registries do not serve.
    #[error("expected an envelope named by sha256 or sha512, found {}", .0.name())]
    Algorithm(Algorithm),
}

impl Classified for SignatureManifestError {
    fn class(&self) -> Class {
        Class::Rejected
    }
}

/// Whether an entry of a referrers list may be a signature: an image or artifact manifest whose type says so or says
/// nothing. Types in lists get lost on copies between registries, so only the manifest itself decides.
pub fn may_be_signature(listed: &Descriptor) -> bool {
    let manifest =
        listed.media_type == MediaType::OCI_MANIFEST || listed.media_type == MediaType::OCI_ARTIFACT;
    let silent = |of: &MediaType| *of == MediaType::NOTARY_SIGNATURE || *of == MediaType::EMPTY;
    manifest && listed.artifact_type.as_ref().is_none_or(silent)
}

/// Whether a manifest is a Notary Project signature in any of its forms: `artifactType` with an empty config, the type
/// of the config without `artifactType`, or the artifact manifest of OCI's release candidates.
pub fn is_signature(manifest: &Manifest) -> bool {
    let ManifestView::Image(image) = manifest.view() else {
        return false;
    };
    let config = image.config.as_ref().map(|config| &config.media_type);
    match (&image.artifact_type, config) {
        (Some(of), Some(config)) if *manifest.media_type() == MediaType::OCI_MANIFEST => {
            *of == MediaType::NOTARY_SIGNATURE && *config == MediaType::EMPTY
        }
        (None, Some(config)) if *manifest.media_type() == MediaType::OCI_MANIFEST => {
            *config == MediaType::NOTARY_SIGNATURE
        }
        (Some(of), None) if *manifest.media_type() == MediaType::OCI_ARTIFACT => {
            *of == MediaType::NOTARY_SIGNATURE
        }
        _ => false,
    }
}

/// The envelope that a signature manifest of this subject holds.
///
/// # Errors
/// [`SignatureManifestError`] for anything but a signature of exactly this subject with exactly one envelope.
pub fn envelope_of(
    manifest: &Manifest,
    subject: &Descriptor,
) -> Result<(Descriptor, EnvelopeFormat), SignatureManifestError> {
    let envelope = single_envelope(manifest)?;
    match manifest.subject() {
        Some(found) if found.same_content(subject) => Ok(envelope),
        found => Err(SignatureManifestError::Subject {
            expected: content(subject),
            found: found.map_or_else(|| "nothing".to_owned(), content),
        }),
    }
}

/// The envelope that a signature manifest holds, whatever its subject.
///
/// # Errors
/// [`SignatureManifestError`] for anything but a signature with exactly one envelope.
pub fn single_envelope(manifest: &Manifest) -> Result<(Descriptor, EnvelopeFormat), SignatureManifestError> {
    let ManifestView::Image(image) = manifest.view() else {
        return Err(not_a_signature(manifest));
    };
    if !is_signature(manifest) {
        return Err(not_a_signature(manifest));
    }
    let [layer] = image.layers.as_slice() else {
        return Err(SignatureManifestError::Layers {
            found: image.layers.len(),
        });
    };
    let format = EnvelopeFormat::of(&layer.media_type)
        .ok_or_else(|| SignatureManifestError::Format(layer.media_type.clone()))?;
    if layer.size > ENVELOPE_BYTES as u64 {
        return Err(SignatureManifestError::TooLarge {
            limit: ENVELOPE_BYTES,
            found: layer.size,
        });
    }
    // OCI image specification 1.1, `descriptor.md`, registers these two.
    match layer.digest.algorithm() {
        Algorithm::Sha256 | Algorithm::Sha512 => Ok((layer.clone(), format)),
        other @ Algorithm::Sha384 => Err(SignatureManifestError::Algorithm(other)),
    }
}

fn not_a_signature(manifest: &Manifest) -> SignatureManifestError {
    let carried = manifest
        .artifact_type()
        .map_or("no artifact type", MediaType::as_str);
    SignatureManifestError::NotASignature {
        found: Foreign::new(format!("{carried} in {}", manifest.media_type())),
    }
}

fn content(of: &Descriptor) -> String {
    format!(
        "{} ({} bytes, {})",
        of.digest,
        of.size,
        quote(of.media_type.as_str())
    )
}

/// Writes the signature manifest of a sealed envelope, and lists the blobs that have to be stored before it: the
/// envelope, and the empty config.
///
/// `extra_annotations` are the signer's; the two that every signature has overwrite them.
pub fn write(
    sealed: &SealedEnvelope,
    subject: &Descriptor,
    extra_annotations: &BTreeMap<String, String>,
) -> (Manifest, Vec<Blob>) {
    let envelope = sealed.envelope();
    let layer = Blob::new(envelope.format().media_type(), envelope.bytes().to_vec());
    let config = Blob::new(MediaType::NOTARY_SIGNATURE, b"{}".to_vec());
    let mut annotations: BTreeMap<String, Foreign> = extra_annotations
        .iter()
        .map(|(key, value)| (key.clone(), Foreign::new(value)))
        .collect();
    annotations.extend(own_annotations(sealed.intact()));
    let manifest = Manifest::write(ImageManifest {
        artifact_type: None,
        config: Some(config.descriptor().clone()),
        layers: vec![layer.descriptor().clone()],
        subject: Some(Descriptor {
            artifact_type: None,
            annotations: BTreeMap::new(),
            platform: None,
            ..subject.clone()
        }),
        annotations,
    });
    (manifest, vec![layer, config])
}

fn own_annotations(intact: &IntactEnvelope) -> [(String, Foreign); 2] {
    let chain = intact.chain().certificates();
    let thumbprints: Vec<String> = chain
        .iter()
        .map(|certificate| certificate.thumbprint().to_string())
        .collect();
    [
        (
            THUMBPRINTS.to_owned(),
            Foreign::new(json!(thumbprints).to_string()),
        ),
        (
            CREATED.to_owned(),
            Foreign::new(intact.attributes().time().to_string()),
        ),
    ]
}
