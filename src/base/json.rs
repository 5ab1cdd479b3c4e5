//! The one bounded reader of JSON (RFC 8259): duplicate keys, depth, size and count refused with a position.
//!
//! The grammar is `serde_json`'s; this file adds what a verifier needs on top of it. Every level is read as raw
//! slices first, because a slice of the text knows its offset and an owned value does not.

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::limits::Bounds;
use super::problems::Problems;
use super::tree::{Document, DocumentError, Keys, Node, Position, Value, settled};

/// Reads a document within bounds.
///
/// # Errors
/// [`DocumentError`] for bytes over a bound, not UTF-8, not JSON, or with keys twice in one object: all of them.
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
    let mut reader = Reader {
        text,
        bounds,
        values: 0,
        mark: Mark::default(),
        repeated: Problems::default(),
    };
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| syntax(&error))?;
    let root = reader.node(raw, 1);
    settled(root, reader.repeated)
}

/// The error of the first pass, whose position is the document's.
fn syntax(error: &serde_json::Error) -> DocumentError {
    let number = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
    let at = Position {
        line: number(error.line()),
        column: number(error.column()),
    };
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(what, _)| what);
    DocumentError::Syntax {
        at,
        what: format!("not valid JSON: {what}"),
    }
}

struct Reader<'t> {
    text: &'t str,
    bounds: Bounds,
    values: usize,
    mark: Mark,
    /// Keys that stand twice; the others of a document are read, so that all can be told.
    repeated: Problems<DocumentError>,
}

/// The last position computed; values come in document order, so each newline is counted once.
#[derive(Default)]
struct Mark {
    offset: usize,
    newlines: u32,
    line_start: usize,
}

impl<'t> Reader<'t> {
    fn node(&mut self, raw: &'t RawValue, depth: usize) -> Result<Node, DocumentError> {
        let at = self.position(raw);
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
        let text = raw.get();
        let refused = |error: serde_json::Error| match syntax(&error) {
            DocumentError::Syntax { what, .. } => DocumentError::Syntax { at, what },
            other => other,
        };
        let value = match text.as_bytes().first() {
            Some(b'{') => self.map(text, depth, at)?,
            Some(b'[') => {
                let items: Vec<&'t RawValue> = serde_json::from_str(text).map_err(refused)?;
                let items = items.into_iter().map(|item| self.node(item, depth + 1));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Some(b'"') => Value::Text(serde_json::from_str(text).map_err(refused)?),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(text.to_owned()),
        };
        Ok(Node { at, value })
    }

    fn map(&mut self, text: &'t str, depth: usize, at: Position) -> Result<Value, DocumentError> {
        let members = serde_json::Deserializer::from_str(text)
            .deserialize_map(Members)
            .map_err(|error| match syntax(&error) {
                DocumentError::Syntax { what, .. } => DocumentError::Syntax { at, what },
                other => other,
            })?;
        let mut keys = Keys::default();
        let mut map = Vec::with_capacity(members.len());
        for (key, raw) in members {
            let node = self.node(raw, depth + 1)?;
            if keys.insert(&key) {
                map.push((key, node));
            } else {
                self.repeated
                    .push(DocumentError::DuplicateKey { at: node.at, key });
            }
        }
        Ok(Value::Map(map))
    }

    fn position(&mut self, raw: &RawValue) -> Position {
        let offset = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        if offset < self.mark.offset {
            self.mark = Mark::default();
        }
        let passed = self
            .text
            .as_bytes()
            .get(self.mark.offset..offset)
            .unwrap_or_default();
        for (index, _) in passed.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            self.mark.newlines = self.mark.newlines.saturating_add(1);
            self.mark.line_start = self.mark.offset + index + 1;
        }
        self.mark.offset = offset;
        let column = u32::try_from(offset - self.mark.line_start).unwrap_or(u32::MAX);
        Position {
            line: self.mark.newlines.saturating_add(1),
            column: column.saturating_add(1),
        }
    }
}

/// Reads one object as keys and raw values, keeping duplicates for the caller to refuse.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        read(text.as_bytes(), Bounds::SMALL_DOCUMENT)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_index_in_a_pointer_has_no_sign_and_no_leading_zero() {
        let list: Vec<usize> = (0..12).collect();
        let text = serde_json::json!({"a": list, "007": 1}).to_string();
        let document = read(text.as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
        let found = |pointer: &str| document.cursor().pointer(pointer).is_some();
        for pointer in ["/a/0", "/a/7", "/a/10", "/007"] {
            assert!(found(pointer), "{pointer}");
        }
        for pointer in [
            "/a/+1",
            "/a/007",
            "/a/00",
            "/a/-",
            "/a/-1",
            "/a/",
            "/a/ 1",
            "/a/1.0",
            "/a/12",
            "/a/\u{661}",
            "/a/99999999999999999999",
        ] {
            assert!(!found(pointer), "{pointer}");
        }
    }

    #[test]
    fn values_know_where_they_stand() {
        let document = read(b"{\n  \"a\": [1,\n    {\"b\": \"x\"}]\n}", Bounds::SMALL_DOCUMENT).unwrap();
        let b = document.cursor().pointer("/a/1/b").unwrap();
        assert_eq!(b.path(), "a[1].b");
        assert_eq!(b.position(), Position { line: 3, column: 11 });
        assert_eq!(
            b.unsigned().unwrap_err().to_string(),
            "a[1].b, line 3, column 11: expected a whole number, found \"x\""
        );
    }

    #[test]
    fn duplicate_keys_are_refused_at_every_depth_however_spelled() {
        assert_eq!(
            error(r#"{"a":{"k":1,"\u006b":2}}"#),
            "line 1, column 22: the key \"k\" stands twice in one object"
        );
        assert_eq!(
            error("{\"a\": 1,\n \"a\": {\"b\": 1, \"b\": 2},\n \"a\": 3}"),
            "line 2, column 7: the key \"a\" stands twice in one object; line 2, column 21: the key \"b\" stands twice in \
             one object; line 3, column 7: the key \"a\" stands twice in one object"
        );
    }

    #[test]
    fn grammar_errors_carry_a_position() {
        assert_eq!(
            error("{\n\"a\": tru}"),
            "line 2, column 9: not valid JSON: expected ident"
        );
        assert_eq!(
            error("{} {}"),
            "line 1, column 4: not valid JSON: trailing characters"
        );
        assert!(error(r#""\ud800""#).contains("not valid JSON"));
        assert!(error("").contains("EOF"));
        assert_eq!(
            error("\u{feff}{}"),
            "expected UTF-8 without a byte order mark, found other bytes at offset 0"
        );
    }

    #[test]
    fn bounds_hold() {
        crate::base::tree::testing::bounds_hold(read);
    }

    #[test]
    fn unknown_members_are_named() {
        let document = read(br#"{"level":"strict","levl":1}"#, Bounds::SMALL_DOCUMENT).unwrap();
        let error = document
            .cursor()
            .object()
            .unwrap()
            .only(&["level", "override"])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 1, column 26: expected only the members level, override, found \"levl\""
        );
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_what_is_json(text in r#"[\[\]{}:,"\\a-c0-9.eE+\- tfnrul]{0,24}"#) {
            let ours = read(text.as_bytes(), Bounds::SMALL_DOCUMENT);
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            if !matches!(ours, Err(DocumentError::DuplicateKey { .. })) {
                // A number too large for a double is JSON; serde_json's Value refuses it for its own reasons.
                let out_of_range = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
                prop_assert!(out_of_range || ours.is_ok() == theirs.is_ok(), "{text:?}: {ours:?} {theirs:?}");
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, Bounds::SMALL_DOCUMENT);
        }
    }
}
