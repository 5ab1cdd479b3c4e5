//! `$GITHUB_ARTIFACTS_LIST` (F02): subjects that earlier steps declared.
//!
//! Source: actions/attest README, "Automatic Subject Discovery".

use std::collections::BTreeMap;

use super::error::Trouble;
use super::input::Input;
use super::name::Style;
use super::reading::{Reading, Sought};
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
    if kind.is_some_and(|kind| kind != "oci") {
        return;
    }
    let digest = reading.digest(object.required("digest"));
    let Some(name) = reading.words(object.required("name")) else {
        return;
    };
    if let Sought::Sound(digest) = &digest
        && known
            .insert(name.text.to_string(), digest.clone())
            .is_some_and(|other| other != *digest)
    {
        let trouble = Trouble::TwoDigests(Foreign::new(&name.text));
        reading.trouble(name.spot.clone(), trouble);
    }
    reading.image(&name, &digest, Style::Tool);
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
