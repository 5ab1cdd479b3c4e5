//! Who we are to AWS: region, roles, and where the first credentials come from.

use std::path::Path;

use super::Scene;
use super::watch::Counter;
use crate::base::failure::{Cause, Classified};
use crate::cli::AwsSettings;
use crate::edge::aws::ambient::has_instance_metadata;
use crate::edge::aws::credentials::{Base, IdToken};
use crate::edge::aws::ecr::EcrHost;
use crate::edge::aws::endpoints::Endpoints;
use crate::edge::aws::http::{Names, Watch};
use crate::edge::aws::profile::ProfileName;
use crate::edge::aws::regions::{Partition, Region};
use crate::edge::aws::roles::{Roles, SessionDuration, SessionName};
use crate::edge::aws::{Aws, Patience, Settings, signing};
use crate::edge::ci::{Host, IdTokenSource, read_named};
use crate::edge::net::Addresses;
use crate::seams::{Clock, Event};

/// What AWS is opened with besides the settings.
pub(super) struct Wire<'a> {
    pub(super) client: &'a reqwest::Client,
    pub(super) addresses: &'a Addresses,
    pub(super) counter: &'a Counter,
}

/// The region; an error where nothing names one.
pub(super) fn region(
    settings: &AwsSettings,
    profile: Option<&ProfileName>,
    hosts: &[EcrHost],
    scene: &Scene<'_>,
) -> Result<Region, Cause> {
    let read = |text: Option<&str>| text.map(str::parse::<Region>).transpose().map_err(cause);
    let environment = scene.environment.get("AWS_REGION");
    let environment = environment.or_else(|| scene.environment.get("AWS_DEFAULT_REGION"));
    let (given, environment) = (read(settings.region.as_deref())?, read(environment)?);
    let arn = profile.and_then(ProfileName::arn);
    Region::choose(given.as_ref(), arn, environment.as_ref(), hosts).map_err(cause)
}

/// Puts AWS together; asks nobody yet.
pub(super) fn open(
    settings: &AwsSettings,
    region: Region,
    wire: &Wire<'_>,
    scene: &Scene<'_>,
) -> Result<Aws, Cause> {
    let lookup = |name: &str| scene.environment.get(name).map(str::to_owned);
    let counter = wire.counter.clone();
    let session_name = match &settings.session_name {
        Some(name) => name.parse().map_err(cause)?,
        None => session_name(scene),
    };
    Aws::new(Settings {
        http: wire.client.clone(),
        names: Names::new(wire.addresses),
        clock: Clock::System,
        endpoints: Endpoints::from_environment(lookup).map_err(cause)?,
        base: base(settings, &region, wire, scene)?,
        region,
        roles: Roles {
            chain: settings.roles.clone(),
            session_name,
            duration: SessionDuration::from_seconds(settings.duration.as_secs()).map_err(cause)?,
            external_id: settings.external_id.clone(),
        },
        allowed_accounts: settings.allowed_accounts.clone(),
        patience: Patience::default(),
        pace: signing::QUOTA,
        watch: Watch::new(move |event| counter.count(&event)),
    })
    .map_err(cause)
}

/// Whether credentials may come from the profile files of the AWS SDKs.
pub(super) fn may_use_profiles(settings: &AwsSettings, scene: &Scene<'_>) -> bool {
    let source = || IdTokenSource::find(scene.host, scene.environment, settings.id_token.as_deref());
    settings.roles.is_empty() || matches!(source(), Ok(None))
}

/// A role is assumed with the job's token where the host has one, else with the credentials that are there.
fn base(settings: &AwsSettings, region: &Region, wire: &Wire<'_>, scene: &Scene<'_>) -> Result<Base, Cause> {
    let named = settings.id_token.as_deref();
    let source = match settings.roles.as_slice() {
        [] => None,
        _ => IdTokenSource::find(scene.host, scene.environment, named).map_err(cause)?,
    };
    let Some(source) = source else {
        let lookup = |name: &str| scene.environment.get(name).map(str::to_owned);
        let vendor = read_named(Path::new("/sys/class/dmi/id/sys_vendor")).ok();
        let vendor = vendor.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        return Ok(Base::Ambient {
            instance_metadata: has_instance_metadata(lookup, vendor),
        });
    };
    if let Some(host) = source.asks() {
        wire.addresses.name(host);
    }
    let audience = settings.audience.clone().unwrap_or_else(|| {
        let china = region.partition() == Partition::China;
        if china {
            "sts.amazonaws.com.cn"
        } else {
            "sts.amazonaws.com"
        }
        .to_owned()
    });
    let (client, counter) = (wire.client.clone(), wire.counter.clone());
    Ok(Base::Token(IdToken::new(move || {
        let (source, client, audience) = (source.clone(), client.clone(), audience.clone());
        let counter = counter.clone();
        async move {
            let told = move || {
                counter.count(&Event::Request {
                    service: "oidc",
                    operation: "token",
                });
            };
            let token = source.fetch(&client, &audience, told).await;
            token.map_err(cause)
        }
    })))
}

/// The job, so that an audit log leads back to it.
fn session_name(scene: &Scene<'_>) -> SessionName {
    let get = |name| scene.environment.get(name).unwrap_or_default();
    SessionName::from_text(&match scene.host {
        Host::GitHub => format!(
            "countersign-{}-{}",
            get("GITHUB_RUN_ID"),
            get("GITHUB_REPOSITORY")
        ),
        Host::GitLab => format!("countersign-{}", get("CI_JOB_ID")),
        Host::CodeBuild => format!("countersign-{}", get("CODEBUILD_BUILD_ID")),
        Host::Terminal => "countersign".to_owned(),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn cause<E: Classified>(error: E) -> Cause {
    Cause::of(&error)
}
