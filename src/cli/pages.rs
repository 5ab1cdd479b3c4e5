//! Documents made from the table: completions, the manual, and the blocks of README, action.yml and docs.

use std::fmt::Write as _;

use clap_complete::Shell;

use super::inputs::Page;
use super::origin::{input, variable};
use super::table::{self, Row};
use crate::base::failure::Class;

/// The completion script of a shell.
pub(super) fn completions(shell: Shell) -> Page {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut table::shown(), "countersign", &mut script);
    page(&script)
}

/// The manual page, as roff: the program, then each command.
pub(super) fn manual() -> Page {
    let mut roff = Vec::new();
    let command = table::shown();
    // Writing into memory does not fail.
    let _ = clap_mangen::Man::new(command.clone()).render(&mut roff);
    for sub in command.get_subcommands() {
        let man = clap_mangen::Man::new(sub.clone());
        let _ = man.render_description_section(&mut roff);
        let _ = man.render_options_section(&mut roff);
    }
    page(&roff)
}

fn page(bytes: &[u8]) -> Page {
    let plain = String::from_utf8_lossy(bytes).into_owned();
    Page {
        coloured: plain.clone(),
        plain,
    }
}

/// The one input that is no flag: a command line begins with it.
const COMMAND: &str = "The command that the action carries out; what it is to act on is `images`";

/// The README's table of inputs.
pub fn inputs_table() -> String {
    let mut text =
        format!("| input | default | meaning |\n|---|---|---|\n| `command` | `run` | {COMMAND} |\n");
    for row in table::rows() {
        let Row {
            name, default, help, ..
        } = row;
        let default = default.map_or("–".to_owned(), |default| format!("`{default}`"));
        let _ = writeln!(text, "| `{name}` | {default} | {} |", help.replace('|', "\\|"));
    }
    text
}

/// The README's table of exit codes.
pub fn exit_codes_table() -> String {
    let mut text =
        String::from("| exit | class | means |\n|--:|---|---|\n| 0 | – | every target reached its goal |\n");
    for class in Class::ALL {
        let _ = writeln!(text, "| {} | {class} | {} |", class.exit_code(), class.meaning());
    }
    text.push_str("| 130, 143 | – | stopped by SIGINT or SIGTERM; the report says what was done |\n");
    text
}

/// The `inputs:` block of action.yml.
pub fn action_inputs() -> String {
    let command = serde_json::Value::from(format!("{COMMAND}; default: run"));
    let mut text = format!("inputs:\n  command:\n    description: {command}\n");
    for Row {
        name, default, help, ..
    } in table::rows()
    {
        let default = default.map_or(String::new(), |default| format!("; default: {default}"));
        let description = serde_json::Value::from(format!("{help}{default}"));
        let _ = writeln!(text, "  {name}:\n    description: {description}");
    }
    text
}

/// The register of our own variables: each with its input and whether it is sensitive.
pub fn variables_table() -> String {
    let mut text = format!(
        "| variable | as an action | what it sets |\n|---|---|---|\n| `{}` | `{}` | {COMMAND} |\n",
        variable("command"),
        input("command")
    );
    for Row { name, help, .. } in table::rows() {
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} |",
            variable(&name),
            input(&name),
            help.replace('|', "\\|")
        );
    }
    text
}
