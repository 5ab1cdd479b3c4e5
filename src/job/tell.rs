//! From what the job knows to what the report says.

use std::collections::{BTreeMap, HashSet};

use super::judge::{Judged, Judgement};
use super::observe::{Observed, ObservedAttestation};
use super::resolve::Unit;
use super::standing::{
    Demand, Obstacle, Standing, Weighed, attestation_obstacle, is_listed_only, past_limit, standing, unmet,
    weigh,
};
use super::tags::Stray;
use crate::base::failure::{Cause, Class};
use crate::base::foreign::{Foreign, quote};
use crate::base::limits::{REFERRERS_ADMITTED, REFERRERS_WARNED};
use crate::domain::oci::{ArtifactType, Descriptor, Digest, MediaType, Platform, Subject};
use crate::domain::provenance::Kind;
use crate::domain::report::{
    self, AttestationReport, ExpectationReport, Finding, Rule, SignatureReport, TargetReport, TargetState,
    TreeNode, ValidationReport,
};
use crate::domain::trust::attestation::AttestationOutcome;
use crate::domain::trust::expectation::Held;
use crate::domain::trust::{Action, Outcome, Validation, ValidationKind, ValidationResult};

/// The manifests that this run made.
pub(super) type MadeNow = HashSet<Digest>;

/// What judging one unit came to.
pub(super) struct Assessment {
    pub(super) report: TargetReport,
    pub(super) findings: Vec<Finding>,
    /// The worst of what stands in the way, as a failure of the verify step; none where everything is good.
    pub(super) failure: Option<Cause>,
    /// That worst, by its rule.
    pub(super) worst: Option<Obstacle>,
}

/// Weighs what was observed on a unit against what the command demands of it.
pub(super) fn assess(unit: &Unit, observed: &Observed, demand: Demand, made: &MadeNow) -> Assessment {
    let (mut obstacles, asides) = if observed.judged {
        let (of_image, weighed) = (demand.of_image(), weigh(&observed.attestations, demand, made));
        obstacles(unit, observed, of_image, weighed)
    } else {
        Default::default()
    };
    // Where a policy says to skip, nothing was accepted, and what is expected is not there.
    let image = unit.subject.digest();
    let held = observed.held.iter().cloned();
    let held: Vec<Held> = match observed.unread {
        0 => held.collect(),
        _ => held.map(Held::with_unread).collect(),
    };
    let missed = held.iter().flat_map(|held| &held.shortfalls);
    obstacles.extend(missed.map(|short| unmet(short, image, observed.unread)));
    // A digest whose tags point elsewhere is judged all the same, and is not what was named.
    obstacles.extend(unit.strays.iter().map(Stray::obstacle));
    let worst = worst(&obstacles).cloned();
    let failure = worst.as_ref().map(|obstacle| Cause {
        class: obstacle.class,
        message: format!("could not accept {}: {}", unit.subject, obstacle.message),
        hint: obstacle.fix.clone(),
    });
    let mut findings: Vec<Finding> = obstacles.iter().map(finding).collect();
    findings.extend(asides.iter().map(|aside| Finding {
        level: report::Level::Warning,
        ..finding(aside)
    }));
    findings.extend(remarks(unit, observed));
    let state = match (&failure, &observed.skipped_by) {
        (Some(cause), _) => stopped_by(cause.class),
        (None, Some(_)) => TargetState::Skipped,
        (None, None) => TargetState::Verified,
    };
    let report = TargetReport {
        signatures: observed
            .signatures
            .iter()
            .map(|judged| signature(judged, made))
            .collect(),
        attestations: observed
            .attestations
            .iter()
            .map(|found| attestation(found, observed.judged, made))
            .collect(),
        expectations: held.iter().map(expectation).collect(),
        tree: Some(tree(unit, observed)),
        ..bare(unit, state)
    };
    Assessment {
        report,
        findings,
        failure,
        worst,
    }
}

/// The worst of what stands in the way: of equals the first, which is about the image itself where anything is.
fn worst(obstacles: &[Obstacle]) -> Option<&Obstacle> {
    let first_of_equals =
        |(place, obstacle): &(usize, &Obstacle)| (obstacle.class, std::cmp::Reverse(*place));
    let worst = obstacles.iter().enumerate().max_by_key(first_of_equals);
    worst.map(|(_, obstacle)| obstacle)
}

/// Warns of an image that is accepted while something in it has no signature of its own.
pub(super) fn unsigned_inside(assessed: &mut [Assessment]) {
    let Some((root, inside)) = assessed.split_first_mut() else {
        return;
    };
    let is_unsigned = |inside: &&Assessment| {
        let rule = inside.worst.as_ref().map(|worst| worst.rule);
        rule == Some(Rule::SignatureMissing)
    };
    if root.failure.is_none() && root.report.state == TargetState::Verified {
        let unsigned = inside.iter().filter(is_unsigned);
        root.findings.extend(unsigned.map(|inside| {
            let platforms: Vec<String> = inside
                .report
                .platforms
                .iter()
                .map(|name| quote(name.raw()).to_string())
                .collect();
            Finding {
                digest: inside.report.digest.clone(),
                platform: inside.report.platform.clone(),
                ..Finding::new(
                    Rule::PlatformUnsigned,
                    format!(
                        "the index is signed, and {} inside it is not ({})",
                        inside.report.image,
                        platforms.join(", ")
                    ),
                )
            }
        }));
    }
}

/// Where a target stands that something is in the way of: nobody said no where nobody could tell.
pub(super) const fn stopped_by(class: Class) -> TargetState {
    match class {
        Class::Rejected | Class::Tampered => TargetState::Rejected,
        _ => TargetState::Failed,
    }
}

/// Whether everything that was written is listed, however it is judged.
pub(super) fn is_listed(observed: &Observed, written: &[Digest]) -> bool {
    let signatures = observed.signatures.iter().map(|judged| &judged.descriptor.digest);
    let attestations = observed.attestations.iter().map(|found| &found.descriptor.digest);
    let listed: Vec<&Digest> = signatures.chain(attestations).collect();
    written.iter().all(|digest| listed.contains(&digest))
}

/// Demands that what a run wrote is there when it is read back, and accepted.
///
/// # Errors
/// Unavailable where it is not listed (running again finishes the job), rejected where it is and does not verify.
pub(super) fn find_again(unit: &Unit, observed: &Observed, written: &[Digest]) -> Result<(), Cause> {
    let bad = |digest: &Digest| {
        let signature = observed
            .signatures
            .iter()
            .find(|judged| judged.descriptor.digest == *digest);
        let attestation = observed
            .attestations
            .iter()
            .find(|found| found.descriptor.digest == *digest);
        let signature = signature.map(|judged| match standing(std::slice::from_ref(judged)) {
            Standing::Bad(obstacle) => Some(obstacle),
            Standing::Good | Standing::Absent => None,
        });
        signature.or(attestation.map(attestation_obstacle))
    };
    for digest in written {
        let (class, what, hint) = match bad(digest) {
            Some(None) => continue,
            Some(Some(obstacle)) => (obstacle.class, obstacle.message.clone(), fix(&obstacle)),
            None => (
                Class::Unavailable,
                "it was stored and is not listed when it is read back".to_owned(),
                AGAIN.to_owned(),
            ),
        };
        let message = format!(
            "could not find {digest} on {} as it was stored: {what}",
            unit.subject
        );
        return Err(Cause {
            class,
            message,
            hint: Some(hint),
        });
    }
    Ok(())
}

/// What to do where running again may help.
const AGAIN: &str = "run the same command again; what is done already is kept";

/// What to do about something that was stored and does not count: running again helps only where nobody said no.
fn fix(obstacle: &Obstacle) -> String {
    let rule = obstacle.rule;
    match (obstacle.class, rule) {
        (Class::Rejected | Class::Tampered, _)
        | (_, Rule::RevocationUnknown | Rule::TooManyReferrers | Rule::SignatureUnsupported) => {
            format!("{}: {}", rule.id(), rule.fix())
        }
        (Class::Refused, _) => {
            "let this identity read what it stores, then run the same command again".to_owned()
        }
        _ => AGAIN.to_owned(),
    }
}

/// What stands in the way of a unit, and what is only said.
fn obstacles(
    unit: &Unit,
    observed: &Observed,
    of_image: bool,
    weighed: Weighed,
) -> (Vec<Obstacle>, Vec<Obstacle>) {
    let signature = match standing(&observed.signatures) {
        _ if !of_image => None,
        Standing::Good => None,
        Standing::Absent => Some(absent(
            unit,
            Rule::SignatureMissing,
            "no Notary Project signature is there",
        )),
        Standing::Bad(obstacle) => Some(obstacle),
    };
    let provenance = weighed
        .provenance_missing
        .then(|| absent(unit, Rule::AttestationMissing, "no provenance is there"));
    let obstacles = signature
        .into_iter()
        .chain(weighed.obstacles)
        .chain(provenance)
        .collect();
    (obstacles, weighed.remarks)
}

/// A report about a unit of which nothing but its name and digest is known yet.
pub(super) fn bare(unit: &Unit, state: TargetState) -> TargetReport {
    TargetReport {
        image: unit.image.clone(),
        repository: unit.subject.place().to_string(),
        digest: Some(unit.subject.digest().clone()),
        platforms: unit.platforms.clone(),
        platform: unit.platform().cloned(),
        state,
        plan: Vec::new(),
        signatures: Vec::new(),
        attestations: Vec::new(),
        expectations: Vec::new(),
        binding: None,
        tree: None,
        attested_only: unit.attested_only,
    }
}

fn absent(unit: &Unit, rule: Rule, message: &str) -> Obstacle {
    Obstacle {
        class: Class::Rejected,
        rule,
        message: message.to_owned(),
        expected: None,
        found: None,
        about: unit.subject.digest().clone(),
        fix: None,
    }
}

fn finding(obstacle: &Obstacle) -> Finding {
    Finding {
        level: report::Level::Error,
        digest: Some(obstacle.about.clone()),
        expected: obstacle.expected.clone(),
        found: obstacle.found.clone(),
        fix: obstacle.fix.clone(),
        ..Finding::new(obstacle.rule, obstacle.message.clone())
    }
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
                level: report::Level::Warning,
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

/// The specification's word for a validation.
const fn word(kind: ValidationKind) -> &'static str {
    match kind {
        ValidationKind::Integrity => "integrity",
        ValidationKind::Authenticity => "authenticity",
        ValidationKind::AuthenticTimestamp => "authenticTimestamp",
        ValidationKind::Expiry => "expiry",
        ValidationKind::Revocation => "revocation",
    }
}

/// What is worth saying though nothing stands in the way.
fn remarks(unit: &Unit, observed: &Observed) -> Vec<Finding> {
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

/// A word where more hangs on an image than is good: a warning while there is room, an error from where admission
/// controllers refuse the image on.
fn crowded(subject: &Subject, referrers: usize) -> Option<Finding> {
    if referrers <= REFERRERS_WARNED {
        return None;
    }
    let level = if referrers <= REFERRERS_ADMITTED {
        report::Level::Warning
    } else {
        report::Level::Error
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
pub(super) fn unsigned_beside(attestations: &[ObservedAttestation], kinds: &[ArtifactType]) -> Vec<Finding> {
    let unsigned = attestations.iter().filter(|found| {
        let kind = found.artifact_type.as_ref();
        found.signatures.is_empty() && is_listed_only(found) && kind.is_some_and(|kind| kinds.contains(kind))
    });
    unsigned
        .map(|found| Finding {
            level: report::Level::Warning,
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

impl Judged {
    pub(super) fn accepted(&self) -> Option<&crate::domain::trust::Accepted> {
        match self.outcome() {
            Some(Outcome::Accepted(accepted)) => Some(accepted),
            _ => None,
        }
    }

    /// `accepted`, `rejected` or `unknown`, and why not accepted.
    fn verdict(&self) -> (&'static str, Option<String>) {
        match &self.finding {
            Judgement::Judged(Outcome::Accepted(_)) => ("accepted", None),
            Judgement::Judged(Outcome::Rejected(rejected)) => {
                let word = if rejected.class() == Class::Unavailable {
                    "unknown"
                } else {
                    "rejected"
                };
                (word, Some(rejected.message().to_owned()))
            }
            Judgement::Malformed(why) => ("rejected", Some(why.clone())),
            Judgement::NotJudged => ("listed", None),
            Judgement::PastLimit(limit) => ("unknown", Some(past_limit(*limit))),
            Judgement::Unreadable(error) => {
                let cause = Cause::of(error);
                let word = if cause.class == Class::Tampered {
                    "rejected"
                } else {
                    "unknown"
                };
                (word, Some(cause.message))
            }
        }
    }
}

fn signature(judged: &Judged, made: &MadeNow) -> SignatureReport {
    let (verdict, reason) = judged.verdict();
    let outcome = judged.outcome();
    let validations = outcome.map(Outcome::validations).unwrap_or_default();
    let envelope = outcome.and_then(Outcome::envelope);
    SignatureReport {
        digest: judged.descriptor.digest.clone(),
        identity: outcome.and_then(Outcome::identity).cloned(),
        verdict,
        reason,
        made_now: made.contains(&judged.descriptor.digest),
        signed_at: envelope
            .and_then(|envelope| envelope.authentic_signing_time().or(envelope.signing_time())),
        expires_at: envelope.and_then(crate::domain::notary::IntactEnvelope::expiry),
        validations: validations.iter().map(validation).collect(),
    }
}

fn validation(validation: &Validation) -> ValidationReport {
    let (result, reason) = match &validation.result {
        ValidationResult::Passed => ("passed", None),
        ValidationResult::Failed(why) => ("failed", Some(why.clone())),
        ValidationResult::Skipped(why) => ("skipped", Some(why.clone())),
        ValidationResult::Unknown(why) => ("unknown", Some(why.clone())),
    };
    ValidationReport {
        validation: word(validation.kind),
        action: match validation.action {
            Action::Enforce => "enforce",
            Action::Log => "log",
            Action::Skip => "skip",
        },
        result,
        reason,
    }
}

fn attestation(found: &ObservedAttestation, judged: bool, made: &MadeNow) -> AttestationReport {
    let (verdict, reason) = match &found.outcome {
        _ if !judged || is_listed_only(found) => ("listed", None),
        AttestationOutcome::Accepted(_) => ("accepted", None),
        AttestationOutcome::Rejected { message, .. } => ("rejected", Some(message.clone())),
    };
    AttestationReport {
        digest: found.descriptor.digest.clone(),
        artifact_type: found
            .descriptor
            .artifact_type
            .as_ref()
            .map(|kind| Foreign::new(kind.as_str())),
        predicate_type: found.said.predicate_type.clone(),
        kind: found.kind.map(Kind::name),
        verdict,
        reason,
        made_now: made.contains(&found.descriptor.digest),
        file: None,
        facts: found.said.facts.clone(),
        signatures: found
            .signatures
            .iter()
            .map(|judged| signature(judged, made))
            .collect(),
    }
}

fn expectation(held: &Held) -> ExpectationReport {
    ExpectationReport {
        about: Foreign::new(held.wanted.name()),
        required: held.required,
        verdict: match (&held.met_by, held.shortfalls.is_empty()) {
            (Some(_), _) => "met",
            (None, true) => "absent",
            (None, false) => "missed",
        },
        met_by: held.met_by.clone(),
    }
}

/// The referrer tree of a unit.
pub(super) fn tree(unit: &Unit, observed: &Observed) -> TreeNode {
    let signatures = observed.signatures.iter().map(signature_node);
    let attestations = observed
        .attestations
        .iter()
        .map(|found| attestation_node(found, observed.judged));
    let others = observed.others.iter().map(|descriptor| {
        let kind = descriptor
            .artifact_type
            .as_ref()
            .unwrap_or(&descriptor.media_type);
        node(
            descriptor,
            kind.as_str(),
            None,
            report::Standing::Listed,
            Vec::new(),
        )
    });
    let descriptor = unit.subject.descriptor();
    let kind = if descriptor.media_type.is_index() {
        "image index"
    } else {
        "image manifest"
    };
    let platforms: Vec<&str> = unit.platforms.iter().map(Foreign::raw).collect();
    let note = (!platforms.is_empty()).then(|| Foreign::new(platforms.join(", ")));
    let standing = match standing(&observed.signatures) {
        _ if !observed.judged => report::Standing::Listed,
        Standing::Good => report::Standing::Verified,
        Standing::Bad(obstacle) if obstacle.class != Class::Rejected && obstacle.class != Class::Tampered => {
            report::Standing::Unknown
        }
        Standing::Bad(_) | Standing::Absent => report::Standing::Rejected,
    };
    node(
        descriptor,
        kind,
        note,
        standing,
        signatures.chain(attestations).chain(others).collect(),
    )
}

fn signature_node(judged: &Judged) -> TreeNode {
    let (verdict, reason) = judged.verdict();
    let standing = match verdict {
        "accepted" => report::Standing::Verified,
        "unknown" => report::Standing::Unknown,
        "listed" => report::Standing::Listed,
        _ => report::Standing::Rejected,
    };
    let identity = judged.accepted().map(|accepted| accepted.identity().clone());
    let note = identity.or(reason.map(Foreign::new));
    node(&judged.descriptor, "signature", note, standing, Vec::new())
}

fn attestation_node(found: &ObservedAttestation, judged: bool) -> TreeNode {
    let (standing, note) = match &found.outcome {
        _ if !judged || is_listed_only(found) => (report::Standing::Listed, None),
        AttestationOutcome::Accepted(_) => {
            let builder = found.said.facts.iter().find(|(name, _)| *name == "builder");
            let note = builder.map(|(_, builder)| format!("built by {}", builder.raw()));
            (report::Standing::Verified, note)
        }
        AttestationOutcome::Rejected { message, .. } => (report::Standing::Rejected, Some(message.clone())),
    };
    let children = found.signatures.iter().map(signature_node).collect();
    node(
        &found.descriptor,
        &attestation_name(found),
        note.map(Foreign::new),
        standing,
        children,
    )
}

/// What an attestation is called: its kind's name, or else its predicate type, or what the list says it carries.
fn attestation_name(found: &ObservedAttestation) -> String {
    let said = found.said.predicate_type.as_ref().map(Foreign::raw);
    let listed = found.descriptor.artifact_type.as_ref().map(MediaType::as_str);
    let name = found.kind.map(Kind::name).or(said).or(listed);
    name.unwrap_or("attestation").to_owned()
}

fn node(
    descriptor: &Descriptor,
    kind: &str,
    note: Option<Foreign>,
    standing: report::Standing,
    children: Vec<TreeNode>,
) -> TreeNode {
    TreeNode {
        kind: Foreign::new(kind),
        digest: descriptor.digest.clone(),
        size: descriptor.size,
        note,
        standing,
        children,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oci::{Manifest, Place};
    use serde_json::json;

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
        assert_eq!(level(41), told(report::Level::Warning));
        assert_eq!(level(50), told(report::Level::Warning));
        assert_eq!(level(51), told(report::Level::Error));
    }

    #[test]
    fn the_worst_leads_and_of_equals_the_image() {
        let obstacle = |class, rule| Obstacle {
            class,
            rule,
            message: String::new(),
            expected: None,
            found: None,
            about: Digest::of(b""),
            fix: None,
        };
        let image = obstacle(Class::Rejected, Rule::SignatureMissing);
        let attestation = obstacle(Class::Rejected, Rule::AttestationUnsigned);
        let lie = obstacle(Class::Tampered, Rule::AttestationMalformed);
        let both = [image.clone(), attestation.clone()];
        assert_eq!(worst(&both), Some(&image));
        assert_eq!(worst(&[image, attestation, lie.clone()]), Some(&lie));
        assert_eq!(worst(&[]), None);
    }
}
