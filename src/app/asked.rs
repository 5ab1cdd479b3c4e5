//! What every command begins with that looks at images: their names, where they are kept, what they are judged by.

use super::derive::Deriving;
use super::services::Services;
use super::trust::{self, Loaded};
use super::watch::Watch;
use super::{Scene, expect, identity, images};
use crate::base::failure::{Cause, Class};
use crate::cli::{Asked, TrustFiles};
use crate::domain::trust::expectation::Expectations;
use crate::edge::aws::profile::ProfileName;
use crate::job::Target;

/// What was asked about, named; nobody was asked anything yet.
pub(super) struct Named<'a> {
    asked: &'a Asked,
    pub(super) targets: Vec<Target>,
    pub(super) profile: Option<ProfileName>,
    trust: TrustFiles,
    expectations: Option<Expectations>,
    scopes: Vec<String>,
}

impl<'a> Named<'a> {
    /// Reads everything that names images, the profile's name, and what is expected.
    pub(super) fn read(asked: &'a Asked, scene: &Scene<'_>) -> Result<Self, Cause> {
        let targets = images::asked(asked, scene)?;
        Ok(Self {
            profile: identity::profile(&asked.services)?,
            trust: trust::located(&asked.trust, scene)?,
            expectations: expect::named(&asked.trust)?,
            scopes: trust::scopes(&targets, asked.repository.as_ref()),
            targets,
            asked,
        })
    }

    /// Puts together what holds the images and who judges them; asks nobody yet.
    pub(super) fn open(&self, watch: &Watch<'_>, scene: &Scene<'_>) -> Result<Services, Cause> {
        self.open_asking(self.asked.key.is_none(), watch, scene)
    }

    /// The same where `asks` says whether others than registries may be asked.
    pub(super) fn open_asking(
        &self,
        asks: bool,
        watch: &Watch<'_>,
        scene: &Scene<'_>,
    ) -> Result<Services, Cause> {
        Services::open(&self.asked.services, &self.targets, asks, watch, scene)
    }

    /// What trust may be derived from.
    pub(super) fn deriving(&self) -> Deriving<'_> {
        Deriving {
            key: self.asked.key.as_ref(),
            profile: self.profile.as_ref(),
            named: &self.trust,
            expectations: self.expectations.as_ref(),
            scopes: &self.scopes,
        }
    }

    /// What the images are judged by; none where nothing was given and nothing follows from a signer.
    pub(super) async fn trust(
        &self,
        services: &Services,
        scene: &Scene<'_>,
    ) -> Result<Option<Loaded>, Cause> {
        let deriving = self.deriving();
        let derived = deriving.derive(services, scene).await?;
        trust::load(&deriving, derived.as_ref())
    }

    /// The one image that is asked about.
    pub(super) fn one(&self) -> Result<&Target, Cause> {
        match self.targets.as_slice() {
            [target] => Ok(target),
            targets => Err(Cause {
                class: Class::Usage,
                message: format!("expected one image, found {}", targets.len()),
                hint: Some("ask about them one by one".to_owned()),
            }),
        }
    }
}
