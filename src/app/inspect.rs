//! `countersign inspect`: show what hangs on an image, and whether it verifies.

use super::backends::AnyStore;
use super::publish::{settle, show};
use super::watch::Watch;
use super::{Scene, derive, images, trust};
use crate::base::failure::{Cause, Class};
use crate::cli::{FailOn, InspectSettings};
use crate::job::{self, InspectJob};

pub(super) async fn inspect(settings: &InspectSettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    let targets = images::targets(&settings.images, settings.repository.as_ref(), scene)?;
    let [target] = targets.as_slice() else {
        return Err(Cause {
            class: Class::Usage,
            message: format!("expected one image, found {}", targets.len()),
            hint: Some("inspect them one by one".to_owned()),
        });
    };
    let store = AnyStore::default();
    store.serves([&target.image])?;
    let repository = settings.repository.as_ref();
    let derived = derive::of_key(settings.key.as_ref(), &settings.trust, repository, scene)?;
    let job = InspectJob {
        target: target.clone(),
        trust: trust::load(&settings.trust, derived.as_ref(), repository)?.map(|loaded| loaded.trust),
        repository: settings.repository.clone(),
        timeout: settings.timeout,
    };
    let watch = Watch::new(scene);
    let ended = watch
        .over(job::inspect(&job, watch.backends(&store), scene.stop))
        .await;
    let mut report = ended?;
    settle(&mut report, FailOn::None, scene);
    Ok(show(&report, settings.format, scene))
}
