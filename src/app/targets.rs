//! `countersign targets`: list what would be acted on.

use super::services::Services;
use super::watch::Watch;
use super::{Scene, images, said};
use crate::base::failure::{Cause, Class};
use crate::cli::{TargetsFormat, TargetsSettings};
use crate::job::{
    ListedTarget, Naming, list_targets, name_targets, resolve_targets, targets_json, targets_matrix,
    targets_text,
};

pub(super) async fn targets(settings: &TargetsSettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    let region = settings.services.aws.region.as_deref();
    let named = images::read(&settings.images, settings.repository.as_ref(), region, scene)?;
    let listed = list_targets(named.naming()).map_err(|error| Cause::of(&error))?;
    let targets = if settings.resolve {
        resolve(listed, named.naming(), settings, scene).await?
    } else {
        Ok(listed)
    };
    let targets = match targets {
        Ok(targets) => targets,
        Err(exit) => return Ok(exit),
    };
    let printed = match settings.format {
        TargetsFormat::Text => scene.writer.text(&targets_text(&targets)),
        TargetsFormat::Json => scene.writer.json(&targets_json(&targets)),
        TargetsFormat::Matrix => scene.writer.json(&targets_matrix(&targets)),
    };
    Ok(said(scene.writer, printed, 0))
}

/// Asks the stores; every problem is said, and the worst is the exit code.
async fn resolve(
    listed: Vec<ListedTarget>,
    naming: Naming<'_>,
    settings: &TargetsSettings,
    scene: &Scene<'_>,
) -> Result<Result<Vec<ListedTarget>, u8>, Cause> {
    let targets = name_targets(naming).map_err(|error| Cause::of(&error))?;
    let watch = Watch::new(scene);
    let services = Services::open(&settings.services, &targets, false, &watch, scene)?;
    let backends = (&services.store, &watch);
    let work = resolve_targets(listed, settings.concurrency, backends, scene.stop);
    let resolved = watch.to_its_end(work).await?;
    Ok(resolved.map_err(|problems| {
        for problem in &problems {
            scene.writer.error(problem);
        }
        let worst = Class::worst(problems.iter().map(|problem| problem.class));
        let signal = scene.stop.signal().map(crate::job::Signal::exit_code);
        signal.unwrap_or_else(|| worst.unwrap_or(Class::Internal).exit_code())
    }))
}
