//! Identity tokens of CI jobs, and secrets that inputs name: by variable or by file, never by value.
//!
//! Sources: GitHub, "OIDC reference", "Methods for requesting the OIDC token"; GitLab, "ID token authentication"; Bitbucket
//! Cloud, "Integrate Pipelines with resource servers using OIDC".

use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use url::Url;

use super::env;
use super::{Environment, Host, read_named};
use crate::base::failure::{Class, Classified};
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::secret::Secret;

/// The variable that GitLab and others put the token into, unless told otherwise.
const VARIABLE: &str = "AWS_ID_TOKEN";

/// The one that Bitbucket puts it into, where a step says `oidc: true` (Bitbucket Cloud, "Integrate Pipelines with
/// resource servers using OIDC").
const BITBUCKET: &str = "BITBUCKET_STEP_OIDC_TOKEN";

/// Attempts to get a token from GitHub (ours).
const ATTEMPTS: u32 = 4;

/// The wait before the second attempt; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Longest time for one attempt (ours).
const PATIENCE: Duration = Duration::from_secs(10);

/// Largest answer accepted, in bytes (ours; a token is around 2 KiB).
const ANSWER_BYTES: usize = 65_536;

/// Where a job's identity token comes from.
#[derive(Clone, Debug)]
pub enum IdTokenSource {
    /// GitHub's token service.
    GitHub {
        /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
        url: Url,
        /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
        request_token: Secret<String>,
    },
    /// A variable or a file: read each time, since what is in it may be renewed.
    Named(String),
}

/// Why there is no identity token; no message holds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// The job may not have one.
    #[error("this job may not have an identity token")]
    NoPermission(Host),
    /// The input names nothing that holds one.
    #[error("expected id-token to name a variable that is set or a file, found neither")]
    Nothing,
    /// The token service's address is none.
    #[error("expected ACTIONS_ID_TOKEN_REQUEST_URL to be an https address, found another form")]
    Address,
    /// The token service did not answer well.
    #[error("the host's token service {0}")]
    Service(ServiceProblem),
}

/// What the token service did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceProblem {
    /// No answer.
    #[error("did not answer")]
    Silent,
    /// A status.
    #[error("answered {0}")]
    Status(u16),
    /// A body that is no token.
    #[error("answered with something that is no token")]
    Nonsense,
}

impl Classified for IdTokenError {
    fn class(&self) -> Class {
        match self {
            Self::NoPermission(_) | Self::Nothing | Self::Service(ServiceProblem::Status(400..=499)) => {
                Class::Refused
            }
            Self::Address => Class::Usage,
            Self::Service(_) => Class::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoPermission(Host::GitHub) => {
                "add to the job: permissions: { contents: read, id-token: write }"
            }
            Self::NoPermission(Host::GitLab) => {
                "add to the job: id_tokens: { AWS_ID_TOKEN: { aud: sts.amazonaws.com } }"
            }
            Self::NoPermission(Host::Bitbucket) => "add to the step: oidc: true",
            Self::NoPermission(_) => "set AWS_ID_TOKEN, or name a variable or file with id-token",
            Self::Nothing => "give the name of the variable, or the path of the file; never the token itself",
            Self::Address | Self::Service(_) => return None,
        };
        Some(hint.to_owned())
    }
}

impl IdTokenSource {
    /// Finds where a token can be had; none where the host has no such thing and nobody named one.
    ///
    /// # Errors
    /// [`IdTokenError::NoPermission`] where the host has tokens and this job gets none.
    pub fn find(
        host: Host,
        environment: &Environment,
        named: Option<&str>,
    ) -> Result<Option<Self>, IdTokenError> {
        if let Some(name) = named {
            return Ok(Some(Self::Named(name.to_owned())));
        }
        if host == Host::GitHub {
            let url = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL");
            let token = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
            let (url, token) = url.zip(token).ok_or(IdTokenError::NoPermission(host))?;
            return Ok(Some(Self::GitHub {
                url: address(url)?,
                request_token: Secret::new(token.to_owned()),
            }));
        }
        let usual: &[&str] = match host {
            Host::Bitbucket => &[VARIABLE, BITBUCKET],
            _ => &[VARIABLE],
        };
        match usual.iter().find(|name| env::named(name).is_some()) {
            Some(name) => Ok(Some(Self::Named((*name).to_owned()))),
            None if matches!(host, Host::GitLab | Host::Bitbucket) => Err(IdTokenError::NoPermission(host)),
            None => Ok(None),
        }
    }

    /// The host that is asked, where one is.
    pub fn asks(&self) -> Option<&str> {
        match self {
            Self::GitHub { url, .. } => url.host_str(),
            Self::Named(_) => None,
        }
    }

    /// Gets a token for an audience; `told` is called for each request. The audience counts on GitHub only: elsewhere
    /// the job's definition sets it.
    ///
    /// # Errors
    /// [`IdTokenError`].
    pub async fn fetch(
        &self,
        client: &reqwest::Client,
        audience: &str,
        told: impl Fn(),
    ) -> Result<Secret<String>, IdTokenError> {
        match self {
            Self::Named(name) => secret_named(name).ok_or(IdTokenError::Nothing),
            Self::GitHub { url, request_token } => {
                let mut url = url.clone();
                url.query_pairs_mut().append_pair("audience", audience);
                let mut attempt = 1;
                loop {
                    told();
                    match ask(client, &url, request_token).await {
                        Ok(token) => return Ok(token),
                        Err(problem) if attempt < ATTEMPTS && passes(problem) => {
                            tokio::time::sleep(FIRST_WAIT * 2_u32.pow(attempt - 1)).await;
                            attempt += 1;
                        }
                        Err(problem) => return Err(IdTokenError::Service(problem)),
                    }
                }
            }
        }
    }
}

/// Whether asking again may help.
const fn passes(problem: ServiceProblem) -> bool {
    matches!(
        problem,
        ServiceProblem::Silent | ServiceProblem::Status(408 | 429 | 500..=599)
    )
}

/// `https`, or `http` on this machine: what is sent there is a secret.
fn address(text: &str) -> Result<Url, IdTokenError> {
    let url: Url = text.parse().map_err(|_| IdTokenError::Address)?;
    let here = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let fits = url.scheme() == "https" || (url.scheme() == "http" && here);
    fits.then_some(url).ok_or(IdTokenError::Address)
}

async fn ask(
    client: &reqwest::Client,
    url: &Url,
    request_token: &Secret<String>,
) -> Result<Secret<String>, ServiceProblem> {
    let bearer = Secret::new(format!("Bearer {}", request_token.expose()));
    let mut bearer = HeaderValue::from_str(bearer.expose()).map_err(|_| ServiceProblem::Nonsense)?;
    bearer.set_sensitive(true);
    let request = client
        .get(url.clone())
        .header(AUTHORIZATION, bearer)
        .header(ACCEPT, "application/json; api-version=2.0");
    let mut answer = request
        .timeout(PATIENCE)
        .send()
        .await
        .map_err(|_| ServiceProblem::Silent)?;
    if answer.status().as_u16() != 200 {
        return Err(ServiceProblem::Status(answer.status().as_u16()));
    }
    let mut body = zeroize::Zeroizing::new(Vec::with_capacity(ANSWER_BYTES));
    while let Some(chunk) = answer.chunk().await.map_err(|_| ServiceProblem::Silent)? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(ServiceProblem::Nonsense);
        }
        body.extend_from_slice(&chunk);
    }
    let document = json::read(&body, Bounds::SMALL_DOCUMENT).map_err(|_| ServiceProblem::Nonsense)?;
    let value = document.cursor().pointer("/value");
    let token = value.as_ref().and_then(|value| value.string().ok());
    let token = token.filter(|token| !token.trim().is_empty());
    token
        .map(|token| Secret::new(token.to_owned()))
        .ok_or(ServiceProblem::Nonsense)
}

/// The secret in the variable or file of this name, without blanks around it; none where neither holds one.
pub fn secret_named(name: &str) -> Option<Secret<String>> {
    if let Some(value) = env::named(name) {
        return Some(Secret::new(value.expose().trim().to_owned()));
    }
    let bytes = read_named(Path::new(name)).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?.trim();
    (!text.is_empty()).then(|| Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(host: Host, variables: [(&str, &str); 2]) -> Result<bool, IdTokenError> {
        IdTokenSource::find(host, &Environment::of(variables), None).map(|found| found.is_some())
    }

    #[test]
    fn a_job_without_the_permission_is_told_the_line() {
        let error = find(Host::GitHub, [("A", "b"), ("C", "d")]).unwrap_err();
        assert_eq!(error, IdTokenError::NoPermission(Host::GitHub));
        assert_eq!(error.class(), Class::Refused);
        assert!(error.hint().unwrap().contains("id-token: write"));
        let error = IdTokenError::NoPermission(Host::GitLab);
        assert!(error.hint().unwrap().contains("id_tokens: { AWS_ID_TOKEN"));
    }

    #[test]
    fn the_request_token_goes_to_tls_or_to_this_machine() {
        let at = |url| {
            find(
                Host::GitHub,
                [
                    ("ACTIONS_ID_TOKEN_REQUEST_URL", url),
                    ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t"),
                ],
            )
        };
        assert_eq!(at("https://tokens.example/x?y=1"), Ok(true));
        assert_eq!(at("http://127.0.0.1:1/x"), Ok(true));
        assert_eq!(at("http://tokens.example/x"), Err(IdTokenError::Address));
        assert_eq!(at("nonsense"), Err(IdTokenError::Address));
    }

    #[test]
    fn secrets_are_named_and_never_given() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hush\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(secret_named(path).unwrap().expose(), "hush");
        assert!(secret_named("eyJhbGciOiJSUzI1NiJ9.e30.c2ln").is_none());
        assert!(!IdTokenError::Nothing.to_string().contains("eyJ"));
    }
}
