//! `countersign verify`: judge what is in the store, write nothing to it.

use super::backends::AnyStore;
use super::publish::{Finished, publish};
use super::watch::Watch;
use super::{Scene, derive, images, trust};
use crate::base::failure::Cause;
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
    let store = AnyStore::default();
    store.serves(targets.iter().map(|target| &target.image))?;
    let repository = settings.repository.as_ref();
    let derived = derive::of_key(settings.key.as_ref(), &settings.trust, repository, scene)?;
    let Some(loaded) = trust::load(&settings.trust, derived.as_ref(), repository)? else {
        return Err(super::bug("neither signer nor policy was given"));
    };
    let job = VerifyJob {
        targets,
        recursive: settings.recursive,
        require_digest: settings.require_digest,
        metadata: settings.metadata.clone(),
        trust: loaded.trust,
        repository: settings.repository.clone(),
        concurrency: settings.concurrency,
        authority: settings.authority.clone(),
    };
    let watch = Watch::new(scene);
    let ended = watch
        .over(job::verify(&job, watch.backends(&store), scene.stop))
        .await;
    Ok(Finished {
        report: ended?,
        trust: loaded.files,
    })
}
