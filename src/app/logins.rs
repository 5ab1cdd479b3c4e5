//! Logins by host: ECR's own, then what was typed, then Docker's configuration file.

use std::path::{Path, PathBuf};

use super::Scene;
use crate::base::failure::{Cause, Class};
use crate::cli::RegistrySettings;
use crate::domain::oci::RegistryHost;
use crate::edge::aws::ecr::EcrLogins;
use crate::edge::ci::{read_named, secret_named};
use crate::edge::registry::{DockerConfig, Static};
use crate::seams::{Login, LoginError, Logins};

/// Whoever knows a login; the first that does is asked.
pub(super) struct AnyLogins {
    pub(super) ecr: Option<EcrLogins>,
    pub(super) given: Option<Static>,
    pub(super) docker: Option<DockerConfig>,
}

impl Logins for AnyLogins {
    async fn login(&self, host: &RegistryHost) -> Result<Login, LoginError> {
        let mut login = Login::Anonymous;
        if let Some(ecr) = &self.ecr {
            login = ecr.login(host).await?;
        }
        if let (Login::Anonymous, Some(given)) = (&login, &self.given) {
            login = given.login(host).await?;
        }
        if let (Login::Anonymous, Some(docker)) = (&login, &self.docker) {
            login = docker.login(host).await?;
        }
        Ok(login)
    }

    fn forget(&self, host: &RegistryHost) {
        if let Some(ecr) = &self.ecr {
            ecr.forget(host);
        }
    }
}

/// What was typed, and what Docker's configuration file says.
pub(super) fn logins(
    settings: &RegistrySettings,
    ecr: Option<EcrLogins>,
    scene: &Scene<'_>,
) -> Result<AnyLogins, Cause> {
    let given = settings.login.as_ref().map(|(user, from)| {
        let password = secret_named(from).ok_or_else(no_password)?;
        Ok::<_, Cause>(Static::new(user, &password))
    });
    let directory = scene.environment.get("DOCKER_CONFIG").map(PathBuf::from);
    let home = || Some(Path::new(scene.environment.get("HOME")?).join(".docker"));
    let file = directory
        .or_else(home)
        .map(|directory| directory.join("config.json"));
    let docker = file.filter(|file| file.is_file()).map(|file| {
        let bytes = read_named(&file).map_err(|error| Cause::of(&error))?;
        DockerConfig::parse(&bytes).map_err(|error| Cause::of(&error))
    });
    Ok(AnyLogins {
        ecr,
        given: given.transpose()?,
        docker: docker.transpose()?,
    })
}

/// The name is not said: it may be the password, given by mistake.
fn no_password() -> Cause {
    Cause {
        class: Class::Usage,
        message: "expected registry-password-from to name a variable that is set or a file, found neither"
            .to_owned(),
        hint: Some(
            "give the name of the variable, or the path of the file; never the password itself".to_owned(),
        ),
    }
}
