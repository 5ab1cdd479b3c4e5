//! The environment, read once; the register says which variables are looked at and why.

use std::collections::BTreeMap;

use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;

/// A variable that is read besides inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is read for.
    pub meaning: &'static str,
    /// Whether its value may be shown.
    pub sensitive: bool,
}

/// Every variable that is read besides `COUNTERSIGN_*` and `INPUT_*`, by name.
pub const REGISTER: &[Variable] = &[
    shown(
        "CI_PROJECT_DIR",
        "GitLab's workspace: files that name images are read below it",
    ),
    shown("CODEBUILD_BUILD_ARN", "set by AWS CodeBuild: this is a build"),
    shown(
        "CODEBUILD_SRC_DIR",
        "CodeBuild's workspace: files that name images are read below it",
    ),
    shown("COLUMNS", "width of the terminal, for the progress line"),
    shown(
        "GITHUB_ACTIONS",
        "`true` on GitHub Actions: inputs count, variables do not",
    ),
    shown(
        "GITHUB_ARTIFACTS_LIST",
        "the file of subjects that earlier steps declared, for images-from github-artifacts-list",
    ),
    shown(
        "GITHUB_WORKSPACE",
        "GitHub's workspace: files that name images are read below it",
    ),
    shown("GITLAB_CI", "`true` on GitLab CI/CD"),
    shown("HOME", "the user's directory, where no XDG directory is set"),
    shown("NO_COLOR", "not empty: no colours (no-color.org)"),
    shown(
        "RUNNER_TEMP",
        "the runner's temporary directory: files that name images are read below it too",
    ),
    shown(
        "SOURCE_DATE_EPOCH",
        "seconds since 1970: when the attestation says it was made (reproducible-builds.org)",
    ),
    shown("TERM", "`dumb`: no colours and no progress line"),
    shown(
        "XDG_STATE_HOME",
        "where the local CA is kept, in `countersign/` (XDG Base Directory Specification)",
    ),
];

const fn shown(name: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        meaning,
        sensitive: false,
    }
}

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not read the variable {}: expected UTF-8 text, found other bytes", name.quote())]
pub struct EnvironmentError {
    /// Its name.
    pub name: Foreign,
}

impl Classified for EnvironmentError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// The variables that concern us, as they were when the program started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`EnvironmentError`] for a variable of ours that is not text.
    pub fn read() -> Result<Self, EnvironmentError> {
        let mut values = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| concerns_us(name)) else {
                continue;
            };
            let value = value.into_string().map_err(|_| EnvironmentError {
                name: Foreign::new(name),
            })?;
            values.insert(name.to_owned(), value);
        }
        Ok(Self(values))
    }

    /// An environment of these variables.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self(
            variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        )
    }

    /// A variable's value; empty counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// All of them, for the table of inputs.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

fn concerns_us(name: &str) -> bool {
    name.starts_with("COUNTERSIGN_")
        || name.starts_with("INPUT_")
        || REGISTER.iter().any(|variable| variable.name == name)
}

/// The register as a Markdown table.
pub fn register_table() -> String {
    let rows = REGISTER.iter().map(|variable| {
        let shown = if variable.sensitive { "never" } else { "yes" };
        format!("| `{}` | {} | {shown} |\n", variable.name, variable.meaning)
    });
    format!(
        "| variable | read for | shown |\n|---|---|---|\n{}",
        rows.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_is_in_order_and_without_repetition() {
        let names: Vec<_> = REGISTER.iter().map(|variable| variable.name).collect();
        let sorted: std::collections::BTreeSet<_> = names.iter().copied().collect();
        assert_eq!(names, sorted.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn empty_counts_as_absent() {
        let environment = Environment::of([("NO_COLOR", ""), ("HOME", "/h")]);
        assert_eq!(environment.get("NO_COLOR"), None);
        assert_eq!(environment.get("HOME"), Some("/h"));
    }
}
