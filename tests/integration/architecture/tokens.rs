//! Rust source as words and paths, read closely enough to say which module names which.
//!
//! Comments, literals and everything under `#[cfg(test)]` are left out: the walls are about what ships, and a test may
//! stand on any room.

/// One word or mark, and the line it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// A path as written, with the `use` trees multiplied out: `a::{b, c::D}` is `[a, b]` and `[a, c, D]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
    /// Inline modules around it, which `super` climbs out of first.
    pub(super) depth: usize,
    /// Whether it ends in `as other`, so that another name for it may follow.
    pub(super) renamed: bool,
}

/// The words and marks of what ships.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    without_tests(&scan(source))
}

/// Names of modules that are declared for tests only, as `#[cfg(test)] mod name;`.
pub(super) fn test_modules(source: &str) -> Vec<String> {
    let all = scan(source);
    let mut names = Vec::new();
    for at in 0..all.len() {
        if let Some(item) = test_item(&all, at) {
            let words: Vec<&str> = all[item..].iter().take(4).map(|t| t.text.as_str()).collect();
            match words[..] {
                ["mod", name, ";", ..] | ["pub", "mod", name, ";"] => names.push(name.to_owned()),
                _ => {}
            }
        }
    }
    names
}

/// Every path of two or more segments, and every single word that a `use` names.
pub(super) fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let (mut at, mut braces, mut modules) = (0, 0_usize, Vec::new());
    while at < tokens.len() {
        let text = tokens[at].text.as_str();
        match text {
            "{" => {
                let opens_module = at >= 2 && tokens[at - 2].text == "mod" && tokens[at - 1].is_word();
                braces += 1;
                if opens_module {
                    modules.push(braces);
                }
                at += 1;
            }
            "}" => {
                if modules.last() == Some(&braces) {
                    modules.pop();
                }
                braces = braces.saturating_sub(1);
                at += 1;
            }
            "use" => at = tree(tokens, at + 1, &[], modules.len(), &mut found),
            _ if tokens[at].is_word() => at = inline(tokens, at, modules.len(), &mut found),
            _ => at += 1,
        }
    }
    found
}

/// A path in an expression or type.
fn inline(tokens: &[Token], start: usize, depth: usize, found: &mut Vec<Path>) -> usize {
    let mut segments = vec![tokens[start].text.clone()];
    let mut at = start + 1;
    while at + 1 < tokens.len() && tokens[at].text == "::" && tokens[at + 1].is_word() {
        segments.push(tokens[at + 1].text.clone());
        at += 2;
    }
    if segments.len() > 1 {
        found.push(Path {
            segments,
            line: tokens[start].line,
            depth,
            renamed: false,
        });
    }
    at
}

/// One branch of a `use` tree; returns where reading goes on.
fn tree(tokens: &[Token], start: usize, prefix: &[String], depth: usize, found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens.get(start).map_or(0, |token| token.line);
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = tree(tokens, at, &segments, depth, found);
                    if tokens.get(at).is_some_and(|token| token.text == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "as" => {
                found.push(Path {
                    segments,
                    line,
                    depth,
                    renamed: true,
                });
                return at + 2;
            }
            word if token.is_word() || word == "*" => {
                segments.push(word.to_owned());
                at += 1;
            }
            _ => break,
        }
    }
    // `a::{self}` names `a`.
    if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
        segments.pop();
    }
    found.push(Path {
        segments,
        line,
        depth,
        renamed: false,
    });
    at
}

/// Drops every item under `#[cfg(test)]`.
fn without_tests(all: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < all.len() {
        if let Some(item) = test_item(all, at) {
            at = end_of_item(all, item);
        } else {
            kept.push(all[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where the item begins that an attribute at `at` keeps for tests, if it does.
fn test_item(all: &[Token], at: usize) -> Option<usize> {
    let words: Vec<&str> = all[at..]
        .iter()
        .take(6)
        .map(|token| token.text.as_str())
        .collect();
    let for_tests = match words[..] {
        ["#", "[", "cfg", "(", "test", ..] | ["#", "[", "test", "]", ..] => true,
        ["#", "[", "cfg", "(", "all", "("] => {
            let attribute = &all[at..end_of_group(all, at + 1)];
            attribute.iter().any(|token| token.text == "test")
                && !attribute.iter().any(|token| token.text == "not")
        }
        _ => false,
    };
    if !for_tests {
        return None;
    }
    let mut item = end_of_group(all, at + 1);
    while all.get(item).is_some_and(|token| token.text == "#") {
        item = end_of_group(all, item + 1);
    }
    Some(item)
}

/// Just past the group that opens at `open`.
fn end_of_group(all: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, token) in all[open.min(all.len())..].iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return open + offset + 1;
        }
    }
    all.len()
}

/// Just past the item at `at`: its semicolon or its block, whichever ends it.
fn end_of_item(all: &[Token], at: usize) -> usize {
    let mut words = all[at.min(all.len())..]
        .iter()
        .take_while(|token| token.text != "{");
    let is_use = words.any(|token| token.text == "use");
    let mut at = at;
    while let Some(token) = all.get(at) {
        match token.text.as_str() {
            ";" => return at + 1,
            "{" if !is_use => return end_of_group(all, at),
            "(" | "[" | "{" => at = end_of_group(all, at),
            _ => at += 1,
        }
    }
    at
}

/// Cuts source into words and marks; literals become nothing, comments too.
fn scan(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let (mut at, mut line, mut found) = (0, 1, Vec::new());
    while at < chars.len() {
        let next = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => until(&chars, at, |rest| rest.first() == Some(&'\n')),
            ('/', Some('*')) => block_comment(&chars, at),
            ('"', _) => string(&chars, at),
            ('\'', _) => quote(&chars, at),
            (':', Some(':')) => {
                found.push(Token {
                    text: "::".to_owned(),
                    line,
                });
                at + 2
            }
            (c, _) if c.is_alphabetic() || c == '_' => word(&chars, at, line, &mut found),
            (c, _) if c.is_ascii_digit() => until(&chars, at, |rest| {
                !rest.first().is_some_and(|c| c.is_alphanumeric() || *c == '_')
            }),
            (c, _) if c.is_whitespace() => at + 1,
            (c, _) => {
                found.push(Token {
                    text: c.to_string(),
                    line,
                });
                at + 1
            }
        };
        line += chars[at..next].iter().filter(|c| **c == '\n').count();
        at = next;
    }
    found
}

/// A word; or, behind a literal's prefix, the literal.
fn word(chars: &[char], start: usize, line: usize, found: &mut Vec<Token>) -> usize {
    let end = until(chars, start, |rest| {
        !rest.first().is_some_and(|c| c.is_alphanumeric() || *c == '_')
    });
    let text: String = chars[start..end].iter().collect();
    let hashes = chars[end..].iter().take_while(|c| **c == '#').count();
    let quoted = chars.get(end + hashes) == Some(&'"');
    match text.as_str() {
        "r" | "br" | "cr" if quoted => raw_string(chars, end + hashes, hashes),
        "b" | "c" if quoted && hashes == 0 => string(chars, end),
        "b" if chars.get(end) == Some(&'\'') => quote(chars, end),
        "r" if hashes == 1 => word(chars, end + 1, line, found),
        _ => {
            found.push(Token { text, line });
            end
        }
    }
}

/// The first place at or after `start` where `stop` holds for the rest.
fn until(chars: &[char], start: usize, stop: impl Fn(&[char]) -> bool) -> usize {
    (start..chars.len())
        .find(|at| stop(&chars[*at..]))
        .unwrap_or(chars.len())
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn raw_string(chars: &[char], quote: usize, hashes: usize) -> usize {
    let end = until(chars, quote + 1, |rest| {
        rest.first() == Some(&'"') && rest[1..].iter().take_while(|c| **c == '#').count() >= hashes
    });
    (end + 1 + hashes).min(chars.len())
}

/// A character literal, or the mark of a lifetime.
fn quote(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), _) => until(chars, start + 3, |rest| rest.first() == Some(&'\'')) + 1,
        (Some(_), Some('\'')) => start + 3,
        _ => start + 1,
    }
    .min(chars.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<String> {
        paths(&tokens(source))
            .iter()
            .map(|path| path.segments.join("::"))
            .collect()
    }

    #[test]
    fn use_trees_are_multiplied_out() {
        assert_eq!(
            names(
                "use crate::{base::time::Timestamp, domain::{oci, x509::*}};\nuse super::a::{self, b as c};"
            ),
            [
                "crate::base::time::Timestamp",
                "crate::domain::oci",
                "crate::domain::x509::*",
                "super::a",
                "super::a::b"
            ]
        );
    }

    #[test]
    fn paths_in_code_are_found_with_their_lines() {
        let found = paths(&tokens("fn a() {\n  crate::seams::Clock::now();\n}"));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].segments.join("::").as_str(), found[0].line),
            ("crate::seams::Clock::now", 2)
        );
    }

    #[test]
    fn comments_and_literals_say_nothing() {
        let source = r##"
            //! use crate::edge::aws;
            /* use crate::edge::aws; /* nested */ crate::job::run() */
            const A: &str = "crate::edge::aws \" crate::job::x";
            const B: &str = r#"crate::edge::"aws"#;
            const C: char = '"'; const D: u8 = b'\''; const E: &[u8] = br"crate::x";
            fn f<'a>(x: &'a str) -> crate::base::X<'a> {}
        "##;
        assert_eq!(names(source), ["crate::base::X"]);
    }

    #[test]
    fn tests_are_left_out_and_nothing_else() {
        let source = "
            #[cfg(test)] use crate::edge::{aws, ci};
            #[cfg(test)] #[path = \"x\"] mod more;
            fn before() { crate::base::a() }
            #[cfg(test)] mod tests { use crate::edge::layout; fn f() { if x { crate::job::y() } } }
            #[cfg(all(test, unix))] fn only() { crate::cli::z() }
            #[cfg(not(test))] fn ships() { crate::base::b() }
            #[cfg(any(test, unix))] fn also() { crate::base::c() }
        ";
        assert_eq!(
            names(source),
            ["crate::base::a", "crate::base::b", "crate::base::c"]
        );
        assert_eq!(test_modules(source), ["more"]);
    }

    #[test]
    fn inline_modules_are_counted() {
        let found = paths(&tokens(
            "mod a { mod b { use super::super::x; } use super::y; } use super::z;",
        ));
        let depths: Vec<usize> = found.iter().map(|path| path.depth).collect();
        assert_eq!(depths, [2, 1, 0]);
    }

    #[test]
    fn raw_words_are_words() {
        assert_eq!(tokens("r#async")[0].text, "async");
    }

    #[test]
    fn unfinished_source_ends() {
        for source in [
            "\"",
            "'",
            "'\\",
            "/*",
            "r#\"",
            "use a::{b",
            "#[cfg(test)]",
            "#[cfg(all(",
            "b'",
        ] {
            let _ = (names(source), test_modules(source));
        }
    }
}
