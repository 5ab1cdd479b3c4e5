//! `oras push` and `oras attach` with `--format json` (F29).
//!
//! Source: oras-project/oras `cmd/oras/internal/display/metadata/model/push.go`. A push without tag writes an entry
//! that ends in a colon: no tag, and no error.

use super::input::Input;
use super::name::Style;
use super::reading::{Reading, spot};

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let digest = reading.take(object.required("digest"));
    let reference = reading.take(object.required("reference"));
    let (Some(digest), Some(reference)) = (digest, reference) else {
        return;
    };
    let (Some(digest), Some(text)) = (reading.digest(&digest), reading.take(reference.string())) else {
        return;
    };
    reading.image(text, Some(&digest), Style::Tool, spot(&reference));
    let Some(tags) = object.optional("referenceAsTags").filter(|tags| !tags.is_null()) else {
        return;
    };
    for tag in reading.take(tags.array()).unwrap_or_default() {
        if let Some(text) = reading.take(tag.string())
            && !text.ends_with(':')
        {
            reading.image(text, Some(&digest), Style::Tool, spot(&tag));
        }
    }
}

/// D11.
pub(super) fn is(input: &Input<'_>) -> bool {
    input.has(&["reference", "digest", "mediaType"])
}
