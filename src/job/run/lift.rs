//! Lifting what `BuildKit` left unsigned inside an index: which platforms it speaks of, and what it says of each
//! (docs/decisions/0030-what-is-lifted.md).

use std::collections::HashSet;

use super::attest::Wish;
use super::shared::{Names, names_of};
use super::{Looked, Run};
use crate::base::failure::{Cause, Class};
use crate::base::foreign::{Foreign, quote};
use crate::base::limits::STATEMENT_BYTES;
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

/// Reads what is listed beside a platform, and takes what can be lifted.
///
/// # Errors
/// The store's, and what is wrong with an attestation: it stands in an image that is about to be vouched for.
pub(super) async fn read(store: &impl ReadStore, unit: &Unit) -> Result<Lift, Cause> {
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
