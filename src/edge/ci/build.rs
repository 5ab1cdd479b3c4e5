//! What hosts have in common when they speak of a build.

use crate::domain::provenance::{BuildFacts, Parameter, Parameters};

/// What a host's environment says of a build. Any step of the job can set what stands there, so none of it is
/// verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// What is said.
    pub facts: BuildFacts,
}

impl HostFacts {
    pub(super) fn new(facts: BuildFacts) -> Self {
        Self { facts }
    }
}

/// Parameters, without those that the host does not set.
pub(super) fn map<const N: usize>(parameters: [(&str, Option<Parameter>); N]) -> Parameters {
    let set = parameters
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    set.collect()
}

/// An address without user and password, which have no place in a document that anyone can read.
pub(super) fn url(text: &str) -> Option<String> {
    let mut url = url::Url::parse(text).ok()?;
    if url.host().is_some() {
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(url("https://github.com").as_deref(), Some("https://github.com"));
        assert_eq!(
            url("https://gitlab-ci-token:glcbt-64_x@git.example/g/p.git").as_deref(),
            Some("https://git.example/g/p.git")
        );
        assert_eq!(url("no address"), None);
    }
}
