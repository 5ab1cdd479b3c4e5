//! What is worth saying though nothing stands in the way.

use std::collections::BTreeMap;

use super::parts::{attestation_name, word};
use crate::base::foreign::{Foreign, quote};
use crate::base::limits::{REFERRERS_ADMITTED, REFERRERS_WARNED};
use crate::domain::oci::{ArtifactType, Descriptor, Digest, Platform, Subject};
use crate::domain::report::{Finding, Level, Rule};
use crate::domain::trust::{Validation, ValidationKind, ValidationResult};
use crate::job::judge::Judged;
use crate::job::observe::{Observed, ObservedAttestation};
use crate::job::resolve::Unit;
use crate::job::standing::is_listed_only;

/// What is worth saying though nothing stands in the way.
pub(super) fn remarks(unit: &Unit, observed: &Observed) -> Vec<Finding> {
    let mut remarks = logged(observed);
    remarks.extend(unit.sparse.iter().map(|absent| not_there(unit, absent)));
    remarks.extend(expiring(observed));
    remarks.extend(crowded(&unit.subject, observed.referrers));
    let good = observed
        .signatures
        .iter()
        .filter(|judged| judged.accepted().is_some())
        .count();
    if good > 1 {
        let message = format!(
            "{good} acceptable signatures hang on {}; one would do",
            unit.subject
        );
        remarks.push(Finding {
            digest: Some(unit.subject.digest().clone()),
            ..Finding::new(Rule::DuplicateSignatures, message)
        });
    }
    remarks.extend(observed.attestations.iter().filter_map(misannounced));
    remarks.extend(duplicates(&observed.attestations));
    remarks.extend(by_tag_alone(unit));
    remarks
}

/// What a policy let pass with a word: validations of accepted signatures that failed or stayed unknown, and are only
/// logged. "Verified" must never hide them.
fn logged(observed: &Observed) -> Vec<Finding> {
    let of_attestations = observed.attestations.iter().flat_map(|found| &found.signatures);
    let accepted = observed
        .signatures
        .iter()
        .chain(of_attestations)
        .filter_map(Judged::accepted);
    let mut findings = Vec::new();
    for accepted in accepted {
        findings.extend(accepted.logged().map(|validation| {
            let why = validation.result.why().unwrap_or_default();
            let message = format!(
                "the signature {} is accepted although its {} did not pass, because policy {} only logs it: {why}",
                accepted.signature().short(),
                word(validation.kind),
                quote(accepted.policy_name()),
            );
            Finding {
                level: Level::Warning,
                digest: Some(accepted.signature().clone()),
                ..Finding::new(rule_of_logged(validation), message)
            }
        }));
    }
    findings
}

/// The rule under which a validation that is only logged is told.
fn rule_of_logged(validation: &Validation) -> Rule {
    match (validation.kind, &validation.result) {
        (ValidationKind::Revocation, ValidationResult::Unknown(_)) => Rule::RevocationUnknown,
        (ValidationKind::Revocation, _) => Rule::SignatureRevoked,
        (ValidationKind::Expiry | ValidationKind::AuthenticTimestamp, _) => Rule::SignatureExpired,
        (ValidationKind::Authenticity | ValidationKind::Integrity, _) => Rule::SignatureUntrustedIdentity,
    }
}

/// A word where more hangs on an image than is good: a warning while there is room, an error from where admission
/// controllers refuse the image on.
fn crowded(subject: &Subject, referrers: usize) -> Option<Finding> {
    if referrers <= REFERRERS_WARNED {
        return None;
    }
    let level = if referrers <= REFERRERS_ADMITTED {
        Level::Warning
    } else {
        Level::Error
    };
    let message = format!(
        "{referrers} referrers hang on {subject}; admission controllers refuse to read more than \
         {REFERRERS_ADMITTED}"
    );
    Some(Finding {
        level,
        digest: Some(subject.digest().clone()),
        ..Finding::new(Rule::TooManyReferrers, message)
    })
}

/// A warning of what an index names and nobody can sign or judge, since it is not there.
fn not_there(unit: &Unit, absent: &Descriptor) -> Finding {
    let platform = absent.platform.as_ref().map(Platform::name);
    let name = platform.as_ref().map(|name| name.quote().to_string());
    let message = format!(
        "{} names {} ({}), which is not there, so it is not signed (sparse index)",
        unit.subject,
        absent.digest,
        name.unwrap_or_else(|| "no platform".to_owned())
    );
    Finding {
        digest: Some(absent.digest.clone()),
        platform,
        ..Finding::new(Rule::PlatformUnsigned, message)
    }
}

/// A note where only a tag says which image is meant.
fn by_tag_alone(unit: &Unit) -> Option<Finding> {
    let tag = unit.by_tag_alone.as_ref()?;
    let digest = unit.subject.digest();
    Some(Finding {
        digest: Some(digest.clone()),
        expected: Some(format!("{}@{digest}", unit.subject.place())),
        found: Some(Foreign::new(&unit.image)),
        ..Finding::new(
            Rule::ReferenceNotDigest,
            format!("only the tag {tag} says which image is meant, and a tag can move"),
        )
    })
}

/// Warnings where what is accepted now will soon not be: on the image, and on each attestation, of the signature that
/// is good for longest.
fn expiring(observed: &Observed) -> Vec<Finding> {
    let subjects = observed.attestations.iter().map(|found| &found.signatures);
    let subjects = std::iter::once(&observed.signatures).chain(subjects);
    let last = |signatures: &Vec<Judged>| {
        let accepted = signatures.iter().filter_map(Judged::accepted);
        let ends = accepted.map(|accepted| (accepted.envelope().expiry(), accepted));
        let (end, accepted) =
            ends.max_by_key(|(end, _)| end.map_or((true, observed.at), |end| (false, end)))?;
        let end = end?;
        let life = end.unix() - accepted.envelope().attributes().time().unix();
        let left = end.unix() - observed.at.unix();
        (left < EXPIRING_SECONDS.min(life / EXPIRING_SHARE)).then(|| Finding {
            digest: Some(accepted.signature().clone()),
            found: Some(Foreign::new(end.to_string())),
            ..Finding::new(
                Rule::SignatureExpiring,
                format!("the signature {} expires at {end}", accepted.signature().short()),
            )
        })
    };
    subjects.filter_map(last).collect()
}

/// Time before a signature's expiry from which on that is told, in seconds (ours: thirty days), …
const EXPIRING_SECONDS: i64 = 30 * 24 * 60 * 60;

/// … and the part of its life, if that is shorter: a tenth.
const EXPIRING_SHARE: i64 = 10;

/// An accepted attestation that is not what its manifest announces.
fn misannounced(found: &ObservedAttestation) -> Option<Finding> {
    let announced = found.announced.as_ref()?;
    let accepted = found.outcome.accepted()?;
    let says = accepted.attested().predicate_type();
    Some(Finding {
        digest: Some(found.descriptor.digest.clone()),
        expected: Some(quote(announced.raw()).to_string()),
        found: Some(Foreign::new(says)),
        ..Finding::new(
            Rule::AttestationPredicateUnexpected,
            "the attestation holds another predicate than its manifest announces",
        )
    })
}

/// Attestations without any signature that stand beside what a run attached under the same artifact type, as a run that was
/// killed may leave where attestations have to go first. They are nobody's, so they are named and not deleted. Those that
/// weigh on the verdict are told anyway.
pub(in crate::job) fn unsigned_beside(
    attestations: &[ObservedAttestation],
    kinds: &[ArtifactType],
) -> Vec<Finding> {
    let unsigned = attestations.iter().filter(|found| {
        let kind = found.artifact_type.as_ref();
        found.signatures.is_empty() && is_listed_only(found) && kind.is_some_and(|kind| kinds.contains(kind))
    });
    unsigned
        .map(|found| Finding {
            level: Level::Warning,
            digest: Some(found.descriptor.digest.clone()),
            ..Finding::new(
                Rule::AttestationUnsigned,
                format!(
                    "nobody signed this {}, which hangs beside one that this run attached: readers that demand every \
                     attestation of a type to be signed refuse the image",
                    attestation_name(found)
                ),
            )
        })
        .collect()
}

/// What readers take for one: the same artifact type, by which they select, the same family of predicates, and the same
/// signer (`docs/decisions/0027-what-one-kind-is.md`).
type OfOneKind<'a> = (Option<&'a ArtifactType>, &'a str, &'a Foreign);

/// Accepted attestations of one kind by one signer, told once each.
fn duplicates(attestations: &[ObservedAttestation]) -> Vec<Finding> {
    let mut counts: BTreeMap<OfOneKind<'_>, Vec<&Digest>> = BTreeMap::new();
    for found in attestations {
        if let Some(accepted) = found.outcome.accepted() {
            let attested = accepted.attested();
            let family = match attested.kind() {
                Some(kind) => kind.predicate_type(),
                None => attested.predicate_type(),
            };
            let signer = accepted.signature().identity();
            let key = (found.artifact_type.as_ref(), family, signer);
            counts.entry(key).or_default().push(&found.descriptor.digest);
        }
    }
    let several = counts.into_iter().filter(|(_, digests)| digests.len() > 1);
    several
        .map(|((_, family, _), digests)| Finding {
            digest: digests.first().map(|digest| (*digest).clone()),
            ..Finding::new(
                Rule::AttestationDuplicate,
                format!(
                    "{} attestations of {} by the same signer hang on one image; one would do",
                    digests.len(),
                    quote(family)
                ),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::oci::{Manifest, MediaType, Place};

    #[test]
    fn referrers_are_warned_of_above_forty_and_an_error_above_fifty() {
        let empty =
            json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2});
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": empty, "layers": []});
        let manifest = Manifest::parse(manifest.to_string().into_bytes(), &MediaType::OCI_MANIFEST).unwrap();
        let subject = Subject::of(Place::Repository("r.example/web".parse().unwrap()), &manifest);
        let level = |referrers| crowded(&subject, referrers).map(|finding| (finding.rule, finding.level));
        let told = |level| Some((Rule::TooManyReferrers, level));
        assert_eq!(level(40), None);
        assert_eq!(level(41), told(Level::Warning));
        assert_eq!(level(50), told(Level::Warning));
        assert_eq!(level(51), told(Level::Error));
    }
}
