//! What can be wrong with a command line, said in the words of the host it came from.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::origin::Origins;
use super::table;
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::tree::DocumentError;

/// Why what was asked cannot be understood; nothing was touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CliError {
    /// A value of the wrong form.
    #[error("could not read {argument}: {problem}{}", found(value.as_ref()))]
    Value {
        /// The argument as its host spells it.
        argument: String,
        /// What was expected.
        problem: String,
        /// What was found; none where the problem says it.
        value: Option<Foreign>,
    },
    /// An argument that does not exist, or not for this command.
    #[error("expected an argument of {}, found {}", of_command(command.as_deref()), argument.quote())]
    Unknown {
        /// The argument.
        argument: Foreign,
        /// The command; none where none was given before it.
        command: Option<String>,
        /// One that was perhaps meant.
        nearest: Option<String>,
    },
    /// A command that does not exist.
    #[error("expected a command, found {}", command.quote())]
    Command {
        /// The command.
        command: Foreign,
        /// One that was perhaps meant.
        nearest: Option<String>,
    },
    /// Something of the contract that is not built yet.
    #[error("{what} is not available yet")]
    NotYet {
        /// `the command doctor`, `--vsa`, …
        what: String,
        /// What to do instead, where there is something.
        instead: Option<String>,
    },
    /// An argument that the command needs.
    #[error("expected {argument}, {why}")]
    Missing {
        /// The argument as its host spells it.
        argument: String,
        /// What it is needed for.
        why: String,
    },
    /// Arguments that do not go together.
    #[error("{first} and {second} do not go together: {why}")]
    Together {
        /// One argument as its host spells it.
        first: String,
        /// The other.
        second: String,
        /// Why.
        why: &'static str,
    },
    /// An input of another command.
    #[error("the command {command} does not take {argument}")]
    NotTaken {
        /// The argument as its host spells it.
        argument: String,
        /// The command.
        command: String,
    },
    /// A configuration file that cannot be used.
    #[error("could not use the configuration {}", quote(path))]
    Config {
        /// Its name.
        path: String,
        /// Why.
        #[source]
        problem: ConfigProblem,
    },
}

/// Why a configuration file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// It could not be read.
    #[error("{0}")]
    Unreadable(String),
    /// It is not what a configuration is.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A key that only a person may type.
    #[error("line {line}, column {column}: {key} grants authority, and a file may not")]
    Authority {
        /// The key.
        key: &'static str,
        /// Where, from 1.
        line: u32,
        /// Where, in bytes from 1.
        column: u32,
    },
}

fn found(value: Option<&Foreign>) -> String {
    value
        .map(|value| format!(", found {}", value.quote()))
        .unwrap_or_default()
}

impl Classified for CliError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest, command, .. } => Some(meant(nearest.as_deref(), command.as_deref())),
            Self::Command { nearest, .. } => Some(meant(nearest.as_deref(), None)),
            Self::NotTaken { command, .. } => Some(meant(None, Some(command))),
            Self::NotYet { instead, .. } => instead.clone(),
            Self::Config {
                problem: ConfigProblem::Authority { key, .. },
                ..
            } => Some(format!(
                "give --{key} on the command line, or as an input of the action"
            )),
            _ => None,
        }
    }
}

fn of_command(command: Option<&str>) -> &str {
    command.unwrap_or("countersign")
}

/// What was perhaps meant, and where to look.
fn meant(nearest: Option<&str>, command: Option<&str>) -> String {
    let nearest = nearest.map_or_else(String::new, |nearest| format!("did you mean {nearest}? "));
    match command {
        Some(command) => format!("{nearest}`countersign {command} --help` lists what it takes"),
        None => format!("{nearest}`countersign help` lists what there is"),
    }
}

impl CliError {
    /// Nothing was asked.
    pub(super) fn no_command() -> Self {
        Self::Missing {
            argument: "a command".to_owned(),
            why: "for example `countersign demo`; `countersign help` lists them".to_owned(),
        }
    }

    /// Translates what clap refused of a command's arguments; none where no command was given before them.
    pub(super) fn of(error: &clap::Error, command: Option<&str>, origins: &Origins) -> Self {
        let text = |kind: ContextKind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            Some(ContextValue::Strings(texts)) => texts.first().cloned(),
            _ => None,
        };
        let argument = text(ContextKind::InvalidArg).unwrap_or_default();
        match error.kind() {
            ErrorKind::UnknownArgument => unknown(&argument, command, text(ContextKind::SuggestedArg)),
            ErrorKind::InvalidSubcommand => Self::Command {
                command: Foreign::new(text(ContextKind::InvalidSubcommand).unwrap_or_default()),
                nearest: text(ContextKind::SuggestedSubcommand),
            },
            ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Self::no_command()
            }
            ErrorKind::MissingRequiredArgument => Self::Missing {
                argument,
                why: "which this command needs".to_owned(),
            },
            kind => Self::Value {
                argument: match argument.as_str() {
                    "" => "an argument".to_owned(),
                    argument => origins.spell_usage(argument),
                },
                problem: problem(kind, error),
                value: text(ContextKind::InvalidValue)
                    .filter(|_| matches!(kind, ErrorKind::InvalidValue | ErrorKind::ValueValidation))
                    .filter(|value| !value.is_empty())
                    .filter(|_| !says_found(error))
                    .map(Foreign::new),
            },
        }
    }
}

/// An argument that this command does not take: one of another command, or none at all.
fn unknown(argument: &str, command: Option<&str>, nearest: Option<String>) -> CliError {
    let is_built = |flag: &String| !flag.strip_prefix("--").is_some_and(table::is_later);
    let elsewhere = argument.strip_prefix("--").filter(|name| table::is_known(name));
    match (elsewhere, command) {
        (Some(_), Some(command)) => CliError::NotTaken {
            argument: argument.to_owned(),
            command: command.to_owned(),
        },
        _ => CliError::Unknown {
            argument: Foreign::new(argument),
            command: command.map(str::to_owned),
            nearest: nearest.filter(is_built),
        },
    }
}

/// Whether the parser's own words say already what was found.
fn says_found(error: &clap::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| chain(source).contains(", found "))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// What was expected, in one clause.
fn problem(kind: ErrorKind, error: &clap::Error) -> String {
    if let Some(source) = std::error::Error::source(error) {
        return chain(source);
    }
    match (kind, error.get(ContextKind::ValidValue)) {
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(words))) if !words.is_empty() => {
            format!("expected {}", either(words))
        }
        (ErrorKind::ArgumentConflict, _) => "expected it once, found it more than once".to_owned(),
        (ErrorKind::InvalidUtf8, _) => "expected UTF-8 text, found other bytes".to_owned(),
        (ErrorKind::NoEquals, _) => "expected = between name and value".to_owned(),
        (ErrorKind::TooManyValues, _) => "expected one value, found more".to_owned(),
        _ => "expected a value, found none".to_owned(),
    }
}

/// `a`, `a or b`, `a, b or c`.
fn either(words: &[String]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
