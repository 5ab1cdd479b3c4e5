//! `countersign inspect`: show what hangs on an image, and whether it verifies.

use super::derive::Deriving;
use super::publish::{settle, show};
use super::services::{self, Services};
use super::watch::Watch;
use super::{Scene, images, trust};
use crate::base::failure::{Cause, Class};
use crate::cli::{FailOn, InspectSettings};
use crate::job::{self, InspectJob, Target, Trust};

/// One image, where it is kept, and what it is judged by.
pub(super) struct Opened {
    pub(super) target: Target,
    pub(super) trust: Option<Trust>,
    pub(super) services: Services,
}

/// Finds the one image that is asked about, and what it is judged by.
pub(super) async fn open(
    settings: &InspectSettings,
    watch: &Watch<'_>,
    scene: &Scene<'_>,
) -> Result<Opened, Cause> {
    let targets = images::targets(&settings.images, settings.repository.as_ref(), scene)?;
    let [target] = targets.as_slice() else {
        return Err(Cause {
            class: Class::Usage,
            message: format!("expected one image, found {}", targets.len()),
            hint: Some("ask about them one by one".to_owned()),
        });
    };
    let profile = services::profile(&settings.services)?;
    let judges = settings.key.is_none();
    let services = Services::open(&settings.services, &targets, judges, watch, scene)?;
    let scopes = trust::scopes(&targets, settings.repository.as_ref());
    let deriving = Deriving {
        key: settings.key.as_ref(),
        profile: profile.as_ref(),
        named: &settings.trust,
        scopes: &scopes,
    };
    let derived = deriving.derive(&services, scene).await?;
    let trust = trust::load(&settings.trust, derived.as_ref(), &scopes)?.map(|loaded| loaded.trust);
    Ok(Opened {
        target: target.clone(),
        trust,
        services,
    })
}

pub(super) async fn inspect(settings: &InspectSettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    let watch = Watch::new(scene);
    let opened = open(settings, &watch, scene).await?;
    let services = opened.services;
    let job = InspectJob {
        target: opened.target,
        trust: opened.trust,
        repository: settings.repository.clone(),
        timeout: settings.timeout,
    };
    let ended = watch
        .over(job::inspect(&job, watch.backends(&services), scene.stop))
        .await;
    let mut report = ended?;
    report.findings.extend(services.findings);
    settle(&mut report, FailOn::None, scene);
    Ok(show(&report, settings.format, scene))
}
