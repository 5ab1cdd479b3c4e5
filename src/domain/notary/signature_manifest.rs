//! Signature manifests: reading every form that is out there, writing one (Notary signature specification,
//! "Storage").
//!
//! We write the form of version 1.0 of the specification, with the signature's type as that of the config and no
//! `artifactType`: every known consumer reads it, and it survives registries that drop `artifactType`.

use std::collections::BTreeMap;

use super::envelope::{EnvelopeFormat, IntactEnvelope};
use super::seal::SealedEnvelope;
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::json;
use crate::base::limits::{Bounds, ENVELOPE_BYTES};
use crate::base::tree::{DocumentError, Object};
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
    let artifact_type = image.artifact_type.as_ref().map(MediaType::as_str);
    let config = image.config.as_ref().map(|config| config.media_type.as_str());
    is_form_of_signature(manifest.media_type(), artifact_type, config)
}

/// Whether bytes that a store serves as a manifest claim to be a signature of this subject.
///
/// Asks for nothing but the types and the subject, so that a broken signature manifest counts as a signature that
/// fails, not as something else.
///
/// # Errors
/// [`DocumentError`] when the bytes are not JSON, or a member that is asked for has another shape.
pub fn claims_to_sign(
    bytes: &[u8],
    announced: &MediaType,
    subject: &Descriptor,
) -> Result<bool, DocumentError> {
    let document = json::read(bytes, Bounds::MANIFEST)?;
    let top = document.cursor().object()?;
    let present = |object: &Object<'_>, name: &str| {
        let text = object.optional(name).map(|text| text.string()).transpose()?;
        Ok::<_, DocumentError>(text.filter(|text| !text.is_empty()).map(str::to_owned))
    };
    let artifact_type = present(&top, "artifactType")?;
    let config = match top.optional("config") {
        None => None,
        Some(config) => present(&config.object()?, "mediaType")?,
    };
    let about = match top.optional("subject").filter(|subject| !subject.is_null()) {
        None => return Ok(false),
        Some(about) => Descriptor::read(&about)?,
    };
    let form = is_form_of_signature(announced, artifact_type.as_deref(), config.as_deref());
    Ok(form && about.same_content(subject))
}

/// The three forms, by the media type of the manifest, its `artifactType`, and the type of its config.
fn is_form_of_signature(manifest: &MediaType, artifact_type: Option<&str>, config: Option<&str>) -> bool {
    let signature = MediaType::NOTARY_SIGNATURE;
    if *manifest == MediaType::OCI_ARTIFACT {
        return artifact_type == Some(signature.as_str());
    }
    *manifest == MediaType::OCI_MANIFEST
        && match artifact_type {
            Some(of) => of == signature.as_str() && config == Some(MediaType::EMPTY.as_str()),
            None => config == Some(signature.as_str()),
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
            Foreign::new(serde_json::json!(thumbprints).to_string()),
        ),
        (
            CREATED.to_owned(),
            Foreign::new(intact.attributes().time().to_string()),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::seal::Expected;
    use super::super::testing::{envelope, payload, sign, subject, x509_header};
    use super::*;
    use crate::domain::oci::Digest;
    use crate::domain::x509::testing::chain;

    const EMPTY_DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    fn sealed() -> SealedEnvelope {
        let issued = chain();
        let jws = sign(&issued, &x509_header().to_string(), payload().bytes());
        let expected = Expected::LocalKey {
            leaf: issued.certificates[0].thumbprint(),
        };
        SealedEnvelope::seal(envelope(&jws), &payload(), &expected).unwrap()
    }

    /// A manifest with these members besides layers and subject.
    fn manifest(media_type: &MediaType, members: &str) -> Manifest {
        let subject = serde_json::json!(subject().descriptor());
        let layer = format!(r#"{{"mediaType":"application/jose+json","digest":"{EMPTY_DIGEST}","size":2}}"#);
        let text = format!(
            r#"{{"schemaVersion":2,{members},"layers":[{layer}],"blobs":[{layer}],"subject":{subject}}}"#
        );
        Manifest::parse(text.into_bytes(), media_type).unwrap()
    }

    fn config(media_type: &str) -> String {
        format!(r#""config":{{"mediaType":"{media_type}","digest":"{EMPTY_DIGEST}","size":2}}"#)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let sealed = sealed();
        let extra = BTreeMap::from([
            ("signingJobArn".to_owned(), "arn:x".to_owned()),
            (CREATED.to_owned(), "never".to_owned()),
        ]);
        let mut target = subject().descriptor().clone();
        target.annotations.insert("a".to_owned(), Foreign::new("b"));
        let (manifest, blobs) = write(&sealed, &target, &extra);
        let parsed = Manifest::parse(manifest.bytes().to_vec(), &MediaType::OCI_MANIFEST).unwrap();
        assert_eq!(parsed, manifest);
        assert!(is_signature(&manifest));
        let (layer, format) = envelope_of(&manifest, subject().descriptor()).unwrap();
        assert_eq!((&layer, format), (blobs[0].descriptor(), EnvelopeFormat::Jws));
        assert_eq!(blobs[0].bytes(), sealed.envelope().bytes());
        assert_eq!(blobs[1].bytes(), b"{}");
        let text = String::from_utf8(manifest.bytes().to_vec()).unwrap();
        assert!(
            !text.contains("artifactType") && !text.contains("\"a\""),
            "{text}"
        );
        let ManifestView::Image(image) = manifest.view() else {
            panic!("an image")
        };
        assert_eq!(
            image.config.as_ref().unwrap().media_type,
            MediaType::NOTARY_SIGNATURE
        );
        assert_eq!(image.config.as_ref().unwrap().digest.to_string(), EMPTY_DIGEST);
        let annotations = manifest.annotations();
        assert_eq!(annotations[CREATED].raw(), "2025-03-01T12:00:00Z");
        assert_eq!(annotations["signingJobArn"].raw(), "arn:x");
        let thumbprints: Vec<String> = serde_json::from_str(annotations[THUMBPRINTS].raw()).unwrap();
        let certificates = sealed.intact().chain().certificates();
        assert_eq!(thumbprints[0], Digest::of(certificates[0].der()).hex());
        assert_eq!(thumbprints.len(), 3);
    }

    #[test]
    fn the_three_forms_are_signatures_and_their_mixtures_are_not() {
        let (signature, empty) = (MediaType::NOTARY_SIGNATURE, MediaType::EMPTY);
        let typed = |of: &MediaType| format!(r#""artifactType":"{of}""#);
        let image = &MediaType::OCI_MANIFEST;
        let cases = [
            (
                image,
                format!("{},{}", typed(&signature), config(empty.as_str())),
                true,
            ),
            (image, config(signature.as_str()), true),
            (&MediaType::OCI_ARTIFACT, typed(&signature), true),
            (
                image,
                format!("{},{}", typed(&signature), config(signature.as_str())),
                false,
            ),
            (
                image,
                format!("{},{}", typed(&empty), config(signature.as_str())),
                false,
            ),
            (image, config(empty.as_str()), false),
            (&MediaType::DOCKER_MANIFEST, config(signature.as_str()), false),
            (&MediaType::OCI_ARTIFACT, typed(&empty), false),
        ];
        for (media_type, members, expected) in cases {
            let manifest = manifest(media_type, &members);
            assert_eq!(is_signature(&manifest), expected, "{media_type} {members}");
            let claims = claims_to_sign(manifest.bytes(), media_type, subject().descriptor());
            assert_eq!(claims, Ok(expected), "{media_type} {members}");
            assert_eq!(envelope_of(&manifest, subject().descriptor()).is_ok(), expected);
        }
    }

    #[test]
    fn other_subjects_layers_and_types_are_named() {
        let text = String::from_utf8(
            write(&sealed(), subject().descriptor(), &BTreeMap::new())
                .0
                .bytes()
                .to_vec(),
        );
        let text = text.unwrap();
        let error = |text: &str| {
            let manifest = Manifest::parse(text.as_bytes().to_vec(), &MediaType::OCI_MANIFEST).unwrap();
            envelope_of(&manifest, subject().descriptor()).unwrap_err()
        };
        let other = text.replace("\"size\":88", "\"size\":89");
        assert!(matches!(error(&other), SignatureManifestError::Subject { .. }));
        let start = text.find("\"layers\":[").unwrap() + 10;
        let end = start + text[start..].find(']').unwrap();
        let layer = &text[start..end];
        let with_layers = |layers: &str| text.replace(layer, layers);
        assert_eq!(
            error(&with_layers("")),
            SignatureManifestError::Layers { found: 0 }
        );
        assert_eq!(
            error(&with_layers(&format!("{layer},{layer}"))),
            SignatureManifestError::Layers { found: 2 }
        );
        assert_eq!(
            error(&with_layers(&layer.replace("jose+json", "dsse+json"))),
            SignatureManifestError::Format("application/dsse+json".parse().unwrap())
        );
        let size = layer.split("\"size\":").nth(1).unwrap().trim_end_matches('}');
        assert_eq!(
            error(&with_layers(&layer.replace(size, "1048577"))),
            SignatureManifestError::TooLarge {
                limit: 1_048_576,
                found: 1_048_577
            }
        );
        let digest = layer.split('"').find(|part| part.starts_with("sha256:")).unwrap();
        assert_eq!(
            error(&with_layers(
                &layer.replace(digest, &format!("sha384:{}", "0".repeat(96)))
            )),
            SignatureManifestError::Algorithm(Algorithm::Sha384)
        );
    }

    #[test]
    fn listed_types_are_a_reason_to_look_not_to_believe() {
        let listed = |media_type: MediaType, artifact_type: Option<MediaType>| Descriptor {
            artifact_type,
            ..Descriptor::of(media_type, b"")
        };
        for silent in [None, Some(MediaType::EMPTY), Some(MediaType::NOTARY_SIGNATURE)] {
            assert!(
                may_be_signature(&listed(MediaType::OCI_MANIFEST, silent.clone())),
                "{silent:?}"
            );
            assert!(!may_be_signature(&listed(MediaType::OCI_INDEX, silent)));
        }
        assert!(!may_be_signature(&listed(
            MediaType::OCI_MANIFEST,
            Some(MediaType::PROVENANCE)
        )));
    }
}
