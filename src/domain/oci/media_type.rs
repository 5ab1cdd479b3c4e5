//! Media types and artifact types (RFC 6838; OCI image specification 1.1, `media-types.md`).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::base::foreign::Foreign;

/// Why a text is not a media type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a media type (type/subtype, no parameters), found {}", .0.quote())]
pub struct MediaTypeError(pub Foreign);

/// A media type without parameters; registries refuse those with (ECR answers 405, `UNSUPPORTED`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(Cow<'static, str>);

/// What a manifest says it carries; the same grammar as a media type, another meaning.
pub type ArtifactType = MediaType;

macro_rules! known {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl MediaType {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed($text));)*
        }
    };
}

known! {
    /// An OCI image manifest (image specification, `manifest.md`).
    OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index (image specification, `image-index.md`).
    OCI_INDEX = "application/vnd.oci.image.index.v1+json";
    /// A Docker image manifest, version 2, schema 2 (distribution, `manifest-v2-2.md`).
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list (distribution, `manifest-v2-2.md`).
    DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// The artifact manifest of the release candidates of OCI 1.1, which old signatures use.
    OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json";
    /// The empty JSON object as config (image specification, `manifest.md`, "Guidance for an empty descriptor").
    EMPTY = "application/vnd.oci.empty.v1+json";
    /// An OCI image configuration.
    OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
    /// An uncompressed OCI layer.
    OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
    /// A Notary Project signature (`signature-specification.md`, "Storage").
    NOTARY_SIGNATURE = "application/vnd.cncf.notary.signature";
    /// The payload that Notary Project envelopes sign (`signature-specification.md`, "Payload").
    NOTARY_PAYLOAD = "application/vnd.cncf.notary.payload.v1+json";
    /// A JWS envelope (`signature-envelope-jws.md`).
    JWS = "application/jose+json";
    /// A COSE envelope (`signature-envelope-cose.md`).
    COSE = "application/cose";
    /// An in-toto Statement (in-toto attestation, `spec/v1/envelope.md`).
    IN_TOTO = "application/vnd.in-toto+json";
    /// Our artifact type for SLSA provenance; one type per predicate kind, since admission controllers match on it.
    PROVENANCE = "application/vnd.in-toto.provenance+json";
    /// Our artifact type for `BuildKit`'s own provenance: another, so that nobody who selects by it takes that for ours.
    BUILDKIT_PROVENANCE = "application/vnd.in-toto.buildkit-provenance+json";
    /// SPDX as JSON (IANA media types).
    SPDX = "application/spdx+json";
    /// `CycloneDX` as JSON (IANA media types).
    CYCLONEDX = "application/vnd.cyclonedx+json";
    /// SARIF as JSON (IANA media types).
    SARIF = "application/sarif+json";
    /// Our artifact type for Statements with `OpenVEX`; as [`MediaType::PROVENANCE`], also the three below.
    VEX = "application/vnd.in-toto.openvex+json";
    /// Our artifact type for Statements with in-toto's vulnerabilities predicate.
    VULNS = "application/vnd.in-toto.vulns+json";
    /// Our artifact type for Statements with in-toto's test result predicate.
    TEST_RESULT = "application/vnd.in-toto.test-result+json";
    /// Our artifact type for Statements with SLSA's verification summary.
    VSA = "application/vnd.in-toto.vsa+json";
}

impl MediaType {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Every kind of manifest and index that can be read.
    pub const MANIFESTS: [Self; 5] = [
        Self::OCI_INDEX,
        Self::OCI_MANIFEST,
        Self::DOCKER_LIST,
        Self::DOCKER_MANIFEST,
        Self::OCI_ARTIFACT,
    ];

    /// Whether this is an index: an OCI image index or a Docker manifest list.
    pub fn is_index(&self) -> bool {
        *self == Self::OCI_INDEX || *self == Self::DOCKER_LIST
    }

    /// Whether this is a manifest that names layers: OCI image, Docker image, or the old OCI artifact.
    pub fn is_manifest(&self) -> bool {
        *self == Self::OCI_MANIFEST || *self == Self::DOCKER_MANIFEST || *self == Self::OCI_ARTIFACT
    }
}

/// RFC 6838, 4.2: the characters of a restricted name.
fn is_restricted_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 127
        && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    fn from_str(text: &str) -> Result<Self, MediaTypeError> {
        match text.split_once('/') {
            Some((kind, subtype)) if is_restricted_name(kind) && is_restricted_name(subtype) => {
                Ok(Self(Cow::Owned(text.to_owned())))
            }
            _ => Err(MediaTypeError(Foreign::new(text))),
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for MediaType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_halves_are_refused() {
        for text in [
            "",
            "application",
            "application/",
            "/json",
            "a/b;c=d",
            "a/b c",
            "a/b/c",
            "a/b\n",
        ] {
            assert!(text.parse::<MediaType>().is_err(), "{text:?}");
        }
        assert_eq!(
            "application/jose+json".parse::<MediaType>().unwrap(),
            MediaType::JWS
        );
    }
}
