//! JSON to be written, with members in the order given; `serde_json`'s own order depends on a feature that any
//! dependency can switch on.

use std::fmt::Write as _;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use super::escape::clip;
use crate::base::foreign::{Foreign, obeyed};

/// Characters kept of one text (ours).
const LONGEST: usize = 4_096;

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Flag(bool),
    Number(u64),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// An object of these members.
    pub(super) fn map<const N: usize>(members: [(&str, Json); N]) -> Self {
        Self::Map(members.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// An object of those members that hold something: no null, no empty text, list or object.
    pub(super) fn filled<const N: usize>(members: [(&str, Json); N]) -> Self {
        let members = members.into_iter().filter(|(_, value)| !value.is_empty());
        Self::Map(members.map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// An array.
    pub(super) fn list<T: Into<Json>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(members) => members.is_empty(),
            Self::Flag(_) | Self::Number(_) => false,
        }
    }

    /// The document: indented, closed by a newline. Characters that a terminal or a reader's eye would obey, and the
    /// runner's `##[`, are written as escapes, which mean the same to every parser.
    pub(super) fn document(&self) -> String {
        let mut text = defused(&serde_json::to_string_pretty(self).unwrap_or_default());
        text.push('\n');
        text
    }

    /// The same on one line, without the newline.
    pub(super) fn line(&self) -> String {
        defused(&serde_json::to_string(self).unwrap_or_default())
    }
}

/// Outside of strings JSON holds none of these characters but the newline, so every one found stands in a string.
fn defused(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if (obeyed(c) && c != '\n') || (c == '[' && out.ends_with("##")) {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(clip(text, LONGEST))
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Json {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Foreign> for Json {
    fn from(text: &Foreign) -> Self {
        Self::from(text.raw())
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Map(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members
                    .iter()
                    .try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members_keep_their_order_and_empty_ones_can_be_left_out() {
        let value = Json::map([("b", 1_u64.into()), ("a", Json::Null)]);
        assert_eq!(value.line(), r#"{"b":1,"a":null}"#);
        let value = Json::filled([("c", "".into()), ("b", false.into()), ("a", Json::List(vec![]))]);
        assert_eq!(value.line(), r#"{"b":false}"#);
    }

    proptest! {
        #[test]
        fn escapes_mean_the_same_and_nothing_is_obeyed(text in any::<String>()) {
            let value = Json::map([("k", text.as_str().into())]);
            let line = value.line();
            prop_assert!(!line.chars().any(obeyed) && !line.contains("##["));
            let read: serde_json::Value = serde_json::from_str(&value.document()).unwrap();
            prop_assert_eq!(read["k"].as_str().unwrap(), text);
        }
    }
}
