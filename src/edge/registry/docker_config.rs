//! Docker's configuration file as a source of logins (docker/cli, `docs/reference/commandline/login`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::base::failure::{Class, Classified};
use crate::base::foreign::quote;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::secret::Secret;
use crate::base::tree::{Cursor, DocumentError};
use crate::domain::oci::RegistryHost;
use crate::seams::{Login, LoginError, Logins};

/// The key under which Docker keeps the login of `docker.io`.
const DOCKER_HUB: &str = "index.docker.io";

/// Why a file is not Docker's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not read the docker config")]
pub struct DockerConfigError(#[source] pub DocumentError);

impl Classified for DockerConfigError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// What the file says of one registry.
#[derive(Clone, Debug)]
enum Entry {
    /// A login.
    Login(Secret<String>),
    /// A program knows it; countersign runs none.
    Helper(String),
    /// A login of a form that is not supported, or broken.
    Unusable(&'static str),
}

/// The logins of a Docker configuration file.
///
/// Credential helpers are other programs, found by name on the path; they are never run.
///
/// ```
/// use countersign::edge::registry::DockerConfig;
/// let config = DockerConfig::parse(br#"{"auths":{"registry.example.com":{"auth":"dTpw"}}}"#)?;
/// assert_eq!(format!("{config:?}").contains("dTpw"), false);
/// # Ok::<(), countersign::edge::registry::DockerConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct DockerConfig {
    entries: BTreeMap<String, Entry>,
}

impl DockerConfig {
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// [`DockerConfigError`] when they are not such a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, DockerConfigError> {
        let document = json::read(bytes, Bounds::SMALL_DOCUMENT).map_err(DockerConfigError)?;
        Self::read(&document.cursor()).map_err(DockerConfigError)
    }

    fn read(top: &Cursor<'_>) -> Result<Self, DocumentError> {
        let top = top.object()?;
        let mut entries = BTreeMap::new();
        let store = top.optional("credsStore").and_then(|store| store.string().ok());
        if let Some(auths) = top.optional("auths").filter(|auths| !auths.is_null()) {
            for (key, login) in auths.object()?.members() {
                entries.insert(host_of(key).to_owned(), read_login(&login, store)?);
            }
        }
        if let Some(helpers) = top.optional("credHelpers").filter(|helpers| !helpers.is_null()) {
            for (key, helper) in helpers.object()?.members() {
                entries.insert(
                    host_of(key).to_owned(),
                    Entry::Helper(helper.string()?.to_owned()),
                );
            }
        }
        Ok(Self { entries })
    }
}

/// The host in a key, which may be an address with a path (`https://index.docker.io/v1/`).
fn host_of(key: &str) -> &str {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    key.split('/').next().unwrap_or(key)
}

fn read_login(login: &Cursor<'_>, store: Option<&str>) -> Result<Entry, DocumentError> {
    let login = login.object()?;
    let text = |name: &str| {
        let member = login.optional(name).and_then(|member| member.string().ok());
        member.filter(|text| !text.is_empty())
    };
    if text("identitytoken").is_some() || text("registrytoken").is_some() {
        return Ok(Entry::Unusable(
            "it is an identity token, expected user and password",
        ));
    }
    if let (Some(user), Some(password)) = (text("username"), text("password")) {
        return Ok(Entry::Login(Secret::new(format!("{user}:{password}"))));
    }
    let Some(auth) = text("auth") else {
        // Docker leaves an empty entry where a store of the system keeps the login.
        return Ok(Entry::Helper(store.unwrap_or("a credential store").to_owned()));
    };
    let decoded = BASE64_STANDARD
        .decode(auth)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.map(|text| text.trim_end_matches('\0').to_owned());
    Ok(match decoded.filter(|text| text.contains(':')) {
        Some(login) => Entry::Login(Secret::new(login)),
        None => Entry::Unusable("its auth is not the base64 of user:password"),
    })
}

impl Logins for DockerConfig {
    async fn login(&self, host: &RegistryHost) -> Result<Login, LoginError> {
        let name = if host.as_str() == "docker.io" {
            DOCKER_HUB
        } else {
            host.as_str()
        };
        let refused = |reason: String| {
            LoginError {
            class: Class::Refused,
            host: host.clone(),
            reason,
            hint: Some(
                "countersign runs no credential helpers; give registry-username and registry-password-from, or log in \
                 without a helper"
                    .to_owned(),
            ),
        }
        };
        match self.entries.get(name) {
            None => Ok(Login::Anonymous),
            Some(Entry::Login(login)) => Ok(Login::Password(login.clone())),
            Some(Entry::Helper(helper)) => Err(refused(format!(
                "the docker config leaves it to the credential helper {}",
                quote(helper)
            ))),
            Some(Entry::Unusable(why)) => Err(refused(format!("the docker config has one, but {why}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = r#"{
        "auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
            "registry.example.com:5000": {"username": "u", "password": "p:w"},
            "stored.example": {},
            "azure.example": {"auth": "MDAwOg==", "identitytoken": "x"},
            "broken.example": {"auth": "%%"}
        },
        "credsStore": "desktop",
        "credHelpers": {"111122223333.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login"}
    }"#;

    async fn login(host: &str) -> Result<Option<String>, String> {
        let config = DockerConfig::parse(FILE.as_bytes()).unwrap();
        match config.login(&host.parse().unwrap()).await {
            Ok(Login::Password(secret) | Login::Basic(secret)) => Ok(Some(secret.expose().clone())),
            Ok(Login::Anonymous) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn logins_are_found_by_host() {
        assert_eq!(login("docker.io").await, Ok(Some("hub:pw".to_owned())));
        assert_eq!(login("index.docker.io").await, Ok(Some("hub:pw".to_owned())));
        assert_eq!(
            login("registry.example.com:5000").await,
            Ok(Some("u:p:w".to_owned()))
        );
        assert_eq!(login("registry.example.com").await, Ok(None));
    }

    #[tokio::test]
    async fn helpers_are_named_and_not_run() {
        assert_eq!(
            login("111122223333.dkr.ecr.eu-west-1.amazonaws.com")
                .await
                .unwrap_err(),
            "no login for 111122223333.dkr.ecr.eu-west-1.amazonaws.com: the docker config leaves it to the credential helper \"ecr-login\""
        );
        assert!(login("stored.example").await.unwrap_err().contains("\"desktop\""));
        assert!(
            login("azure.example")
                .await
                .unwrap_err()
                .contains("identity token")
        );
        assert!(login("broken.example").await.unwrap_err().contains("base64"));
    }

    #[test]
    fn other_files_are_refused_with_a_place() {
        let error = DockerConfig::parse(br#"{"auths": []}"#).unwrap_err();
        assert!(error.0.to_string().contains("auths"), "{}", error.0);
        assert!(DockerConfig::parse(b"").is_err());
        assert!(DockerConfig::parse(b"{}").is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = DockerConfig::parse(&bytes);
        }
    }
}
