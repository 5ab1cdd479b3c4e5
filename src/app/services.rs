//! The services of a run: one HTTP client, AWS, registries, put together by what the targets and the settings need.

use std::rc::Rc;

use super::backends::AnyStore;
use super::claimed::Claimed;
use super::identity::{self, Wire};
use super::logins::logins;
use super::overrides;
use super::signer::AnyRevocation;
use super::watch::Watch;
use super::{Scene, network};
use crate::base::arn::ProfileArn;
use crate::base::failure::Cause;
use crate::cli::{Overrides, ServiceSettings};
use crate::domain::oci::{Place, RegistryHost};
use crate::domain::report::Finding;
use crate::domain::x509::Certificate;
use crate::edge::aws::Aws;
use crate::edge::aws::builds::BuildRecords;
use crate::edge::aws::ecr::EcrHost;
use crate::edge::aws::profile::ProfileName;
use crate::edge::aws::signing::SigningProfile;
use crate::edge::net::{Addresses, client};
use crate::edge::pace::Pace;
use crate::edge::registry::{Options, Registry};
use crate::job::Target;
use crate::seams::NotChecked;

/// What a job works with.
pub(super) struct Services {
    pub(super) store: AnyStore,
    pub(super) revocation: AnyRevocation,
    /// What the report must say of the environment.
    pub(super) findings: Vec<Finding>,
    /// The job's identity token, where it has one.
    pub(super) claimed: Option<Claimed>,
    aws: Option<Aws>,
}

impl Services {
    /// Puts together what is needed and asks nobody yet; `asks` says that others than registries may be asked: AWS Signer
    /// about signatures, an issuer for its keys.
    pub(super) fn open(
        settings: &ServiceSettings,
        targets: &[Target],
        asks: bool,
        watch: &Watch<'_>,
        scene: &Scene<'_>,
    ) -> Result<Self, Cause> {
        let registries: Vec<&RegistryHost> = targets.iter().filter_map(registry).collect();
        let hosts: Vec<EcrHost> = registries.iter().filter_map(|host| EcrHost::of(host)).collect();
        let profile = identity::profile(settings)?;
        let ours = profile.is_some() || !settings.aws.roles.is_empty();
        if registries.is_empty() && !ours && !asks {
            return Ok(Self::offline());
        }
        let profiles = identity::may_use_profiles(&settings.aws, scene);
        let found = overrides::found(scene.environment, profiles);
        if settings.overrides == Overrides::Refuse && !found.is_empty() {
            return Err(overrides::refusal(&found));
        }
        let addresses = Addresses::default();
        let client = client(&network::network(scene.environment)?, &addresses);
        let client = client.map_err(|error| Cause::of(&error))?;
        let counter = watch.counter();
        let wire = Wire {
            client: &client,
            addresses: &addresses,
            counter: &counter,
        };
        let private = hosts.iter().any(|host| matches!(host, EcrHost::Private(_)));
        let region = identity::region(&settings.aws, profile.as_ref(), &hosts, scene);
        let region = match region {
            Err(cause) if ours || private => return Err(cause),
            region => region.ok(),
        };
        let claimed = Claimed::find(&settings.aws, region.as_ref(), &wire, scene)?;
        let token = claimed.as_ref().map(|claimed| &claimed.token);
        let open = |region| identity::open(&settings.aws, region, token, &wire, scene);
        let aws = region.map(open).transpose()?;
        let logins = logins(&settings.registry, aws.as_ref().map(Aws::logins), scene)?;
        let options = Options {
            plain_http: settings.registry.plain_http.iter().cloned().collect(),
            timeout: settings.registry.request_timeout,
            manifest_pace: |host| EcrHost::of(host).map(|_| Pace::TEN),
            ..Options::default()
        };
        let registry = Registry::new(client, addresses, options, logins, Rc::new(counter));
        Ok(Self {
            store: AnyStore::new(registry, aws.as_ref().map(Aws::images)),
            revocation: match &aws {
                Some(aws) => AnyRevocation::Aws(Box::new(aws.revocation())),
                None => AnyRevocation::NotChecked(NotChecked),
            },
            findings: overrides::findings(&found),
            claimed,
            aws,
        })
    }

    /// Layouts and local keys alone.
    fn offline() -> Self {
        Self {
            store: AnyStore::default(),
            revocation: AnyRevocation::NotChecked(NotChecked),
            findings: Vec::new(),
            claimed: None,
            aws: None,
        }
    }

    /// Who reads the records of builds.
    pub(super) fn builds(&self) -> Option<BuildRecords> {
        self.aws.as_ref().map(Aws::builds)
    }

    /// The profile that a name means; what it signs must chain to one of `roots`.
    pub(super) async fn signer(
        &self,
        name: &ProfileName,
        roots: Vec<Certificate>,
    ) -> Result<SigningProfile, Cause> {
        let aws = self
            .aws
            .as_ref()
            .ok_or_else(|| super::bug("a profile without AWS"))?;
        let profile = Box::pin(aws.signing_profile(name, roots)).await;
        profile.map_err(|error| Cause::of(&error))
    }

    /// The ARN that a profile's name means.
    pub(super) async fn profile_arn(&self, name: &ProfileName) -> Result<ProfileArn, Cause> {
        match name.arn() {
            Some(arn) => Ok(arn.clone()),
            None => Ok(self.signer(name, Vec::new()).await?.profile().clone()),
        }
    }
}

fn registry(target: &Target) -> Option<&RegistryHost> {
    match target.image.place() {
        Place::Repository(repository) => Some(repository.host()),
        Place::Layout(_) => None,
    }
}
