//! Jib's `jib-image.json` (F11).
//!
//! Source: `GoogleContainerTools/jib` `ImageMetadataOutput.java`. For several platforms `imageId` equals `imageDigest`
//! and is right, so it decides nothing.

use super::input::Input;
use super::name::Style;
use super::reading::{Reading, spot};
use crate::domain::oci::ImageRef;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let pushed = object.optional("imagePushed").map(|pushed| pushed.boolean());
    if pushed.and_then(|pushed| reading.take(pushed)) == Some(false) {
        return;
    }
    let image = reading.take(object.required("image"));
    let digest = reading.take(object.required("imageDigest"));
    let (Some(image), Some(digest)) = (image, digest) else {
        return;
    };
    let (Some(text), Some(digest)) = (reading.take(image.string()), reading.digest(&digest)) else {
        return;
    };
    reading.image(text, Some(&digest), Style::Tool, spot(&image));
    let Some(place) = super::name::reference(text, Style::Tool)
        .ok()
        .map(|image| image.place().clone())
    else {
        return;
    };
    let Some(tags) = object.optional("tags") else {
        return;
    };
    for tag in reading.take(tags.array()).unwrap_or_default() {
        if let Some(tag) = reading.take(tag.parse("a tag")) {
            let other = ImageRef::new(place.clone(), Some(tag), Some(digest.clone()));
            reading.push(super::What::Image(other), text, spot(&image));
        }
    }
}

/// D08.
pub(super) fn is(input: &Input<'_>) -> bool {
    input.has(&["imageDigest", "imageId", "image"])
}
