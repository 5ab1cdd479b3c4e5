//! `$GITHUB_ARTIFACTS_LIST` (F02): subjects that earlier steps declared.
//!
//! Source: actions/attest README, "Automatic Subject Discovery".

use std::collections::BTreeMap;

use super::error::Trouble;
use super::input::Input;
use super::name::Style;
use super::reading::{Reading, spot};
use crate::base::foreign::Foreign;
use crate::base::tree::Cursor;
use crate::domain::oci::Digest;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    reading.may_be_empty = true;
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let subjects = object.required("subjects").and_then(|subjects| subjects.array());
    let mut known = BTreeMap::new();
    for subject in reading.take(subjects).unwrap_or_default() {
        one(&subject, &mut known, reading);
    }
}

/// Subjects are keyed by name: the same name with another digest contradicts itself.
fn one(subject: &Cursor<'_>, known: &mut BTreeMap<String, Digest>, reading: &mut Reading) {
    let Some(object) = reading.take(subject.object()) else {
        return;
    };
    let kind = reading.take(object.required("kind").and_then(|kind| kind.string()));
    let name = reading.take(object.required("name"));
    let digest = reading.take(object.required("digest"));
    let (Some("oci"), Some(name), Some(digest)) = (kind, name, digest) else {
        return;
    };
    let Some(text) = reading.take(name.string()) else {
        return;
    };
    let Some(digest) = reading.digest(&digest) else {
        return;
    };
    if known
        .insert(text.to_owned(), digest.clone())
        .is_some_and(|other| other != digest)
    {
        return reading.trouble(spot(&name), Trouble::TwoDigests(Foreign::new(text)));
    }
    reading.image(text, Some(&digest), Style::Tool, spot(&name));
}

/// D01.
pub(super) fn is(input: &Input<'_>) -> bool {
    let Some(object) = input.object() else {
        return false;
    };
    let version = object
        .optional("version")
        .and_then(|version| version.unsigned().ok());
    let subjects = object
        .optional("subjects")
        .and_then(|subjects| subjects.array().ok());
    let has_kind = |item: &Cursor<'_>| item.object().is_ok_and(|item| item.optional("kind").is_some());
    version == Some(1) && subjects.is_some_and(|subjects| subjects.iter().all(has_kind))
}
