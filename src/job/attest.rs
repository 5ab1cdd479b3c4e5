//! Making the provenance of one image: its Statement, its manifest, and the time it carries.

use super::resolve::Unit;
use crate::base::failure::Cause;
use crate::base::time::Timestamp;
use crate::domain::oci::{ArtifactType, Blob, Digest, Manifest, MediaType, Subject};
use crate::domain::provenance::attestation_manifest::{self, Attachment};
use crate::domain::provenance::{BuildFacts, PROVENANCE_PREDICATE, provenance_statement};

/// An attestation that may be pushed once its signature is there.
#[derive(Clone, Debug)]
pub(super) struct ReadyAttestation {
    pub(super) subject: Subject,
    pub(super) manifest: Manifest,
    pub(super) blobs: Vec<Blob>,
}

/// The entries that every Statement about an image carries: the image by each of its names, then what it holds for
/// each platform.
pub(super) fn entries(unit: &Unit, names: &[String]) -> Vec<(String, Digest)> {
    let digests =
        std::iter::once(unit.subject.digest()).chain(unit.children.iter().map(|child| &child.digest));
    digests
        .flat_map(|digest| names.iter().map(move |name| (name.clone(), digest.clone())))
        .collect()
}

/// Builds the attestation; the same inputs give the same bytes and so the same digest.
///
/// # Errors
/// When the Statement is larger than admission controllers read.
pub(super) fn ready(
    unit: &Unit,
    names: &[String],
    facts: &BuildFacts,
    created: Timestamp,
) -> Result<ReadyAttestation, Cause> {
    let attachment = Attachment {
        artifact_type: ArtifactType::PROVENANCE,
        layer_type: MediaType::IN_TOTO,
        predicate_type: PROVENANCE_PREDICATE.to_owned(),
        bytes: provenance_statement(&entries(unit, names), facts),
    };
    let written = attestation_manifest::write(&attachment, unit.subject.descriptor(), created);
    let (manifest, blobs) = written.map_err(|error| Cause::of(&error))?;
    let subject = Subject::of(unit.subject.place().clone(), &manifest);
    Ok(ReadyAttestation {
        subject,
        manifest,
        blobs,
    })
}

/// The time that the attestation carries where nobody gave one: the image's own annotation, else when the image was
/// signed by us. Both are found again, so that the attestation's bytes are repeatable, and a run that was stopped
/// half-way finds what it left behind; neither costs a request, as the image's config would.
pub(super) fn created(unit: &Unit, signed: Option<Timestamp>) -> Option<Timestamp> {
    let own = unit.created.as_ref();
    let own = own.and_then(|text| text.raw().parse::<Timestamp>().ok());
    own.or(signed).map(Timestamp::whole)
}
