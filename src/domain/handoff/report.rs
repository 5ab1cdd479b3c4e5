//! Our own previous report (F36): its targets, for resuming, verifying again and watching for drift.

use super::error::Trouble;
use super::input::Input;
use super::name::Style;
use super::reading::{Reading, spot};
use crate::base::foreign::Foreign;
use crate::base::tree::Cursor;

const SCHEMA: &str = "countersign-report/1";

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let Some(top) = super::json_object(input, reading) else {
        return;
    };
    let Some(schema) = reading.take(top.required("schema")) else {
        return;
    };
    if schema.string() != Ok(SCHEMA) {
        let found = Foreign::new(schema.string().unwrap_or("something else"));
        return reading.trouble(
            spot(&schema),
            Trouble::Value {
                expected: "countersign-report/1",
                found,
            },
        );
    }
    let targets = top.required("targets").and_then(|targets| targets.array());
    for target in reading.take(targets).unwrap_or_default() {
        one(&target, reading);
    }
}

/// The image as it was named, with the digest that was found.
fn one(target: &Cursor<'_>, reading: &mut Reading) {
    let Some(object) = reading.take(target.object()) else {
        return;
    };
    let digest = object.optional("digest").filter(|digest| !digest.is_null());
    let digest = reading.digest_if_any(digest);
    if let Some(image) = reading.words(object.required("image")) {
        reading.image(&image, &digest, Style::Typed);
    }
}

/// D02.
pub(super) fn is(input: &Input<'_>) -> bool {
    let schema = input
        .object()
        .and_then(|object| object.optional("schema")?.string().ok());
    schema == Some(SCHEMA)
}
