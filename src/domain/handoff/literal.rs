//! Plain references, one per line.

use super::{HandoffError, Named};

/// Reads references; comments begin with `#` at the start of a line or behind a blank.
pub(super) fn read(text: &str) -> Result<Vec<Named>, HandoffError> {
    let lines = (1u32..).zip(text.lines().map(reference));
    let lines: Vec<(u32, &str)> = lines.filter(|(_, words)| !words.is_empty()).collect();
    let only = lines.len() == 1;
    let named = lines.into_iter().map(|(line, words)| match words.parse() {
        Ok(image) => Ok(Named {
            image,
            text: words.to_owned(),
            line,
        }),
        Err(problem) if only => Err(HandoffError::Only(problem)),
        Err(problem) => Err(HandoffError::Reference { line, problem }),
    });
    named.collect()
}

/// What is left of a line without comment, blanks and the prefix that some tools write.
fn reference(line: &str) -> &str {
    let comment = line.match_indices('#').map(|(at, _)| at).find(|at| {
        line.get(..*at)
            .is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']))
    });
    let words = comment.and_then(|at| line.get(..at)).unwrap_or(line).trim();
    let bare = words
        .strip_prefix("oci://")
        .or_else(|| words.strip_prefix("docker://"));
    bare.unwrap_or(words)
}

#[cfg(test)]
mod tests {
    use super::super::{HandoffError, read};
    use crate::base::failure::{Cause, Classified as _};
    use proptest::prelude::*;

    fn images(text: &str) -> Vec<String> {
        let named = read(text).unwrap();
        named
            .iter()
            .map(|named| format!("{} {}", named.line, named.image))
            .collect()
    }

    #[test]
    fn lists_have_comments_blank_lines_and_prefixes() {
        assert_eq!(
            images(
                "\r\n# all\r\nr.example/a:1   # first\r\n\r\n docker://r.example/b:2\r\noci://r.example/c\noci:./d:1"
            ),
            [
                "3 r.example/a:1",
                "5 r.example/b:2",
                "6 r.example/c",
                "7 oci:./d:1"
            ]
        );
        assert_eq!(images(" \n# nothing\n"), Vec::<String>::new());
        assert_eq!(images("[::1]:5000/a:1"), ["1 [::1]:5000/a:1"]);
    }

    #[test]
    fn the_line_is_named_where_there_are_several() {
        let message = |text: &str| Cause::of(&read(text).unwrap_err()).message;
        assert_eq!(
            message("r.example/a\nweb:1"),
            "line 2: expected a registry host in front of the repository, found \"web:1\""
        );
        assert_eq!(
            message("web:1"),
            "expected a registry host in front of the repository, found \"web:1\""
        );
        assert!(read("web:1").unwrap_err().hint().is_some());
    }

    #[test]
    fn json_is_refused_by_name() {
        for text in [
            "{\"containerimage.digest\":\"x\"}",
            " [\"r.example/a\"]",
            "[]",
            "[ {} ]",
        ] {
            assert_eq!(read(text), Err(HandoffError::Json), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = read(&text);
        }
    }
}
