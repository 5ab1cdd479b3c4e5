//! What several targets of one run want on one manifest: two indexes may hold the same platform. Nothing that one of
//! them wants gives way to what another wants.

use std::collections::{HashMap, HashSet};

use super::attest;
use super::elsewhere::Elsewhere;
use super::{Looked, Run};
use crate::base::time::Timestamp;
use crate::domain::oci::{Digest, Place, Subject};
use crate::seams::{Observer, Revocation, Signer, WriteStore};

/// Names of what was looked at, by its digest.
pub(super) type Names = HashMap<Digest, Vec<String>>;

/// What a run must not take away from itself.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Attestations that the run keeps or writes.
    staying: HashSet<(Place, Digest)>,
    /// Manifests for which different documents of one kind are wanted, by what people call the kind.
    disputed: HashSet<(Place, Digest, String)>,
}

impl Shared {
    /// Notes an attestation that is kept, or about to be written.
    pub(super) fn keep(&mut self, place: &Place, attestation: &Digest) {
        self.staying.insert((place.clone(), attestation.clone()));
    }

    /// Whether an attestation is kept or written for any of the run's targets.
    pub(super) fn keeps(&self, place: &Place, attestation: &Digest) -> bool {
        self.staying.contains(&(place.clone(), attestation.clone()))
    }

    /// Whether an attestation may go since another of its kind takes its place. Where several targets want different
    /// ones, none of them is told which the older one made way for.
    pub(super) fn frees(&self, image: &Subject, what: &str, older: &Digest) -> bool {
        let kind = (image.place().clone(), image.digest().clone(), what.to_owned());
        !self.disputed.contains(&kind) && !self.keeps(image.place(), older)
    }
}

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    /// Over all targets: what stands somewhere and is as good in every other place that holds the same bytes, and what
    /// stays where it is.
    pub(super) fn survey(&self, all: &[&Looked], names: &Names) -> (Elsewhere, Shared) {
        let (mut elsewhere, signer) = (Elsewhere::default(), self.signings.identity());
        let mut shared = Shared {
            disputed: self.disputed(all, names),
            ..Shared::default()
        };
        for looked in all {
            let subject = &looked.unit.subject;
            if !self.job.resign {
                elsewhere.signed(subject.place(), &looked.observed.signatures, signer);
            }
            let names = names_of(looked, names);
            for wish in self.wishes(looked) {
                let (unit, observed) = (&looked.unit, &looked.observed);
                if let Some(found) = self.standing_for(unit, observed, wish, names) {
                    elsewhere.attested((subject, wish.what()), found, signer);
                    shared.keep(subject.place(), &found.descriptor.digest);
                }
            }
        }
        (elsewhere, shared)
    }

    /// Where targets want different documents of one kind on one manifest.
    fn disputed(&self, all: &[&Looked], names: &Names) -> HashSet<(Place, Digest, String)> {
        let mut wanted: HashMap<(Place, Digest, String), Option<Digest>> = HashMap::new();
        let mut disputed = HashSet::new();
        for several in by_subject(all).into_values().filter(|units| units.len() > 1) {
            for looked in several {
                for wish in self.wishes(looked) {
                    let (subject, names) = (&looked.unit.subject, names_of(looked, names));
                    let made = attest::ready(&looked.unit, names, wish, Timestamp::from_unix(0));
                    let made = made.ok().map(|made| made.manifest.digest().clone());
                    let kind = (subject.place().clone(), subject.digest().clone(), wish.what());
                    if *wanted.entry(kind.clone()).or_insert_with(|| made.clone()) != made {
                        disputed.insert(kind);
                    }
                }
            }
        }
        disputed
    }
}

/// The names that Statements give to what was looked at.
pub(super) fn names_of<'a>(looked: &Looked, names: &'a Names) -> &'a [String] {
    let names = names.get(looked.unit.subject.digest());
    names.map(Vec::as_slice).unwrap_or_default()
}

/// What was looked at, by where it is and what.
fn by_subject<'a>(all: &[&'a Looked]) -> HashMap<(&'a Place, &'a Digest), Vec<&'a Looked>> {
    let mut units: HashMap<_, Vec<&Looked>> = HashMap::new();
    for looked in all {
        let subject = &looked.unit.subject;
        units
            .entry((subject.place(), subject.digest()))
            .or_default()
            .push(looked);
    }
    units
}
