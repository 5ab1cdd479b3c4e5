//! Lifting what `BuildKit` left unsigned inside an index: which platforms it speaks of, and what it says of each
//! (docs/decisions/0030-what-is-lifted.md).

use std::cell::Cell;
use std::collections::HashSet;

use super::attest::Wish;
use super::shared::{Names, names_of};
use super::{Looked, Run};
use crate::base::failure::{Cause, Class};
use crate::base::foreign::{Foreign, quote};
use crate::base::limits::{LIFTED_BYTES, STATEMENT_BYTES};
use crate::domain::oci::{Descriptor, Digest, ManifestView, Place, Subject};
use crate::domain::provenance::buildkit::{self, Lifted};
use crate::domain::provenance::{Kind, Predicate};
use crate::domain::report::{Finding, Level, Rule};
use crate::job::pool;
use crate::job::resolve::Unit;
use crate::seams::{Observer, ReadStore, Revocation, Signer, WriteStore};

/// Bytes of all the documents about one platform (ours; they are held at once, and real ones are some 100 KB).
const BYTES: u64 = 4 * STATEMENT_BYTES as u64;

/// What is lifted to one platform.
#[derive(Clone, Debug, Default)]
pub(super) struct Lift {
    /// The documents, no two of one kind.
    pub(super) predicates: Vec<Predicate>,
    /// What is left where it is, and why, for the plan.
    pub(super) left: Vec<String>,
    /// Whether the image was to have some, and has none.
    pub(super) is_missed: bool,
}

/// Notes beside every platform of an index which attestations `BuildKit` lists for it, and adds the platforms that nobody
/// asked for otherwise: they are attested and not signed. Says whether there is any.
///
/// # Errors
/// The store's, and what is wrong with the index's entries.
pub(super) async fn platforms(store: &impl ReadStore, units: &mut Vec<Unit>) -> Result<bool, Cause> {
    let Some(root) = units.first().filter(|unit| unit.root) else {
        return Ok(false);
    };
    let ManifestView::Index(index) = root.manifest.view() else {
        return Ok(false);
    };
    let place = root.subject.place().clone();
    let listed = buildkit::listed(index, &root.children).map_err(|error| Cause::of(&error))?;
    let mut beside: Vec<(Descriptor, Vec<Descriptor>)> = Vec::new();
    for (attestation, platform) in listed {
        match beside
            .iter_mut()
            .find(|(known, _)| known.digest == platform.digest)
        {
            Some((_, attestations)) => attestations.push(attestation.clone()),
            None => beside.push((platform.clone(), vec![attestation.clone()])),
        }
    }
    let of = |units: &[Unit], platform: &Descriptor| {
        let is = |unit: &Unit| !unit.root && *unit.subject.digest() == platform.digest;
        units.iter().position(is)
    };
    let missing = beside.iter().map(|(platform, _)| platform);
    let missing: Vec<&Descriptor> = missing.filter(|platform| of(units, platform).is_none()).collect();
    let read = pool::each(missing, pool::PER_TARGET, async |platform| {
        (platform, store.manifest(&place, platform).await)
    });
    for (platform, manifest) in read.await {
        let manifest = manifest.map_err(|error| Cause::of(&error))?;
        let subject = Subject::of(place.clone(), &manifest);
        units.push(Unit::attested_only(&subject, &manifest, platform));
    }
    let found = !beside.is_empty();
    for (platform, attestations) in beside {
        if let Some(unit) = of(units, &platform).and_then(|at| units.get_mut(at)) {
            unit.beside = attestations;
        }
    }
    Ok(found)
}

/// Reads what is listed beside a platform, and takes what can be lifted, if the run has lifted little enough yet.
///
/// # Errors
/// The store's, and what is wrong with an attestation: it stands in an image that is about to be vouched for.
pub(super) async fn read(store: &impl ReadStore, unit: &Unit, lifted: &Cell<u64>) -> Result<Lift, Cause> {
    let (place, platform) = (unit.subject.place(), unit.subject.digest());
    let mut lift = Lift::default();
    let mut layers: Vec<Descriptor> = Vec::new();
    let manifests = pool::each(&unit.beside, pool::PER_TARGET, |attestation| {
        store.manifest(place, attestation)
    });
    for manifest in manifests.await {
        let manifest = manifest.map_err(|error| Cause::of(&error))?;
        let found = buildkit::layers(&manifest, platform).map_err(|error| Cause::of(&error))?;
        layers.extend(found.0.into_iter().cloned());
        lift.left.extend(found.1.iter().map(unknown));
    }
    let bytes = layers
        .iter()
        .fold(0, |sum: u64, layer| sum.saturating_add(layer.size));
    if bytes > BYTES {
        return Err(too_much(unit, bytes));
    }
    lifted.set(lifted.get().saturating_add(bytes));
    if lifted.get() > LIFTED_BYTES {
        return Err(too_many(unit, lifted.get()));
    }
    let read = pool::each(&layers, pool::PER_TARGET, async |layer| {
        let bytes = store.blob(place, layer, STATEMENT_BYTES).await;
        let bytes = bytes.map_err(|error| Cause::of(&error))?;
        buildkit::lift(layer, &bytes, platform).map_err(|error| Cause::of(&error))
    });
    for lifted in read.await {
        match lifted? {
            Lifted::Ready(predicate) => lift.predicates.push(*predicate),
            Lifted::Left(predicate_type) => lift.left.push(unknown(&predicate_type)),
        }
    }
    lift.keep_one_of_a_kind();
    Ok(lift)
}

/// Drops what is lifted to a platform that was named itself and is given a document of the same kind: what a person gives
/// comes before what was found.
pub(super) fn give_way<'a>(looked: impl Iterator<Item = &'a mut Looked>, given: &[Predicate]) {
    let mut looked: Vec<&mut Looked> = looked.collect();
    let roots: Vec<Subject> = looked
        .iter()
        .filter(|looked| looked.unit.root)
        .map(|looked| looked.unit.subject.clone())
        .collect();
    let is_given = |predicate: &Predicate| {
        let artifact_type = predicate.choice().artifact_type();
        given
            .iter()
            .any(|given| given.choice().artifact_type() == artifact_type)
    };
    for looked in &mut looked {
        if !looked.unit.root && roots.contains(&looked.unit.subject) {
            looked.lift.predicates.retain(|predicate| !is_given(predicate));
        }
    }
}

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    /// Leaves out what is lifted to a platform where another of ours of its kind stands: a person may have given that.
    /// What this run lifts to the platform, out of whichever index, is none such.
    pub(super) fn leave_given<'a>(&self, looked: impl Iterator<Item = &'a mut Looked>, names: &Names) {
        let mut looked: Vec<&mut Looked> = looked.collect();
        let mut lifted: HashSet<(Place, Digest)> = HashSet::new();
        for one in &looked {
            for predicate in &one.lift.predicates {
                let (place, wish) = (one.unit.subject.place(), Wish::Lifted(predicate));
                let own = self.own(&one.observed, wish).into_iter();
                let met = own.filter(|(_, said)| wish.is_met_by(said, &one.unit, names_of(one, names)));
                lifted.extend(met.map(|(found, _)| (place.clone(), found.descriptor.digest.clone())));
            }
        }
        for one in &mut looked {
            let predicates = std::mem::take(&mut one.lift.predicates);
            for predicate in predicates {
                match self.stands_before(one, &predicate, &lifted, names) {
                    Some(given) => one.lift.left.push(stands(&predicate, &given)),
                    None => one.lift.predicates.push(predicate),
                }
            }
        }
    }

    /// Another of ours of the same kind that was not lifted by this run, unless what is lifted stands beside it already.
    fn stands_before(
        &self,
        looked: &Looked,
        predicate: &Predicate,
        lifted: &HashSet<(Place, Digest)>,
        names: &Names,
    ) -> Option<Digest> {
        let (unit, wish) = (&looked.unit, Wish::Lifted(predicate));
        let names = names_of(looked, names);
        if self.standing_for(unit, &looked.observed, wish, names).is_some() {
            return None;
        }
        let own = self.own(&looked.observed, wish).into_iter();
        let mut own = own.map(|(found, _)| (unit.subject.place().clone(), found.descriptor.digest.clone()));
        own.find(|found| !lifted.contains(found)).map(|(_, found)| found)
    }
}

impl Lift {
    /// A word where there was nothing to lift: whoever asked for it believes that there is.
    pub(super) fn missed(&self, image: &Subject, named_at: &str) -> Option<Finding> {
        let message = "lift-buildkit was asked for, and the image holds no attestations by BuildKit";
        self.is_missed.then(|| Finding {
            level: Level::Note,
            digest: Some(image.digest().clone()),
            named_at: Some(named_at.to_owned()),
            expected: Some("an index that BuildKit wrote, built with --provenance or --sbom".to_owned()),
            ..Finding::new(Rule::AttestationMissing, message)
        })
    }

    /// Takes back what nothing tells apart: readers take any document of a kind, and one of these may be about a stage
    /// of the build that is no part of the image.
    fn keep_one_of_a_kind(&mut self) {
        for kind in [Kind::BuildKit, Kind::Spdx] {
            let is = |predicate: &Predicate| predicate.choice().kind() == Some(kind);
            let found = self.predicates.iter().filter(|one| is(one)).count();
            if found > 1 {
                self.predicates.retain(|predicate| !is(predicate));
                self.left.push(format!(
                    "leave BuildKit's {kind}: expected one about the platform, found {found} and nothing that tells which"
                ));
            }
        }
    }
}

fn stands(predicate: &Predicate, given: &Digest) -> String {
    format!(
        "leave BuildKit's {}: expected none of ours on the platform, found {} with other words",
        predicate.choice().name(),
        given.short()
    )
}

fn unknown(predicate_type: &Foreign) -> String {
    format!(
        "leave BuildKit's {}: only its own provenance and SPDX are lifted",
        quote(predicate_type.raw())
    )
}

fn too_much(unit: &Unit, found: u64) -> Cause {
    Cause {
        class: Class::Rejected,
        message: format!(
            "could not lift BuildKit's attestations of {}: expected at most {BYTES} bytes in all, found {found}",
            unit.subject
        ),
        hint: None,
    }
}

fn too_many(unit: &Unit, found: u64) -> Cause {
    Cause {
        class: Class::Usage,
        message: format!(
            "could not lift BuildKit's attestations of {}: expected at most {LIFTED_BYTES} bytes in all of a run, found {found}",
            unit.subject
        ),
        hint: Some("name fewer images at once, or leave lift-buildkit out for this one".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::domain::oci::{ImageRef, LayoutPath, MediaType};
    use crate::edge::layout::Layout;
    use crate::job::{Recursive, Target, resolve};

    fn blob(layout: &Path, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        fs::write(layout.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({ "digest": digest, "size": bytes.len() })
    }

    fn entry(layout: &Path, media_type: &MediaType, document: &Value) -> Value {
        let mut entry = blob(layout, document.to_string().as_bytes());
        entry["mediaType"] = json!(media_type);
        entry
    }

    fn image(layout: &Path, config: &str, layers: &Value) -> Value {
        let mut config = blob(layout, config.as_bytes());
        config["mediaType"] = json!(MediaType::OCI_CONFIG);
        let manifest = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
            "config": config, "layers": layers });
        entry(layout, &MediaType::OCI_MANIFEST, &manifest)
    }

    /// A layout with an index of these platforms, each with one bill of materials by `BuildKit`; and the bytes of them all.
    fn layout(at: &Path, platforms: &[&str]) -> u64 {
        fs::create_dir_all(at.join("blobs/sha256")).unwrap();
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for name in platforms {
            let mut platform = image(at, &json!({ "architecture": name }).to_string(), &json!([]));
            platform["platform"] = json!({ "os": "linux", "architecture": name });
            let about = platform["digest"].clone();
            let spdx = "https://spdx.dev/Document";
            let hex = about.as_str().unwrap().trim_start_matches("sha256:");
            let statement = json!({ "_type": "https://in-toto.io/Statement/v0.1", "predicateType": spdx,
                "subject": [{ "name": "web", "digest": { "sha256": hex } }],
                "predicate": { "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": name,
                    "dataLicense": "CC0-1.0", "documentNamespace": format!("https://example.com/{name}"),
                    "creationInfo": { "created": "2026-01-01T00:00:00Z", "creators": ["Tool: syft"] } } });
            let mut layer = blob(at, statement.to_string().as_bytes());
            bytes += layer["size"].as_u64().unwrap();
            layer["mediaType"] = json!(MediaType::IN_TOTO);
            layer["annotations"] = json!({ "in-toto.io/predicate-type": spdx });
            let mut attestation = image(at, "{}", &json!([layer]));
            attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
            attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": about });
            entries.extend([platform, attestation]);
        }
        let index = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": entries });
        let mut index = entry(at, &MediaType::OCI_INDEX, &index);
        index["annotations"] = json!({ "org.opencontainers.image.ref.name": "1.0" });
        fs::write(at.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let list = json!({ "schemaVersion": 2, "manifests": [index] });
        fs::write(at.join("index.json"), list.to_string()).unwrap();
        bytes
    }

    /// What every platform of the layout's image gets, in their order, where the run has lifted so much already.
    async fn lift_all(at: &Path, lifted: &Cell<u64>) -> Vec<Result<usize, Cause>> {
        let place = Place::Layout(LayoutPath::new(at.to_owned()));
        let image = ImageRef::new(place, Some("1.0".parse().unwrap()), None);
        let target = Target {
            named: image.to_string(),
            tags: Vec::new(),
            image,
            named_at: "argument 1".to_owned(),
        };
        let store = Layout::new();
        let units = resolve::resolve(&store, &target, Recursive::Index, false).await;
        let mut units = units.unwrap();
        assert!(platforms(&store, &mut units).await.unwrap());
        let mut all = Vec::new();
        for unit in units.iter().filter(|unit| !unit.root) {
            all.push(read(&store, unit, lifted).await.map(|lift| lift.predicates.len()));
        }
        all
    }

    #[tokio::test]
    async fn what_one_run_lifts_is_bounded_over_all_of_its_platforms() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = layout(directory.path(), &["amd64", "arm64", "s390x"]);
        let lifted = Cell::new(0);
        assert_eq!(lift_all(directory.path(), &lifted).await, [Ok(1), Ok(1), Ok(1)]);
        assert_eq!(lifted.get(), bytes);
        // Another image of the same run, with room for two platforms and no third.
        lifted.set(LIFTED_BYTES - bytes + 1);
        let found = lift_all(directory.path(), &lifted).await;
        assert_eq!(found[..2], [Ok(1), Ok(1)]);
        let cause = found[2].as_ref().unwrap_err();
        assert_eq!(cause.class, Class::Usage);
        let expected = format!(
            "expected at most {LIFTED_BYTES} bytes in all of a run, found {}",
            LIFTED_BYTES + 1
        );
        assert!(cause.message.ends_with(&expected), "{}", cause.message);
        assert!(cause.hint.as_ref().unwrap().contains("fewer images"), "{cause:?}");
    }
}
