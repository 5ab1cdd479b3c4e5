//! `countersign run`: the main job; and `countersign attest`, the part of it that attaches documents.

use super::asked::Named;
use super::derive::Deriving;
use super::publish::{Finished, publishing};
use super::services::Services;
use super::signer::{AnySigner, local_key};
use super::trust::Loaded;
use super::watch::Watch;
use super::{Scene, allow, claims, derive, event, expect, predicates, publish, trust};
use crate::base::failure::{Cause, Class};
use crate::cli::{Origins, RunSettings, SummaryWish};
use crate::domain::trust::DerivedTrust;
use crate::edge::ci::Host;
use crate::edge::local_key::LocalKey;
use crate::job::{self, RunJob, Summarize, Surroundings};

pub(super) async fn run(
    command: &'static str,
    settings: &RunSettings,
    origins: &Origins,
    scene: &Scene<'_>,
) -> Result<u8, Cause> {
    publishing(command, &settings.task.report, scene, async {
        match event::may_sign(command, settings, scene)? {
            None => work(command, settings, origins, scene).await,
            Some(skipped) => Ok(skipped),
        }
    })
    .await
}

/// Prepares the job and carries it out.
pub(super) async fn work(
    command: &'static str,
    settings: &RunSettings,
    origins: &Origins,
    scene: &Scene<'_>,
) -> Result<Finished, Cause> {
    let named = Named::read(&settings.asked, scene)?;
    allow::check(settings, origins, named.profile.as_ref(), &named.targets)?;
    let predicates = predicates::read(&settings.predicates, scene)?;
    let sums_up = settings.summary == SummaryWish::Attach;
    if sums_up {
        expect::refuse_summary(named.deriving().expectations)?;
    }
    let created = claims::created(scene)?;
    let watch = Watch::new(scene);
    let asks = claims::wanted(&settings.provenance, scene) || settings.asked.key.is_none();
    let services = named.open_asking(asks, &watch, scene)?;
    let provenance = claims::provenance(settings, origins, &services, scene)?;
    let deriving = named.deriving();
    let signer = signer(settings, &deriving, &services, scene);
    let (loaded, signer) = provenance.meanwhile(signer).await?;
    let job = RunJob {
        command,
        targets: named.targets,
        recursive: settings.recursive,
        require_digest: settings.require_digest,
        resign: settings.resign,
        dry_run: settings.dry_run,
        metadata: settings.metadata.clone(),
        images: settings.signs,
        provenance,
        minimum_build_level: settings.minimum_build_level,
        predicates,
        unbound: settings.unbound,
        summary: sums_up.then(|| Summarize {
            fail_on: publish::level(settings.task.report.fail_on),
            found: services.findings.iter().map(|found| found.level).collect(),
        }),
        buildkit: settings.buildkit,
        created,
        trust: loaded.trust,
        repository: settings.asked.repository.clone(),
        concurrency: settings.task.concurrency,
        authority: settings.task.authority.clone(),
        surroundings: match scene.host {
            Host::Terminal => Surroundings::Terminal,
            Host::GitHub | Host::GitLab | Host::CodeBuild | Host::Bitbucket | Host::Jenkins => {
                Surroundings::Ci
            }
        },
    };
    let backends = watch.backends(&services);
    let running = Box::pin(job::run(&job, &signer, backends, scene.stop));
    let report = watch.over(&services, running).await?;
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
        let loaded = trust::load(deriving, derived)?;
        loaded.ok_or_else(|| super::bug("no trust follows from the signer"))
    };
    match (deriving.key, deriving.profile) {
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
