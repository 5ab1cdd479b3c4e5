//! Saying why one image counts as signed, or does not.

use super::judge::{Judge, Judged, Judgement};
use super::observe::ObservedAttestation;
use super::progress::Progress;
use super::resolve::{self, Unit};
use super::standing::{Demand, Obstacle, attestation_obstacle, is_listed_only, past_limit};
use super::tags::Stray;
use super::tell::{self, MadeNow};
use super::{Backends, ExplainJob, Recursive, Stop, scope};
use crate::base::failure::{Cause, Class, in_full};
use crate::domain::plan::Step;
use crate::domain::report::Failure;
use crate::domain::report::explanation::{Conclusion, Explanation, Found, FoundAttestation};
use crate::domain::trust::Applicable;
use crate::seams::{Observer, ReadStore, Revocation};

/// Explains the verdict on one image, whatever it is; [`Conclusion::class`] says how the command is to end.
///
/// The judgement is the one that [`super::verify`] makes of the same digest.
///
/// # Errors
/// A [`Failure`] where the image or the list of what hangs on it cannot be read, or time is up.
pub async fn explain<S: ReadStore, R: Revocation, O: Observer>(
    job: &ExplainJob,
    backends: Backends<'_, S, R, O>,
    stop: &Stop,
) -> Result<Explanation, Failure> {
    let judge = Judge {
        metadata: &job.metadata,
        ..Judge::new(&backends, Some(&job.trust))
    };
    let progress = Progress::new(backends.observer, 0);
    let work = async {
        progress.begin(Step::Resolve);
        let units = resolve::resolve(judge.store, &job.target, Recursive::Index, false).await?;
        progress.begin(Step::Verify);
        match units.first() {
            None => Err(nothing_named()),
            Some(unit) => of_unit(job, &judge, unit).await,
        }
    };
    progress.guard(job.timeout, stop, work).await
}

async fn of_unit<S: ReadStore, R: Revocation>(
    job: &ExplainJob,
    judge: &Judge<'_, S, R>,
    unit: &Unit,
) -> Result<Explanation, Cause> {
    let (policy, store) = (&job.trust.policy, &job.trust.store);
    let (digest, scope) = (
        unit.subject.digest(),
        scope(unit.subject.place(), job.repository.as_ref()),
    );
    let explained =
        |found: &[Found], conclusion| Explanation::new(digest, &scope, policy, store, found, conclusion);
    match policy.applicable(&scope) {
        Err(error) => {
            let cause = Cause::of(&error);
            let conclusion = Conclusion {
                class: Some(cause.class),
                rule: None,
                why: cause.message,
                skipped: false,
            };
            Ok(explained(&[], conclusion))
        }
        Ok(Applicable::Skip(_)) if !unit.strays.is_empty() => {
            let worst = unit.strays.first().map(Stray::obstacle);
            Ok(explained(&[], concluded(worst, &[])))
        }
        Ok(Applicable::Skip(_)) => {
            let why = "the policy says not to look, so nothing was verified";
            Ok(explained(&[], Conclusion::skipped(why)))
        }
        Ok(Applicable::Judge(_)) => {
            let observed = judge.observe(&unit.subject, &scope).await?;
            let worst = tell::assess(unit, &observed, Demand::Found, &MadeNow::new()).worst;
            let signatures: Vec<Found> = observed.signatures.iter().map(found).collect();
            let judged = observed
                .attestations
                .iter()
                .filter(|found| !is_listed_only(found));
            let attestations: Vec<FoundAttestation> = judged.map(attested).collect();
            let conclusion = concluded(worst, &attestations);
            Ok(explained(&signatures, conclusion).with_attestations(&attestations))
        }
    }
}

fn found(judged: &Judged) -> Found {
    Found {
        manifest: judged.descriptor.digest.clone(),
        outcome: match &judged.finding {
            Judgement::Judged(outcome) => Ok(outcome.clone()),
            Judgement::Unreadable(error) => Err(in_full(error)),
            Judgement::Malformed(why) => Err(why.clone()),
            Judgement::NotJudged => Err("there is no trust policy to judge it by".to_owned()),
            Judgement::PastLimit(limit) => Err(past_limit(*limit)),
        },
    }
}

fn attested(observed: &ObservedAttestation) -> FoundAttestation {
    FoundAttestation {
        manifest: observed.descriptor.digest.clone(),
        predicate_type: observed.said.predicate_type.clone(),
        fault: attestation_obstacle(observed).map(|obstacle| (obstacle.rule, obstacle.message)),
        signatures: observed.signatures.iter().map(found).collect(),
    }
}

fn concluded(worst: Option<Obstacle>, attestations: &[FoundAttestation]) -> Conclusion {
    let Some(worst) = worst else {
        let refused = attestations
            .iter()
            .filter(|attestation| attestation.fault.is_some())
            .count();
        let beside = match refused {
            0 => "",
            _ => "; attestations by others that do not count stand beside those that do",
        };
        let why = format!("a signature passes everything that the policy enforces; one is enough{beside}");
        return Conclusion::yes(why);
    };
    Conclusion {
        class: Some(worst.class),
        rule: Some(worst.rule),
        why: worst.message,
        skipped: false,
    }
}

/// Resolving names the image itself first; saying so here keeps a panic out.
fn nothing_named() -> Cause {
    Cause {
        class: Class::Internal,
        message: "the image resolved to nothing".to_owned(),
        hint: None,
    }
}
