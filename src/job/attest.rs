//! Making the provenance of one image: its Statement, its manifest, and the time it carries.

use super::resolve::Unit;
use crate::base::failure::Cause;
use crate::base::json;
use crate::base::limits::{self, Bounds};
use crate::base::time::Timestamp;
use crate::domain::oci::{
    ArtifactType, Blob, Descriptor, Digest, Manifest, ManifestView, MediaType, Subject,
};
use crate::domain::provenance::attestation_manifest::{self, Attachment};
use crate::domain::provenance::{BuildFacts, PROVENANCE_PREDICATE, provenance_statement};
use crate::seams::ReadStore;

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

/// When the image was made, by its own word: its annotation, else its config's `created`, else that of the first
/// platform's. A fixed time makes the attestation's bytes repeatable, so that a run that was stopped half-way finds
/// what it left behind.
pub(super) async fn image_created(store: &impl ReadStore, unit: &Unit) -> Option<Timestamp> {
    if let Some(created) = unit
        .created
        .as_ref()
        .and_then(|text| text.raw().parse::<Timestamp>().ok())
    {
        return Some(created.whole());
    }
    match (&unit.config, unit.children.first()) {
        (Some(config), _) => config_created(store, &unit.subject, config).await,
        (None, Some(child)) => {
            let manifest = store.manifest(unit.subject.place(), child).await.ok()?;
            match manifest.view() {
                ManifestView::Image(image) => {
                    config_created(store, &unit.subject, image.config.as_ref()?).await
                }
                ManifestView::Index(_) => None,
            }
        }
        (None, None) => None,
    }
}

async fn config_created(store: &impl ReadStore, subject: &Subject, config: &Descriptor) -> Option<Timestamp> {
    let bytes = store.blob(subject.place(), config, limits::MEBIBYTE).await.ok()?;
    let document = json::read(&bytes, Bounds::SMALL_DOCUMENT).ok()?;
    let created = document.cursor().pointer("/created")?;
    created
        .string()
        .ok()?
        .parse::<Timestamp>()
        .ok()
        .map(Timestamp::whole)
}
