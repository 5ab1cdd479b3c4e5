//! Parts of README and docs that are made from the code, and commands in them that must work.

use std::fs;

use countersign::{cli, edge::ci};

use crate::generated::{blessing, check, in_repository};

/// Compares what stands between `<!-- begin NAME… -->` and `<!-- end NAME -->`, or rewrites it.
fn check_block(path: &str, name: &str, expected: &str) {
    let file = in_repository(path);
    let text = fs::read_to_string(&file).unwrap();
    let begin = text.find(&format!("<!-- begin {name}")).unwrap();
    let begin = begin + text[begin..].find("-->\n").unwrap() + "-->\n".len();
    let end = text.find(&format!("<!-- end {name} -->")).unwrap();
    if text[begin..end] == *expected {
        return;
    }
    assert!(
        blessing(),
        "the block {name} of {path} is not what the code says; run the tests with BLESS=1"
    );
    fs::write(&file, format!("{}{expected}{}", &text[..begin], &text[end..])).unwrap();
}

#[test]
fn the_readme_says_what_the_code_says() {
    check_block("README.md", "exit codes", &cli::exit_codes_table());
    check_block("README.md", "inputs", &cli::inputs_table());
}

#[test]
fn every_variable_is_registered() {
    let text = format!(
        "# Variables that countersign reads\n\nMade from the code by `BLESS=1 cargo test readme`. On GitHub only the action's inputs count, since any earlier step\ncan set a variable; elsewhere only the first column does. Empty counts as absent.\n\n## Inputs\n\n{}\n## What else is read\n\n{}",
        cli::variables_table(),
        ci::register_table()
    );
    check("docs/environment.md", &text);
}

#[test]
fn every_table_row_is_a_row() {
    for table in [
        cli::inputs_table(),
        cli::variables_table(),
        cli::exit_codes_table(),
        ci::register_table(),
    ] {
        for line in table.lines() {
            let bars = line.replace("\\|", "").matches('|').count();
            assert_eq!(bars, 4, "{line}");
        }
    }
}

#[test]
fn the_blocks_for_the_action_are_yaml() {
    use countersign::base::{limits::Bounds, yaml};
    let document = yaml::read(cli::action_inputs().as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
    let signer = document.cursor().pointer("/inputs/signer/description").unwrap();
    assert!(signer.string().unwrap().ends_with("default: aws"));
}
