//! `countersign copy`: an image with all its signatures and attestations, from one place to another.

use super::Scene;
use super::asked::Named;
use super::publish::{Finished, publishing};
use super::watch::Watch;
use crate::base::failure::{Cause, Class};
use crate::cli::CopySettings;
use crate::job::{self, CopyJob, Target};

pub(super) async fn copy(settings: &CopySettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    publishing("copy", &settings.task.report, scene, work(settings, scene)).await
}

async fn work(settings: &CopySettings, scene: &Scene<'_>) -> Result<Finished, Cause> {
    let named = Named::read(&settings.asked, scene)?;
    let [source, destination] = named.targets.as_slice() else {
        return Err(not_two(&named.targets));
    };
    let watch = Watch::new(scene);
    let services = named.open(&watch, scene)?;
    let Some(loaded) = named.trust(&services, scene).await? else {
        return Err(super::bug("neither signer nor policy was given"));
    };
    let job = CopyJob {
        source: source.clone(),
        destination: destination.clone(),
        trust: loaded.trust,
        repository: settings.asked.repository.clone(),
        timeout: settings.task.concurrency.timeout,
        authority: settings.task.authority.clone(),
    };
    let backends = watch.backends(&services);
    let report = watch
        .over(&services, Box::pin(job::copy(&job, backends, scene.stop)))
        .await?;
    Ok(Finished {
        report,
        trust: loaded.files,
    })
}

fn not_two(named: &[Target]) -> Cause {
    let found = match named {
        [] => "none".to_owned(),
        [only] => format!("{} alone", only.image),
        several => several.len().to_string(),
    };
    Cause {
        class: Class::Usage,
        message: format!("expected two images, SRC and DST, found {found}"),
        hint: Some(
            "name where from, then where to, as in: countersign copy SRC DST; as an action, in two lines of images"
                .to_owned(),
        ),
    }
}
