//! Paths as the host, a job's container and the action's container spell them.
//!
//! Source: `actions/runner`, `src/Runner.Worker/Container/ContainerInfo.cs`: what is translated is a whole value that
//! begins with a mapped directory, and nothing in a list or behind a prefix; a path that a `container:` job took down
//! (`/__w/…`) is never translated. Relative paths need nothing: the workspace is where we start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Environment;

/// Inputs that are one path.
const PATHS: [&str; 12] = [
    "blob",
    "config",
    "expect",
    "id-token",
    "local-chain",
    "local-key",
    "output-dir",
    "registry-password-from",
    "signature",
    "to",
    "trust-policy",
    "trust-store",
];

/// Finds the path in a line, and says how it is reached here.
type Mapped = fn(&Paths, &str) -> String;

/// Inputs that are lines.
const LINES: [(&str, Mapped); 3] = [
    ("images", Paths::layout),
    ("images-from", |paths, line| paths.here(line.trim())),
    ("attest", Paths::predicate),
];

/// Where the runner keeps workspaces and temporary files, on hosted runners, in job containers, and in the container
/// image of self-hosted ones.
const WORK: [&str; 3] = ["/home/runner/work", "/__w", "/runner/_work"];

/// What the runner mounts into an action's container.
const TEMPORARY: &str = "/github/runner_temp";

/// Where the workspace is here, and how else it may be spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    workspace: PathBuf,
    temporary: PathBuf,
    elsewhere: Vec<PathBuf>,
}

impl Paths {
    /// What the environment says; none where it names no workspace.
    pub fn of(environment: &Environment) -> Option<Self> {
        let workspace = absolute(environment.get("GITHUB_WORKSPACE")?)?;
        let name = environment
            .get("GITHUB_REPOSITORY")?
            .rsplit('/')
            .next()?
            .to_owned();
        let host = environment.get("RUNNER_WORKSPACE").and_then(absolute);
        let known = WORK.iter().map(|work| Path::new(work).join(&name));
        Some(Self {
            workspace,
            temporary: TEMPORARY.into(),
            elsewhere: host
                .into_iter()
                .chain(known)
                .map(|parent| parent.join(&name))
                .collect(),
        })
    }

    /// The path as it is reached here: itself where it is relative or exists, else the same file under the workspace
    /// or the runner's temporary directory, else itself.
    pub fn here(&self, path: &str) -> String {
        let given = Path::new(path);
        if given.is_relative() || given.exists() {
            return path.to_owned();
        }
        let temporary = WORK.iter().map(|work| Path::new(work).join("_temp"));
        let mapped = self
            .elsewhere
            .iter()
            .map(|place| (place.clone(), &self.workspace))
            .chain(temporary.map(|place| (place, &self.temporary)));
        let mut found = mapped.filter_map(|(from, to)| {
            let rest = given.strip_prefix(from).ok()?;
            let plain = rest
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)));
            plain.then(|| to.join(rest))
        });
        found
            .next()
            .and_then(|path| path.to_str().map(str::to_owned))
            .unwrap_or_else(|| path.to_owned())
    }

    /// The path as later steps read it: relative to the workspace, which they see under another name.
    pub fn for_later_steps(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.workspace).unwrap_or(path).to_owned()
    }

    /// The variables, with the paths in inputs as they are reached here.
    pub fn in_inputs(&self, variables: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut variables = variables.clone();
        for name in PATHS {
            if let Some(value) = variables.get_mut(&format!("INPUT_{}", name.to_uppercase())) {
                *value = self.here(value.trim());
            }
        }
        for (name, mapped) in LINES {
            if let Some(value) = variables.get_mut(&format!("INPUT_{}", name.to_uppercase())) {
                let lines = value.lines().map(|line| mapped(self, line));
                *value = lines.collect::<Vec<_>>().join("\n");
            }
        }
        variables
    }

    /// A line that names a layout, `oci:PATH[:tag][@digest]`; any other line stays.
    fn layout(&self, line: &str) -> String {
        let Some(path) = line.trim().strip_prefix("oci:") else {
            return line.to_owned();
        };
        let end = path.find(['@', ':']).unwrap_or(path.len());
        let (path, rest) = path.split_at_checked(end).unwrap_or((path, ""));
        format!("oci:{}{rest}", self.here(path))
    }

    /// A line that names a predicate's file, `TYPE[@ARTIFACT-TYPE]=FILE`; any other line stays.
    fn predicate(&self, line: &str) -> String {
        match line.split_once('=') {
            Some((kind, file)) => format!("{kind}={}", self.here(file.trim())),
            None => line.to_owned(),
        }
    }
}

fn absolute(text: &str) -> Option<PathBuf> {
    Some(PathBuf::from(text)).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Paths {
        Paths::of(&Environment::of([
            ("GITHUB_WORKSPACE", "/github/workspace"),
            ("GITHUB_REPOSITORY", "octo-org/web"),
            ("RUNNER_WORKSPACE", "/mnt/disk/web"),
        ]))
        .unwrap()
    }

    #[test]
    fn three_spellings_mean_one_file() {
        for given in [
            "/github/workspace/out/a.json",
            "/mnt/disk/web/web/out/a.json",
            "/home/runner/work/web/web/out/a.json",
            "/__w/web/web/out/a.json",
            "/runner/_work/web/web/out/a.json",
        ] {
            assert_eq!(paths().here(given), "/github/workspace/out/a.json", "{given}");
        }
        assert_eq!(paths().here("out/a.json"), "out/a.json");
        assert_eq!(paths().here("/__w/_temp/a"), "/github/runner_temp/a");
        assert_eq!(paths().here("/__w/other/other/a"), "/__w/other/other/a");
    }

    #[test]
    fn nothing_climbs_out_of_the_workspace() {
        let climbing = "/__w/web/web/../../etc/passwd";
        assert_eq!(paths().here(climbing), climbing);
    }

    #[test]
    fn only_paths_are_changed() {
        let environment = Environment::of([
            (
                "INPUT_IMAGES",
                "oci:/__w/web/web/build:1.4@sha256:ab\nr.example/__w/web/web",
            ),
            ("INPUT_TRUST-POLICY", "/__w/web/web/trustpolicy.json"),
            ("INPUT_METADATA", "/__w/web/web"),
            (
                "INPUT_IMAGES-FROM",
                "/home/runner/work/web/web/a.json\n /github/workspace/b.json \n/__w/_temp/c.json\n-",
            ),
            (
                "INPUT_ATTEST",
                "spdx=/__w/web/web/sbom.json\nvex@a/b=vex.json\nnonsense",
            ),
            ("INPUT_ID-TOKEN", "/mnt/disk/web/web/token"),
            ("INPUT_REGISTRY-PASSWORD-FROM", "PASSWORD"),
        ]);
        let found = paths().in_inputs(environment.variables());
        assert_eq!(
            found["INPUT_IMAGES"],
            "oci:/github/workspace/build:1.4@sha256:ab\nr.example/__w/web/web"
        );
        assert_eq!(found["INPUT_TRUST-POLICY"], "/github/workspace/trustpolicy.json");
        assert_eq!(found["INPUT_METADATA"], "/__w/web/web");
        assert_eq!(
            found["INPUT_IMAGES-FROM"],
            "/github/workspace/a.json\n/github/workspace/b.json\n/github/runner_temp/c.json\n-"
        );
        assert_eq!(
            found["INPUT_ATTEST"],
            "spdx=/github/workspace/sbom.json\nvex@a/b=vex.json\nnonsense"
        );
        assert_eq!(found["INPUT_ID-TOKEN"], "/github/workspace/token");
        assert_eq!(found["INPUT_REGISTRY-PASSWORD-FROM"], "PASSWORD");
    }

    #[test]
    fn later_steps_get_a_path_they_can_read() {
        let paths = paths();
        assert_eq!(
            paths.for_later_steps(Path::new("/github/workspace/report")),
            Path::new("report")
        );
        assert_eq!(paths.for_later_steps(Path::new("report")), Path::new("report"));
    }
}
