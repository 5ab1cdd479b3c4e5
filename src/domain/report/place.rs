//! Where a finding is shown, and what makes it the same finding in the next run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

use super::{Finding, RunReport};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::domain::oci::Digest;

/// A file of the repository, and a line in it, that findings are to be shown at.
///
/// ```
/// use countersign::domain::report::Location;
/// let place: Location = "docker/Dockerfile:3".parse()?;
/// assert_eq!((place.path(), place.line()), ("docker/Dockerfile", 3));
/// assert!("/etc/passwd".parse::<Location>().is_err());
/// # Ok::<(), countersign::domain::report::LocationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    path: String,
    line: u32,
}

/// Why a text is no location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a path from the top of the repository, optionally :line, found {}", .0.quote())]
pub struct LocationError(pub Foreign);

impl Classified for LocationError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

impl Location {
    /// The path from the top of the repository, with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The line, from 1.
    pub const fn line(&self) -> u32 {
        self.line
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let refused = || LocationError(Foreign::new(text));
        let (path, line) = match text.rsplit_once(':') {
            Some((path, line)) => (
                path,
                line.parse().ok().filter(|line| *line > 0).ok_or_else(refused)?,
            ),
            None => (text, 1),
        };
        let usual = |part: &str| !part.is_empty() && part != "." && part != "..";
        let plain = path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_./ +@".contains(&b));
        if path.len() > 1_024 || !plain || !path.split('/').all(usual) {
            return Err(refused());
        }
        Ok(Self {
            path: path.to_owned(),
            line,
        })
    }
}

/// A finding with the place it is shown at and its identity over runs.
pub(super) struct Placed<'a> {
    pub(super) finding: &'a Finding,
    /// From the top of the repository, or the image's own path.
    pub(super) path: String,
    pub(super) line: u32,
    pub(super) fingerprint: String,
}

/// The gravest findings, at most `limit`, in an order that does not change from run to run; and how many were left
/// out.
pub(super) fn place<'a>(
    report: &'a RunReport,
    pinned: Option<&Location>,
    limit: usize,
) -> (Vec<Placed<'a>>, usize) {
    let findings = report.gravest_first();
    let left_out = findings.len().saturating_sub(limit);
    let mut placed: Vec<_> = findings
        .into_iter()
        .take(limit)
        .map(|finding| Placed {
            finding,
            path: pinned.map_or_else(|| image_path(report, finding), |place| place.path().to_owned()),
            line: pinned.map_or(1, Location::line),
            fingerprint: identity(report, finding),
        })
        .collect();
    placed.sort_by(|a, b| key(a).cmp(&key(b)));
    number(&mut placed);
    (placed, left_out)
}

fn key<'a>(placed: &'a Placed<'_>) -> (&'static str, &'a str, &'a str, &'a str) {
    (
        placed.finding.rule.id(),
        &placed.path,
        &placed.fingerprint,
        &placed.finding.message,
    )
}

/// Tells findings of the same identity in one run apart by their number.
fn number(placed: &mut [Placed<'_>]) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for one in placed {
        let count = seen.entry(one.fingerprint.clone()).or_default();
        *count += 1;
        let _ = write!(one.fingerprint, ":{count}");
    }
}

/// What makes a finding the same one in the next run: rule, kind of registry, repository, platform. Never digest,
/// tag or account, which change with every build or do not belong in a report that others read.
fn identity(report: &RunReport, finding: &Finding) -> String {
    let repository = finding
        .target
        .and_then(|at| report.targets.get(at))
        .map(|target| target.repository.as_str());
    let platform = finding.platform.as_ref().map_or("", Foreign::raw);
    let text = format!(
        "{}|{}|{}|{platform}|{}",
        finding.rule.id(),
        repository.map_or("", registry_kind),
        image_path(report, finding),
        about(finding.rule.name())
    );
    Digest::of(text.as_bytes()).hex().chars().take(16).collect()
}

/// The kind of thing a rule is about, from the first word of its name.
fn about(rule_name: &str) -> &str {
    rule_name.split('-').next().unwrap_or_default()
}

/// `layout`, `ecr`, `ecr-public`, or the registry's host.
fn registry_kind(repository: &str) -> &str {
    let host = repository.split('/').next().unwrap_or_default();
    match host {
        _ if repository.starts_with("oci:") => "layout",
        "public.ecr.aws" => "ecr-public",
        host if host.contains(".dkr.ecr.") || host.contains(".dkr-ecr.") => "ecr",
        host => host,
    }
}

/// The repository's path without registry, account, tag and digest; a layout's last directory.
fn image_path(report: &RunReport, finding: &Finding) -> String {
    finding.target.and_then(|at| report.targets.get(at)).map_or_else(
        || "countersign".to_owned(),
        |target| repository_path(&target.repository),
    )
}

/// The same for a whole target.
pub(super) fn repository_path(repository: &str) -> String {
    let path = match repository.strip_prefix("oci:") {
        Some(layout) => layout.trim_end_matches('/').rsplit('/').next(),
        None => repository.split_once('/').map(|(_, path)| path),
    };
    let path = path
        .filter(|path| !matches!(*path, "" | "." | ".."))
        .unwrap_or("image");
    path.chars().take(255).collect()
}

impl Placed<'_> {
    /// The path as a relative URI.
    pub(super) fn uri(&self) -> String {
        uri_path(&self.path)
    }
}

/// A path as a relative URI (RFC 3986, 3.3): what is not unreserved or a slash is percent-encoded.
fn uri_path(path: &str) -> String {
    path.bytes().fold(String::new(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn registries_are_told_apart_by_kind_and_accounts_are_not() {
        assert_eq!(
            registry_kind("111122223333.dkr.ecr.eu-west-1.amazonaws.com/a"),
            "ecr"
        );
        assert_eq!(registry_kind("ghcr.io/a/b"), "ghcr.io");
        assert_eq!(registry_kind("oci:/tmp/x"), "layout");
        assert_eq!(
            repository_path("111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app"),
            "team/app"
        );
        assert_eq!(repository_path("oci:/tmp/x y/"), "x y");
        assert_eq!(repository_path("oci:.."), "image");
    }

    #[test]
    fn a_place_is_a_file_of_the_repository() {
        for text in [
            "",
            "/a",
            "a//b",
            "../a",
            "a/../b",
            "a:0",
            "a:x",
            "http://e/x",
            "a\\b",
            "a\n",
            "./a",
        ] {
            assert!(text.parse::<Location>().is_err(), "{text:?}");
        }
        let plain: Location = "Dockerfile".parse().unwrap();
        assert_eq!((plain.path(), plain.line()), ("Dockerfile", 1));
    }

    proptest! {
        #[test]
        fn any_path_becomes_a_relative_uri(path in any::<String>()) {
            let uri = uri_path(&repository_path(&path));
            prop_assert!(!uri.is_empty() && !uri.contains(':'));
            prop_assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)));
        }
    }
}
