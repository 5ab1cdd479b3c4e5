//! Where each value came from, so that messages name it as its host spells it and authority shows its source.

use std::collections::BTreeMap;

use crate::base::foreign::quote;
use crate::base::tree::Position;

/// How the values of this run are named by whoever gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `with:` of a GitHub action: only `INPUT_*` counts.
    Inputs,
    /// `COUNTERSIGN_*` variables stand behind the flags.
    Variables,
    /// Flags alone: in a `run:` step of GitHub any earlier step can plant variables.
    Flags,
}

/// Where one value came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The command line.
    Flag,
    /// An input of the action.
    Input,
    /// A variable.
    Variable,
    /// A configuration file.
    File {
        /// Its name.
        path: String,
        /// Where in it.
        at: Position,
    },
}

/// The origins of everything that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    naming: Naming,
    known: BTreeMap<String, Origin>,
}

impl Origins {
    /// Nothing given yet.
    pub(super) fn new(naming: Naming) -> Self {
        Self {
            naming,
            known: BTreeMap::new(),
        }
    }

    /// Notes where an input came from; the first note counts.
    pub(super) fn note(&mut self, name: &str, origin: Origin) {
        self.known.entry(name.to_owned()).or_insert(origin);
    }

    /// How values of this run are named.
    pub fn naming(&self) -> Naming {
        self.naming
    }

    /// Where an input came from; none where nobody gave it.
    pub fn of(&self, name: &str) -> Option<&Origin> {
        self.known.get(name)
    }

    /// The input as its host spells it: where it came from, or where it would have to come from.
    pub fn spell(&self, name: &str) -> String {
        match self.known.get(name) {
            Some(Origin::Input) => format!("input {name}"),
            Some(Origin::Variable) => variable(name),
            Some(Origin::File { path, at }) => {
                format!(
                    "{name} in {}, line {}, column {}",
                    quote(path),
                    at.line,
                    at.column
                )
            }
            None if self.naming == Naming::Inputs => format!("input {name}"),
            Some(Origin::Flag) | None => format!("--{name}"),
        }
    }

    /// The input with a value, as its host spells that: `--signer local`, `input signer: local`.
    pub(super) fn spell_with(&self, name: &str, value: &str) -> String {
        let colon = if self.naming == Naming::Inputs { ":" } else { "" };
        format!("{}{colon} {value}", self.spell(name))
    }

    /// What to do so that a list holds more values, to be copied: `add --allow 'r.example/web'`, in a workflow
    /// `add allow: r.example/web`. Where the list stands already and can only be given whole, it is written whole.
    pub fn adding(&self, name: &str, standing: &[String], more: &[String]) -> String {
        let whole = !standing.is_empty() && self.of(name) != Some(&Origin::Flag);
        let standing = if whole { standing } else { &[] };
        let values: Vec<&str> = standing.iter().chain(more).map(String::as_str).collect();
        let line = match (self.naming, values.as_slice()) {
            (Naming::Inputs, [one]) => format!("{name}: {one}"),
            (Naming::Inputs, several) => format!("{name}: \"{}\"", several.join("\\n")),
            (Naming::Variables | Naming::Flags, values) => {
                let flags: Vec<String> = values.iter().map(|value| format!("--{name} '{value}'")).collect();
                flags.join(" ")
            }
        };
        format!("{} {line}", if whole { "write" } else { "add" })
    }

    /// The same for an argument as clap writes it, `--name <VALUE>` or `[POSITIONAL]`.
    pub(super) fn spell_usage(&self, usage: &str) -> String {
        let name = usage.split([' ', '=', '[']).next().unwrap_or_default();
        match name.strip_prefix("--") {
            Some(name) => self.spell(name),
            None => usage.to_owned(),
        }
    }

    /// Where images named by an input stand, for findings and `targets`.
    pub fn place(&self, name: &str) -> String {
        match self.known.get(name) {
            Some(Origin::Input) => input(name),
            Some(Origin::Variable) => variable(name),
            _ => format!("--{name}"),
        }
    }

    /// Those of `names` that a variable gave, as `signer from COUNTERSIGN_SIGNER`.
    pub(super) fn variables_among(&self, names: &[&str]) -> Vec<String> {
        names
            .iter()
            .filter(|name| self.known.get(**name) == Some(&Origin::Variable))
            .map(|name| format!("{name} from {}", variable(name)))
            .collect()
    }
}

/// The variable of an input: `COUNTERSIGN_SIGNING_PROFILE`.
pub(super) fn variable(name: &str) -> String {
    format!("COUNTERSIGN_{}", name.to_uppercase().replace('-', "_"))
}

/// The variable in which the GitHub runner hands an input over: hyphens stay (`actions/runner`,
/// `src/Runner.Worker/Handlers/Handler.cs`, `AddInputsToEnvironment`).
pub(super) fn input(name: &str) -> String {
    format!("INPUT_{}", name.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_to_add_is_one_that_its_host_takes() {
        let texts =
            |values: &[&str]| -> Vec<String> { values.iter().map(|value| (*value).to_owned()).collect() };
        let adding = |naming, origin: Option<Origin>, standing: &[&str], more: &[&str]| {
            let mut origins = Origins::new(naming);
            if let Some(origin) = origin {
                origins.note("allow", origin);
            }
            origins.adding("allow", &texts(standing), &texts(more))
        };
        let (one, two) = (&["r.example/x"][..], &["r.example/x", "r.example/y"][..]);
        for (naming, origin, standing, more, line) in [
            (Naming::Inputs, None, &[][..], one, "add allow: r.example/x"),
            (
                Naming::Inputs,
                None,
                &[],
                two,
                r#"add allow: "r.example/x\nr.example/y""#,
            ),
            (
                Naming::Inputs,
                Some(Origin::Input),
                &["a.example/**"],
                one,
                r#"write allow: "a.example/**\nr.example/x""#,
            ),
            (Naming::Flags, None, &[], one, "add --allow 'r.example/x'"),
            (
                Naming::Variables,
                None,
                &[],
                two,
                "add --allow 'r.example/x' --allow 'r.example/y'",
            ),
            (
                Naming::Variables,
                Some(Origin::Flag),
                &["a.example/**"],
                one,
                "add --allow 'r.example/x'",
            ),
            (
                Naming::Variables,
                Some(Origin::Variable),
                &["a.example/**"],
                one,
                "write --allow 'a.example/**' --allow 'r.example/x'",
            ),
        ] {
            assert_eq!(adding(naming, origin, standing, more), line);
        }
    }
}
