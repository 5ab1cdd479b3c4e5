//! Google Cloud Build's result (F34).
//!
//! Source: Cloud Build REST reference, `Build.results.images`, `BuiltImage`.

use super::input::Input;
use super::name::Style;
use super::reading::Reading;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let Some(top) = super::json_object(input, reading) else {
        return;
    };
    let images = top
        .required("results")
        .and_then(|results| results.object()?.required("images")?.array());
    for image in reading.take(images).unwrap_or_default() {
        let Some(image) = reading.take(image.object()) else {
            continue;
        };
        let digest = reading.digest(image.required("digest"));
        if let Some(name) = reading.words(image.required("name")) {
            reading.image(&name, &digest, Style::Tool);
        }
    }
}

/// D17.
pub(super) fn is(input: &Input<'_>) -> bool {
    input
        .top()
        .and_then(|top| top.pointer("/results/images"))
        .is_some()
}
