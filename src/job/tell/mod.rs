//! From what the job knows to what the report says.

mod parts;
mod remarks;
mod tree;

pub(super) use remarks::unsigned_beside;
pub(super) use tree::tree;

use std::collections::HashSet;

use self::parts::{attestation, expectation, signature};
use self::remarks::remarks;
use super::judge::{Judged, Judgement};
use super::observe::Observed;
use super::resolve::Unit;
use super::standing::{
    Demand, Obstacle, Standing, Weighed, attestation_obstacle, past_limit, standing, unmet, weigh,
};
use super::tags::Stray;
use crate::base::failure::{Cause, Class};
use crate::base::foreign::quote;
use crate::domain::oci::Digest;
use crate::domain::report::{self, Finding, Rule, TargetReport, TargetState};
use crate::domain::trust::expectation::Held;
use crate::domain::trust::{Accepted, Outcome};

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

impl Judged {
    pub(super) fn accepted(&self) -> Option<&Accepted> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
