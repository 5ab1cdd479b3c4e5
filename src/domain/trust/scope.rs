//! Registry scopes: which repositories a trust policy speaks for (trust store and trust policy specification,
//! "Trust Policy properties", `registryScopes`).

use std::fmt;
use std::str::FromStr;

use crate::base::foreign::Foreign;

/// Longest scope read, in bytes (ours; a host has at most 253 and a repository 255).
const SCOPE_BYTES: usize = 1_024;

/// Why a text is not a registry scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {EXPECTED}, found {}", .0.quote())]
pub struct ScopeError(pub Foreign);

/// What a scope must be, for messages.
pub(super) const EXPECTED: &str = "registry/repository without scheme, tag or digest, or \"*\" alone";

/// What a trust policy speaks for: one repository of one registry, compared byte by byte, or everything.
///
/// An image in a layout on disk belongs to no registry; unless its user says which, only `*` fits it.
///
/// ```
/// use countersign::domain::trust::RegistryScope;
/// let scope: RegistryScope = "registry.example.com:5000/team/web".parse()?;
/// assert_eq!(scope.to_string(), "registry.example.com:5000/team/web");
/// assert_eq!("*".parse(), Ok(RegistryScope::Every));
/// assert!("registry.example.com/team/*".parse::<RegistryScope>().is_err());
/// # Ok::<(), countersign::domain::trust::ScopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RegistryScope {
    /// `*`: every artifact that no other policy names.
    Every,
    /// `registry/repository`.
    Repository(ScopedRepository),
}

/// The `registry/repository` of a [`RegistryScope`]; only parsing one makes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopedRepository(String);

impl ScopedRepository {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryScope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text == "*" {
            return Ok(Self::Every);
        }
        match text.split_once('/') {
            Some((registry, repository))
                if text.len() <= SCOPE_BYTES && is_registry(registry) && is_repository(repository) =>
            {
                Ok(Self::Repository(ScopedRepository(text.to_owned())))
            }
            _ => Err(ScopeError(Foreign::new(text))),
        }
    }
}

impl fmt::Display for RegistryScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("*"),
            Self::Repository(repository) => f.write_str(&repository.0),
        }
    }
}

/// A host of letters, digits and inner hyphens between dots, and perhaps a port; no dot is needed.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let port_ok = port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    port_ok
        && host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

/// OCI distribution specification 1.1, "Pulling manifests": components of lower-case letters and digits, joined
/// inside by `.`, `_`, `__` or hyphens.
fn is_repository(text: &str) -> bool {
    text.split('/').all(|component| {
        let separators = |c: char| matches!(c, '.' | '_' | '-');
        let mut words = component.split(separators).filter(|word| !word.is_empty());
        let word_ok = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let mut runs = component.split(|c| !separators(c)).filter(|run| !run.is_empty());
        !component.is_empty()
            && !component.starts_with(separators)
            && !component.ends_with(separators)
            && words.all(word_ok)
            && runs.all(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|b| b == b'-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_scope(text: &str) -> bool {
        text.parse::<RegistryScope>().is_ok()
    }

    #[test]
    fn registry_and_repository_are_both_needed_and_nothing_more() {
        let accepted = [
            "*",
            "example.com/a__b/c.d-e",
            "domain/rep",
            "localhost:5000/net-monitor",
            "10.10.10.10:8080/rep/rep2",
            "EXAMPLE.com/x",
        ];
        for text in accepted {
            assert!(is_scope(text), "{text}");
        }
        let refused = [
            "",
            "*/",
            "1:1",
            "example.com",
            "example.com/",
            "/rep",
            "example.com/Rep",
            "example.com//rep",
            "example.com/rep/",
            "example.com/-rep",
            "example.com/a..b",
            "example.com/a___b",
            "example.com/rep:latest",
            "example.com/rep@sha256:aaaa",
            "example.com/*",
            "example.com:port/rep",
            "example.com:/rep",
            "-example.com/rep",
            "https://example.com/rep",
            "example.com/a b",
        ];
        for text in refused {
            assert!(!is_scope(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_scope_prints_as_it_was_read(text in "[a-zA-Z0-9.:/_*-]{0,30}") {
            if let Ok(scope) = text.parse::<RegistryScope>() {
                prop_assert_eq!(scope.to_string(), text);
            }
        }
    }
}
