//! The index of an OCI image layout (F32): digests and tags, no repository.
//!
//! Source: OCI image specification 1.1, "Image Layout" and "Image Index".

use super::error::Trouble;
use super::input::Input;
use super::reading::{Reading, What};
use crate::base::tree::Cursor;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let manifests = object
        .required("manifests")
        .and_then(|manifests| manifests.array());
    if !input.hint.in_layout {
        return reading.trouble(super::Spot::default(), Trouble::LoneIndex);
    }
    for manifest in reading.take(manifests).unwrap_or_default() {
        one(&manifest, reading);
    }
}

fn one(manifest: &Cursor<'_>, reading: &mut Reading) {
    let words = reading.words(manifest.object().and_then(|object| object.required("digest")));
    let Some(words) = words else { return };
    let Some(digest) = reading.digest_in(&words) else {
        return;
    };
    let name = manifest.pointer("/annotations/org.opencontainers.image.ref.name");
    // Some tools write a whole reference there; what is no tag is left out.
    let tag = name.and_then(|name| name.string().ok()?.parse().ok());
    reading.push(What::Kept { digest, tag }, words.text, words.spot);
}

/// D20.
pub(super) fn is(input: &Input<'_>) -> bool {
    let version = input
        .object()
        .and_then(|object| object.optional("schemaVersion")?.unsigned().ok());
    version == Some(2) && input.has(&["manifests"])
}
