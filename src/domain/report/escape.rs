//! The one place where text becomes safe to show, a function per medium.
//!
//! Renderers pass every text that is not a constant of theirs through here, ours or foreign: messages quote what came
//! from outside, and a renderer cannot tell which words those are.

use std::fmt::Write as _;

use crate::base::foreign::obeyed;

/// Characters kept of one text (ours: more is no message).
const LONGEST: usize = 2_048;

/// Characters of a word above which Markdown shows it as code, lest it widen the page or look like a commit.
const LONG_WORD: usize = 30;

/// A text cut to `limit` characters, with an ellipsis if something is missing.
pub(super) fn clip(text: &str, limit: usize) -> String {
    let mut chars = text.chars();
    let mut kept: String = chars.by_ref().take(limit).collect();
    if chars.next().is_some() {
        kept.push('…');
    }
    kept
}

/// Plain text on one line: controls, invisible characters and bidirectional overrides become visible escapes, and
/// `##[`, which GitHub's runner obeys anywhere in a line, and `::`, which it obeys at the start of one, are broken
/// apart.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in clip(text, LONGEST).chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if obeyed(c) => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            '[' if out.ends_with("##") => out.push_str(" ["),
            ':' if out.trim_start() == ":" => out.push_str(" :"),
            c => out.push(c),
        }
    }
    out
}

/// Text for SARIF's messages (2.1.0, 3.11.6): plain, and without what would make an embedded link.
pub(super) fn sarif(text: &str) -> String {
    plain(text).replace("](", "] (")
}

/// Markdown: the text as inline code, in which nothing is obeyed, not even mentions and addresses. Backticks and
/// pipes, which would end the code or the table's cell, are replaced by look-alikes.
pub(super) fn code(text: &str) -> String {
    let text = plain(text).replace('`', "'").replace('|', "¦");
    if text.trim().is_empty() {
        return "(empty)".to_owned();
    }
    format!("`{}`", text.trim())
}

/// Markdown: the text as prose. Words of letters, digits and hyphens stay; everything else becomes inline code, also
/// a first word that would begin a list or a rule.
pub(super) fn prose(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let text = plain(text);
    // Quoted foreign text stays in one piece of code, whatever words are in it.
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            out.push(code(part));
        } else {
            words(part, &mut out);
        }
    }
    if let Some(first) = out.first_mut().filter(|first| begins_a_block(first)) {
        *first = code(first);
    }
    let text = out.join(" ").replace("( `", "(`");
    [",", ";", ".", ":", ")"]
        .iter()
        .fold(text, |text, mark| text.replace(&format!(" {mark}"), mark))
}

/// Words, and what stands between backticks as one piece of code; a backtick without another is none.
fn words(text: &str, out: &mut Vec<String>) {
    if text.matches('`').count() % 2 == 1 {
        return out.extend(text.split_whitespace().map(word));
    }
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            out.push(code(part));
        } else {
            out.extend(part.split_whitespace().map(word));
        }
    }
}

/// `1.` and `1)` begin a list in Markdown, `-` a list or a rule.
fn begins_a_block(word: &str) -> bool {
    let number = word.trim_end_matches(['.', ')']);
    word.starts_with('-') || number.len() < word.len() && number.bytes().all(|b| b.is_ascii_digit())
}

/// One word of prose, its punctuation left outside the code.
fn word(word: &str) -> String {
    let start = word.trim_start_matches('(');
    let core = start.trim_end_matches([',', '.', ';', ':', ')', '?', '!', '…']);
    let opening = word.strip_suffix(start).unwrap_or_default();
    let closing = start.strip_prefix(core).unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '\'';
    if core.chars().all(plain) && core.chars().count() <= LONG_WORD {
        word.to_owned()
    } else {
        format!("{opening}{}{closing}", code(core))
    }
}

/// XML 1.0 text and attribute values: plain, with the five characters escaped that markup is made of.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // Not a character of XML 1.0 (2.2).
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// One word of a POSIX shell, quoted if it needs to be; none where quoting alone does not make it safe to copy.
pub(super) fn shell(text: &str) -> Option<String> {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if text.is_empty() || text.len() > LONGEST || text.contains('`') || text.chars().any(obeyed) {
        return None;
    }
    if text.chars().all(safe) {
        return Some(text.to_owned());
    }
    Some(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prose_keeps_words_and_puts_the_rest_in_code() {
        assert_eq!(
            prose("no signature of r.example/web@sha256:ab: see www.evil.example, @octocat and (a_b)."),
            "no signature of `r.example/web@sha256:ab`: see `www.evil.example`, `@octocat` and (`a_b`)."
        );
        assert_eq!(
            prose(r#"found "two words | `x`", expected one"#),
            "found `two words ¦ 'x'`, expected one"
        );
        assert_eq!(
            prose("Sign with `countersign run`, (`a | b`) or `c"),
            "Sign with `'countersign` `run'`, (`'a` `¦` `b'`) or `'c`"
        );
        assert_eq!(
            prose("Sign with `countersign run`, (`a | b`)."),
            "Sign with `countersign run`, (`a ¦ b`)."
        );
        assert_eq!(
            prose("<b>x</b> [l](http://e) ![i](x)"),
            "`<b>x</b>` `[l](http://e`) `![i](x`)"
        );
    }

    #[test]
    fn prose_begins_no_list_and_no_rule() {
        assert_eq!(prose("1. one"), "`1.` one");
        assert_eq!(prose("- one"), "`-` one");
        assert_eq!(prose("--- "), "`---`");
        assert_eq!(prose("2 of 3"), "2 of 3");
    }

    #[test]
    fn code_never_ends_early() {
        assert_eq!(code("a`b``c"), "`a'b''c`");
        assert_eq!(code("a\\|b"), "`a\\¦b`");
        assert_eq!(code(" \u{202e}x "), "`\\u{202e}x`");
        assert_eq!(code("  "), "(empty)");
    }

    #[test]
    fn links_and_commands_are_broken_apart() {
        assert_eq!(sarif("[x](http://e)"), "[x] (http://e)");
        assert_eq!(
            plain("a ##[error]b\n::set-output"),
            "a ## [error]b\\n::set-output"
        );
        assert_eq!(
            xml("<a b='c'>&\"\u{0}"),
            "&lt;a b=&apos;c&apos;&gt;&amp;&quot;\\u{0}"
        );
    }

    #[test]
    fn shells_get_one_word_or_nothing() {
        assert_eq!(
            shell("r.example/web@sha256:ab").unwrap(),
            "r.example/web@sha256:ab"
        );
        assert_eq!(shell("oci:my dir/$(x)'s").unwrap(), r"'oci:my dir/$(x)'\''s'");
        assert_eq!(shell("a`b"), None);
        assert_eq!(shell("a\nb"), None);
    }

    proptest! {
        #[test]
        fn every_medium_is_one_line_without_anything_obeyed(text in any::<String>()) {
            for shown in [plain(&text), sarif(&text), code(&text), prose(&text), xml(&text)] {
                prop_assert!(!shown.chars().any(obeyed), "{shown:?}");
                prop_assert!(!shown.contains("##["));
            }
        }

        #[test]
        fn prose_holds_no_markup_outside_code(text in "[ -~]{0,60}") {
            let shown = prose(&text);
            prop_assert_eq!(shown.matches('`').count() % 2, 0);
            let outside: String = shown.split('`').step_by(2).collect();
            prop_assert!(!outside.contains(|c: char| "<>[]*_~@|\\#&$/".contains(c)), "{outside}");
        }
    }
}
