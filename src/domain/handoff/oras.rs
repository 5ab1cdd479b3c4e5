//! `oras push` and `oras attach` with `--format json` (F29).
//!
//! Source: oras-project/oras `cmd/oras/internal/display/metadata/model/push.go`. A push without tag writes an entry
//! that ends in a colon: no tag, and no error.

use super::input::Input;
use super::name::Style;
use super::reading::Reading;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let digest = reading.digest(object.required("digest"));
    if let Some(reference) = reading.words(object.required("reference")) {
        reading.image(&reference, &digest, Style::Tool);
    }
    let Some(tags) = object.optional("referenceAsTags").filter(|tags| !tags.is_null()) else {
        return;
    };
    for tag in reading.take(tags.array()).unwrap_or_default() {
        if let Some(tag) = reading.words(Ok(tag))
            && !tag.text.ends_with(':')
        {
            reading.image(&tag, &digest, Style::Tool);
        }
    }
}

/// D11.
pub(super) fn is(input: &Input<'_>) -> bool {
    input.has(&["reference", "digest", "mediaType"])
}
