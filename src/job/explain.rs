//! Saying why one image counts as signed, or does not.

use super::judge::{Judge, Judged, Judgement};
use super::progress::Progress;
use super::standing::{Standing, past_limit, standing};
use super::{Backends, ExplainJob, Recursive, Stop, resolve, scope};
use crate::base::failure::{Cause, Class, in_full};
use crate::domain::oci::Subject;
use crate::domain::plan::Step;
use crate::domain::report::explanation::{Conclusion, Explanation, Found};
use crate::domain::report::{Failure, Rule};
use crate::domain::trust::Applicable;
use crate::seams::{Observer, ReadStore, Revocation};

/// Explains the verdict on one image, whatever it is; [`Conclusion::class`] says how the command is to end.
///
/// The judgement is the one that [`super::verify`] makes of the same digest, its attestations left aside.
///
/// # Errors
/// A [`Failure`] where the image or the list of its signatures cannot be read, or time is up.
pub async fn explain<S: ReadStore, R: Revocation, O: Observer>(
    job: &ExplainJob,
    backends: Backends<'_, S, R, O>,
    stop: &Stop,
) -> Result<Explanation, Failure> {
    let judge = Judge::new(&backends, Some(&job.trust));
    let progress = Progress::new(backends.observer, 0);
    let work = async {
        progress.begin(Step::Resolve);
        let units = resolve::resolve(judge.store, &job.target, Recursive::Index, false).await?;
        progress.begin(Step::Verify);
        let Some(unit) = units.first() else {
            return Err(nothing_named());
        };
        of_subject(job, &judge, &unit.subject).await
    };
    progress.guard(job.timeout, stop, work).await
}

async fn of_subject<S: ReadStore, R: Revocation>(
    job: &ExplainJob,
    judge: &Judge<'_, S, R>,
    subject: &Subject,
) -> Result<Explanation, Cause> {
    let (policy, store) = (&job.trust.policy, &job.trust.store);
    let scope = scope(subject.place(), job.repository.as_ref());
    let (found, conclusion) = match policy.applicable(&scope) {
        Err(error) => {
            let cause = Cause::of(&error);
            let conclusion = Conclusion {
                class: Some(cause.class),
                rule: None,
                why: cause.message,
                skipped: false,
            };
            (Vec::new(), conclusion)
        }
        Ok(Applicable::Skip(_)) => (
            Vec::new(),
            Conclusion::skipped("the policy says not to look, so nothing was verified"),
        ),
        Ok(Applicable::Judge(_)) => {
            let judged = judge.signatures_on(subject, &scope).await?;
            (judged.iter().map(found).collect(), concluded(&judged))
        }
    };
    Ok(Explanation::new(
        subject.digest(),
        &scope,
        policy,
        store,
        &found,
        conclusion,
    ))
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

fn concluded(judged: &[Judged]) -> Conclusion {
    match standing(judged) {
        Standing::Good => {
            Conclusion::yes("a signature passes everything that the policy enforces; one is enough")
        }
        Standing::Absent => Conclusion::no(Rule::SignatureMissing, "no Notary Project signature is there"),
        Standing::Bad(obstacle) => Conclusion {
            class: Some(obstacle.class),
            rule: Some(obstacle.rule),
            why: obstacle.message,
            skipped: false,
        },
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
