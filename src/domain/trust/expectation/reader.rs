//! Reading an expectations file (YAML or JSON; `docs/schemas/expectations-1.json`): everything that is wrong with it at
//! once, each with line and column.

use std::time::Duration;

use super::condition::is_pointer;
use super::{Condition, Expectation, Expectations, Literal, Number, Pattern, Test, Wanted};
use crate::base::failure::{Class, Classified};
use crate::base::limits::Bounds;
use crate::base::problems::Problems;
use crate::base::time::parse_duration;
use crate::base::tree::{Cursor, Document, DocumentError, Object, Value};
use crate::base::{json, yaml};
use crate::domain::oci::Digest;
use crate::domain::provenance::{BuildLevel, Kind, Member, is_commit, is_uri};

/// Members of one expectation, in the order of the documentation.
pub const NAMES: [&str; 12] = [
    "type",
    "required",
    "builder",
    "source",
    "commit",
    "ref",
    "workflow",
    "event",
    "runner-environment",
    "max-age",
    "minimum-build-level",
    "conditions",
];

/// Members of one condition: where, and one test.
const CONDITION: [&str; 5] = ["at", "equals", "matches", "in", "at-least"];

/// Expectations of one file, conditions of one expectation, and values of one condition (ours).
const ENTRIES: usize = 100;

/// Everything that is wrong with an expectations file; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problems:#}")]
pub struct ExpectationsError {
    /// Each with its place, in the order of the file.
    pub problems: Problems<DocumentError>,
}

impl From<DocumentError> for ExpectationsError {
    fn from(problem: DocumentError) -> Self {
        Self {
            problems: problem.each(),
        }
    }
}

impl Classified for ExpectationsError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

impl Expectations {
    /// Reads a file: JSON where it begins with a brace, else YAML.
    ///
    /// # Errors
    /// [`ExpectationsError`] with everything that is wrong: unknown or repeated members, wrong types, unknown kinds,
    /// a condition with none or several tests, a member that the type of attestation does not have.
    pub fn read(bytes: &[u8]) -> Result<Self, ExpectationsError> {
        let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let read = if is_json { json::read } else { yaml::read };
        let document = read(bytes, Bounds::SMALL_DOCUMENT)?;
        let mut reader = Reader::default();
        let entries = reader.file(&document);
        if reader.problems.is_empty() {
            let file = Some(Digest::of(bytes));
            Ok(Self { entries, file })
        } else {
            reader.problems.sort_by_key(DocumentError::at);
            Err(ExpectationsError {
                problems: reader.problems,
            })
        }
    }
}

/// Goes on after a problem, so that all of them can be told.
#[derive(Default)]
struct Reader {
    problems: Problems<DocumentError>,
}

impl Reader {
    /// The value, or a note of what is wrong with it.
    fn take<T>(&mut self, read: Result<T, DocumentError>) -> Option<T> {
        read.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn file(&mut self, document: &Document) -> Vec<Expectation> {
        let Some(top) = self.take(document.cursor().object()) else {
            return Vec::new();
        };
        self.only(&top, &["attestations"]);
        let items = self.take(top.required("attestations"));
        let entries = items.map(|items| self.several(&items)).unwrap_or_default();
        entries.iter().filter_map(|entry| self.entry(entry)).collect()
    }

    /// A list of 1 to 100.
    fn several<'a>(&mut self, cursor: &Cursor<'a>) -> Vec<Cursor<'a>> {
        let items = cursor.array().and_then(|items| match items.len() {
            1..=ENTRIES => Ok(items),
            _ => Err(cursor.error(format!("a list of 1 to {ENTRIES}"))),
        });
        self.take(items).unwrap_or_default()
    }

    /// Notes every member that is not known.
    fn only(&mut self, object: &Object<'_>, known: &[&str]) {
        for (name, value) in object.members().filter(|(name, _)| !known.contains(name)) {
            self.problems.push(DocumentError::Shape {
                at: value.position(),
                path: object.path().to_owned(),
                expected: format!("only the members {}", known.join(", ")),
                found: crate::base::foreign::quote(name).to_string(),
            });
        }
    }

    fn entry(&mut self, cursor: &Cursor<'_>) -> Option<Expectation> {
        let object = self.take(cursor.object())?;
        self.only(&object, &NAMES);
        let wanted = self.take(object.required("type").and_then(|cursor| wanted(&cursor)));
        let required = object.optional("required").map(|cursor| cursor.boolean());
        let required = required.and_then(|read| self.take(read));
        let members = self.members(&object);
        let max_age = object.optional("max-age").map(|cursor| age(&cursor));
        let max_age = max_age.and_then(|read| self.take(read));
        let level = object
            .optional("minimum-build-level")
            .map(|cursor| level(&cursor));
        let minimum_build_level = level.and_then(|read| self.take(read));
        let conditions = self.conditions(&object);
        let wanted = wanted?;
        self.belongs(&wanted, &object);
        Some(Expectation {
            wanted,
            required: required.unwrap_or(true),
            members,
            max_age,
            minimum_build_level,
            conditions,
        })
    }

    fn members(&mut self, object: &Object<'_>) -> Vec<(Member, Pattern)> {
        let mut members = Vec::new();
        for member in Member::ALL {
            let Some(cursor) = object.optional(member.name()) else {
                continue;
            };
            let read = cursor.string().and_then(|text| match member {
                Member::Commit if !is_commit(text) => {
                    Err(cursor.error("a full commit id: 40 or 64 lower-case hex digits"))
                }
                _ => pattern(&cursor),
            });
            members.extend(self.take(read).map(|pattern| (member, pattern)));
        }
        members
    }

    /// What is said of builds belongs to provenance alone.
    fn belongs(&mut self, wanted: &Wanted, object: &Object<'_>) {
        if *wanted == Wanted::Kind(Kind::Provenance) {
            return;
        }
        let of_builds = Member::ALL.map(Member::name);
        let of_builds = of_builds.iter().copied().chain(["minimum-build-level"]);
        for (name, cursor) in of_builds.filter_map(|name| Some((name, object.optional(name)?))) {
            self.problems.push(DocumentError::Shape {
                at: cursor.position(),
                path: object.path().to_owned(),
                expected:
                    "what only a provenance says for the type provenance alone; use conditions for others"
                        .to_owned(),
                found: name.to_owned(),
            });
        }
    }

    fn conditions(&mut self, object: &Object<'_>) -> Vec<Condition> {
        let Some(cursor) = object.optional("conditions") else {
            return Vec::new();
        };
        let items = self.several(&cursor);
        items.iter().filter_map(|item| self.condition(item)).collect()
    }

    fn condition(&mut self, cursor: &Cursor<'_>) -> Option<Condition> {
        let object = self.take(cursor.object())?;
        self.only(&object, &CONDITION);
        let at = object.required("at").and_then(|cursor| pointer(&cursor));
        let at = self.take(at);
        let tests: Vec<_> = object
            .members()
            .filter(|(name, _)| *name != "at" && CONDITION.contains(name))
            .collect();
        let [(name, value)] = tests.as_slice() else {
            let expected = "exactly one of equals, matches, in, at-least";
            self.problems.push(match tests.len() {
                0 => cursor.error(expected),
                count => DocumentError::Shape {
                    at: cursor.position(),
                    path: cursor.path().to_owned(),
                    expected: expected.to_owned(),
                    found: format!("{count} of them"),
                },
            });
            return None;
        };
        let test = match *name {
            "equals" => literal(value).map(Test::Equals),
            "matches" => pattern(value).map(Test::Matches),
            "at-least" => number(value).map(Test::AtLeast),
            _ => {
                let items = self.several(value);
                items.iter().map(literal).collect::<Result<_, _>>().map(Test::In)
            }
        };
        let test = self.take(test);
        Some(Condition { at: at?, test: test? })
    }
}

/// A kind's name, or the URI of a predicate type; that of a kind with a name means the kind.
fn wanted(cursor: &Cursor<'_>) -> Result<Wanted, DocumentError> {
    let text = cursor.string()?;
    let kind = text.parse().ok().or_else(|| Kind::of_predicate_type(text));
    match kind {
        Some(kind) => Ok(Wanted::Kind(kind)),
        None if is_uri(text) => Ok(Wanted::Type(text.to_owned())),
        None => {
            let names = Kind::ALL.map(Kind::name).join(", ");
            Err(cursor.error(format!("{names}, or the URI of a predicate type")))
        }
    }
}

fn pattern(cursor: &Cursor<'_>) -> Result<Pattern, DocumentError> {
    cursor.parse("a text of 1 to 2048 bytes, * within a segment and ** across")
}

fn pointer(cursor: &Cursor<'_>) -> Result<String, DocumentError> {
    let text = cursor.string()?;
    if is_pointer(text) {
        Ok(text.to_owned())
    } else {
        Err(cursor.error("a JSON pointer, as /predicate/runDetails/builder/id"))
    }
}

fn age(cursor: &Cursor<'_>) -> Result<Duration, DocumentError> {
    let expected = "a number and a unit (500ms, 30s, 10m, 1h)";
    parse_duration(cursor.string().map_err(|_| cursor.error(expected))?).map_err(|_| cursor.error(expected))
}

fn level(cursor: &Cursor<'_>) -> Result<BuildLevel, DocumentError> {
    let number = cursor.unsigned().ok();
    let level = number.and_then(|number| number.to_string().parse().ok());
    level.ok_or_else(|| cursor.error("a build level from 1 to 3"))
}

fn literal(cursor: &Cursor<'_>) -> Result<Literal, DocumentError> {
    Literal::of(cursor.value()).ok_or_else(|| cursor.error("a text, a number, true, false or null"))
}

fn number(cursor: &Cursor<'_>) -> Result<Number, DocumentError> {
    let number = match cursor.value() {
        Value::Number(spelled) => Number::parse(spelled),
        _ => None,
    };
    number.ok_or_else(|| cursor.error("a number"))
}
