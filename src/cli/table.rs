//! The table as clap knows it: what [`super::args`] says, completed by rules that hold for every input.

use clap::{Arg, ArgAction, CommandFactory as _};

use super::args::{Cli, LATER_INPUTS};

/// How the value of an input is written outside the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` or `false`.
    Boolean,
    /// One value.
    Single,
    /// One value per line.
    List,
    /// Text that is read as a whole.
    Text,
}

/// The command with everything it takes, also what is only taken to be refused.
pub(super) fn command() -> clap::Command {
    let names: Vec<String> = names_of(&Cli::command());
    names.iter().fold(Cli::command(), |command, name| {
        command.mut_subcommand(name, |sub| later(sub, name).mut_args(switch))
    })
}

/// What is shown of it: nothing that is only taken to be refused.
pub(super) fn shown() -> clap::Command {
    let whole = Cli::command();
    let commands = whole.get_subcommands().filter(|sub| !sub.is_hide_set());
    let shown = clap::Command::new("countersign")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(commands.cloned().map(|sub| sub.mut_args(switch)));
    let long = whole
        .get_long_about()
        .or(whole.get_about())
        .cloned()
        .unwrap_or_default();
    shown
        .about(whole.get_about().cloned().unwrap_or_default())
        .long_about(long)
}

fn names_of(command: &clap::Command) -> Vec<String> {
    let names = command.get_subcommands().map(clap::Command::get_name);
    names.map(str::to_owned).collect()
}

/// A switch may be written out, `--resign=false`, so that a flag can beat an input.
fn switch(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .value_parser(clap::value_parser!(bool))
        .value_name("BOOL")
        .default_value("false")
        .default_missing_value("true")
        .hide_default_value(true)
        .hide_possible_values(true)
}

/// Adds the inputs that are not built yet, hidden.
fn later(command: clap::Command, name: &str) -> clap::Command {
    let inputs = LATER_INPUTS
        .iter()
        .filter(|(commands, _)| commands.contains(&name));
    command.args(inputs.flat_map(|(_, inputs)| inputs.iter()).map(|input| {
        Arg::new(*input)
            .long(*input)
            .hide(true)
            .num_args(0..=1)
            .action(ArgAction::Append)
    }))
}

/// Whether an input is only taken to be refused.
pub(super) fn is_later(name: &str) -> bool {
    LATER_INPUTS.iter().any(|(_, inputs)| inputs.contains(&name))
}

/// How an input's value is written outside the command line.
pub(super) fn kind(arg: &Arg) -> Kind {
    let optional_value = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
    match arg.get_long() {
        Some("images" | "names") => Kind::Text,
        Some(name) if is_later(name) => Kind::Text,
        _ if optional_value => Kind::Boolean,
        _ if matches!(arg.get_action(), ArgAction::Append) => Kind::List,
        _ => Kind::Single,
    }
}

/// One row of the table: an input and the commands that take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) default: Option<String>,
    pub(super) help: String,
    pub(super) commands: Vec<String>,
}

/// Every input that works, those of the main job first.
pub(super) fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let command = command();
    let mut commands: Vec<_> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .collect();
    commands.sort_by_key(|sub| sub.get_name() != "run");
    for sub in commands {
        for arg in sub.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let Some(name) = arg.get_long().filter(|name| *name != "help") else {
                continue;
            };
            match rows.iter_mut().find(|row| row.name == name) {
                Some(row) => row.commands.push(sub.get_name().to_owned()),
                None => rows.push(row(name, arg, sub)),
            }
        }
    }
    rows
}

fn row(name: &str, arg: &Arg, sub: &clap::Command) -> Row {
    let defaults = arg.get_default_values().iter();
    let default = defaults.map(|value| value.to_string_lossy().into_owned()).next();
    Row {
        name: name.to_owned(),
        default,
        help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        commands: vec![sub.get_name().to_owned()],
    }
}

/// Every name that any command takes or will take.
pub(super) fn known_names() -> Vec<String> {
    let later = LATER_INPUTS.iter().flat_map(|(_, inputs)| inputs.iter());
    let mut names: Vec<String> = rows().into_iter().map(|row| row.name).collect();
    names.extend(later.map(|name| (*name).to_owned()));
    names.push("command".to_owned());
    names
}

/// Whether some command takes an input of this name today.
pub(super) fn is_known(name: &str) -> bool {
    rows().iter().any(|row| row.name == name)
}

/// The name of an input that works which a mistyped one is closest to, if any is close.
pub(super) fn nearest(name: &str) -> Option<String> {
    let names = rows().into_iter().map(|row| row.name);
    let scored = names.map(|known| (distance(name, &known), known));
    scored
        .min()
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(2))
        .map(|(_, known)| known)
}

/// Levenshtein's distance of the first 64 bytes.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<u8>, Vec<u8>) = (a.bytes().take(64).collect(), b.bytes().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for ((y, diagonal), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(x != y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{AUTHORITY, TYPED_ONLY};

    #[test]
    fn clap_accepts_the_table() {
        command().debug_assert();
    }

    #[test]
    fn one_name_means_one_thing() {
        let command = command();
        for row in rows() {
            let helps: std::collections::BTreeSet<String> = command
                .get_subcommands()
                .flat_map(clap::Command::get_arguments)
                .filter(|arg| arg.get_long() == Some(&row.name))
                .filter_map(|arg| arg.get_help().map(ToString::to_string))
                .collect();
            assert_eq!(helps.len(), 1, "{}: {helps:?}", row.name);
        }
    }

    #[test]
    fn what_is_built_is_not_listed_as_later() {
        for row in rows() {
            assert!(!is_later(&row.name), "{}", row.name);
        }
    }

    #[test]
    fn lists_of_names_hold_names_of_the_contract() {
        let known = known_names();
        for name in AUTHORITY.iter().chain(TYPED_ONLY) {
            assert!(known.iter().any(|known| known == name), "{name}");
        }
    }

    #[test]
    fn a_typing_error_finds_its_name() {
        assert_eq!(nearest("ouput-dir").as_deref(), Some("output-dir"));
        assert_eq!(nearest("signing-profiel").as_deref(), Some("signing-profile"));
        assert_eq!(nearest("zzzzzzz"), None);
        // Nor what does nothing yet.
        let later = LATER_INPUTS.iter().flat_map(|(_, inputs)| inputs.iter());
        for name in later {
            assert_ne!(nearest(name).as_deref(), Some(*name));
        }
    }
}
