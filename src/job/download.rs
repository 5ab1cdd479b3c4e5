//! Handing out the documents of the attestations on one image, whatever each is worth.

use super::ended::Ended;
use super::judge::Judge;
use super::observe::ObservedAttestation;
use super::progress::Progress;
use super::standing::Demand;
use super::tell::{self, MadeNow};
use super::{Backends, InspectJob, Recursive, Stop, resolve, scope};
use crate::base::failure::{Cause, Class, in_full};
use crate::base::limits;
use crate::domain::oci::{Digest, Subject};
use crate::domain::plan::Step;
use crate::domain::provenance::{Kind, attestation_manifest};
use crate::domain::report::{Failure, RunReport};
use crate::seams::{Observer, ReadStore, Revocation};

/// Who keeps a document under a name, and says where.
pub type Keep<'a> = dyn FnMut(&str, &[u8]) -> Result<String, Cause> + 'a;

/// Reads every attestation on one image and gives each document to `keep`, one at a time, under a name that nobody but
/// we chose. What does not verify is handed out too, and called so; what cannot be read is a failure of its own, and the
/// others are handed out all the same.
pub async fn download<S: ReadStore, R: Revocation, O: Observer>(
    job: &InspectJob,
    backends: Backends<'_, S, R, O>,
    stop: &Stop,
    keep: &mut Keep<'_>,
) -> RunReport {
    let mut report = super::blank_report("download", backends.clock.now());
    let targets = std::slice::from_ref(&job.target);
    let worth = |trust: &super::Trust| trust.worth(targets, job.repository.as_ref());
    report.checked = job.trust.as_ref().map(worth);
    let judge = Judge::new(&backends, job.trust.as_ref());
    let progress = Progress::new(backends.observer, 0);
    let work = async {
        progress.begin(Step::Resolve);
        let units = resolve::resolve(judge.store, &job.target, Recursive::Index, false).await?;
        progress.begin(Step::Observe);
        let mut all = Vec::new();
        for unit in units {
            let scope = scope(unit.subject.place(), job.repository.as_ref());
            let observed = judge.observe(&unit.subject, &scope).await?;
            let mut ended = Ended::judged(
                tell::assess(&unit, &observed, Demand::Found, &MadeNow::new()),
                &job.target,
            );
            ended.failures.clear();
            for (found, told) in observed.attestations.iter().zip(&mut ended.report.attestations) {
                match hand_out(judge.store, &unit.subject, found, keep).await {
                    Ok(file) => told.file = Some(file),
                    Err(cause) => ended.failures.push(failed(cause)),
                }
            }
            all.push(ended);
        }
        Ok(all)
    };
    match progress.guard(job.timeout, stop, work).await {
        Ok(all) => all.into_iter().for_each(|ended| ended.into_report(&mut report)),
        Err(failure) => Ended::unresolved(&job.target, Some(failure)).into_report(&mut report),
    }
    super::close(&mut report, &[], backends.clock);
    report
}

fn failed(cause: Cause) -> Failure {
    Failure {
        target: None,
        step: Step::Observe,
        cause,
        done: Vec::new(),
    }
}

async fn hand_out<S: ReadStore>(
    store: &S,
    image: &Subject,
    found: &ObservedAttestation,
    keep: &mut Keep<'_>,
) -> Result<String, Cause> {
    let place = image.place();
    let digest = &found.descriptor.digest;
    let manifest = store.manifest(place, &found.descriptor).await;
    let manifest = manifest.map_err(|error| Cause::of(&error))?;
    let layer = attestation_manifest::document_of(&manifest, image.descriptor()).map_err(|error| Cause {
        class: Class::Rejected,
        message: format!("could not take a document from {digest}: {}", in_full(&error)),
        hint: None,
    })?;
    let bytes = store.blob(place, &layer, limits::STATEMENT_BYTES).await;
    let bytes = bytes.map_err(|error| Cause::of(&error))?;
    keep(&file_name(found.kind, digest), &bytes)
}

/// A name by kind and digest; nothing in it is of anybody else's choice.
fn file_name(kind: Option<Kind>, digest: &Digest) -> String {
    let kind = kind.map_or("attestation", Kind::name);
    format!("{kind}-{}-{}.json", digest.algorithm().name(), digest.hex())
}
