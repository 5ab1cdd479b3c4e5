//! Who we are to AWS: region, roles, and where the first credentials come from.

use std::path::Path;

use super::Scene;
use super::token::JobToken;
use super::watch::Counter;
use crate::base::failure::{Cause, Class, Classified};
use crate::cli::{AwsSettings, ServiceSettings};
use crate::edge::aws::ambient::has_instance_metadata;
use crate::edge::aws::credentials::Base;
use crate::edge::aws::ecr::EcrHost;
use crate::edge::aws::endpoints::Endpoints;
use crate::edge::aws::http::{Names, Watch};
use crate::edge::aws::profile::ProfileName;
use crate::edge::aws::regions::Region;
use crate::edge::aws::roles::{Roles, SessionDuration, SessionName};
use crate::edge::aws::{Aws, Patience, Settings, signing};
use crate::edge::ci::{Host, IdTokenSource, read_named};
use crate::edge::net::Addresses;
use crate::seams::Clock;

/// What AWS is opened with besides the settings.
pub(super) struct Wire<'a> {
    pub(super) client: &'a reqwest::Client,
    pub(super) addresses: &'a Addresses,
    pub(super) counter: &'a Counter,
}

/// The profile that was typed.
pub(super) fn profile(settings: &ServiceSettings) -> Result<Option<ProfileName>, Cause> {
    let read = |text: &String| {
        text.parse::<ProfileName>().map_err(|error| {
            let cause = Cause::of(&error);
            Cause {
                class: Class::Usage,
                message: format!("could not read signing-profile: {}", cause.message),
                ..cause
            }
        })
    };
    settings.aws.profile.as_ref().map(read).transpose()
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
    token: Option<&JobToken>,
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
        base: base(settings, token, scene),
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
fn base(settings: &AwsSettings, token: Option<&JobToken>, scene: &Scene<'_>) -> Base {
    if let Some(token) = token.filter(|_| !settings.roles.is_empty()) {
        return token.base();
    }
    let lookup = |name: &str| scene.environment.get(name).map(str::to_owned);
    let vendor = read_named(Path::new("/sys/class/dmi/id/sys_vendor")).ok();
    let vendor = vendor.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    Base::Ambient {
        instance_metadata: has_instance_metadata(lookup, vendor),
    }
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
        Host::Bitbucket => format!(
            "countersign-{}-{}",
            get("BITBUCKET_BUILD_NUMBER"),
            get("BITBUCKET_REPO_FULL_NAME")
        ),
        Host::Jenkins => format!("countersign-{}", get("BUILD_TAG")),
        Host::Terminal => "countersign".to_owned(),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn cause<E: Classified>(error: E) -> Cause {
    Cause::of(&error)
}
