//! One text as it was handed over, parsed once so that every rule can be asked cheaply.

use super::error::{HandoffError, Problem, Spot, Trouble};
use super::reading::{Frame, Words};
use crate::base::limits::{Bounds, JSON_DEPTH, MEBIBYTE};
use crate::base::problems::Problems;
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
    /// JSON lines.
    pub(super) json_lines: Vec<(Line<'a>, Document)>,
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
                Err(error @ DocumentError::Syntax { .. }) => {
                    input.json_lines = input.documents().unwrap_or_else(|| Err(document(error)))?;
                }
                Err(error) => return Err(document(error)),
            }
        } else if text.lines().any(|line| line.starts_with("services:")) {
            input.yaml = Some(input.as_yaml().map_err(document)?);
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

    /// The lines that hold something besides comments, each without comment and blanks around.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        self.lines_of(without_comment)
    }

    /// The lines that hold something, each without blanks around.
    pub(super) fn whole_lines(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        self.lines_of(str::trim)
    }

    fn lines_of(&self, words: fn(&str) -> &str) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let all = self.text.trim().len();
        let lines = (1u32..).zip(self.text.lines()).map(move |(number, whole)| {
            let words = words(whole);
            Line {
                number,
                whole,
                words,
                is_all: words.len() == all,
            }
        });
        lines.filter(|line| !line.words.is_empty())
    }

    /// Every line as a document of its own, if that is what the lines are, or what is wrong with each.
    fn documents(&self) -> Option<Result<Vec<(Line<'a>, Document)>, HandoffError>> {
        let (mut documents, mut problems) = (Vec::new(), Problems::default());
        for line in self.whole_lines() {
            match json::read(line.words.as_bytes(), BOUNDS) {
                Ok(document) => documents.push((line, document)),
                // One document over several lines is broken somewhere.
                Err(DocumentError::Syntax { .. }) if documents.is_empty() && problems.is_empty() => {
                    return None;
                }
                Err(error) => {
                    let frame = line.frame(line.words);
                    problems.append(error.each(), |error| frame.problem(error.into()));
                }
            }
        }
        match (problems.is_empty(), documents.len()) {
            (true, 0 | 1) => None,
            (true, _) => Some(Ok(documents)),
            (false, _) => Some(Err(HandoffError {
                format: None,
                problems,
            })),
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

/// One line of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    number: u32,
    whole: &'a str,
    /// What it holds.
    pub(super) words: &'a str,
    /// Whether its words are all of the text.
    is_all: bool,
}

impl<'a> Line<'a> {
    /// Where a part of it stands; what is all of the text needs no place.
    pub(super) fn spot(&self, part: &str) -> Spot {
        let is_all = self.is_all && part.len() == self.words.len();
        Spot {
            at: (!is_all).then(|| self.at(part)),
            member: None,
        }
    }

    fn at(&self, part: &str) -> Position {
        let offset = (part.as_ptr() as usize).saturating_sub(self.whole.as_ptr() as usize);
        Position {
            line: self.number,
            column: u32::try_from(offset).unwrap_or(u32::MAX).saturating_add(1),
        }
    }

    /// A part of it as a document of its own.
    pub(super) fn frame(&self, part: &str) -> Frame {
        Frame::Verbatim(Spot {
            at: Some(self.at(part)),
            member: None,
        })
    }

    /// A part of it with its place.
    pub(super) fn part(&self, part: &'a str) -> Words<'a> {
        Words {
            text: part.into(),
            spot: self.spot(part),
        }
    }
}

/// A problem of the text as a whole.
pub(super) fn whole(trouble: Trouble) -> HandoffError {
    HandoffError {
        format: None,
        problems: Problems::from(Problem {
            spot: Spot::default(),
            trouble,
        }),
    }
}

/// What is wrong with the text as a document.
fn document(error: DocumentError) -> HandoffError {
    let mut problems = Problems::default();
    problems.append(error.each(), Problem::from);
    HandoffError {
        format: None,
        problems,
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

/// What is left of a line without comment and blanks; a comment begins at the start or behind a blank.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices('#').map(|(at, _)| at).find(|at| {
        line.get(..*at)
            .is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']))
    });
    comment.and_then(|at| line.get(..at)).unwrap_or(line).trim()
}
