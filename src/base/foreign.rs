//! Text that someone else wrote: a registry's error body, an annotation, a file's content.

use std::fmt;

/// Characters kept of one foreign text; more is never needed to recognise it (ours).
const KEPT_CHARS: usize = 2_048;

/// Characters shown when foreign text is quoted in a message (architecture, section 18: files).
const QUOTED_CHARS: usize = 80;

/// Bounded text from outside, which cannot be printed as it is.
///
/// It has no `Display`: CI hosts find commands anywhere in a line, terminals obey escape sequences, and Markdown is
/// HTML. Messages use [`Foreign::quote`]; renderers that escape for their own medium use [`Foreign::raw`].
///
/// ```
/// use countersign::base::foreign::Foreign;
/// let text = Foreign::new("denied\n::set-output name=x::y\u{202e}");
/// assert_eq!(text.quote().to_string(), r#""denied\n::set-output name=x::y\u{202e}""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Foreign(String);

impl Foreign {
    /// Takes text from outside, cutting it to 2,048 characters.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().chars().take(KEPT_CHARS).collect())
    }

    /// Takes bytes from outside; what is not UTF-8 becomes U+FFFD.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::new(String::from_utf8_lossy(
            bytes.get(..KEPT_CHARS * 4).unwrap_or(bytes),
        ))
    }

    /// A short, neutral form for messages: quoted, at most 80 characters, nothing in it that a terminal obeys.
    pub fn quote(&self) -> Quoted<'_> {
        Quoted(&self.0)
    }

    /// The text as it came, for a renderer that escapes every character of its own medium.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

/// The neutral form of a [`Foreign`] text; made by [`Foreign::quote`] and [`quote`].
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(&'a str);

/// Quotes text from outside for a message without keeping it.
pub fn quote(text: &str) -> Quoted<'_> {
    Quoted(text)
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::fmt::Write as _;
        f.write_char('"')?;
        let mut chars = self.0.chars();
        for c in chars.by_ref().take(QUOTED_CHARS) {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if obeyed(c) => write!(f, "{}", c.escape_unicode())?,
                c => f.write_char(c)?,
            }
        }
        if chars.next().is_some() {
            f.write_char('…')?;
        }
        f.write_char('"')
    }
}

/// Whether a terminal or a reader's eye would obey the character rather than see it: controls, bidirectional
/// overrides (Unicode TR 9), zero-width and other invisible format characters.
pub fn obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quoting_cuts_and_says_so() {
        let quoted = Foreign::new("x".repeat(100)).quote().to_string();
        assert_eq!(quoted.chars().filter(|c| *c == 'x').count(), QUOTED_CHARS);
        assert!(quoted.ends_with("…\""));
    }

    #[test]
    fn bytes_need_not_be_text() {
        assert_eq!(
            Foreign::from_bytes(b"a\xff\x1b[31m").quote().to_string(),
            "\"a\u{fffd}\\u{1b}[31m\""
        );
    }

    proptest! {
        #[test]
        fn a_quoted_text_holds_nothing_a_terminal_obeys(text in any::<String>()) {
            prop_assert!(!Foreign::new(&text).quote().to_string().chars().any(obeyed));
        }
    }
}
