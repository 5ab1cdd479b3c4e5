//! Who issues identity tokens: those that are known, and one that the caller names.

use std::fmt;

use super::is_uri;
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;

/// GitHub's issuer (GitHub, "OIDC reference").
const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// GitLab.com's (GitLab, "`OpenID` Connect (OIDC) authentication using ID tokens": the instance itself).
const GITLAB: &str = "https://gitlab.com";

/// What follows a GitHub Enterprise Server's address (GitHub Enterprise Server, "OIDC reference").
const SERVER_PATH: &str = "/_services/token";

/// Why a text names no issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the https address of an issuer of identity tokens, found {}", found.quote())]
pub struct IssuerError {
    /// The text.
    pub found: Foreign,
}

impl Classified for IssuerError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "write it as the token's iss has it, as in https://ghes.example.com{SERVER_PATH} or https://gitlab.example.com"
        ))
    }
}

/// An issuer of identity tokens.
///
/// Keys are fetched from here and from nowhere else: neither a token nor a variable of the job leads to another place.
///
/// ```
/// use countersign::domain::provenance::Issuer;
/// assert_eq!(Issuer::of_github("https://octo.ghe.com").unwrap().url(), "https://token.actions.octo.ghe.com");
/// assert_eq!(Issuer::of_github("https://ghes.example.com"), None);
/// let named: Issuer = "https://ghes.example.com/_services/token".parse()?;
/// assert_eq!(named.server(), "https://ghes.example.com");
/// # Ok::<(), countersign::domain::provenance::IssuerError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Issuer {
    url: String,
    origin: usize,
    server: String,
}

impl Issuer {
    fn new(url: &str, server: String) -> Self {
        let authority = url.find("://").map_or(0, |at| at + 3);
        let path = url.get(authority..).and_then(|rest| rest.find('/'));
        Self {
            url: url.to_owned(),
            origin: path.map_or(url.len(), |at| authority + at),
            server,
        }
    }

    /// The one of github.com.
    pub fn github() -> Self {
        Self::new(GITHUB, "https://github.com".to_owned())
    }

    /// The one of a GitHub whose address is known: github.com, or a name under `ghe.com`, where nobody but GitHub can
    /// answer (GitHub Enterprise Cloud with data residency). A server of one's own has to be named.
    pub fn of_github(server: &str) -> Option<Self> {
        if server == "https://github.com" {
            return Some(Self::github());
        }
        let tenant = server.strip_prefix("https://")?.strip_suffix(".ghe.com")?;
        let url = format!("https://token.actions.{tenant}.ghe.com");
        is_label(tenant).then(|| Self::new(&url, server.to_owned()))
    }

    /// The one of a GitLab whose address is known: GitLab.com. An instance of one's own has to be named.
    pub fn of_gitlab(server: &str) -> Option<Self> {
        (server == GITLAB).then(|| Self::new(GITLAB, GITLAB.to_owned()))
    }

    /// The address, as tokens name it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        self.url.get(..self.origin).unwrap_or_default()
    }

    /// The address of the CI system that it speaks for, without a slash at the end.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether a token's `iss` is this issuer: its address, and for github.com also followed by an enterprise's name
    /// (GitHub, "OIDC reference", `include_enterprise_slug`).
    pub(super) fn is(&self, iss: &str) -> bool {
        let slug = iss.strip_prefix(GITHUB).and_then(|rest| rest.strip_prefix('/'));
        iss == self.url || (self.url == GITHUB && slug.is_some_and(is_label))
    }
}

/// One label of a host's name, or the name of an enterprise: letters, digits and hyphens.
fn is_label(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-')
}

impl std::str::FromStr for Issuer {
    type Err = IssuerError;

    /// Reads the address that a person typed: `https`, or `http` on this machine, as emulators have it.
    fn from_str(text: &str) -> Result<Self, IssuerError> {
        let refused = || IssuerError {
            found: Foreign::new(text),
        };
        let here = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
        let scheme = text.starts_with("https://") || here.iter().any(|start| text.starts_with(start));
        let plain = !text.contains(['?', '#', '@']) && !text.ends_with('/');
        if !scheme || !plain || !is_uri(text) {
            return Err(refused());
        }
        if text == GITHUB {
            return Ok(Self::github());
        }
        let residency = text.strip_prefix("https://token.actions.");
        let known = residency.and_then(|tenant| Self::of_github(&format!("https://{tenant}")));
        let server = text.strip_suffix(SERVER_PATH).unwrap_or(text);
        Ok(known.unwrap_or_else(|| Self::new(text, server.to_owned())))
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_have_an_issuer_of_their_own() {
        let url = |issuer: Option<Issuer>| issuer.map(|issuer| issuer.url);
        assert_eq!(
            url(Issuer::of_github("https://github.com")).as_deref(),
            Some(GITHUB)
        );
        for other in [
            "",
            "http://github.com",
            "https://github.com.evil.example",
            "https://ghe.com",
            "https://.ghe.com",
            "https://a.b.ghe.com",
            "https://evil.example/x.ghe.com",
            "https://ghes.example",
        ] {
            assert_eq!(url(Issuer::of_github(other)), None, "{other}");
        }
        assert_eq!(
            url(Issuer::of_gitlab("https://gitlab.com")).as_deref(),
            Some(GITLAB)
        );
        assert_eq!(url(Issuer::of_gitlab("https://gitlab.example")), None);
    }

    #[test]
    fn an_issuer_is_named_in_full() {
        let read = |text: &str| text.parse::<Issuer>();
        let named = read("https://git.example:8443/x/_services/token").unwrap();
        assert_eq!(named.origin(), "https://git.example:8443");
        assert_eq!(named.server(), "https://git.example:8443/x");
        assert_eq!(read("http://127.0.0.1:1").unwrap().origin(), "http://127.0.0.1:1");
        assert_eq!(read(GITHUB).unwrap(), Issuer::github());
        let residency = read("https://token.actions.octo.ghe.com").unwrap();
        assert_eq!(Some(residency), Issuer::of_github("https://octo.ghe.com"));
        for text in [
            "",
            "git.example",
            "http://git.example",
            "https://git.example/",
            "https://u:p@git.example",
            "https://git.example?x",
            "https://git.example#x",
            "https://git example",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_enterprise_may_stand_behind_githubs_address_alone() {
        let github = Issuer::github();
        assert!(github.is(GITHUB) && github.is(&format!("{GITHUB}/octo-corp")));
        for other in ["", "/", "/a/b", "/-a", ".evil.example", "/a?b"] {
            let other = format!("{GITHUB}{other}");
            assert!(other == GITHUB || !github.is(&other), "{other}");
        }
        let server: Issuer = "https://ghes.example/_services/token".parse().unwrap();
        assert!(!server.is("https://ghes.example/_services/token/octo"));
    }
}
