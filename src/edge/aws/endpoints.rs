//! Where the services are spoken to, when not at their public addresses.
//!
//! The SDK is never left to read endpoint variables by itself: it knows AWS Signer as two services, so that one
//! variable for one of them would leave the other at its public address, silently. Here either name moves both.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints".

use std::fmt;

use url::{Host, Url};

use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;

/// Why an endpoint is not spoken to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: expected {expected}, found {}", found.quote())]
pub struct EndpointError {
    /// The variable.
    pub name: &'static str,
    /// What would do.
    pub expected: &'static str,
    /// The value.
    pub found: Foreign,
}

impl Classified for EndpointError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// The overrides of the services' addresses, and the kind of public address otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// STS.
    pub sts: Option<Endpoint>,
    /// The ECR API (not the registry).
    pub ecr: Option<Endpoint>,
    /// `CodeBuild`.
    pub codebuild: Option<Endpoint>,
    /// AWS Signer: control and signing.
    pub signer: Option<Endpoint>,
    /// AWS Signer's data plane: revocations.
    pub signer_data: Option<Endpoint>,
    /// `AWS_USE_FIPS_ENDPOINT`.
    pub fips: bool,
    /// `AWS_USE_DUALSTACK_ENDPOINT`.
    pub dual_stack: bool,
}

/// The variables that name endpoints, as the SDKs spell them.
const ANY: &str = "AWS_ENDPOINT_URL";
const STS: &str = "AWS_ENDPOINT_URL_STS";
const ECR: &str = "AWS_ENDPOINT_URL_ECR";
const CODEBUILD: &str = "AWS_ENDPOINT_URL_CODEBUILD";
const SIGNER: &str = "AWS_ENDPOINT_URL_SIGNER";
const SIGNER_DATA: &str = "AWS_ENDPOINT_URL_SIGNER_DATA";

impl Endpoints {
    /// Reads the variables that the AWS SDKs name, through `lookup`.
    ///
    /// # Errors
    /// [`EndpointError`] when a value is no `https` address, or `http` beyond loopback.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EndpointError> {
        let is_set = |name: &str| lookup(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let ignored = is_set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let read = |name: &'static str| match lookup(name).filter(|value| !ignored && !value.is_empty()) {
            None => Ok(None),
            Some(value) => Endpoint::parse(name, &value).map(Some),
        };
        let any = read(ANY)?;
        let (signer, data) = (read(SIGNER)?, read(SIGNER_DATA)?);
        let or_any = |one: Option<Endpoint>| one.or_else(|| any.clone());
        Ok(Self {
            sts: or_any(read(STS)?),
            ecr: or_any(read(ECR)?),
            codebuild: or_any(read(CODEBUILD)?),
            signer: or_any(signer.clone().or_else(|| data.clone())),
            signer_data: or_any(data.or(signer)),
            fips: is_set("AWS_USE_FIPS_ENDPOINT"),
            dual_stack: is_set("AWS_USE_DUALSTACK_ENDPOINT"),
        })
    }
}

/// An address that may be spoken to: `https`, or `http` on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads an address; `name` is what the error calls it.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn parse(name: &'static str, text: &str) -> Result<Self, EndpointError> {
        let refused = |expected| EndpointError {
            name,
            expected,
            found: Foreign::new(text),
        };
        let url: Url = text.parse().map_err(|_| refused("an https address"))?;
        let bare = url.username().is_empty() && url.password().is_none();
        if !bare || url.query().is_some() || url.fragment().is_some() || url.host().is_none() {
            return Err(refused("an address without credentials, query or fragment"));
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            "http" => Err(refused("https (plain http is for loopback only)")),
            _ => Err(refused("an https address")),
        }
    }

    /// The address, without a slash at its end.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Endpoints, EndpointError> {
        Endpoints::from_environment(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn text(endpoint: Option<&Endpoint>) -> Option<&str> {
        endpoint.map(Endpoint::as_str)
    }

    #[test]
    fn either_name_of_signer_moves_both() {
        for name in [SIGNER, SIGNER_DATA] {
            let endpoints = read(&[(name, "http://127.0.0.1:4566/x/")]).unwrap();
            assert_eq!(
                text(endpoints.signer.as_ref()),
                Some("http://127.0.0.1:4566/x"),
                "{name}"
            );
            assert_eq!(endpoints.signer, endpoints.signer_data);
            assert_eq!((endpoints.sts, endpoints.ecr), (None, None));
        }
    }

    #[test]
    fn each_keeps_its_own_where_both_are_named() {
        let endpoints = read(&[
            (ANY, "https://any.example"),
            (SIGNER, "https://signer.example"),
            (SIGNER_DATA, "https://data.example"),
        ])
        .unwrap();
        assert_eq!(text(endpoints.signer.as_ref()), Some("https://signer.example"));
        assert_eq!(text(endpoints.signer_data.as_ref()), Some("https://data.example"));
        assert_eq!(text(endpoints.sts.as_ref()), Some("https://any.example"));
        assert_eq!(text(endpoints.ecr.as_ref()), Some("https://any.example"));
    }

    #[test]
    fn overrides_can_be_ignored_as_the_sdks_do() {
        let variables = [("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE"), (ANY, "nonsense")];
        assert_eq!(read(&variables), Ok(Endpoints::default()));
    }

    #[test]
    fn what_is_not_safe_to_speak_to_is_refused() {
        for (value, expected) in [
            ("http://10.0.0.1", "https (plain http is for loopback only)"),
            (
                "http://127.0.0.1.example.com",
                "https (plain http is for loopback only)",
            ),
            ("ftp://127.0.0.1", "an https address"),
            ("127.0.0.1:80", "an https address"),
            (
                "https://u:p@example.com",
                "an address without credentials, query or fragment",
            ),
            (
                "https://example.com?x",
                "an address without credentials, query or fragment",
            ),
        ] {
            let error = read(&[(STS, value)]).unwrap_err();
            assert_eq!((error.name, error.expected), (STS, expected), "{value}");
        }
        for value in [
            "http://[::1]:1",
            "http://localhost",
            "http://127.8.8.8:9/p",
            "https://vpce.example",
        ] {
            assert!(read(&[(STS, value)]).is_ok(), "{value}");
        }
    }
}
