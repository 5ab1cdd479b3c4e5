//! The runner of the conformance vectors judges what it is given: an outcome that is changed fails, a case that is
//! added is judged. Here the vectors are always those of this repository, whatever `COUNTERSIGN_VECTORS` names.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::vectors::command::laid;
use crate::vectors::{Case, INFORMATIVE, Wanted, bundled, load};

/// The index, as it is.
fn index() -> Value {
    let bytes = fs::read(bundled().join("vectors.json")).expect("an index");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Runs the test `vectors` over other cases, which may name every file of the vectors and those in `added`.
fn judge(cases: &[Value], added: &[(&str, &[u8])]) -> Output {
    let scratch = TempDir::new().expect("a scratch directory");
    let from = fs::canonicalize(bundled()).expect("the vectors");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            symlink(entry.path(), scratch.path().join(entry.file_name())).expect("a link");
        }
    }
    let write = |name: &str, bytes: &[u8]| fs::write(scratch.path().join(name), bytes).expect("a file");
    for (name, bytes) in added {
        write(name, bytes);
    }
    write("vectors.json", json!({"cases": cases}).to_string().as_bytes());
    run(scratch.path())
}

fn run(vectors: &Path) -> Output {
    let program = std::env::current_exe().expect("the name of the test program");
    let mut command = Command::new(program);
    command
        .args(["--exact", "vectors"])
        .env("COUNTERSIGN_VECTORS", vectors);
    command.output().expect("the tests run")
}

/// The names of the cases that failed.
fn failed(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let names = said
        .lines()
        .filter_map(|line| line.strip_prefix("FAIL ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

fn names(cases: &[Value]) -> Vec<String> {
    let name = |case: &Value| case["name"].as_str().expect("a name").to_owned();
    cases.iter().map(name).collect()
}

/// Cases of every kind that is judged, one that wants `accept` and one that wants `reject` where there are both, as
/// they stand in the index.
fn one_of_each() -> Vec<(Case, Value)> {
    let index = index();
    let raw: BTreeMap<&str, &Value> = index["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .map(|case| (case["name"].as_str().expect("a name"), case))
        .collect();
    let mut seen = Vec::new();
    let mut chosen = Vec::new();
    for case in load(&bundled()) {
        let key = (case.kind.clone(), case.wanted);
        // What is disputed is decided by another member, and what is refused by name cannot be wanted.
        let decided = !case.disputed && case.wanted != Wanted::Either && !case.holds_cose();
        if case.is_left_out() || !decided || seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let raw = (*raw[case.name.as_str()]).clone();
        chosen.push((case, raw));
    }
    chosen
}

#[test]
fn an_outcome_that_is_changed_fails() {
    let chosen = one_of_each();
    let kinds: std::collections::BTreeSet<&str> = chosen.iter().map(|(case, _)| case.kind.as_str()).collect();
    assert!(kinds.len() >= 25, "{kinds:?}");
    let as_they_are: Vec<Value> = chosen.iter().map(|(_, raw)| raw.clone()).collect();
    let output = judge(&as_they_are, &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let changed: Vec<Value> = as_they_are
        .into_iter()
        .map(|mut raw| {
            let other = if raw["expected"] == "accept" {
                "reject"
            } else {
                "accept"
            };
            raw["expected"] = json!(other);
            raw
        })
        .collect();
    let output = judge(&changed, &[]);
    assert!(!output.status.success());
    assert_eq!(failed(&output), names(&changed));
}

#[test]
fn a_detail_that_is_changed_fails() {
    let changed: Vec<Value> = one_of_each()
        .into_iter()
        .filter_map(|(case, mut raw)| {
            let detail = case
                .detail
                .keys()
                .find(|name| !INFORMATIVE.contains(&name.as_str()))?;
            raw["expected_detail"][detail] = json!("something else");
            Some(raw)
        })
        .collect();
    assert!(changed.len() >= 10, "{} cases have details", changed.len());
    let output = judge(&changed, &[]);
    assert_eq!(failed(&output), names(&changed));
}

#[test]
fn a_case_that_is_added_is_judged() {
    let index = index();
    let all = index["cases"].as_array().expect("cases");
    let envelope = all
        .iter()
        .find(|case| {
            case["kind"] == "envelope" && case["topic"] == "envelope-jws" && case["expected"] == "accept"
        })
        .expect("an envelope that is accepted");
    let bytes = fs::read(bundled().join(envelope["files"]["envelope"].as_str().expect("a file")));
    let mut jws: Value = serde_json::from_slice(&bytes.expect("an envelope")).expect("JSON");
    jws["signature"] = json!("AAAA");
    let named = |name: &str, expected: &str| {
        let mut case = envelope.clone();
        case["name"] = json!(name);
        case["expected"] = json!(expected);
        case["expected_detail"] = json!(null);
        case["files"]["envelope"] = json!("added.jws.json");
        case
    };
    let mut unknown = named("of-an-unknown-kind", "accept");
    unknown["kind"] = json!("handshake");
    let mut elsewhere = named("of-a-new-topic", "accept");
    elsewhere["topic"] = json!("something-new");
    let cases = [
        named("added-and-right", "reject"),
        named("added-and-wrong", "accept"),
        unknown,
        elsewhere,
    ];
    let output = judge(&cases, &[("added.jws.json", jws.to_string().as_bytes())]);
    assert_eq!(
        failed(&output),
        ["added-and-wrong", "of-an-unknown-kind", "of-a-new-topic"]
    );
}

#[test]
fn only_what_is_cose_is_refused_though_it_is_wanted() {
    let cose = load(&bundled())
        .into_iter()
        .filter(|case| case.holds_cose() && !case.is_left_out());
    let refused = cose.filter(Case::is_to_be_accepted).count();
    assert!(
        refused > 0,
        "nothing has to be refused by name any more: take that out of the runner"
    );
}

/// The exit code of `explain` is that of `verify`, on every layout that both take.
#[test]
fn explain_ends_as_verify_does_on_every_layout() {
    for laid in laid(&bundled()) {
        let code = |command| laid.ask(command, &[]).status.code();
        assert_eq!(code("explain"), code("verify"), "{}", laid.case.name);
    }
}
