//! `countersign verify`: judge what is in the store, write nothing to it.

use super::Scene;
use super::asked::Named;
use super::publish::{Finished, publishing};
use super::watch::Watch;
use crate::base::failure::Cause;
use crate::base::limits::SIGNATURES_JUDGED;
use crate::cli::VerifySettings;
use crate::job::{self, VerifyJob};

pub(super) async fn verify(settings: &VerifySettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    publishing("verify", &settings.task.report, scene, work(settings, scene)).await
}

async fn work(settings: &VerifySettings, scene: &Scene<'_>) -> Result<Finished, Cause> {
    let named = Named::read(&settings.asked, scene)?;
    let watch = Watch::new(scene);
    let services = named.open(&watch, scene)?;
    let Some(loaded) = named.trust(&services, scene).await? else {
        return Err(super::bug("neither signer nor policy was given"));
    };
    let job = VerifyJob {
        targets: named.targets,
        recursive: settings.recursive,
        require_digest: settings.require_digest,
        metadata: settings.metadata.clone(),
        trust: loaded.trust,
        max_signatures: SIGNATURES_JUDGED,
        repository: settings.asked.repository.clone(),
        concurrency: settings.task.concurrency,
        authority: settings.task.authority.clone(),
    };
    let backends = watch.backends(&services);
    let report = watch
        .over(&services, job::verify(&job, backends, scene.stop))
        .await?;
    Ok(Finished {
        report,
        trust: loaded.files,
    })
}
