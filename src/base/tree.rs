//! A document as a tree that remembers where everything stood, whatever it was written in.
//!
//! [`super::json`] and [`super::yaml`] make it; rooms read it through a [`Cursor`], whose errors name member, line
//! and column, what was expected and what was found.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use super::failure::{Class, Classified};
use super::foreign::quote;
use super::problems::Problems;
use super::time::Timestamp;

/// The seconds since 1970 at which RFC 3339 has no year left to write.
const YEAR_10000: f64 = 253_402_300_800.0;

/// Where something stands in a text; both numbers start at 1, columns count bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// One value and where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where the value began.
    pub at: Position,
    /// The value.
    pub value: Value,
}

/// The shapes a document's value can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was spelled.
    Number(String),
    /// A string, unescaped.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object, in the order written; keys are unique.
    Map(Vec<(String, Node)>),
}

impl Value {
    /// What the value is, for "found …" in messages; short scalars are quoted.
    fn found(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(digits) => format!("the number {}", digits.chars().take(40).collect::<String>()),
            Self::Text(text) => quote(text).to_string(),
            Self::List(items) => format!("an array of {}", items.len()),
            Self::Map(_) => "an object".to_owned(),
        }
    }

    /// This value and every value in it; keys are not counted.
    fn count(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => 1,
            Self::List(items) => 1 + items.iter().map(|item| item.value.count()).sum::<usize>(),
            Self::Map(members) => 1 + members.iter().map(|(_, item)| item.value.count()).sum::<usize>(),
        }
    }
}

/// A whole document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    root: Node,
}

impl Document {
    /// Starts reading at the top.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor {
            node: &self.root,
            path: String::new(),
        }
    }

    /// How many values are in it, as readers count them against their bounds.
    ///
    /// ```
    /// use countersign::base::{json, limits::Bounds};
    /// assert_eq!(json::read(br#"{"a":[1,{}]}"#, Bounds::SMALL_DOCUMENT)?.values(), 4);
    /// # Ok::<(), countersign::base::tree::DocumentError>(())
    /// ```
    pub fn values(&self) -> usize {
        self.root.value.count()
    }
}

/// Why a document cannot be read; messages never hold more than 80 characters of its text.
///
/// Its text is its place, as far as it has one, and its reason; [`Self::at`], [`Self::path`] and [`Self::reason`] give
/// them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentError {
    /// More bytes than allowed.
    TooLarge {
        /// Bytes allowed.
        limit: usize,
        /// Bytes found.
        found: usize,
    },
    /// Bytes that are not UTF-8, or begin with a byte order mark.
    Encoding {
        /// Bytes before the offending one.
        offset: usize,
    },
    /// Text that breaks the grammar.
    Syntax {
        /// Where.
        at: Position,
        /// What the grammar wanted.
        what: String,
    },
    /// The same key twice in one object.
    DuplicateKey {
        /// Where the second one's value stands.
        at: Position,
        /// The key.
        key: String,
    },
    /// Nested deeper than allowed.
    TooDeep {
        /// Where the first too deep value stands.
        at: Position,
        /// Levels allowed.
        limit: usize,
    },
    /// More values than allowed.
    TooMany {
        /// Values allowed.
        limit: usize,
    },
    /// A value of another shape than the reader needs.
    Shape {
        /// Where.
        at: Position,
        /// The member, as `trustPolicies[1].name`; empty for the whole document.
        path: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Several of the others.
    Several(Problems<Self>),
}

impl DocumentError {
    /// Where it stands, if it stands somewhere; of several, the first.
    pub fn at(&self) -> Option<Position> {
        match self {
            Self::Syntax { at, .. }
            | Self::DuplicateKey { at, .. }
            | Self::TooDeep { at, .. }
            | Self::Shape { at, .. } => Some(*at),
            Self::Several(problems) => problems.kept().first().and_then(Self::at),
            Self::TooLarge { .. } | Self::Encoding { .. } | Self::TooMany { .. } => None,
        }
    }

    /// The member, as `trustPolicies[1].name`; empty where it is none.
    pub fn path(&self) -> &str {
        match self {
            Self::Shape { path, .. } => path,
            _ => "",
        }
    }

    /// What is wrong, without its place.
    pub fn reason(&self) -> String {
        match self {
            Self::TooLarge { limit, found } => format!("expected at most {limit} bytes, found {found}"),
            Self::Encoding { offset } => {
                format!("expected UTF-8 without a byte order mark, found other bytes at offset {offset}")
            }
            Self::Syntax { what, .. } => what.clone(),
            Self::DuplicateKey { key, .. } => format!("the key {} stands twice in one object", quote(key)),
            Self::TooDeep { limit, .. } => format!("nested deeper than {limit} levels"),
            Self::TooMany { limit } => format!("more than {limit} values"),
            Self::Shape { expected, found, .. } => format!("expected {expected}, found {found}"),
            Self::Several(problems) => problems.to_string(),
        }
    }

    /// Each of several, or the one.
    pub fn each(self) -> Problems<Self> {
        match self {
            Self::Several(problems) => problems,
            one => Problems::from(one),
        }
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(Position { line, column }), false) = (self.at(), matches!(self, Self::Several(_))) {
            let member = place(self.path());
            write!(f, "{member}line {line}, column {column}: ")?;
        }
        f.write_str(&self.reason())
    }
}

impl std::error::Error for DocumentError {}

/// "`path`, " or nothing for the whole document.
fn place(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!("{path}, ")
    }
}

impl Classified for DocumentError {
    /// Usage: most documents are the user's own. Rooms that read a registry's documents say otherwise.
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// A place in a document, with its path for error messages.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> Cursor<'a> {
    /// The value here.
    pub fn value(&self) -> &'a Value {
        &self.node.value
    }

    /// Where the value began.
    pub fn position(&self) -> Position {
        self.node.at
    }

    /// The member path from the top, as `layers[0].digest`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// An error at this place.
    pub fn error(&self, expected: impl Into<String>) -> DocumentError {
        DocumentError::Shape {
            at: self.node.at,
            path: self.path.clone(),
            expected: expected.into(),
            found: self.node.value.found(),
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    /// [`DocumentError::Shape`] when the value is something else; likewise for the readers below.
    pub fn object(&self) -> Result<Object<'a>, DocumentError> {
        match &self.node.value {
            Value::Map(members) => Ok(Object {
                members,
                at: self.clone(),
            }),
            _ => Err(self.error("an object")),
        }
    }

    /// Reads an array.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn array(&self) -> Result<Vec<Self>, DocumentError> {
        match &self.node.value {
            Value::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, node)| Self {
                    node,
                    path: format!("{}[{index}]", self.path),
                })
                .collect()),
            _ => Err(self.error("an array")),
        }
    }

    /// Reads a string.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn string(&self) -> Result<&'a str, DocumentError> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.error("a string")),
        }
    }

    /// Reads a string and parses it; `expected` completes "expected …".
    ///
    /// # Errors
    /// When the value is not a string or does not parse.
    pub fn parse<T: std::str::FromStr>(&self, expected: &str) -> Result<T, DocumentError> {
        self.string()?.parse().map_err(|_| self.error(expected))
    }

    /// Reads a whole number from 0 to 2^53 - 1, spelled without fraction or exponent.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn unsigned(&self) -> Result<u64, DocumentError> {
        const LARGEST: u64 = (1 << 53) - 1;
        match &self.node.value {
            Value::Number(digits) => digits.parse().ok().filter(|n| *n <= LARGEST),
            _ => None,
        }
        .ok_or_else(|| self.error("a whole number"))
    }

    /// Reads a moment as AWS JSON 1.1 writes it (Smithy 2.0, "epoch-seconds"): seconds since 1970 with a fraction, often
    /// with an exponent. The fraction is dropped.
    ///
    /// # Errors
    /// When the value is something else, or outside of the years 1970 to 9999.
    pub fn epoch_seconds(&self) -> Result<Timestamp, DocumentError> {
        let seconds = match &self.node.value {
            Value::Number(digits) => digits.parse::<f64>().ok(),
            _ => None,
        };
        let seconds = seconds.filter(|seconds| (0.0..YEAR_10000).contains(seconds));
        let seconds = seconds.ok_or_else(|| self.error("seconds since 1970"))?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is before the year 10000, and the fraction is not wanted"
        )]
        let whole = seconds as i64;
        Ok(Timestamp::from_unix(whole))
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn boolean(&self) -> Result<bool, DocumentError> {
        match &self.node.value {
            Value::Bool(value) => Ok(*value),
            _ => Err(self.error("true or false")),
        }
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// The value that a JSON pointer (RFC 6901) names from here, if there is one.
    pub fn pointer(&self, pointer: &str) -> Option<Self> {
        let mut here = self.clone();
        if pointer.is_empty() {
            return Some(here);
        }
        for token in pointer.strip_prefix('/')?.split('/') {
            let token = token.replace("~1", "/").replace("~0", "~");
            here = match &here.node.value {
                Value::Map(_) => here.object().ok()?.optional(&token)?,
                Value::List(_) => here.array().ok()?.into_iter().nth(array_index(&token)?)?,
                _ => return None,
            };
        }
        Some(here)
    }
}

/// The index that a token names: `0`, or digits without a leading zero or sign (RFC 6901, section 4).
fn array_index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with(['0', '+']);
    plain.then(|| token.parse().ok()).flatten()
}

/// An object being read.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    members: &'a [(String, Node)],
    at: Cursor<'a>,
}

impl<'a> Object<'a> {
    /// The member of that name.
    ///
    /// # Errors
    /// [`DocumentError::Shape`] when it is absent.
    pub fn required(&self, name: &str) -> Result<Cursor<'a>, DocumentError> {
        self.optional(name).ok_or_else(|| DocumentError::Shape {
            at: self.at.node.at,
            path: self.at.path.clone(),
            expected: format!("an object with the member \"{name}\""),
            found: self.found_members(),
        })
    }

    /// The member of that name, if present; `null` counts as present.
    pub fn optional(&self, name: &str) -> Option<Cursor<'a>> {
        let (key, node) = self.members.iter().find(|(key, _)| key == name)?;
        Some(Cursor {
            node,
            path: self.child_path(key),
        })
    }

    /// Every member in the order written.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, Cursor<'a>)> + '_ {
        self.members.iter().map(|(key, node)| {
            (
                key.as_str(),
                Cursor {
                    node,
                    path: self.child_path(key),
                },
            )
        })
    }

    /// The member path of the object itself, as `layers[0]`.
    pub fn path(&self) -> &str {
        &self.at.path
    }

    /// Refuses members that are not in the list.
    ///
    /// # Errors
    /// [`DocumentError::Shape`] that names the first unknown member and the nearest known one.
    pub fn only(&self, known: &[&str]) -> Result<(), DocumentError> {
        match self
            .members
            .iter()
            .find(|(key, _)| !known.contains(&key.as_str()))
        {
            None => Ok(()),
            Some((key, node)) => Err(DocumentError::Shape {
                at: node.at,
                path: self.at.path.clone(),
                expected: format!("only the members {}", known.join(", ")),
                found: quote(key).to_string(),
            }),
        }
    }

    fn child_path(&self, key: &str) -> String {
        let mut path = self.at.path.clone();
        let plain = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if plain {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
        } else {
            let _ = write!(path, "[{}]", quote(key));
        }
        path
    }

    fn found_members(&self) -> String {
        if self.members.is_empty() {
            return "an empty object".to_owned();
        }
        let mut names: Vec<String> = self
            .members
            .iter()
            .take(8)
            .map(|(key, _)| quote(key).to_string())
            .collect();
        if self.members.len() > names.len() {
            names.push("…".to_owned());
        }
        format!("the members {}", names.join(", "))
    }
}

/// The keys of one object while it is being built.
#[derive(Debug, Default)]
pub(super) struct Keys(HashSet<String>);

impl Keys {
    /// Notes a key; false where it stood before.
    pub(super) fn insert(&mut self, key: &str) -> bool {
        self.0.insert(key.to_owned())
    }
}

/// The tree that a reader built, unless keys were repeated in it: then all of them, and what ended the reading.
pub(super) fn settled(
    root: Result<Node, DocumentError>,
    mut repeated: Problems<DocumentError>,
) -> Result<Document, DocumentError> {
    repeated.sort_by_key(DocumentError::at);
    match root {
        Ok(root) if repeated.is_empty() => return Ok(Document { root }),
        Ok(_) => {}
        Err(error) => repeated.push(error),
    }
    Err(repeated.only().unwrap_or_else(DocumentError::Several))
}

/// What holds for whoever reads a document into this tree.
#[cfg(test)]
pub(super) mod testing {
    use super::{Document, DocumentError};
    use crate::base::limits::Bounds;

    /// Demands that a reader keeps to its bounds, to the value, and does not run out of stack.
    pub(in crate::base) fn bounds_hold(read: fn(&[u8], Bounds) -> Result<Document, DocumentError>) {
        let bounds = Bounds {
            bytes: 20,
            depth: 3,
            values: 5,
        };
        assert!(read(b"[[[]]]", bounds).is_ok());
        assert!(matches!(
            read(b"[[[[]]]]", bounds),
            Err(DocumentError::TooDeep { limit: 3, .. })
        ));
        assert!(matches!(
            read(b"[1,2,3,4,5]", bounds),
            Err(DocumentError::TooMany { limit: 5 })
        ));
        assert!(matches!(
            read(&[b' '; 21], bounds),
            Err(DocumentError::TooLarge { limit: 20, found: 21 })
        ));
        let open = "[".repeat(500_000);
        assert!(read(open.as_bytes(), Bounds::MANIFEST).is_err());
        let closed = format!("{open}{}", "]".repeat(500_000));
        assert!(matches!(
            read(closed.as_bytes(), Bounds::MANIFEST),
            Err(DocumentError::TooDeep { limit: 64, .. })
        ));
    }
}
