//! One text as it was handed over, parsed once so that every rule can be asked cheaply.

use super::error::{HandoffError, Problem, Spot, Trouble};
use crate::base::limits::{Bounds, JSON_DEPTH, MEBIBYTE};
use crate::base::tree::{Cursor, Document, DocumentError, Object, Position};
use crate::base::{json, yaml};

/// Largest text that is read (ours; a large goreleaser file has 5 MB).
pub const HANDOFF_BYTES: usize = 8 * MEBIBYTE;

const BOUNDS: Bounds = Bounds {
    bytes: HANDOFF_BYTES,
    depth: JSON_DEPTH,
    values: 2_000_000,
};

/// What is known of a text besides its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint<'a> {
    /// The name of the file, without its directories.
    pub file: Option<&'a str>,
    /// Whether a file `oci-layout` stands beside it (OCI image specification 1.1, "Image Layout").
    pub in_layout: bool,
}

/// A text, parsed as far as its beginning says what it is.
pub(super) struct Input<'a> {
    pub(super) text: &'a str,
    pub(super) hint: Hint<'a>,
    /// One JSON document.
    pub(super) json: Option<Document>,
    /// JSON lines, each with its number.
    pub(super) json_lines: Vec<(u32, Document)>,
    /// A YAML document with services.
    pub(super) yaml: Option<Document>,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8], hint: Hint<'a>) -> Result<Self, HandoffError> {
        let text = checked(bytes).map_err(whole)?;
        let mut input = Self {
            text,
            hint,
            json: None,
            json_lines: Vec::new(),
            yaml: None,
        };
        if input.looks_like_json() {
            match json::read(bytes, BOUNDS) {
                Ok(document) => input.json = Some(document),
                Err(error) => {
                    let lines = json_lines(text);
                    input.json_lines = lines.ok_or_else(|| whole(Trouble::Document(error)))?;
                }
            }
        } else if text.lines().any(|line| line.starts_with("services:")) {
            input.yaml = Some(input.as_yaml().map_err(|error| whole(Trouble::Document(error)))?);
        }
        Ok(input)
    }

    /// A text that is neither JSON nor YAML, whatever it looks like.
    pub(super) fn bare(text: &'a str) -> Result<Self, HandoffError> {
        let text = checked(text.as_bytes()).map_err(whole)?;
        Ok(Self {
            text,
            hint: Hint::default(),
            json: None,
            json_lines: Vec::new(),
            yaml: None,
        })
    }

    /// The text as YAML, whatever it looks like.
    pub(super) fn as_yaml(&self) -> Result<Document, DocumentError> {
        let bounds = Bounds {
            bytes: MEBIBYTE,
            ..BOUNDS
        };
        yaml::read(self.text.as_bytes(), bounds)
    }

    /// The top of the JSON document.
    pub(super) fn top(&self) -> Option<Cursor<'_>> {
        self.json.as_ref().map(Document::cursor)
    }

    /// The JSON document where it is an object.
    pub(super) fn object(&self) -> Option<Object<'_>> {
        self.top()?.object().ok()
    }

    /// The items of the JSON document where it is an array.
    pub(super) fn items(&self) -> Option<Vec<Cursor<'_>>> {
        self.top()?.array().ok()
    }

    /// Whether the object has all of the members.
    pub(super) fn has(&self, members: &[&str]) -> bool {
        self.object()
            .is_some_and(|object| members.iter().all(|name| object.optional(name).is_some()))
    }

    /// The lines that hold something besides comments, each with its number and without comment and blanks.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u32, &'a str)> + use<'a> {
        let lines = (1u32..).zip(self.text.lines().map(without_comment));
        lines.filter(|(_, words)| !words.is_empty())
    }

    /// Where a line stands; a text of one line needs no number.
    pub(super) fn spot(&self, line: u32) -> Spot {
        let several = self.text.trim_end().contains('\n');
        Spot {
            at: several.then_some(Position { line, column: 0 }),
            member: None,
        }
    }

    /// An object, or an array of strings, objects or nothing; `[::1]:5000/web` is a reference.
    pub(super) fn looks_like_json(&self) -> bool {
        let text = self.text.trim_start();
        let array = text.strip_prefix('[').map(str::trim_start);
        text.starts_with('{')
            || text.starts_with('"')
            || array.is_some_and(|items| items.starts_with(['"', '{', ']', '[']))
    }
}

/// A problem of the text as a whole.
pub(super) fn whole(trouble: Trouble) -> HandoffError {
    HandoffError {
        format: None,
        problems: vec![Problem {
            spot: Spot::default(),
            trouble,
        }],
    }
}

fn checked(bytes: &[u8]) -> Result<&str, Trouble> {
    if bytes.len() > HANDOFF_BYTES {
        return Err(Trouble::TooMuch {
            limit: HANDOFF_BYTES,
            what: "bytes",
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| Trouble::Encoding {
        offset: error.valid_up_to(),
    })?;
    if text.starts_with('\u{feff}') {
        return Err(Trouble::Encoding { offset: 0 });
    }
    match text.find('\0') {
        Some(offset) => Err(Trouble::Encoding { offset }),
        None => Ok(text),
    }
}

/// Every line a document of its own, at least two of them.
fn json_lines(text: &str) -> Option<Vec<(u32, Document)>> {
    let lines = (1u32..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(number, line)| Some((number, json::read(line.as_bytes(), BOUNDS).ok()?)));
    read.collect::<Option<Vec<_>>>().filter(|lines| lines.len() > 1)
}

/// What is left of a line without comment and blanks; a comment begins at the start or behind a blank.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices('#').map(|(at, _)| at).find(|at| {
        line.get(..*at)
            .is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']))
    });
    comment.and_then(|at| line.get(..at)).unwrap_or(line).trim()
}
