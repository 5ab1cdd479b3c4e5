//! Files that are made from the code: each is compared with what the code says now, and rewritten by `BLESS=1`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use countersign::domain::report::rules::{self, Notice, Rule};

/// A path from the top of the repository.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a file with what it must hold; shows the difference, or writes the file when `BLESS=1` is set.
pub(crate) fn check(path: &str, expected: &str) {
    let file = in_repository(path);
    let found = fs::read_to_string(&file).unwrap_or_default();
    if found == expected {
        return;
    }
    if blessing() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, expected).unwrap();
        return;
    }
    panic!(
        "{path} is not what the code says; run the tests with BLESS=1 to rewrite it\n{}",
        diff(&found, expected)
    );
}

#[expect(clippy::disallowed_methods, reason = "a test, not the program")]
pub(crate) fn blessing() -> bool {
    std::env::var("BLESS").is_ok_and(|value| value == "1")
}

/// The lines that differ, between what both texts begin and end with.
fn diff(found: &str, expected: &str) -> String {
    let (found, expected): (Vec<_>, Vec<_>) = (found.lines().collect(), expected.lines().collect());
    let same = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let start = same(&mut found.iter().zip(&expected));
    let rest = found.len().min(expected.len()) - start;
    let end = same(&mut found.iter().rev().zip(expected.iter().rev())).min(rest);
    let mut text = String::new();
    for (sign, lines) in [('-', &found), ('+', &expected)] {
        for (number, line) in lines
            .iter()
            .enumerate()
            .take(lines.len() - end)
            .skip(start)
            .take(40)
        {
            let _ = writeln!(text, "{sign}{:>5} {line}", number + 1);
        }
    }
    text
}

#[test]
fn every_rule_and_notice_has_its_page() {
    let pages = Rule::ALL.iter().map(|rule| (rule.id(), rules::page(*rule)));
    let notices = Notice::ALL.iter().map(|notice| (notice.id(), notice.page()));
    let mut names = BTreeSet::from(["README.md".to_owned()]);
    check("docs/rules/README.md", &rules::index_page());
    for (id, page) in pages.chain(notices) {
        check(&format!("docs/rules/{id}.md"), &page);
        names.insert(format!("{id}.md"));
    }
    let found: BTreeSet<_> = fs::read_dir(in_repository("docs/rules"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, names, "docs/rules holds other pages than there are rules");
}

#[test]
fn a_difference_shows_only_what_differs() {
    assert_eq!(diff("a\nb\nc", "a\nx\nc"), "-    2 b\n+    2 x\n");
    assert_eq!(diff("", "a"), "+    1 a\n");
    assert_eq!(diff("a\na", "a"), "-    2 a\n");
}

/// Every rule is raised somewhere, but for those whose pages say that none can be yet.
#[test]
fn every_rule_is_raised_or_its_page_says_that_it_is_not() {
    let mut sources = String::new();
    let mut folders = vec![in_repository("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_sample = path.ends_with("report/rules") || path.ends_with("report/samples.rs");
            if path.is_dir() && !is_sample {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !is_sample {
                let text = fs::read_to_string(path).unwrap();
                sources.push_str(text.split("#[cfg(test)]\nmod tests").next().unwrap());
            }
        }
    }
    let mapped = fs::read_to_string(in_repository("src/domain/report/rules/mod.rs")).unwrap();
    let raised = |rule: &&Rule| {
        let variant = format!("{rule:?}");
        let word = |text: &str, before: &str| {
            let wanted = format!("{before}{variant}");
            text.match_indices(&wanted).any(|(at, whole)| {
                let next = text[at + whole.len()..].chars().next();
                !next.is_some_and(|next| next.is_ascii_alphanumeric())
            })
        };
        word(&sources, "Rule::") || word(&mapped, "=> Self::")
    };
    let silent: Vec<Rule> = Rule::ALL.iter().filter(|rule| !raised(rule)).copied().collect();
    assert_eq!(silent, Rule::NOT_YET);
    assert_eq!(Rule::NOT_YET, [Rule::TagMutable]);
    for rule in Rule::NOT_YET {
        assert!(
            rules::page(*rule).contains("nothing raises this today"),
            "{}",
            rule.id()
        );
    }
}
