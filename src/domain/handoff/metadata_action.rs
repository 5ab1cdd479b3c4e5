//! docker/metadata-action's output `json` (F09): names and tags, never a digest.
//!
//! Source: docker/metadata-action `src/meta.ts`, `getJSON`.

use super::input::Input;
use super::literal::name_or_tag;
use super::reading::Reading;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let Some(tags) = reading.take(object.required("tags").and_then(|tags| tags.array())) else {
        return;
    };
    for tag in tags {
        if let Some(tag) = reading.words(Ok(tag)) {
            name_or_tag(tag, reading);
        }
    }
}

/// D15.
pub(super) fn is(input: &Input<'_>) -> bool {
    input.has(&["tags", "labels"]) && (input.has(&["tag-names"]) || input.has(&["annotations"]))
}
