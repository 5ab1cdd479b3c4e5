//! The configuration file: the same names as everywhere, presentation and defaults only.

use super::args::{AUTHORITY, TYPED_ONLY};
use super::error::{CliError, ConfigProblem};
use super::table::{known_names, nearest};
use crate::base::limits::Bounds;
use crate::base::tree::{Cursor, DocumentError, Position, Value};
use crate::base::yaml;

/// One key of the file with its values as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) values: Vec<String>,
    pub(super) at: Position,
}

/// Reads a configuration file's bytes.
pub(super) fn read(path: &str, bytes: &[u8]) -> Result<Vec<Entry>, CliError> {
    entries(bytes).map_err(|problem| CliError::Config {
        path: path.to_owned(),
        problem,
    })
}

fn entries(bytes: &[u8]) -> Result<Vec<Entry>, ConfigProblem> {
    let document = yaml::read(bytes, Bounds::SMALL_DOCUMENT)?;
    let root = document.cursor();
    if root.is_null() {
        return Ok(Vec::new());
    }
    let known = known_names();
    let object = root.object()?;
    let mut entries = Vec::new();
    for (name, cursor) in object.members() {
        let at = cursor.position();
        let forbidden = AUTHORITY.iter().chain(TYPED_ONLY).find(|key| **key == name);
        if let Some(key) = forbidden {
            return Err(ConfigProblem::Authority {
                key,
                line: at.line,
                column: at.column,
            });
        }
        if !known.iter().any(|known| known == name) {
            return Err(unknown(name, at).into());
        }
        entries.push(Entry {
            name: name.to_owned(),
            values: texts(&cursor)?,
            at,
        });
    }
    Ok(entries)
}

fn unknown(name: &str, at: Position) -> DocumentError {
    let hint = nearest(name).map_or(String::new(), |nearest| format!(", perhaps {nearest}"));
    DocumentError::Shape {
        at,
        path: String::new(),
        expected: format!("the name of an input{hint}"),
        found: crate::base::foreign::quote(name).to_string(),
    }
}

/// A scalar as it was spelled, or a list of scalars.
fn texts(cursor: &Cursor<'_>) -> Result<Vec<String>, DocumentError> {
    match cursor.value() {
        Value::Null => Ok(Vec::new()),
        Value::Bool(value) => Ok(vec![value.to_string()]),
        Value::Number(text) | Value::Text(text) => Ok(vec![text.clone()]),
        Value::List(_) => {
            let items = cursor.array()?;
            let items: Result<Vec<Vec<String>>, _> = items.iter().map(scalar).collect();
            Ok(items?.concat())
        }
        Value::Map(_) => Err(cursor.error("a value or a list of values")),
    }
}

fn scalar(cursor: &Cursor<'_>) -> Result<Vec<String>, DocumentError> {
    match cursor.value() {
        Value::List(_) | Value::Map(_) | Value::Null => Err(cursor.error("a value")),
        _ => texts(cursor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Cause;

    fn message(text: &str) -> String {
        Cause::of(&read("cs.yml", text.as_bytes()).unwrap_err()).message
    }

    #[test]
    fn values_keep_their_spelling() {
        let entries = read("cs.yml", b"jobs: 4\ntimeout: 30s\nquiet: true\ncolor:\n").unwrap();
        let values: Vec<_> = entries.iter().map(|entry| entry.values.clone()).collect();
        assert_eq!(values, [vec!["4"], vec!["30s"], vec!["true"], vec![]]);
    }

    #[test]
    fn authority_unknown_and_repeated_keys_are_refused_where_they_stand() {
        assert_eq!(
            message("jobs: 4\nsigner: local\n"),
            "could not use the configuration \"cs.yml\": line 2, column 9: signer grants authority, and a file may not"
        );
        assert_eq!(
            message("jbos: 4\n"),
            "could not use the configuration \"cs.yml\": line 1, column 7: expected the name of an input, perhaps jobs, found \"jbos\""
        );
        assert!(message("jobs: 4\njobs: 5\n").contains("line 2, column 7: the key \"jobs\" stands twice"));
        assert!(message("jobs: {a: 1}\n").contains("jobs, line 1, column 7: expected a value or a list"));
        assert!(message("- jobs\n").contains("expected an object, found an array"));
    }

    #[test]
    fn every_authority_key_is_refused() {
        for key in AUTHORITY.iter().chain(TYPED_ONLY) {
            assert!(
                message(&format!("{key}: x\n")).contains("a file may not"),
                "{key}"
            );
        }
    }
}
