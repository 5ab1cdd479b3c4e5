//! Making the attestations of one image: their documents, their manifests, and the time they carry.

use crate::base::failure::Cause;
use crate::base::time::Timestamp;
use crate::domain::oci::{ArtifactType, Blob, Digest, Manifest, Subject};
use crate::domain::provenance::attestation_manifest::{self, Attachment};
use crate::domain::provenance::{
    Attested, BuildFacts, Kind, PROVENANCE_PREDICATE, Predicate, Summary, provenance_statement,
};
use crate::job::resolve::Unit;

/// One attestation that a run wants on an image.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish<'a> {
    /// A provenance that says this.
    Provenance(&'a BuildFacts),
    /// A document that was given.
    Document(&'a Predicate),
    /// What `BuildKit` left about a platform, and about nothing else.
    Lifted(&'a Predicate),
    /// A summary of what was verified, and when.
    Summary(&'a Summary, Timestamp),
}

impl Wish<'_> {
    /// What people call it.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Provenance(_) => Kind::Provenance.name().to_owned(),
            Self::Summary(..) => Kind::Vsa.name().to_owned(),
            Self::Document(predicate) | Self::Lifted(predicate) => {
                let choice = predicate.choice();
                let usual = choice.kind().map(Kind::artifact_type);
                if usual.is_some_and(|usual| usual == choice.artifact_type()) {
                    choice.name().to_owned()
                } else {
                    format!("{}@{}", choice.name(), choice.artifact_type())
                }
            }
        }
    }

    /// What kind of predicate it carries: a URI.
    pub(super) fn predicate_type(&self) -> &str {
        match self {
            Self::Provenance(_) => PROVENANCE_PREDICATE,
            Self::Summary(..) => Kind::Vsa.predicate_type(),
            Self::Document(predicate) | Self::Lifted(predicate) => predicate.predicate_type(),
        }
    }

    /// What its manifest says it carries.
    pub(super) fn artifact_type(&self) -> ArtifactType {
        match self {
            Self::Provenance(_) => ArtifactType::PROVENANCE,
            Self::Summary(..) => Kind::Vsa.artifact_type(),
            Self::Document(predicate) | Self::Lifted(predicate) => predicate.choice().artifact_type(),
        }
    }

    /// The document about a unit, with everything that says what it is.
    fn attachment(&self, unit: &Unit, names: &[String]) -> Attachment {
        let entries = match self {
            Self::Provenance(_) | Self::Document(_) => entries(unit, names),
            Self::Lifted(_) | Self::Summary(..) => alone(unit, names),
        };
        match self {
            Self::Provenance(facts) => {
                Attachment::of(Kind::Provenance, provenance_statement(&entries, facts))
            }
            Self::Document(predicate) | Self::Lifted(predicate) => predicate.attachment(&entries),
            Self::Summary(summary, verified) => {
                Attachment::of(Kind::Vsa, summary.statement(&entries, *verified))
            }
        }
    }

    /// Whether this takes the place of another attestation of ours of the same kind. A provenance does where the same
    /// builder speaks in the same form: the word of another, as of an environment that nobody vouches for, replaces
    /// nothing. So with a summary and its verifier. What is lifted replaces nothing: a document of its kind may be one
    /// that a person gave, and no document says whether it was lifted from this index.
    pub(super) fn replaces(&self, found: &Attested) -> bool {
        match self {
            Self::Provenance(facts) => found.statement().is_some_and(|statement| {
                statement.builder() == Some(facts.builder.as_str())
                    && statement.build_type() == Some(facts.build_type.as_str())
            }),
            Self::Document(_) => true,
            Self::Lifted(_) => false,
            Self::Summary(summary, _) => found
                .statement()
                .is_some_and(|statement| summary.is_by_same(statement)),
        }
    }

    /// Whether what an attestation says is what this run would say.
    pub(super) fn is_met_by(&self, found: &Attested, unit: &Unit, names: &[String]) -> bool {
        match self {
            Self::Provenance(facts) => {
                let entries = entries(unit, names);
                let statement = found.statement();
                statement.is_some_and(|statement| statement.claims_same(&entries, facts))
            }
            Self::Summary(summary, _) => {
                let entries = alone(unit, names);
                let statement = found.statement();
                statement.is_some_and(|statement| summary.is_said_by(statement, &entries))
            }
            Self::Document(_) | Self::Lifted(_) => {
                let made = ready(unit, names, *self, Timestamp::from_unix(0)).ok();
                let document = made
                    .as_ref()
                    .and_then(|made| Some((&made.manifest, made.blobs.first()?)));
                document.is_some_and(|(manifest, document)| {
                    Attested::read(manifest, document.bytes()).is_ok_and(|wanted| wanted == *found)
                })
            }
        }
    }
}

/// An attestation that may be pushed once its signature is there.
#[derive(Clone, Debug)]
pub(super) struct ReadyAttestation {
    pub(super) subject: Subject,
    pub(super) manifest: Manifest,
    pub(super) blobs: Vec<Blob>,
}

/// The entries that a Statement about an image and all that it holds carries: the image by each of its names, then what
/// it holds for each platform.
fn entries(unit: &Unit, names: &[String]) -> Vec<(String, Digest)> {
    named(unit.about.iter(), names)
}

/// The entries of what speaks of one manifest and of nothing inside it: a summary names what was judged.
fn alone(unit: &Unit, names: &[String]) -> Vec<(String, Digest)> {
    named(std::iter::once(unit.subject.digest()), names)
}

fn named<'a>(digests: impl Iterator<Item = &'a Digest>, names: &[String]) -> Vec<(String, Digest)> {
    digests
        .flat_map(|digest| names.iter().map(move |name| (name.clone(), digest.clone())))
        .collect()
}

/// Builds the attestation; the same inputs give the same bytes and so the same digest.
///
/// # Errors
/// When the document is larger than admission controllers read.
pub(super) fn ready(
    unit: &Unit,
    names: &[String],
    wish: Wish<'_>,
    created: Timestamp,
) -> Result<ReadyAttestation, Cause> {
    let attachment = wish.attachment(unit, names);
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
