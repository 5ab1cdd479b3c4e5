//! Jib's `jib-image.json` (F11).
//!
//! Source: `GoogleContainerTools/jib` `ImageMetadataOutput.java`. For several platforms `imageId` equals `imageDigest`
//! and is right, so it decides nothing.

use super::input::Input;
use super::name::Style;
use super::reading::{Reading, Sought};
use crate::domain::oci::ImageRef;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let pushed = object.optional("imagePushed").map(|pushed| pushed.boolean());
    if pushed.and_then(|pushed| reading.take(pushed)) == Some(false) {
        return;
    }
    let digest = reading.digest(object.required("imageDigest"));
    let image = reading.words(object.required("image"));
    if let Some(image) = &image {
        reading.image(image, &digest, Style::Tool);
    }
    let named = image.and_then(|image| Some((super::name::reference(&image.text, Style::Tool).ok()?, image)));
    let tags = object.optional("tags").map(|tags| reading.take(tags.array()));
    for tag in tags.flatten().unwrap_or_default() {
        let tag = reading.take(tag.parse("a tag"));
        if let (Some(tag), Some((named, words)), Sought::Sound(digest)) = (tag, &named, &digest) {
            let other = ImageRef::new(named.place().clone(), Some(tag), Some(digest.clone()));
            reading.push(super::What::Image(other), words.text.clone(), words.spot.clone());
        }
    }
}

/// D08.
pub(super) fn is(input: &Input<'_>) -> bool {
    input.has(&["imageDigest", "imageId", "image"])
}
