//! The JSON of a build's parameters, as a value that always writes the same bytes.
//!
//! `serde_json::Value` would do, but the order of its members depends on a feature that any dependency can switch
//! on; the digest of what we sign must not.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::base::tree::Value;

/// Parameters by name; written in the order of their names.
pub type Parameters = BTreeMap<String, Parameter>;

/// One value of a build's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// A string.
    Text(String),
    /// A whole number; fractions are for nobody's build.
    Number(u64),
    /// `true` or `false`.
    Flag(bool),
    /// An array.
    List(Vec<Self>),
    /// An object.
    Map(Parameters),
}

impl Parameter {
    /// The value as it stands in a document; none for what no build of ours says: `null` and other numbers.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(flag) => Some(Self::Flag(*flag)),
            Value::Number(digits) => digits.parse().ok().map(Self::Number),
            Value::Text(text) => Some(Self::Text(text.clone())),
            Value::List(items) => items
                .iter()
                .map(|item| Self::of(&item.value))
                .collect::<Option<_>>()
                .map(Self::List),
            Value::Map(members) => members
                .iter()
                .map(|(key, node)| Some((key.clone(), Self::of(&node.value)?)))
                .collect::<Option<_>>()
                .map(Self::Map),
        }
    }
}

impl From<&str> for Parameter {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Serialize for Parameter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::List(items) => items.serialize(serializer),
            Self::Map(members) => members.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{json, limits::Bounds};
    use proptest::prelude::*;

    fn parameter() -> impl Strategy<Value = Parameter> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Parameter::Text),
            any::<u64>().prop_map(Parameter::Number),
            any::<bool>().prop_map(Parameter::Flag),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Parameter::List),
                prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(Parameter::Map),
            ]
        })
    }

    #[test]
    fn what_no_build_of_ours_says_is_no_parameter() {
        for text in ["null", "1.5", "-1", "1e3", "[null]", "{\"a\":null}"] {
            let document = json::read(text.as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
            assert_eq!(Parameter::of(document.cursor().value()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(value in parameter()) {
            let bytes = serde_json::to_vec(&value).unwrap();
            let document = json::read(&bytes, Bounds::SMALL_DOCUMENT).unwrap();
            prop_assert_eq!(Parameter::of(document.cursor().value()), Some(value));
        }
    }
}
