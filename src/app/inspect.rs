//! `countersign inspect`: show what hangs on an image, and whether it verifies.

use super::Scene;
use super::asked::Named;
use super::publish::{settle, show};
use super::watch::Watch;
use crate::base::failure::Cause;
use crate::cli::{FailOn, InspectSettings};
use crate::job::{self, InspectJob};

pub(super) async fn inspect(settings: &InspectSettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    let named = Named::read(&settings.asked, scene)?;
    let target = named.one()?.clone();
    let watch = Watch::new(scene);
    let services = named.open(&watch, scene)?;
    let job = InspectJob {
        target,
        trust: named.trust(&services, scene).await?.map(|loaded| loaded.trust),
        repository: settings.asked.repository.clone(),
        timeout: settings.timeout,
    };
    let backends = watch.backends(&services);
    let mut report = watch
        .over(&services, job::inspect(&job, backends, scene.stop))
        .await?;
    settle(&mut report, FailOn::None, scene);
    Ok(show(&report, settings.format, scene))
}
