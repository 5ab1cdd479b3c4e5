//! `countersign verify`: judge what is in the store, write nothing to it.

use super::derive::Deriving;
use super::publish::{Finished, publish};
use super::services::{self, Services};
use super::watch::Watch;
use super::{Scene, images, trust};
use crate::base::failure::Cause;
use crate::base::limits::SIGNATURES_JUDGED;
use crate::cli::VerifySettings;
use crate::domain::plan::Step;
use crate::edge::ci::OutputDir;
use crate::job::{self, VerifyJob};

pub(super) async fn verify(settings: &VerifySettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    let out = OutputDir::prove(&settings.report.output_dir).map_err(|error| Cause::of(&error))?;
    let finished = work(settings, scene).await;
    let finished = finished.unwrap_or_else(|cause| Finished::stopped("verify", Step::Listen, cause));
    Ok(publish(finished, &settings.report, &out, scene))
}

async fn work(settings: &VerifySettings, scene: &Scene<'_>) -> Result<Finished, Cause> {
    let targets = images::targets(&settings.images, settings.repository.as_ref(), scene)?;
    let profile = services::profile(&settings.services)?;
    let watch = Watch::new(scene);
    let judges = settings.key.is_none();
    let services = Services::open(&settings.services, &targets, judges, &watch, scene)?;
    let scopes = trust::scopes(&targets, settings.repository.as_ref());
    let deriving = Deriving {
        key: settings.key.as_ref(),
        profile: profile.as_ref(),
        named: &settings.trust,
        scopes: &scopes,
    };
    let derived = deriving.derive(&services, scene).await?;
    let Some(loaded) = trust::load(&settings.trust, derived.as_ref(), &scopes)? else {
        return Err(super::bug("neither signer nor policy was given"));
    };
    let job = VerifyJob {
        targets,
        recursive: settings.recursive,
        require_digest: settings.require_digest,
        metadata: settings.metadata.clone(),
        trust: loaded.trust,
        max_signatures: SIGNATURES_JUDGED,
        repository: settings.repository.clone(),
        concurrency: settings.concurrency,
        authority: settings.authority.clone(),
    };
    let ended = watch
        .over(job::verify(&job, watch.backends(&services), scene.stop))
        .await;
    let mut report = ended?;
    report.findings.extend(services.findings);
    Ok(Finished {
        report,
        trust: loaded.files,
    })
}
