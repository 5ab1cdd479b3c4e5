//! AWS `CodePipeline` (F21): `imagedefinitions.json` and both forms of `imageDetail.json`.
//!
//! Source: AWS `CodePipeline` user guide, "Image definitions file reference".

use super::input::Input;
use super::name::Style;
use super::reading::{Reading, Sought};
use crate::base::tree::Cursor;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let Some(items) = input.items() else {
        return detail(input, reading);
    };
    for item in items {
        let uri = item.object().and_then(|item| item.required("imageUri"));
        if let Some(uri) = reading.words(uri) {
            reading.image(&uri, &Sought::Absent, Style::Tool);
        }
    }
}

/// One image; the form of the ECR source action has the digest a second time, and tags.
fn detail(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let digest = reading.digest_if_any(object.optional("ImageDigest"));
    if let Some(uri) = reading.words(object.required("ImageURI")) {
        reading.image(&uri, &digest, Style::Tool);
    }
}

/// D12.
pub(super) fn is_detail(input: &Input<'_>) -> bool {
    input.has(&["ImageURI"])
}

/// D13.
pub(super) fn is_definitions(input: &Input<'_>) -> bool {
    let fits = |item: &Cursor<'_>| {
        item.object()
            .is_ok_and(|item| item.optional("name").is_some() && item.optional("imageUri").is_some())
    };
    input
        .items()
        .is_some_and(|items| !items.is_empty() && items.iter().all(fits))
}
