//! The one bounded reader of YAML (YAML 1.2.2, core schema), giving the same tree as [`super::json`].
//!
//! The grammar is that of `serde_saphyr::granit_parser`, read event by event, because events know where they stand.
//! What lets a document say one thing to a person and another to a program is refused: anchors, aliases, merge
//! keys, tags, directives, several documents, and numbers in forms that JSON does not have.

use serde_saphyr::granit_parser::{
    self as granit, Event, Marker, Options, Parser, ScalarStyle, ScanError, Span, StrInput,
};

use super::limits::Bounds;
use super::problems::Problems;
use super::tree::{Document, DocumentError, Keys, Node, Position, Value, settled};

/// Reads a document within bounds.
///
/// ```
/// use countersign::base::{limits::Bounds, yaml};
/// let document = yaml::read(b"attestations:\n  - type: provenance\n", Bounds::SMALL_DOCUMENT)?;
/// let kind = document.cursor().pointer("/attestations/0/type").unwrap();
/// assert_eq!((kind.string()?, kind.position().line, kind.position().column), ("provenance", 2, 11));
/// # Ok::<(), countersign::base::tree::DocumentError>(())
/// ```
///
/// # Errors
/// [`DocumentError`] for bytes over a bound, not UTF-8, not YAML, with keys twice in one mapping (all of them are told),
/// or with one of the forms that are refused.
pub fn read(bytes: &[u8], bounds: Bounds) -> Result<Document, DocumentError> {
    if bytes.len() > bounds.bytes {
        return Err(DocumentError::TooLarge {
            limit: bounds.bytes,
            found: bytes.len(),
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| DocumentError::Encoding {
        offset: error.valid_up_to(),
    })?;
    if text.starts_with('\u{feff}') {
        return Err(DocumentError::Encoding { offset: 0 });
    }
    let lines = Lines::of(text);
    if let Some((offset, c)) = text.char_indices().find(|(_, c)| !is_printable(*c)) {
        return Err(DocumentError::Syntax {
            at: lines.position(offset),
            what: format!(
                "not valid YAML: the character {} is not allowed",
                c.escape_unicode()
            ),
        });
    }
    let mut options = Options::default();
    options.disallow_directives = true;
    options.set_emit_comments(false);
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        lines,
        bounds,
        values: 0,
        repeated: Problems::default(),
    };
    let root = reader.document();
    settled(root, reader.repeated)
}

/// YAML 1.2.2, 5.1, `c-printable`.
fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{85}') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// The byte offsets at which lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect())
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.0.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.0.get(index));
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            line: number(line.max(1)),
            column: number(offset - start.unwrap_or(&0) + 1),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    lines: Lines,
    bounds: Bounds,
    values: usize,
    /// Keys that stand twice; the others of a document are read, so that all can be told.
    repeated: Problems<DocumentError>,
}

impl<'t> Reader<'t> {
    /// One document with one root; an empty stream is `null`.
    fn document(&mut self) -> Result<Node, DocumentError> {
        let mut root = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => break,
                (Event::DocumentStart(..), span) if root.is_some() => {
                    return Err(self.refused(&span, "expected one document, found a second one"));
                }
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
                (event, span) => root = Some(self.node(event, &span, 1)?),
            }
        }
        Ok(root.unwrap_or(Node {
            at: Position { line: 1, column: 1 },
            value: Value::Null,
        }))
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), DocumentError> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, Span::empty(Marker::default()))),
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Node, DocumentError> {
        let at = self.position(span);
        self.values += 1;
        if self.values > self.bounds.values {
            return Err(DocumentError::TooMany {
                limit: self.bounds.values,
            });
        }
        if depth > self.bounds.depth {
            return Err(DocumentError::TooDeep {
                at,
                limit: self.bounds.depth,
            });
        }
        self.undecorated(&event, span)?;
        let value = match event {
            Event::Scalar(text, style, ..) => scalar(&text, style).map_err(|what| syntax_at(at, &what))?,
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            _ => return Err(self.refused(span, "expected a value")),
        };
        Ok(Node { at, value })
    }

    /// Refuses what would make a node more than what stands there.
    fn undecorated(&self, event: &Event<'t>, span: &Span) -> Result<(), DocumentError> {
        if event.is_alias() || event.anchor_id().is_some_and(|id| id != 0) {
            return Err(self.refused(span, "anchors and aliases are not read; write the value out"));
        }
        if event.tag().is_some() {
            return Err(self.refused(span, "tags are not read; leave the tag away"));
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Value, DocumentError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(event, &span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, DocumentError> {
        let mut keys = Keys::default();
        let mut members = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(members)),
                (event, span) => self.key(&event, &span)?,
            };
            let (event, span) = self.next()?;
            let node = self.node(event, &span, depth + 1)?;
            if keys.insert(&key) {
                members.push((key, node));
            } else {
                self.repeated
                    .push(DocumentError::DuplicateKey { at: node.at, key });
            }
        }
    }

    fn key(&self, event: &Event<'t>, span: &Span) -> Result<String, DocumentError> {
        self.undecorated(event, span)?;
        match event.scalar() {
            Some(("<<", ScalarStyle::Plain)) => {
                Err(self.refused(span, "merge keys are not read; write the members out"))
            }
            Some(("" | "~", ScalarStyle::Plain)) | None => {
                Err(self.refused(span, "expected a key that is a string"))
            }
            Some((text, _)) => Ok(text.to_owned()),
        }
    }

    fn position(&self, span: &Span) -> Position {
        self.lines.position(span.start.byte_offset().unwrap_or_default())
    }

    fn refused(&self, span: &Span, what: &str) -> DocumentError {
        syntax_at(self.position(span), what)
    }

    fn syntax(&self, error: &ScanError) -> DocumentError {
        let at = match error.marker().byte_offset() {
            Some(offset) => self.lines.position(offset),
            None => Position {
                line: u32::try_from(error.marker().line()).unwrap_or(u32::MAX),
                column: u32::try_from(error.marker().col() + 1).unwrap_or(u32::MAX),
            },
        };
        match error.kind() {
            granit::ErrorKind::RecursionLimitExceeded => DocumentError::TooDeep {
                at,
                limit: self.bounds.depth,
            },
            granit::ErrorKind::UnknownAnchor => {
                syntax_at(at, "anchors and aliases are not read; write the value out")
            }
            granit::ErrorKind::DirectiveDisallowed => syntax_at(at, "directives are not read"),
            _ => syntax_at(at, &format!("not valid YAML: {}", error.info())),
        }
    }
}

fn syntax_at(at: Position, what: &str) -> DocumentError {
    DocumentError::Syntax {
        at,
        what: what.to_owned(),
    }
}

/// Resolves a scalar by the core schema (YAML 1.2.2, 10.3.2), as far as JSON knows the result.
fn scalar(text: &str, style: ScalarStyle) -> Result<Value, String> {
    if style != ScalarStyle::Plain {
        return Ok(Value::Text(text.to_owned()));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Ok(Value::Null),
        "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
        number if is_json_number(number) => Ok(Value::Number(number.to_owned())),
        number if is_other_number(number) => Err(format!(
            "the number {} is written in a form that JSON does not have; quote it if it is text",
            number.chars().take(40).collect::<String>()
        )),
        text => Ok(Value::Text(text.to_owned())),
    }
}

/// RFC 8259, section 6.
fn is_json_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let exponent = exponent.map(|digits| digits.strip_prefix(['+', '-']).unwrap_or(digits));
    is_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(is_digits)
        && exponent.is_none_or(is_digits)
}

/// Numbers of the core schema that are none in JSON: `+1`, `007`, `.5`, `5.`, `0x1f`, `0o17`, `.inf`, `.nan`.
fn is_other_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    !(whole.is_empty() && fraction.is_empty())
        && all_digits(whole)
        && all_digits(fraction)
        && is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        read(text.as_bytes(), Bounds::SMALL_DOCUMENT)
            .unwrap_err()
            .to_string()
    }

    fn value(text: &str) -> Value {
        read(text.as_bytes(), Bounds::SMALL_DOCUMENT)
            .unwrap()
            .cursor()
            .value()
            .clone()
    }

    #[test]
    fn values_know_where_they_stand_in_bytes() {
        let document = read(
            "# words\nä: {b: 1, 'ö': [x]}\n".as_bytes(),
            Bounds::SMALL_DOCUMENT,
        )
        .unwrap();
        let position = |pointer: &str| {
            let at = document.cursor().pointer(pointer).unwrap().position();
            (at.line, at.column)
        };
        assert_eq!(position("/ä"), (2, 5));
        assert_eq!(position("/ä/b"), (2, 9));
        assert_eq!(position("/ä/ö/0"), (2, 19));
    }

    #[test]
    fn the_second_of_two_equal_keys_is_refused_where_it_stands() {
        assert_eq!(
            error("a: 1\nb: 2\n\"a\": 3\n"),
            "line 3, column 6: the key \"a\" stands twice in one object"
        );
        assert_eq!(
            error("a: 1\na: 2\na: 3\n*\n"),
            "line 2, column 4: the key \"a\" stands twice in one object; line 3, column 4: the key \"a\" stands twice in \
             one object; line 4, column 1: not valid YAML: while scanning an anchor or alias, did not find expected \
             alphabetic or numeric character"
        );
    }

    #[test]
    fn what_says_two_things_is_refused() {
        for (text, what) in [
            ("a: &x 1\nb: *x\n", "anchors"),
            ("a: &x {b: 1}\n", "anchors"),
            ("a: *x\n", "anchors"),
            ("a: !!str 1\n", "tags"),
            ("a: !x {}\n", "tags"),
            ("<<: {a: 1}\n", "merge keys"),
            ("%YAML 1.1\n---\na: 1\n", "directives"),
            ("a: 1\n---\nb: 1\n", "second"),
            ("? [a]\n: 1\n", "expected a key"),
            (": 1\n", "expected a key"),
            ("a: 0x1f\n", "quote it"),
            ("a: 007\n", "quote it"),
            ("a: .inf\n", "quote it"),
            ("a: 1\n\tb: 2\n", "not valid YAML"),
            ("a: \u{7}\n", "not allowed"),
            ("{a: 1", "not valid YAML"),
        ] {
            assert!(error(text).contains(what), "{text:?}: {}", error(text));
        }
    }

    #[test]
    fn only_json_words_are_more_than_text() {
        assert_eq!(value("no"), Value::Text("no".to_owned()));
        assert_eq!(value("2025-01-01"), Value::Text("2025-01-01".to_owned()));
        assert_eq!(value("12:30:45"), Value::Text("12:30:45".to_owned()));
        assert_eq!(value("'1'"), Value::Text("1".to_owned()));
        assert_eq!(value("-1.5e3"), Value::Number("-1.5e3".to_owned()));
        assert_eq!(value("~"), Value::Null);
        assert_eq!(value(""), Value::Null);
        assert_eq!(value("|\n  a\n  b\n"), Value::Text("a\nb\n".to_owned()));
    }

    #[test]
    fn bounds_hold() {
        crate::base::tree::testing::bounds_hold(read);
    }

    /// The tree without positions.
    fn bare(node: &Value) -> String {
        match node {
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(|item| bare(&item.value)).collect();
                format!("[{}]", items.join(","))
            }
            Value::Map(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, member)| format!("{key:?}:{}", bare(&member.value)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
            other => format!("{other:?}"),
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "[ -~äöü\n\t]{0,12}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[ -~]{1,8}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_reads_the_same_as_by_the_json_reader(document in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) };
            let text = text.unwrap();
            let ours = read(&text, Bounds::SMALL_DOCUMENT).unwrap();
            let theirs = json::read(&text, Bounds::SMALL_DOCUMENT).unwrap();
            prop_assert_eq!(bare(ours.cursor().value()), bare(theirs.cursor().value()));
        }

        #[test]
        fn no_text_panics(text in r#"[\[\]{}:,"'\\a-c0-9.e+\-? \n&*!|>%#~]{0,40}"#) {
            let _ = read(text.as_bytes(), Bounds::SMALL_DOCUMENT);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, Bounds::SMALL_DOCUMENT);
        }
    }
}
