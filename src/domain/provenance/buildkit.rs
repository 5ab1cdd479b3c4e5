//! What `BuildKit` says of the images that it builds, and leaves unsigned in their index (`moby/buildkit`,
//! `docs/attestations/attestation-storage.md`, `slsa-definitions.md`): found, held against the platform that it is listed
//! for, and made ready to be attached to that platform and signed.
//!
//! Nobody vouches for these documents but the index that names them. So nothing is believed that does not fit: the
//! annotation of the index's entry, the subject of the manifest in the layout that has one, and every subject of the
//! Statement have to name the same platform.

use super::kind::Kind;
use super::predicate::{Predicate, PredicateProblem};
use super::statement::Statement;
use super::{PREDICATE_TYPE, PROVENANCE_PREDICATE};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::limits::STATEMENT_BYTES;
use crate::base::tree::Value;
use crate::domain::oci::{Descriptor, Digest, Index, Manifest, ManifestView, MediaType};

/// The annotation by which an index's entry says that it is no image (`attestation-storage.md`, "Attestation Manifest
/// Descriptor").
pub const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// The annotation that names the platform's manifest which the entry is about.
pub const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// What [`REFERENCE_TYPE`] says of attestations.
const ATTESTATION_MANIFEST: &str = "attestation-manifest";

/// The artifact type of the layout with a subject (`attestation-storage.md`, "Attestation Manifest").
pub const ARTIFACT_TYPE: &str = "application/vnd.docker.attestation.manifest.v1+json";

/// The build type of `BuildKit`'s provenance (`slsa-definitions.md`, "SLSA v1", `buildDefinition.buildType`).
pub const BUILD_TYPE: &str =
    "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md";

/// The same in SLSA provenance v0.2 (`slsa-definitions.md`, "SLSA v0.2", `buildType`).
const BUILD_TYPE_02: &str = "https://mobyproject.org/buildkit@v1";

/// SLSA provenance v0.2.
const PROVENANCE_02: &str = "https://slsa.dev/provenance/v0.2";

/// The versions of in-toto Statements that `BuildKit` writes.
pub(super) const STATEMENTS: [&str; 2] = [super::STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"];

/// Attestation manifests of one index that are read (ours; one for each platform, of which public images have up to about
/// twelve).
const MANIFESTS: usize = 64;

/// Layers of one attestation manifest (ours; `BuildKit` writes a provenance and an SBOM for each scanned stage).
const LAYERS: usize = 64;

/// Why an attestation inside an index cannot be lifted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not lift BuildKit's attestation {what}")]
pub struct LiftError {
    /// The manifest or the layer, by its digest.
    pub what: Digest,
    /// Why.
    #[source]
    pub problem: Box<LiftProblem>,
}

/// What is wrong with such an attestation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiftProblem {
    /// The index lists it for something else than one of its images.
    #[error("{REFERENCE_DIGEST}: expected the digest of a platform in the same index, found {}", .0.as_ref().map_or_else(|| "none".to_owned(), |found| found.quote().to_string()))]
    Reference(Option<Foreign>),
    /// More of them than anybody builds.
    #[error("expected at most {most} {of}, found {found}")]
    TooMany {
        /// What was counted.
        of: &'static str,
        /// The bound.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// It is an index.
    #[error("expected an image manifest, found an index")]
    Index,
    /// Its manifest refers to something else than the index lists it for.
    #[error("subject: expected {expected}, found {found}")]
    Subject {
        /// The platform that it is listed for.
        expected: Digest,
        /// What it refers to.
        found: Digest,
    },
    /// Its document is larger than readers accept.
    #[error("expected a document of at most {STATEMENT_BYTES} bytes, found {0}")]
    TooLarge(u64),
    /// The Statement is about something else, or about more.
    #[error("subject: expected nothing but {expected}, found {}", found.quote())]
    About {
        /// The platform that it is listed for.
        expected: Digest,
        /// What the Statement is about.
        found: Foreign,
    },
    /// The layer announces another predicate.
    #[error("predicateType: expected {}, as its layer says, found {}", expected.quote(), found.quote())]
    Announced {
        /// What the layer's annotation says.
        expected: Foreign,
        /// What the Statement says.
        found: Foreign,
    },
    /// It is no Statement, or holds no document of its kind.
    #[error(transparent)]
    Document(#[from] PredicateProblem),
}

impl Classified for LiftError {
    /// Rejected: it stands in the image, and cannot be vouched for.
    fn class(&self) -> Class {
        Class::Rejected
    }

    fn hint(&self) -> Option<String> {
        Some("find out who wrote this index; an image that BuildKit built holds none like it".to_owned())
    }
}

fn wrong(what: &Digest, problem: impl Into<LiftProblem>) -> LiftError {
    LiftError {
        what: what.clone(),
        problem: Box::new(problem.into()),
    }
}

/// Whether `BuildKit` is said to have written a provenance, by its build type, whatever its manifest announces.
pub(super) fn wrote(statement: &Statement) -> bool {
    let text = |pointer: &str| match statement.document().cursor().pointer(pointer)?.value() {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    let build_type = match statement.predicate_type() {
        PROVENANCE_PREDICATE => text("/predicate/buildDefinition/buildType"),
        PROVENANCE_02 => text("/predicate/buildType"),
        _ => None,
    };
    build_type.is_some_and(|found| [BUILD_TYPE, BUILD_TYPE_02].contains(&found.as_str()))
}

/// The attestation manifests inside an index, each with the one of these platforms that it is listed for. An entry whose
/// mark was lost says about nothing, and is not found.
///
/// # Errors
/// [`LiftError`] for one that is listed for anything else, and for too many.
pub fn listed<'a>(
    index: &'a Index,
    platforms: &'a [Descriptor],
) -> Result<Vec<(&'a Descriptor, &'a Descriptor)>, LiftError> {
    let marked = |entry: &&Descriptor| {
        let mark = entry.annotations.get(REFERENCE_TYPE);
        mark.is_some_and(|mark| mark.raw() == ATTESTATION_MANIFEST)
    };
    let entries: Vec<&Descriptor> = index.manifests.iter().filter(marked).collect();
    if let Some(beyond) = entries.get(MANIFESTS) {
        let (most, found) = (MANIFESTS, entries.len());
        let of = "attestation manifests";
        return Err(wrong(&beyond.digest, LiftProblem::TooMany { of, most, found }));
    }
    let about = |entry: &'a Descriptor| {
        let named = entry.annotations.get(REFERENCE_DIGEST);
        let is =
            |platform: &&Descriptor| named.is_some_and(|named| named.raw() == platform.digest.to_string());
        let found = platforms.iter().find(is).map(|platform| (entry, platform));
        found.ok_or_else(|| wrong(&entry.digest, LiftProblem::Reference(named.cloned())))
    };
    entries.into_iter().map(about).collect()
}

/// The layers of an attestation manifest that hold what can be lifted, and the predicate types of the others.
///
/// # Errors
/// [`LiftError`] for an index, for another subject than the platform that the manifest is listed for, and for too many or
/// too large layers.
pub fn layers<'a>(
    manifest: &'a Manifest,
    platform: &Digest,
) -> Result<(Vec<&'a Descriptor>, Vec<Foreign>), LiftError> {
    let error = |problem| wrong(manifest.digest(), problem);
    let ManifestView::Image(image) = manifest.view() else {
        return Err(error(LiftProblem::Index));
    };
    if let Some(subject) = image
        .subject
        .as_ref()
        .filter(|subject| subject.digest != *platform)
    {
        return Err(error(LiftProblem::Subject {
            expected: platform.clone(),
            found: subject.digest.clone(),
        }));
    }
    if image.layers.len() > LAYERS {
        let (most, found) = (LAYERS, image.layers.len());
        let of = "layers";
        return Err(error(LiftProblem::TooMany { of, most, found }));
    }
    let (mut lifted, mut left) = (Vec::new(), Vec::new());
    for layer in &image.layers {
        let announced = layer.annotations.get(PREDICATE_TYPE);
        if layer.media_type != MediaType::IN_TOTO {
            left.push(Foreign::new(layer.media_type.as_str()));
        } else if !announced.is_none_or(|announced| may_be_lifted(announced.raw())) {
            left.extend(announced.cloned());
        } else if layer.size > STATEMENT_BYTES as u64 {
            return Err(wrong(&layer.digest, LiftProblem::TooLarge(layer.size)));
        } else {
            lifted.push(layer);
        }
    }
    Ok((lifted, left))
}

fn may_be_lifted(predicate_type: &str) -> bool {
    [PROVENANCE_PREDICATE, PROVENANCE_02].contains(&predicate_type)
        || Kind::of_predicate_type(predicate_type) == Some(Kind::Spdx)
}

/// A Statement that was looked into.
#[derive(Clone, Debug, PartialEq)]
pub enum Lifted {
    /// It may be attached to the platform, in a Statement of our own where its kind has one.
    Ready(Box<Predicate>),
    /// It is nothing that `BuildKit` is known to write, by its predicate type.
    Left(Foreign),
}

/// Reads the Statement of one layer.
///
/// Its subjects are names that `BuildKit` knew, as `pkg:docker/web@1.4?platform=linux%2Famd64`, each with the digest of
/// the platform's manifest. The digests have to be that and nothing else; the names, which hold tags, are hints, and are
/// not repeated in the Statement that is attached.
///
/// # Errors
/// [`LiftError`] for what is no Statement, is about anything but the platform, or is not what its layer announces.
pub fn lift(layer: &Descriptor, bytes: &[u8], platform: &Digest) -> Result<Lifted, LiftError> {
    let error = |problem| wrong(&layer.digest, problem);
    let statement = Statement::read_of(bytes, &STATEMENTS)
        .map_err(|why| error(LiftProblem::Document(PredicateProblem::Statement(why))))?;
    if let Some(found) = statement.about_other_than(platform) {
        let expected = platform.clone();
        return Err(error(LiftProblem::About { expected, found }));
    }
    let found = Foreign::new(statement.predicate_type());
    let announced = layer.annotations.get(PREDICATE_TYPE);
    if let Some(expected) = announced.filter(|announced| announced.raw() != found.raw()) {
        let expected = expected.clone();
        return Err(error(LiftProblem::Announced { expected, found }));
    }
    let kind = if wrote(&statement) {
        Kind::BuildKit
    } else if Kind::of_predicate_type(found.raw()) == Some(Kind::Spdx) {
        Kind::Spdx
    } else {
        return Ok(Lifted::Left(found));
    };
    let ready = Predicate::lifted(kind, &layer.digest, statement, bytes);
    let ready = ready.map_err(|problem| error(LiftProblem::Document(problem)))?;
    Ok(Lifted::Ready(Box::new(ready)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::base::failure::in_full;

    fn platform() -> Digest {
        Digest::of(b"amd64")
    }

    fn layer(predicate_type: &str) -> Descriptor {
        Descriptor {
            annotations: BTreeMap::from([(PREDICATE_TYPE.to_owned(), Foreign::new(predicate_type))]),
            ..Descriptor::of(MediaType::IN_TOTO, b"layer")
        }
    }

    fn statement(version: &str, about: &[&Digest], predicate_type: &str, predicate: &str) -> String {
        let subjects: Vec<String> = about
            .iter()
            .map(|digest| {
                let name = "pkg:docker/web@1.4?platform=linux%2Famd64";
                format!(r#"{{"name":"{name}","digest":{{"sha256":"{}"}}}}"#, digest.hex())
            })
            .collect();
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/{version}","subject":[{}],"predicateType":"{predicate_type}","predicate":{predicate}}}"#,
            subjects.join(",")
        )
    }

    const V02: &str =
        r#"{"builder":{"id":""},"buildType":"https://mobyproject.org/buildkit@v1","materials":[ 1.50 ]}"#;
    const V1: &str = r#"{"buildDefinition":{"buildType":"https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md","externalParameters":{}},"runDetails":{"builder":{"id":"https://ci.example/7"}}}"#;
    const SPDX: &str = r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"sbom","dataLicense":"CC0-1.0","documentNamespace":"https://anchore.com/syft/dir/x","creationInfo":{"created":"2026-01-01T00:00:00Z","creators":["Tool: syft-v0.1"]}}"#;

    fn lifted(predicate_type: &str, text: &str) -> Result<Lifted, String> {
        lift(&layer(predicate_type), text.as_bytes(), &platform()).map_err(|error| in_full(&error))
    }

    #[test]
    fn what_buildkit_writes_is_lifted_about_the_platform_alone() {
        for (version, predicate_type, predicate, kind) in [
            ("v0.1", "https://slsa.dev/provenance/v0.2", V02, Kind::BuildKit),
            ("v0.1", "https://slsa.dev/provenance/v1", V1, Kind::BuildKit),
            ("v1", "https://slsa.dev/provenance/v1", V1, Kind::BuildKit),
            ("v0.1", "https://spdx.dev/Document", SPDX, Kind::Spdx),
        ] {
            // The same image under two tags is two subjects with one digest.
            let text = statement(version, &[&platform(), &platform()], predicate_type, predicate);
            let Ok(Lifted::Ready(ready)) = lifted(predicate_type, &text) else {
                panic!("{predicate_type}: {:?}", lifted(predicate_type, &text));
            };
            assert_eq!(ready.choice().kind(), Some(kind));
            let attachment = ready.attachment(&[("r.example/web".to_owned(), platform())]);
            assert_eq!(attachment.predicate_type, predicate_type);
            assert_eq!(attachment.artifact_type, kind.artifact_type());
            let written = String::from_utf8(attachment.bytes).unwrap();
            if kind == Kind::Spdx {
                assert_eq!(written, SPDX);
            } else {
                assert_eq!(
                    written,
                    statement("v1", &[&platform()], predicate_type, predicate)
                        .replace("pkg:docker/web@1.4?platform=linux%2Famd64", "r.example/web")
                );
            }
        }
    }

    #[test]
    fn a_provenance_of_another_build_type_is_left_whoever_it_names() {
        let forged = V1.replace(BUILD_TYPE, "https://actions.github.io/buildtypes/workflow/v1");
        let predicate_type = "https://slsa.dev/provenance/v1";
        let text = statement("v0.1", &[&platform()], predicate_type, &forged);
        assert_eq!(
            lifted(predicate_type, &text),
            Ok(Lifted::Left(Foreign::new(predicate_type)))
        );
        // Where nothing is announced, the Statement is read to find out.
        let text = statement("v0.1", &[&platform()], "https://example.com/x", "{}");
        let unmarked = Descriptor::of(MediaType::IN_TOTO, b"layer");
        let left = lift(&unmarked, text.as_bytes(), &platform());
        assert_eq!(left, Ok(Lifted::Left(Foreign::new("https://example.com/x"))));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_was_expected_and_found() {
        let (spdx, other) = ("https://spdx.dev/Document", Digest::of(b"arm64"));
        let good = statement("v0.1", &[&platform()], spdx, SPDX);
        for (text, said) in [
            (statement("v0.1", &[&other], spdx, SPDX), other.to_string()),
            (
                statement("v0.1", &[&platform(), &other], spdx, SPDX),
                format!("expected nothing but {}", platform()),
            ),
            (
                good.replace("\"sha256\"", "\"sha512\"").replace(
                    platform().hex(),
                    Digest::by(crate::domain::oci::Algorithm::Sha512, b"amd64").hex(),
                ),
                "found \"sha512:".to_owned(),
            ),
            (good.replace("v0.1", "v0.2"), "expected the _type".to_owned()),
            (
                good.replace("spdx.dev/Document", "slsa.dev/provenance/v1"),
                "expected \"https://spdx.dev/Document\", as its layer says".to_owned(),
            ),
            (good.replace("\"SPDX-2.3\"", "2"), "spdxVersion".to_owned()),
            (good.replace("\"predicate\"", "\"x\""), "predicate".to_owned()),
            ("[]".to_owned(), "expected an object".to_owned()),
            (String::new(), "JSON".to_owned()),
        ] {
            let error = lifted(spdx, &text).unwrap_err();
            let layer = Digest::of(b"layer");
            let begin = format!("could not lift BuildKit's attestation {layer}: ");
            assert!(
                error.starts_with(&begin) && error.contains(&said),
                "{text}: {error}"
            );
        }
    }

    fn manifest(text: &str) -> Manifest {
        Manifest::parse(text.as_bytes().to_vec(), &MediaType::OCI_MANIFEST).unwrap()
    }

    fn with_layers(layers: &[(&str, &str, u64)], more: &str) -> Manifest {
        let empty = Digest::of(b"{}");
        let layers: Vec<String> = layers
            .iter()
            .map(|(media_type, announced, size)| {
                format!(
                    r#"{{"mediaType":"{media_type}","digest":"{empty}","size":{size},"annotations":{{"in-toto.io/predicate-type":"{announced}"}}}}"#
                )
            })
            .collect();
        manifest(&format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{empty}","size":2}},"layers":[{}]{more}}}"#,
            layers.join(",")
        ))
    }

    #[test]
    fn layers_are_chosen_by_what_they_announce_and_bounded() {
        let in_toto = MediaType::IN_TOTO.as_str().to_owned();
        let in_toto = in_toto.as_str();
        let all = [
            (in_toto, "https://slsa.dev/provenance/v0.2", 2),
            (in_toto, "https://spdx.dev/Document", 2),
            (in_toto, "https://example.com/x", 99_000_000),
            ("text/plain", "https://spdx.dev/Document", 2),
        ];
        let manifest = with_layers(&all, "");
        let (lifted, left) = layers(&manifest, &platform()).unwrap();
        assert_eq!(lifted.len(), 2);
        let left: Vec<&str> = left.iter().map(Foreign::raw).collect();
        assert_eq!(left, ["https://example.com/x", "text/plain"]);
        let error = |manifest: &Manifest| in_full(&layers(manifest, &platform()).unwrap_err());
        let large = with_layers(&[(in_toto, "https://spdx.dev/Document", 10_000_001)], "");
        assert!(error(&large).ends_with("expected a document of at most 10000000 bytes, found 10000001"));
        let many = with_layers(&[all[0]; 65], "");
        assert!(error(&many).ends_with("expected at most 64 layers, found 65"));
        let other = Digest::of(b"arm64");
        let subject = |digest: &Digest| {
            let more = format!(
                r#","subject":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":5}}"#
            );
            with_layers(&all, &more)
        };
        assert!(layers(&subject(&platform()), &platform()).is_ok());
        assert!(error(&subject(&other)).ends_with(&format!("expected {}, found {other}", platform())));
        let index = Manifest::parse(br#"{"manifests":[]}"#.to_vec(), &MediaType::OCI_INDEX).unwrap();
        assert!(error(&index).ends_with("found an index"));
    }

    fn index(entries: &[(&Digest, &str, &str)]) -> Index {
        let entry = |(digest, of, about): &(&Digest, &str, &str)| Descriptor {
            digest: (*digest).clone(),
            annotations: [(REFERENCE_TYPE, *of), (REFERENCE_DIGEST, *about)]
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.to_owned(), Foreign::new(value)))
                .collect(),
            ..Descriptor::of(MediaType::OCI_MANIFEST, b"")
        };
        Index {
            manifests: entries.iter().map(entry).collect(),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    #[test]
    fn an_attestation_is_listed_for_a_platform_of_its_own_index_or_refused() {
        let (amd, arm, attestation) = (platform(), Digest::of(b"arm64"), Digest::of(b"attestation"));
        let platforms = [Descriptor {
            digest: amd.clone(),
            ..Descriptor::of(MediaType::OCI_MANIFEST, b"")
        }];
        let mark = "attestation-manifest";
        let of = |about: &str| {
            let index = index(&[(&amd, "", ""), (&attestation, mark, about)]);
            let found = listed(&index, &platforms).map_err(|error| in_full(&error));
            found.map(|found| {
                let pairs = found.into_iter();
                pairs
                    .map(|(entry, platform)| (entry.digest.clone(), platform.digest.clone()))
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(of(&amd.to_string()), Ok(vec![(attestation.clone(), amd.clone())]));
        assert!(
            of(&arm.to_string())
                .unwrap_err()
                .ends_with(&format!("found \"{arm}\""))
        );
        assert!(of("").unwrap_err().ends_with("found none"));
        assert!(of("x").unwrap_err().contains("found \"x\""));
        let other = index(&[(&attestation, "something-else", "x")]);
        assert_eq!(listed(&other, &platforms), Ok(Vec::new()));
        let text = amd.to_string();
        let many = index(&[(&attestation, mark, text.as_str()); 65]);
        let error = in_full(&listed(&many, &platforms).unwrap_err());
        assert!(
            error.ends_with("expected at most 64 attestation manifests, found 65"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn no_changed_byte_is_lifted_about_anything_else(at in any::<usize>(), bit in 0u8..8) {
            let mut bytes = statement("v0.1", &[&platform()], "https://slsa.dev/provenance/v1", V1).into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(Lifted::Ready(ready)) = lift(&layer("https://slsa.dev/provenance/v1"), &bytes, &platform()) {
                let attachment = ready.attachment(&[("web".to_owned(), platform())]);
                let written = Statement::read(&attachment.bytes).unwrap();
                prop_assert_eq!(written.about_other_than(&platform()), None);
                prop_assert!(wrote(&written));
            }
        }
    }
}
