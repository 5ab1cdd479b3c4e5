//! `countersign download`: write the documents of an image's attestations to files.

use super::Scene;
use super::asked::Named;
use super::publish::{settle, show};
use super::watch::Watch;
use crate::base::failure::Cause;
use crate::cli::{DownloadSettings, FailOn};
use crate::edge::ci::OutputDir;
use crate::job::{self, InspectJob};

pub(super) async fn download(settings: &DownloadSettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    let named = Named::read(&settings.asked, scene)?;
    let target = named.one()?.clone();
    let to = OutputDir::prove(&settings.to).map_err(|error| Cause::of(&error))?;
    let watch = Watch::new(scene);
    let services = named.open(&watch, scene)?;
    let job = InspectJob {
        target,
        trust: named.trust(&services, scene).await?.map(|loaded| loaded.trust),
        repository: settings.asked.repository.clone(),
        timeout: settings.timeout,
    };
    let backends = watch.backends(&services);
    let mut keep = |name: &str, bytes: &[u8]| {
        let kept = to.keep(name, bytes).map_err(|error| Cause::of(&error))?;
        Ok(kept.display().to_string())
    };
    let downloading = job::download(&job, backends, scene.stop, &mut keep);
    let mut report = watch.over(&services, Box::pin(downloading)).await?;
    settle(&mut report, FailOn::None, scene);
    Ok(show(&report, settings.format, scene))
}
