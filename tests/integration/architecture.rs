//! The walls of the house: which room may know which, and which words may be spoken where.
//!
//! One crate has no walls of its own (docs/decisions/0001-one-package-two-halves.md), so this test reads every file of
//! `src/` and compares its paths with [`ROOMS`]. What stands in comments, literals and tests is free.

mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write as _;
use std::path::Path as FilePath;

use tokens::{Path, Token};

/// Every room and the rooms it may import besides `base` and itself; `*` is all of them.
const ROOMS: &[(&str, &[&str])] = &[
    ("main", &["app", "ci"]),
    ("app", &["*"]),
    ("cli", &["job", "trust", "oci"]),
    (
        "job",
        &[
            "seams",
            "plan",
            "report",
            "trust",
            "notary",
            "provenance",
            "handoff",
            "oci",
        ],
    ),
    ("seams", &["trust", "notary", "oci", "report"]),
    ("aws", &["seams", "notary", "trust", "oci"]),
    ("registry", &["seams", "oci"]),
    ("layout", &["seams", "oci"]),
    ("local_key", &["seams", "notary", "x509", "oci"]),
    ("ci", &["seams", "report", "provenance"]),
    ("plan", &["trust", "notary", "provenance", "oci"]),
    ("report", &["trust", "plan", "oci"]),
    ("admission", &["trust", "notary", "provenance", "oci"]),
    ("trust", &["notary", "provenance", "x509", "oci"]),
    ("notary", &["x509", "oci"]),
    ("provenance", &["oci"]),
    ("handoff", &["oci"]),
    ("x509", &[]),
    ("oci", &[]),
    ("base", &[]),
];

/// Where building moved a wall, and why; each is also told in docs/decisions/0007-walls-moved.md.
const MOVED: &[(&str, &[&str], &str)] = &[
    (
        "main",
        &["job"],
        "the first signal is turned into the job's wish to stop",
    ),
    (
        "seams",
        &["x509"],
        "a signer with a local key is named by its certificates",
    ),
    (
        "local_key",
        &["oci"],
        "a key that was made here is named by its digest",
    ),
    (
        "aws",
        &["net", "pace", "report", "x509"],
        "shares the connections and quotas; counts requests as events",
    ),
    (
        "registry",
        &["net", "pace", "report"],
        "shares the connections and quotas; counts requests as events",
    ),
    (
        "aws",
        &["provenance"],
        "reads what the build service recorded of a build",
    ),
    (
        "provenance",
        &["x509"],
        "identity tokens are verified by the one function that verifies signatures",
    ),
    (
        "issuer_keys",
        &["pace", "provenance"],
        "fetches what an issuer of identity tokens publishes",
    ),
    (
        "trust_files",
        &["trust", "x509", "oci"],
        "reads policies and trust stores from disk",
    ),
    (
        "net",
        &[],
        "the one HTTP client, its roots, proxies and addresses",
    ),
    ("pace", &[], "retries and the quotas of services"),
    (
        "owner",
        &[],
        "gives away what root makes in somebody else's directory",
    ),
    (
        "layout",
        &["owner"],
        "what it stores belongs to whoever owns the layout",
    ),
    (
        "ci",
        &["owner"],
        "what it writes belongs to whoever owns the workspace",
    ),
];

/// Words that may not occur in `domain/` and `base/`: whole words, or beginnings of words where they end in `_`.
const IMPURE_WORDS: &[&str] = &[
    "tokio",
    "reqwest",
    "aws_config",
    "aws_sdk_",
    "aws_smithy_",
    "tracing",
    "SystemTime",
    "Instant",
    "async",
];

/// Parts of the standard library that may not be named in `domain/` and `base/`.
const IMPURE_STD: &[&str] = &["fs", "env", "net", "process"];

/// What of those parts is a value and no act.
const PURE_STD: &[&str] = &["std::net::Ipv6Addr"];

/// Crates of the AWS SDK, as beginnings of words; `aws_lc_rs` is cryptography and not one of them.
const AWS_CRATES: &[&str] = &[
    "aws_config",
    "aws_credential_types",
    "aws_runtime",
    "aws_sdk_",
    "aws_sigv4",
    "aws_smithy_",
    "aws_types",
];

/// Functions of `std::env` that read or write variables.
const VARIABLES: &[&str] = &[
    "var",
    "var_os",
    "vars",
    "vars_os",
    "set_var",
    "remove_var",
    "home_dir",
    "temp_dir",
    "*",
];

/// Macros that reach the terminal.
const PRINTING: &[&str] = &["println", "print", "eprintln", "eprint", "dbg"];

/// Lines that a file of `app/` may have: composition decides nothing, so it is short.
const APP_LINES: usize = 150;

/// Lines of what ships above which a file is named, so that someone looks again.
const LONG_FILE: usize = 500;

/// One file of `src/`.
struct Source {
    /// Relative to `src/`, with `/`.
    path: String,
    text: String,
}

/// Something that is where it may not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Breach {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Where a file or a path stands: a room, the crate's or a half's root, or nowhere we know.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Room(String),
    Root,
    Unknown(String),
}

/// The room of a module path that starts below the crate (`domain::trust::policy` is in `trust`).
fn place(segments: &[String]) -> Place {
    let words: Vec<&str> = segments.iter().map(String::as_str).collect();
    let name = match words[..] {
        [] | ["domain" | "edge" | "lib"] => return Place::Root,
        ["domain" | "edge", room, ..] | [room, ..] => room,
    };
    let known = ROOMS.iter().any(|(room, _)| *room == name) || MOVED.iter().any(|(room, ..)| *room == name);
    if known && in_its_half(&words, name) {
        Place::Room(name.to_owned())
    } else {
        Place::Unknown(segments.join("::"))
    }
}

/// Whether a room is named through the half it belongs to, so that `crate::oci` is not taken for `crate::domain::oci`.
fn in_its_half(words: &[&str], room: &str) -> bool {
    let half = match room {
        "main" | "app" | "cli" | "job" | "seams" | "base" => return words.first() == Some(&room),
        "aws" | "registry" | "layout" | "local_key" | "ci" | "trust_files" | "net" | "pace" | "owner"
        | "issuer_keys" => "edge",
        _ => "domain",
    };
    words.first() == Some(&half)
}

/// What a room may import, besides `base` and itself.
fn allowed(from: &str, to: &str) -> bool {
    let drawn = ROOMS
        .iter()
        .filter(|(room, _)| *room == from)
        .flat_map(|(_, may)| *may);
    let moved = MOVED
        .iter()
        .filter(|(room, ..)| *room == from)
        .flat_map(|(_, may, _)| *may);
    from == to || to == "base" || drawn.chain(moved).any(|may| *may == "*" || *may == to)
}

/// The module that a file holds: `domain/oci/digest.rs` is `[domain, oci, digest]`, `domain/oci/mod.rs` `[domain, oci]`.
fn module(path: &str) -> Vec<String> {
    let mut segments: Vec<String> = path
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if segments.last().is_some_and(|last| last == "mod") {
        segments.pop();
    }
    if path == "lib.rs" || path == "main.rs" {
        segments.clear();
    }
    segments
}

/// The room that a file belongs to.
fn room_of(path: &str) -> Place {
    if path == "main.rs" {
        Place::Room("main".to_owned())
    } else {
        place(&module(path))
    }
}

/// A path from the crate's root on, if it leads into this crate.
fn resolve(path: &Path, module: &[String]) -> Option<Vec<String>> {
    let mut base: Vec<String> = module.to_vec();
    base.extend((0..path.depth).map(|level| format!("inline module {level}")));
    let mut rest = path.segments.as_slice();
    match rest.first().map(String::as_str) {
        Some("crate" | "countersign") => {
            base.clear();
            rest = &rest[1..];
        }
        Some("self" | "super") => {
            while let Some(word) = rest
                .first()
                .filter(|word| ["self", "super"].contains(&word.as_str()))
            {
                if word == "super" {
                    base.pop();
                }
                rest = &rest[1..];
            }
        }
        _ => return None,
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

/// Rule 1: imports that the table does not know.
fn walls(source: &Source) -> Vec<Breach> {
    let Place::Room(from) = room_of(&source.path) else {
        return Vec::new();
    };
    let module = module(&source.path);
    let breach = |path: &Path, what| Breach {
        path: source.path.clone(),
        line: path.line,
        what,
    };
    let judge = |path: Path| match place(&resolve(&path, &module)?) {
        Place::Room(to) if allowed(&from, &to) => None,
        Place::Room(to) => Some(breach(&path, format!("room `{from}` may not import `{to}`"))),
        // A path of one's own file that starts at the root: `self::x` in main.rs.
        Place::Unknown(_)
            if module.is_empty() && path.segments.first().is_some_and(|word| word == "self") =>
        {
            None
        }
        Place::Unknown(what) => Some(breach(
            &path,
            format!("room `{from}` imports `{what}`, which is no room"),
        )),
        Place::Root => Some(breach(
            &path,
            format!("room `{from}` imports a whole half; name the room"),
        )),
    };
    tokens::paths(&tokens::tokens(&source.text))
        .into_iter()
        .filter_map(judge)
        .collect()
}

/// Whether a word is one of a list's, or begins with one that ends in `_`.
fn listed(word: &str, list: &[&str]) -> bool {
    list.iter()
        .any(|entry| word == *entry || (entry.ends_with('_') && word.starts_with(entry)))
}

/// Rule 2: words that have no place where everything is pure.
fn purity(source: &Source) -> Vec<Breach> {
    if !source.path.starts_with("domain/") && !source.path.starts_with("base/") {
        return Vec::new();
    }
    let tokens = tokens::tokens(&source.text);
    let breach = |line, what: &str| Breach {
        path: source.path.clone(),
        line,
        what: format!("`{what}` may not occur in `domain/` and `base/`: they are pure"),
    };
    let words = tokens.iter().filter(|token| listed(&token.text, IMPURE_WORDS));
    let mut found: Vec<Breach> = words.map(|token| breach(token.line, &token.text)).collect();
    for path in tokens::paths(&tokens) {
        let whole = path.segments.join("::");
        let impure = match path.segments.as_slice() {
            [first] => first == "std" && path.renamed,
            [first, second, ..] => {
                let standard = ["std", "core", "alloc"].contains(&first.as_str());
                standard && (IMPURE_STD.contains(&second.as_str()) || second == "*")
            }
            [] => false,
        };
        if impure && !PURE_STD.contains(&whole.as_str()) {
            found.push(breach(path.line, &whole));
        }
    }
    found
}

/// Rule 3: crates and acts that one room keeps to itself.
fn monopolies(source: &Source) -> Vec<Breach> {
    let tokens = tokens::tokens(&source.text);
    let mut found = Vec::new();
    let mut breach = |line, what: &str, home: &str| {
        let what = format!("`{what}` may occur in {home} only");
        found.push(Breach {
            path: source.path.clone(),
            line,
            what,
        });
    };
    for (at, token) in tokens.iter().enumerate() {
        let text = token.text.as_str();
        let next = tokens.get(at + 1).map_or("", |token| token.text.as_str());
        if listed(text, AWS_CRATES) && !source.path.starts_with("edge/aws/") {
            breach(token.line, text, "`edge/aws/`");
        }
        if (text == "clap" || text.starts_with("clap_")) && !source.path.starts_with("cli/") {
            breach(token.line, text, "`cli/`");
        }
        let prints = (PRINTING.contains(&text) && next == "!")
            || (["stdout", "stderr"].contains(&text) && names_stream(&tokens, at));
        if prints && source.path != "edge/ci/writer.rs" {
            breach(token.line, text, "`edge/ci/writer.rs`");
        }
    }
    for path in tokens::paths(&tokens) {
        if source.path != "edge/ci/env.rs" && touches_variables(&path) {
            breach(path.line, &path.segments.join("::"), "`edge/ci/env.rs`");
        }
    }
    found
}

/// Whether `stdout` or `stderr` at this place is the function of `std::io` and not a member of that name.
fn names_stream(tokens: &[Token], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map_or("", |at| tokens[at].text.as_str());
    let after = tokens.get(at + 1).map_or("", |token| token.text.as_str());
    (before(1) == "::" && before(2) == "io") || (after == "(" && !["::", ".", "fn"].contains(&before(1)))
}

/// Whether a path reads or writes variables of the environment, or gives `std::env` another name.
fn touches_variables(path: &Path) -> bool {
    let words: Vec<&str> = path.segments.iter().map(String::as_str).collect();
    match words[..] {
        ["std", "env"] => path.renamed,
        ["std", "env", act] | ["env", act] => VARIABLES.contains(&act),
        _ => false,
    }
}

/// Rule 4: what each room says of itself before anything else.
fn headers(sources: &[Source]) -> Vec<Breach> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| opens_a_room(&source.path)) {
        let docs: Vec<&str> = source
            .text
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .map(str::trim)
            .collect();
        let mut miss = |what: &str| {
            let what = format!("the header lacks {what}");
            found.push(Breach {
                path: source.path.clone(),
                line: 1,
                what,
            });
        };
        let first: Vec<&str> = docs.iter().copied().take_while(|line| !line.is_empty()).collect();
        if !first.last().is_some_and(|line| line.ends_with('.')) {
            miss("a first sentence");
        }
        for part in ["For: ", "Not for: ", "Speaks: "] {
            if !docs.iter().any(|line| line.starts_with(part)) {
                miss(&format!("a line that begins with `{}`", part.trim()));
            }
        }
        let fences = docs.iter().filter(|line| line.starts_with("```")).count();
        if fences < 2 {
            miss("a worked example");
        }
    }
    found
}

/// Whether a file is a room's front door: its `mod.rs`, or the room itself where one file is all of it.
fn opens_a_room(path: &str) -> bool {
    let depth = path.matches('/').count();
    match room_of(path) {
        Place::Room(room) if room != "main" => {
            let nested = usize::from(path.starts_with("domain/") || path.starts_with("edge/"));
            depth == nested || (depth == nested + 1 && path.ends_with("/mod.rs"))
        }
        Place::Root => path != "lib.rs",
        _ => false,
    }
}

/// Files that stand in no room of the table.
fn strangers(sources: &[Source]) -> Vec<Breach> {
    let stranger = |source: &Source| match room_of(&source.path) {
        Place::Unknown(_) => Some(Breach {
            path: source.path.clone(),
            line: 1,
            what: "stands in no room of the table".to_owned(),
        }),
        _ => None,
    };
    sources.iter().filter_map(stranger).collect()
}

/// Files of `app/` that have grown decisions.
fn app_sizes(sources: &[Source]) -> Vec<Breach> {
    let app = sources.iter().filter(|source| source.path.starts_with("app/"));
    app.map(|source| (source, lines_shipped(&source.text)))
        .filter(|(_, lines)| *lines >= APP_LINES)
        .map(|(source, lines)| Breach {
            path: source.path.clone(),
            line: lines,
            what: format!("expected fewer than {APP_LINES} lines in a file of `app/`, found {lines}"),
        })
        .collect()
}

/// Lines before the tests at the end of a file.
fn lines_shipped(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

/// Every breach of every rule.
fn survey(sources: &[Source]) -> BTreeSet<Breach> {
    let per_file = |source: &Source| [walls(source), purity(source), monopolies(source)].concat();
    let mut found: BTreeSet<Breach> = sources.iter().flat_map(per_file).collect();
    found.extend(headers(sources));
    found.extend(strangers(sources));
    found.extend(app_sizes(sources));
    found
}

/// Reads a tree of Rust files, without those that exist for tests only.
fn read(root: &FilePath) -> Vec<Source> {
    let mut texts = BTreeMap::new();
    collect(root, root, &mut texts);
    let mut for_tests = BTreeSet::new();
    for (path, text) in &texts {
        let folder = module(path).join("/");
        for name in tokens::test_modules(text) {
            for file in [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")] {
                for_tests.insert(file.trim_start_matches('/').to_owned());
            }
        }
    }
    texts
        .into_iter()
        .filter(|(path, _)| !for_tests.contains(path))
        .map(|(path, text)| Source { path, text })
        .collect()
}

fn collect(root: &FilePath, folder: &FilePath, texts: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            texts.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn said(found: &[Breach]) -> Vec<String> {
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_walls_stand() {
        let sources = read(&FilePath::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        assert!(sources.len() > 10, "found {} files in src/", sources.len());
        // Straight to the terminal: a long file is no failure, but it is to be seen.
        for source in &sources {
            let lines = lines_shipped(&source.text);
            if lines > LONG_FILE {
                let _ = writeln!(
                    std::io::stderr(),
                    "src/{}: {lines} lines ship; look again at {LONG_FILE}",
                    source.path
                );
            }
        }
        let found: Vec<String> = survey(&sources).iter().map(ToString::to_string).collect();
        assert!(
            found.is_empty(),
            "{} breaches:\n{}",
            found.len(),
            found.join("\n")
        );
    }

    #[test]
    fn every_aws_dependency_but_the_cryptography_is_known_to_the_list() {
        let manifest =
            std::fs::read_to_string(FilePath::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
        for line in manifest
            .lines()
            .filter(|line| line.starts_with("aws-") && !line.starts_with("aws-lc-"))
        {
            let name = line.split([' ', '=', '.']).next().unwrap().replace('-', "_");
            assert!(listed(&name, AWS_CRATES), "{name} is missing in AWS_CRATES");
        }
    }

    #[test]
    fn an_import_upwards_is_told_in_one_sentence() {
        let found = walls(&source(
            "domain/trust/policy.rs",
            "use std::fmt;\nuse crate::edge::registry::Registry;\n",
        ));
        assert_eq!(
            said(&found),
            ["src/domain/trust/policy.rs:2: room `trust` may not import `registry`"]
        );
    }

    #[test]
    fn imports_are_found_however_they_are_spelled() {
        for text in [
            "use crate::edge::registry;",
            "use crate::{base::time, edge::{registry::Registry}};",
            "use super::super::super::edge::registry::Registry;",
            "mod inner { use super::super::super::super::edge::registry::Registry; }",
            "fn f() -> crate::edge::registry::Registry { todo!() }",
            "pub use countersign::edge::registry as r;",
            "type T = Vec<crate::edge::registry::X>;",
        ] {
            let found = walls(&source("domain/trust/policy.rs", text));
            assert_eq!(said(&found).len(), 1, "{text}");
            assert!(
                found[0].what.ends_with("may not import `registry`"),
                "{text}: {}",
                found[0].what
            );
        }
    }

    #[test]
    fn imports_downward_and_at_home_pass() {
        let text =
            "use crate::base::time; use crate::domain::{oci::Digest, x509, notary}; use super::scope::Scope;
            use super::super::oci; use self::inner::X; use serde::Serialize; use std::collections::BTreeMap;";
        assert_eq!(said(&walls(&source("domain/trust/policy.rs", text))), [""; 0]);
        assert_eq!(
            said(&walls(&source(
                "main.rs",
                "use countersign::app; use countersign::edge::ci; mod x; use self::x::Y;"
            ))),
            [""; 0]
        );
        assert_eq!(
            said(&walls(&source(
                "app/run.rs",
                "use crate::{cli, job, edge::aws, domain::plan};"
            ))),
            [""; 0]
        );
    }

    #[test]
    fn neighbours_do_not_know_each_other() {
        for (path, text) in [
            ("edge/layout.rs", "use super::registry::Client;"),
            ("edge/aws/ecr.rs", "use super::super::ci::env;"),
            ("job/verify.rs", "use crate::edge::layout::Layout;"),
            ("domain/oci/digest.rs", "use super::super::x509::Chain;"),
            ("base/json.rs", "use crate::domain::oci::Digest;"),
            ("main.rs", "use countersign::domain::oci;"),
        ] {
            assert_eq!(walls(&source(path, text)).len(), 1, "{path}: {text}");
        }
    }

    #[test]
    fn shortcuts_round_the_table_are_breaches() {
        for text in [
            "use crate::domain;",
            "use crate::*;",
            "use crate::domain::*;",
            "use crate::Accepted;",
            "use crate::oci::Digest;",
        ] {
            assert_eq!(walls(&source("domain/trust/policy.rs", text)).len(), 1, "{text}");
        }
    }

    #[test]
    fn the_table_is_about_rooms_that_it_names() {
        let rooms: Vec<&str> = ROOMS
            .iter()
            .map(|(room, _)| *room)
            .chain(MOVED.iter().map(|(room, ..)| *room))
            .collect();
        for may in ROOMS
            .iter()
            .flat_map(|(_, may)| *may)
            .chain(MOVED.iter().flat_map(|(_, may, _)| *may))
        {
            assert!(*may == "*" || rooms.contains(may), "{may}");
        }
    }

    #[test]
    fn the_pure_half_may_not_act() {
        for text in [
            "async fn f() {}",
            "use tokio::time;",
            "use std::time::Instant;",
            "fn f() { std::time::SystemTime::now(); }",
            "use std::fs;",
            "use std::{fmt, env};",
            "use std::net::TcpStream;",
            "use std as s;",
            "use std::*;",
            "fn f() { tracing::info!(); }",
            "use aws_sdk_signer::Client;",
        ] {
            assert!(
                !purity(&source("domain/oci/digest.rs", text)).is_empty(),
                "{text}"
            );
            assert!(!purity(&source("base/json.rs", text)).is_empty(), "{text}");
            assert!(purity(&source("edge/layout.rs", text)).is_empty(), "{text}");
        }
    }

    #[test]
    fn the_pure_half_may_speak_of_addresses_and_have_impure_tests() {
        let text = "use std::net::Ipv6Addr; fn fs() {} // std::fs\n#[cfg(test)] mod tests { use std::fs; }";
        assert_eq!(said(&purity(&source("domain/oci/reference.rs", text))), [""; 0]);
    }

    #[test]
    fn monopolies_hold() {
        for (text, home) in [
            ("use aws_sdk_ecr::Client;", "edge/aws/ecr.rs"),
            ("fn f() { aws_config::load(); }", "edge/aws/mod.rs"),
            ("use clap::Parser;", "cli/args.rs"),
            ("fn f() { std::env::var(X); }", "edge/ci/env.rs"),
            ("use std::env; fn f() { env::vars_os(); }", "edge/ci/env.rs"),
            ("use std::env::{self, var};", "edge/ci/env.rs"),
            ("use std::env as e;", "edge/ci/env.rs"),
            ("fn f() { eprintln!(); }", "edge/ci/writer.rs"),
            ("fn f() { std::io::stdout().lock(); }", "edge/ci/writer.rs"),
            ("use std::io::stderr;", "edge/ci/writer.rs"),
            (
                "use std::io::{Write, stderr}; fn f() { stderr(); }",
                "edge/ci/writer.rs",
            ),
        ] {
            assert!(!monopolies(&source("app/run.rs", text)).is_empty(), "{text}");
            assert!(!monopolies(&source("main.rs", text)).is_empty(), "{text}");
            assert_eq!(said(&monopolies(&source(home, text))), [""; 0], "{text}");
        }
    }

    #[test]
    fn look_alikes_are_no_breach() {
        let text = "use aws_lc_rs::signature; fn f(p: P) { p.stdout(); let stdout = 1; std::env::args_os(); env!(X); }";
        assert_eq!(said(&monopolies(&source("app/run.rs", text))), [""; 0]);
    }

    #[test]
    fn a_room_says_what_it_is_for() {
        let whole = "//! Nouns.\n//!\n//! For: a.\n//! Not for: b.\n//! Speaks: c.\n//!\n//! ```\n//! x();\n//! ```\n";
        for path in [
            "domain/oci/mod.rs",
            "edge/layout.rs",
            "seams.rs",
            "job/mod.rs",
            "edge/mod.rs",
        ] {
            assert_eq!(said(&headers(&[source(path, whole)])), [""; 0], "{path}");
            for lost in ["Nouns.", "For: a.", "Not for: b.", "Speaks: c.", "```\n//! x();"] {
                let text = whole.replacen(lost, "", 1);
                assert_eq!(headers(&[source(path, &text)]).len(), 1, "{path} without {lost}");
            }
        }
        for path in ["domain/oci/digest.rs", "main.rs", "lib.rs", "edge/ci/env.rs"] {
            assert_eq!(said(&headers(&[source(path, "")])), [""; 0], "{path}");
        }
    }

    #[test]
    fn app_stays_small() {
        let long = "x\n".repeat(APP_LINES);
        assert_eq!(app_sizes(&[source("app/run.rs", &long)]).len(), 1);
        assert_eq!(app_sizes(&[source("job/run.rs", &long)]).len(), 0);
        let tests = format!("x\n#[cfg(test)]\n{long}");
        assert_eq!(app_sizes(&[source("app/run.rs", &tests)]).len(), 0);
    }

    #[test]
    fn files_outside_the_table_are_strangers() {
        assert_eq!(strangers(&[source("util.rs", "")]).len(), 1);
        assert_eq!(strangers(&[source("edge/cloud/mod.rs", "")]).len(), 1);
        assert_eq!(
            strangers(&[
                source("edge/aws/mod.rs", ""),
                source("lib.rs", ""),
                source("main.rs", "")
            ])
            .len(),
            0
        );
    }
}
