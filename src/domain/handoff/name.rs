//! One name as it stands in a file, read as the tool that wrote it means it.

use super::error::Trouble;
use crate::base::foreign::Foreign;
use crate::domain::oci::{Digest, ImageRef};

/// Who wrote a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A person, or a list: a host is required.
    Typed,
    /// A tool: without a host, Docker Hub is meant (Docker documentation, "Image names").
    Tool,
}

/// Reads a reference; prefixes, other names of Docker Hub and the default port are normalised.
pub(super) fn reference(text: &str, style: Style) -> Result<ImageRef, Trouble> {
    if text
        .split_once('@')
        .is_some_and(|(_, rest)| rest.contains(['/', '@']))
    {
        return Err(Trouble::Credentials);
    }
    if text.contains('=') {
        return Err(Trouble::Equals);
    }
    if text.starts_with("/nix/store/") {
        return Err(Trouble::NixResult);
    }
    if text.starts_with(['/', '.']) {
        return Err(Trouble::LayoutPath(Foreign::new(text)));
    }
    let full = normalised(text, style);
    full.parse().map_err(|problem| {
        let (name, digest) = full
            .split_once('@')
            .map_or((full.as_str(), None), |(n, d)| (n, Some(d)));
        let lower = digest.map_or(name.to_lowercase(), |digest| {
            format!("{}@{digest}", name.to_lowercase())
        });
        if lower.parse::<ImageRef>().is_ok() {
            Trouble::UpperCase(Foreign::new(text))
        } else {
            Trouble::Reference(problem)
        }
    })
}

/// The digest of a text.
pub(super) fn digest(text: &str) -> Result<Digest, Trouble> {
    text.parse().map_err(|_| Trouble::Digest(Foreign::new(text)))
}

/// Whether a text has the shape of a digest, right or wrong.
pub(super) fn is_digest_shaped(text: &str) -> bool {
    ["sha256:", "sha384:", "sha512:"]
        .iter()
        .any(|prefix| text.starts_with(prefix) && !text.contains('/'))
}

/// Whether the first word of a name is a registry's host.
pub(super) fn has_host(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost")
}

fn normalised(text: &str, style: Style) -> String {
    let text = text
        .strip_prefix("oci://")
        .or_else(|| text.strip_prefix("docker://"))
        .unwrap_or(text);
    if text.starts_with("oci:") {
        return text.to_owned();
    }
    match text.split_once('/') {
        Some((host, rest)) if has_host(text) => {
            let host = host.strip_suffix(":443").unwrap_or(host);
            let host = match host {
                "index.docker.io" | "registry-1.docker.io" => "docker.io",
                other => other,
            };
            if host == "docker.io" && !rest.contains('/') {
                format!("docker.io/library/{rest}")
            } else {
                format!("{host}/{rest}")
            }
        }
        _ if style == Style::Typed || text.is_empty() => text.to_owned(),
        Some(_) => format!("docker.io/{text}"),
        None => format!("docker.io/library/{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(text: &str) -> String {
        reference(text, Style::Tool).unwrap().to_string()
    }

    #[test]
    fn names_are_read_as_their_tool_means_them() {
        assert_eq!(tool("web:1"), "docker.io/library/web:1");
        assert_eq!(tool("team/web"), "docker.io/team/web");
        assert_eq!(tool("index.docker.io/library/web:1"), "docker.io/library/web:1");
        assert_eq!(tool("registry-1.docker.io/team/web:1"), "docker.io/team/web:1");
        assert_eq!(tool("docker.io/web"), "docker.io/library/web");
        assert_eq!(tool("r.example:443/web"), "r.example/web");
        assert_eq!(tool("docker://r.example:5000/web"), "r.example:5000/web");
        assert!(matches!(
            reference("web:1", Style::Typed),
            Err(Trouble::Reference(_))
        ));
    }

    #[test]
    fn what_is_refused_is_told_apart() {
        assert!(matches!(
            reference("r.example/Team/web:V1", Style::Tool),
            Err(Trouble::UpperCase(_))
        ));
        assert!(reference("r.example/team/web:V1", Style::Tool).is_ok());
        let error = reference("bob:hunter2@r.example/web", Style::Tool).unwrap_err();
        assert_eq!(error, Trouble::Credentials);
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(
            reference("/nix/store/abc-image.tar.gz", Style::Typed),
            Err(Trouble::NixResult)
        );
        assert!(matches!(
            reference("/tmp/out@sha256:12", Style::Typed),
            Err(Trouble::LayoutPath(_))
        ));
        assert!(matches!(digest("sha256:12"), Err(Trouble::Digest(_))));
    }
}
