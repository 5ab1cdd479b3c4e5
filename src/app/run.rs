//! `countersign run`: the main job.

use super::derive::Deriving;
use super::publish::{Finished, publish};
use super::services::{self, Services};
use super::signer::{AnySigner, local_key};
use super::trust::Loaded;
use super::watch::Watch;
use super::{Scene, allow, claims, derive, event, images, trust};
use crate::base::failure::{Cause, Class};
use crate::cli::{Origins, RunSettings};
use crate::domain::plan::Step;
use crate::domain::trust::DerivedTrust;
use crate::edge::ci::{Host, OutputDir};
use crate::edge::local_key::LocalKey;
use crate::job::{self, RunJob, Surroundings};

pub(super) async fn run(settings: &RunSettings, origins: &Origins, scene: &Scene<'_>) -> Result<u8, Cause> {
    let out = OutputDir::prove(&settings.report.output_dir).map_err(|error| Cause::of(&error))?;
    let finished = match event::may_sign(settings, scene) {
        Ok(None) => work("run", settings, origins, scene).await,
        Ok(Some(skipped)) => Ok(skipped),
        Err(cause) => Err(cause),
    };
    let finished = finished.unwrap_or_else(|cause| Finished::stopped("run", Step::Listen, cause));
    Ok(publish(finished, &settings.report, &out, scene))
}

/// Prepares the job and carries it out.
pub(super) async fn work(
    command: &'static str,
    settings: &RunSettings,
    origins: &Origins,
    scene: &Scene<'_>,
) -> Result<Finished, Cause> {
    let targets = images::targets(&settings.images, settings.repository.as_ref(), scene)?;
    let profile = services::profile(&settings.services)?;
    allow::check(settings, profile.as_ref(), &targets)?;
    let provenance = claims::provenance(&settings.provenance, origins, scene)?;
    let created = claims::created(scene)?;
    let watch = Watch::new(scene);
    let services = Services::open(&settings.services, &targets, false, &watch, scene)?;
    let scopes = trust::scopes(&targets, settings.repository.as_ref());
    let deriving = Deriving {
        key: settings.key.as_ref(),
        profile: profile.as_ref(),
        named: &settings.trust,
        scopes: &scopes,
    };
    let (loaded, signer) = signer(settings, &deriving, &services, scene).await?;
    let job = RunJob {
        command,
        targets,
        recursive: settings.recursive,
        require_digest: settings.require_digest,
        resign: settings.resign,
        dry_run: settings.dry_run,
        metadata: settings.metadata.clone(),
        provenance,
        created,
        trust: loaded.trust,
        repository: settings.repository.clone(),
        concurrency: settings.concurrency,
        authority: settings.authority.clone(),
        surroundings: match scene.host {
            Host::Terminal => Surroundings::Terminal,
            Host::GitHub | Host::GitLab | Host::CodeBuild => Surroundings::Ci,
        },
    };
    let ended = watch
        .over(job::run(&job, &signer, watch.backends(&services), scene.stop))
        .await;
    let mut report = ended?;
    report.findings.extend(services.findings);
    event::say_unverified(&mut report, settings, scene);
    Ok(Finished {
        report,
        trust: loaded.files,
    })
}

/// The signer, and what its signatures are held against.
async fn signer(
    settings: &RunSettings,
    deriving: &Deriving<'_>,
    services: &Services,
    scene: &Scene<'_>,
) -> Result<(Loaded, AnySigner), Cause> {
    let load = |derived: Option<&DerivedTrust>| {
        let loaded = trust::load(&settings.trust, derived, deriving.scopes)?;
        loaded.ok_or_else(|| super::bug("no trust follows from the signer"))
    };
    match (&settings.key, deriving.profile) {
        (Some(key), _) => {
            let key = expiring(local_key(key, scene)?, settings)?;
            Ok((
                load(Some(&deriving.key(key.chain())?))?,
                AnySigner::LocalKey(Box::new(key)),
            ))
        }
        (None, Some(name)) => {
            let loaded = load(deriving.derive(services, scene).await?.as_ref())?;
            let profile = services.signer(name, derive::roots(&loaded.trust.store)).await?;
            Ok((loaded, AnySigner::Profile(Box::new(profile))))
        }
        (None, None) => Err(super::bug("neither key nor profile was given")),
    }
}

fn expiring(key: LocalKey, settings: &RunSettings) -> Result<LocalKey, Cause> {
    match settings.expires_in {
        None => Ok(key),
        Some(duration) => match u32::try_from(duration.as_secs()) {
            Ok(seconds @ 1..) => Ok(key.with_expiry(seconds)),
            _ => Err(Cause {
                class: Class::Usage,
                message: "expected expires-in to be from one second to 136 years".to_owned(),
                hint: None,
            }),
        },
    }
}
