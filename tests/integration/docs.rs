//! What the documents say holds: links lead somewhere, and commands that they show are run.
//!
//! A fenced block tagged `sh` is run as one script that ends at the first command that fails. A block tagged `console`
//! is run line by line: `$ ` begins a command, `\` at its end continues it, what follows is output. A command ends in 0,
//! or in what a closing `# exit 1` says. Output is compared loosely: each line shown has to appear, in that order, `…`
//! standing for anything, and lines left out are not missed.
//!
//! `countersign` and `cargo run --release --` both mean the program under test, and
//! `cargo run --release --example local_aws --` that example, built as the program is; `cargo test` is what runs this.
//! The blocks of one document share a directory that holds nothing at first. A comment above a block, on a line of its
//! own, prepares it or excuses it:
//!
//! ```text
//! <!-- run first: countersign demo build/web -->
//! <!-- not run: needs an AWS account -->
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Folders whose documents are ours to keep right.
const FOLDERS: &[&str] = &["docs", "src", ".github", "examples", "tests", "benches"];

/// Folders below them that hold other people's files or generated ones.
const FOREIGN: &[&str] = &["tests/vectors/notary", "tests/fuzz/corpus", "tests/fuzz/target"];

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    line: usize,
    tag: String,
    /// The reason given for not running it.
    excuse: Option<String>,
    /// What has to be run before it.
    first: Option<String>,
    lines: Vec<String>,
}

/// A command that a document shows.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    command: String,
    exit: i32,
    output: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file of the project, relative to its root.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        collect(&root().join(folder), &mut found);
    }
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    let mut found: Vec<PathBuf> = found
        .iter()
        .map(|path| path.strip_prefix(root()).unwrap().to_owned())
        .collect();
    found.retain(|path| !FOREIGN.iter().any(|foreign| path.starts_with(foreign)));
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The fenced blocks of a document.
fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<usize> = None;
    let (mut excuse, mut first): (Option<String>, Option<String>) = (None, None);
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let ticks = trimmed.bytes().take_while(|byte| *byte == b'`').count();
        match open {
            Some(fence) if ticks >= fence && trimmed.trim_end().len() == ticks => open = None,
            Some(_) => {
                if let Some(block) = found.last_mut() {
                    block.lines.push(line.to_owned());
                }
            }
            None if ticks >= 3 => {
                let tag = trimmed
                    .trim_start_matches('`')
                    .split([' ', ','])
                    .next()
                    .unwrap_or("")
                    .trim()
                    .to_owned();
                found.push(Block {
                    line: number + 1,
                    tag,
                    excuse: excuse.take(),
                    first: first.take(),
                    lines: Vec::new(),
                });
                open = Some(ticks);
            }
            None if trimmed.is_empty() => {}
            None => {
                let said = |mark| {
                    trimmed
                        .strip_prefix(mark)
                        .and_then(|rest: &str| rest.strip_suffix("-->"))
                };
                excuse = said("<!-- not run: ").map(|reason| reason.trim().to_owned());
                first = said("<!-- run first: ").map(|command| command.trim().to_owned());
            }
        }
    }
    found
}

/// The commands of a `console` block.
fn shown(lines: &[String]) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let mut continues = false;
    for line in lines {
        if let Some(command) = line
            .strip_prefix("$ ")
            .or_else(|| continues.then_some(line.as_str()))
        {
            if continues {
                let last = found.last_mut().unwrap();
                last.command.push('\n');
                last.command.push_str(command);
            } else {
                found.push(Shown {
                    command: command.to_owned(),
                    exit: 0,
                    output: Vec::new(),
                });
            }
            continues = command.ends_with('\\');
            let code = command
                .rsplit_once("# exit ")
                .and_then(|(_, code)| code.trim().parse().ok());
            if let Some(exit) = code {
                found.last_mut().unwrap().exit = exit;
            }
        } else if let Some(last) = found.last_mut()
            && !line.trim().is_empty()
        {
            last.output.push(line.trim_end().to_owned());
        }
    }
    found
}

/// Whether a line shown, in which `…` stands for anything, is a line said.
fn fits(shown: &str, said: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = said.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The first line shown that was not said in its turn.
fn unsaid<'a>(shown: &'a [String], said: &str) -> Option<&'a str> {
    let mut said = said.lines().map(str::trim_end);
    shown
        .iter()
        .map(String::as_str)
        .find(|line| !said.any(|given| fits(line, given)))
}

/// The folder in which programs are built.
fn built() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_countersign")).parent().unwrap()
}

/// The example that boots the small world. `cargo test` has built it; a test that is run alone may find an old one.
fn local_aws() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "--example", "local_aws"]);
        if built().ends_with("release") {
            build.arg("--release");
        }
        let ended = build.current_dir(root()).stdin(Stdio::null()).status().unwrap();
        assert!(ended.success(), "the example local_aws could not be built");
        built().join("examples/local_aws")
    })
}

/// A command of a document, with what it calls by cargo called by its path.
fn called(command: &str) -> String {
    let mut text = command.to_owned();
    let example = "cargo run --release --example local_aws --";
    if text.contains(example) {
        text = text.replace(example, &format!("'{}'", local_aws().display()));
    }
    text.replace("cargo run --release --", "countersign")
}

/// Runs a command as a reader of the document would, and says what is wrong.
fn run(command: &Shown, directory: &Path) -> Result<(), String> {
    let text = called(&command.command);
    let path = std::env::join_paths([built().to_owned()].into_iter().chain(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    )))
    .unwrap();
    let output = Command::new("sh")
        .args(["-c", &text])
        .env_clear()
        .env("PATH", path)
        .env("HOME", directory)
        .env("NO_COLOR", "1")
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(command.exit) {
        return Err(format!(
            "`{text}`: expected exit {}, found {}:\n{said}",
            command.exit, output.status
        ));
    }
    match unsaid(&command.output, &said) {
        Some(line) => Err(format!("`{text}`: expected the line\n{line}\nfound\n{said}")),
        None => Ok(()),
    }
}

/// A block of plain commands as one script; `cargo test` is left out, being what runs this.
fn script(lines: &[String]) -> Shown {
    let is_this = |line: &&String| {
        line.split('#')
            .next()
            .is_some_and(|command| command.trim() == "cargo test")
    };
    let lines: Vec<&str> = lines
        .iter()
        .filter(|line| !is_this(line))
        .map(String::as_str)
        .collect();
    Shown {
        command: format!("set -e\n{}", lines.join("\n")),
        exit: 0,
        output: Vec::new(),
    }
}

/// What is wrong with the commands of a document.
fn wrong_commands(text: &str, directory: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for block in blocks(text) {
        let mut commands = match (block.tag.as_str(), &block.excuse) {
            ("console", None) => shown(&block.lines),
            ("sh" | "bash" | "shell", None) => vec![script(&block.lines)],
            _ => continue,
        };
        if commands.is_empty() {
            wrong.push(format!(
                "line {}: a console block without a line that begins with `$ `",
                block.line
            ));
        }
        if let Some(first) = block.first {
            commands.insert(0, script(&[first]));
        }
        let failed = commands
            .iter()
            .filter_map(|command| run(command, directory).err());
        wrong.extend(failed.map(|what| format!("line {}: {what}", block.line)));
    }
    wrong
}

/// The targets of links in a document, without those in code, each with its line.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every other piece between backticks is code.
        let prose: Vec<&str> = line.split('`').step_by(2).collect();
        let prose = prose.join("code");
        let mut rest = prose.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let (target, after) = after.split_once(')').unwrap_or((after, ""));
            found.push((number + 1, target.split(' ').next().unwrap_or("").to_owned()));
            rest = after;
        }
        let definition = prose.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        found.extend(definition.map(|(_, target)| (number + 1, target.trim().to_owned())));
    }
    found
}

/// The anchors that a document's headings make, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && line.starts_with('#') {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
        for (_, after) in line
            .match_indices("id=\"")
            .map(|(at, mark)| (at, &line[at + mark.len()..]))
        {
            found.extend(after.split_once('"').map(|(id, _)| id.to_owned()));
        }
    }
    found
}

/// What is wrong with the links of a document.
fn wrong_links(root: &Path, document: &Path) -> Vec<String> {
    let text = fs::read_to_string(root.join(document)).unwrap();
    let mut wrong = Vec::new();
    for (line, link) in links(&text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
        let target = if file.is_empty() {
            root.join(document)
        } else {
            root.join(document).parent().unwrap().join(file)
        };
        if !target.exists() {
            wrong.push(format!("line {line}: {link}: there is no such file"));
        } else if !anchor.is_empty()
            && target.extension().is_some_and(|extension| extension == "md")
            && !anchors(&fs::read_to_string(&target).unwrap()).contains(anchor)
        {
            wrong.push(format!("line {line}: {link}: there is no such heading"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(wrong: &[String]) {
        assert!(
            wrong.is_empty(),
            "{} mistakes:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }

    #[test]
    fn links_lead_somewhere() {
        let mut wrong = Vec::new();
        for document in documents() {
            let found = wrong_links(root(), &document);
            wrong.extend(found.iter().map(|what| format!("{}: {what}", document.display())));
        }
        report(&wrong);
    }

    /// The pages that messages of the program lead to.
    fn pages_named_in_code() -> Vec<(PathBuf, String)> {
        let mut folders = vec![root().join("src")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    let named = text.split("address(\"docs/").skip(1);
                    found.extend(named.map(|rest| {
                        let page = rest.split('"').next().unwrap();
                        (path.clone(), format!("docs/{page}"))
                    }));
                }
            }
        }
        found
    }

    #[test]
    fn messages_lead_to_pages_that_exist() {
        let pages = pages_named_in_code();
        assert!(pages.len() >= 3, "{pages:?}");
        for (code, page) in pages {
            let (file, anchor) = page.split_once('#').unwrap_or((&page, ""));
            let text = fs::read_to_string(root().join(file));
            let text = text.unwrap_or_else(|error| panic!("{}: {page}: {error}", code.display()));
            let there = anchor.is_empty() || anchors(&text).contains(anchor);
            assert!(there, "{}: {page}: there is no such heading", code.display());
        }
    }

    #[test]
    fn commands_in_documents_work() {
        let mut wrong = Vec::new();
        for document in documents() {
            let directory = tempfile::tempdir().unwrap();
            let text = fs::read_to_string(root().join(&document)).unwrap();
            let found = wrong_commands(&text, directory.path());
            wrong.extend(found.iter().map(|what| format!("{}: {what}", document.display())));
        }
        report(&wrong);
    }

    #[test]
    fn blocks_are_cut_out_with_their_excuses() {
        let text = "a\n```console\n$ x\n```\n<!-- not run: why -->\n\n```sh\ny\n```\n```sh\nz\n```\n````md\n```sh\n```\n````\n";
        let found: Vec<(usize, String, Option<String>)> = blocks(text)
            .into_iter()
            .map(|block| (block.line, block.tag, block.excuse))
            .collect();
        let expected = [
            (2, "console".to_owned(), None),
            (7, "sh".to_owned(), Some("why".to_owned())),
            (10, "sh".to_owned(), None),
            (13, "md".to_owned(), None),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn commands_and_output_are_told_apart() {
        let lines = ["$ one \\", "  --two", "said", "", "$ three  # exit 5"].map(str::to_owned);
        let expected = [
            Shown {
                command: "one \\\n  --two".to_owned(),
                exit: 0,
                output: vec!["said".to_owned()],
            },
            Shown {
                command: "three  # exit 5".to_owned(),
                exit: 5,
                output: vec![],
            },
        ];
        assert_eq!(shown(&lines), expected);
    }

    #[test]
    fn dots_stand_for_anything() {
        for (shown, said) in [
            ("a", "a"),
            ("a…", "abc"),
            ("…c", "abc"),
            ("a…c…e", "abcde"),
            ("…", ""),
            ("a…", "a"),
        ] {
            assert!(fits(shown, said), "{shown} {said}");
        }
        for (shown, said) in [("a", "ab"), ("a…", "ba"), ("…c", "cd"), ("a…x…e", "abcde")] {
            assert!(!fits(shown, said), "{shown} {said}");
        }
        let lines = ["first …", "third"].map(str::to_owned);
        assert_eq!(unsaid(&lines, "first 1\nsecond\nthird\n"), None);
        assert_eq!(unsaid(&lines, "third\nfirst 1\n"), Some("third"));
    }

    #[test]
    fn mistakes_are_found() {
        let directory = tempfile::tempdir().unwrap();
        for text in [
            "```console\n$ false\n```",
            "```console\n$ true # exit 3\n```",
            "```console\n$ echo a\nb\n```",
            "```console\nno command\n```",
            "```sh\nfalse\ntrue\n```",
            "<!-- run first: false -->\n```sh\ntrue\n```",
            "```console\n$ countersign no-such-command\n```",
        ] {
            assert_eq!(wrong_commands(text, directory.path()).len(), 1, "{text}");
        }
        for text in [
            "```console\n$ sh -c 'exit 3' # exit 3\n```",
            "```console\n$ echo a b\na …\n```",
            "<!-- not run: why -->\n```sh\nfalse\n```",
            "```yaml\nfalse\n```",
            "<!-- run first: touch made -->\n```sh\ncat made   # it is there\ncargo test  # not again\n```",
            "```console\n$ countersign --version\ncountersign …\n```",
            "```console\n$ cargo run --release -- --version\n```",
        ] {
            assert_eq!(wrong_commands(text, directory.path()), [""; 0], "{text}");
        }
    }

    #[test]
    fn broken_links_are_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.md"), "# A Heading, or two\n").unwrap();
        let text = "[x](b.md) [x](b.md#a-heading-or-two) [x](https://example.com/none) `[x](none.md)`\n\
            [x](none.md) [x](b.md#none) [x](#none)\n[y]: none2.md\n```\n[x](none3.md)\n```\n";
        fs::write(folder.path().join("a.md"), text).unwrap();
        let expected = [
            "line 2: none.md: there is no such file",
            "line 2: b.md#none: there is no such heading",
            "line 2: #none: there is no such heading",
            "line 3: none2.md: there is no such file",
        ];
        assert_eq!(wrong_links(folder.path(), Path::new("a.md")), expected);
    }
}
