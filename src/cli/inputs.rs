//! Environment and configuration become arguments, so that there is one parser and one set of messages.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches as _};

use super::args::{Cli, LATER_COMMANDS};
use super::config;
use super::error::CliError;
use super::origin::{Naming, Origin, Origins, input, variable};
use super::settings::{Invocation, settings};
use super::table::{self, Kind};
use crate::base::foreign::{Foreign, quote};

/// What came of the arguments.
#[derive(Debug)]
pub enum Heard {
    /// Help or the version was asked for.
    Print(Page),
    /// A command; its configuration file is still to be read.
    Command(Box<Listener>),
}

/// A page of help, with and without colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Without colours.
    pub plain: String,
    /// With ANSI colours.
    pub coloured: String,
}

/// A command with what the arguments and the environment say, before the configuration file is read.
#[derive(Debug)]
pub struct Listener {
    command: clap::Command,
    name: String,
    rest: Vec<OsString>,
    layers: Vec<OsString>,
    origins: Origins,
    config: Option<PathBuf>,
    warnings: Vec<String>,
}

/// Listens to arguments (the program's name first) and variables.
///
/// # Errors
/// [`CliError`], always of class usage.
pub fn listen(
    argv: Vec<OsString>,
    variables: &BTreeMap<String, String>,
    naming: Naming,
) -> Result<Heard, CliError> {
    let command = table::command();
    let typed = match parse(&command, &argv, &Origins::new(naming))? {
        Ok(matches) => matches,
        Err(page) => return Ok(Heard::Print(page)),
    };
    let Some((name, matches)) = typed.subcommand() else {
        return Err(CliError::no_command());
    };
    let acting = name == ACTION;
    let source = source(naming, acting);
    let naming = if acting || naming != Naming::Inputs {
        naming
    } else {
        Naming::Flags
    };
    let mut listener = Listener {
        name: name.to_owned(),
        rest: argv.into_iter().skip(2).collect(),
        layers: Vec::new(),
        origins: Origins::new(naming),
        config: None,
        warnings: ignored(variables, source.as_ref()),
        command,
    };
    if acting {
        listener.name = acted(&listener.command, variables, source.as_ref())?;
    } else {
        listener.typed(matches);
    }
    if let Some(source) = source {
        listener.environment(variables, &source)?;
    }
    listener.config = listener.find_config(matches);
    Ok(Heard::Command(Box::new(listener)))
}

/// The command of an action.
const ACTION: &str = "action";

/// Where inputs that were not typed come from.
fn source(naming: Naming, acting: bool) -> Option<Origin> {
    match naming {
        Naming::Inputs if acting => Some(Origin::Input),
        Naming::Variables => Some(Origin::Variable),
        Naming::Inputs | Naming::Flags => None,
    }
}

/// What there is to warn of, whatever becomes of the arguments: a mistyped variable may be why they are wrong.
pub fn warnings(argv: &[OsString], variables: &BTreeMap<String, String>, naming: Naming) -> Vec<String> {
    let acting = argv.get(1).is_some_and(|command| command == ACTION);
    ignored(variables, source(naming, acting).as_ref())
}

/// The command that an action's environment names.
fn acted(
    command: &clap::Command,
    variables: &BTreeMap<String, String>,
    source: Option<&Origin>,
) -> Result<String, CliError> {
    let key = source.map(|source| key("command", source));
    let value = key
        .and_then(|key| variables.get(&key))
        .map_or("run", |value| value.trim());
    let value = if value.is_empty() { "run" } else { value };
    let mut commands = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    if LATER_COMMANDS.contains(&value) {
        return Err(later_command(value));
    }
    match commands.find(|sub| sub.get_name() == value) {
        Some(found) => Ok(found.get_name().to_owned()),
        None => Err(CliError::Command {
            command: Foreign::new(value),
            nearest: None,
        }),
    }
}

fn later_command(name: &str) -> CliError {
    CliError::NotYet {
        what: format!("the command {name}"),
        instead: None,
    }
}

fn key(name: &str, source: &Origin) -> String {
    match source {
        Origin::Input => input(name),
        _ => variable(name),
    }
}

/// Warnings about `COUNTERSIGN_*` variables that do nothing here.
fn ignored(variables: &BTreeMap<String, String>, source: Option<&Origin>) -> Vec<String> {
    let ours = variables
        .iter()
        .filter(|(name, value)| name.starts_with("COUNTERSIGN_") && !value.is_empty());
    let names = ours.map(|(name, _)| name);
    if source != Some(&Origin::Variable) {
        return names
            .map(|name| format!("{name} is ignored: on GitHub only inputs and flags count, since any earlier step can set a variable"))
            .collect();
    }
    let known: Vec<String> = table::known_names().iter().map(|name| variable(name)).collect();
    names
        .filter(|name| !known.contains(name))
        .map(|name| format!("{} is no input and is ignored", quote(name)))
        .collect()
}

/// Runs clap; the inner error is a page that was asked for.
fn parse(
    command: &clap::Command,
    argv: &[OsString],
    origins: &Origins,
) -> Result<Result<ArgMatches, Page>, CliError> {
    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion, InvalidSubcommand};
    match command.clone().try_get_matches_from(argv) {
        Ok(matches) => Ok(Ok(matches)),
        Err(error) if matches!(error.kind(), DisplayHelp | DisplayVersion) => Ok(Err(Page {
            plain: error.render().to_string(),
            coloured: error.render().ansi().to_string(),
        })),
        Err(error) => {
            let word = argv.get(1).and_then(|word| word.to_str()).unwrap_or_default();
            if error.kind() == InvalidSubcommand && LATER_COMMANDS.contains(&word) {
                return Err(later_command(word));
            }
            let given = command.find_subcommand(word).filter(|sub| !sub.is_hide_set());
            Err(CliError::of(&error, given.map(clap::Command::get_name), origins))
        }
    }
}

impl Listener {
    /// The configuration file that was named, if one was.
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// An input as its host spells it.
    pub fn spell(&self, name: &str) -> String {
        self.origins.spell(name)
    }

    /// Puts everything together; `config` holds the bytes of the file that [`Listener::config`] names.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn settle(mut self: Box<Self>, config: Option<&[u8]>) -> Result<Invocation, CliError> {
        if let (Some(path), Some(bytes)) = (self.config.clone(), config) {
            self.configuration(&path.to_string_lossy(), bytes)?;
        }
        let mut argv = vec![OsString::from("countersign"), OsString::from(&self.name)];
        argv.append(&mut self.layers);
        argv.append(&mut self.rest);
        let matches = match parse(&self.command, &argv, &self.origins)? {
            Ok(matches) => matches,
            Err(page) => return Ok(Invocation::page(page)),
        };
        self.refuse_later(&matches)?;
        let cli = Cli::from_arg_matches(&matches)
            .map_err(|error| CliError::of(&error, Some(&self.name), &self.origins))?;
        settings(cli, self.origins, self.warnings)
    }

    fn sub(&self) -> Option<&clap::Command> {
        self.command.find_subcommand(&self.name)
    }

    /// Notes what was typed, so that nothing else replaces it.
    fn typed(&mut self, matches: &ArgMatches) {
        for id in matches.ids().map(clap::Id::as_str) {
            if matches.value_source(id) == Some(ValueSource::CommandLine) {
                let name = if id == "positional" {
                    "images".to_owned()
                } else {
                    id.replace('_', "-")
                };
                self.origins.note(&name, Origin::Flag);
            }
        }
    }

    /// Adds what the environment says about inputs that were not typed.
    fn environment(&mut self, variables: &BTreeMap<String, String>, source: &Origin) -> Result<(), CliError> {
        let Some(sub) = self.sub().cloned() else {
            return Ok(());
        };
        for arg in sub.get_arguments().filter(|arg| arg.get_long().is_some()) {
            let name = arg.get_long().unwrap_or_default();
            let value = variables.get(&key(name, source)).map(|value| value.trim());
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                self.add(arg, value, source)?;
            }
        }
        if *source == Origin::Input {
            self.refuse_untaken(&sub, variables)?;
        }
        Ok(())
    }

    /// An input of another command is a mistake; a variable may be meant for another command.
    fn refuse_untaken(
        &self,
        sub: &clap::Command,
        variables: &BTreeMap<String, String>,
    ) -> Result<(), CliError> {
        let taken =
            |name: &str| name == "command" || sub.get_arguments().any(|arg| arg.get_long() == Some(name));
        let set = |name: &String| {
            variables
                .get(&input(name))
                .is_some_and(|value| !value.trim().is_empty())
        };
        match table::known_names()
            .into_iter()
            .find(|name| set(name) && !taken(name))
        {
            Some(name) => Err(CliError::NotTaken {
                argument: format!("input {name}"),
                command: self.name.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Adds one value, split as its kind demands, unless something stronger gave one.
    fn add(&mut self, arg: &clap::Arg, value: &str, origin: &Origin) -> Result<(), CliError> {
        let name = arg.get_long().unwrap_or_default();
        if self.origins.of(name).is_some() {
            return Ok(());
        }
        self.origins.note(name, origin.clone());
        let refused = |problem: &str| CliError::Value {
            argument: self.origins.spell(name),
            problem: problem.to_owned(),
            value: Some(Foreign::new(value)),
        };
        let values: Vec<&str> = match table::kind(arg) {
            Kind::Single if value.contains('\n') => return Err(refused("expected one line")),
            Kind::Text | Kind::Single => vec![value],
            Kind::List => value
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect(),
            Kind::Boolean => vec![boolean(value).ok_or_else(|| refused("expected true or false"))?],
        };
        let layers = values
            .iter()
            .map(|value| OsString::from(format!("--{name}={value}")));
        self.layers.extend(layers);
        Ok(())
    }

    /// The configuration file: typed, or as the environment says.
    fn find_config(&self, matches: &ArgMatches) -> Option<PathBuf> {
        let typed = matches.try_get_one::<PathBuf>("config").ok().flatten();
        let mut layered = self
            .layers
            .iter()
            .filter_map(|layer| layer.to_str()?.strip_prefix("--config="));
        typed.cloned().or_else(|| layered.next_back().map(PathBuf::from))
    }

    /// Adds what the configuration file says about inputs that nobody gave.
    fn configuration(&mut self, path: &str, bytes: &[u8]) -> Result<(), CliError> {
        let entries = config::read(path, bytes)?;
        let Some(sub) = self.sub().cloned() else {
            return Ok(());
        };
        for entry in entries {
            let arg = sub
                .get_arguments()
                .find(|arg| arg.get_long() == Some(&entry.name));
            let origin = Origin::File {
                path: path.to_owned(),
                at: entry.at,
            };
            let value = entry.values.join("\n");
            if let Some(arg) = arg.filter(|_| !value.is_empty()) {
                self.add(arg, &value, &origin)?;
            }
        }
        Ok(())
    }

    fn refuse_later(&self, matches: &ArgMatches) -> Result<(), CliError> {
        let Some((_, matches)) = matches.subcommand() else {
            return Ok(());
        };
        let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let mut ids = matches.ids().map(clap::Id::as_str);
        match ids.find(|id| table::is_later(id) && given(id)) {
            Some(id) => Err(CliError::NotYet {
                what: self.origins.spell(id),
                instead: None,
            }),
            None => Ok(()),
        }
    }
}

/// The spellings of the toolkit (`actions/toolkit`, `packages/core/src/core.ts`, `getBooleanInput`).
fn boolean(text: &str) -> Option<&'static str> {
    match text {
        "true" | "True" | "TRUE" => Some("true"),
        "false" | "False" | "FALSE" => Some("false"),
        _ => None,
    }
}
