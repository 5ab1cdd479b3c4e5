//! werf's build report (F26): digests under `Stages` and `ImagesByPlatform` are no targets.
//!
//! Source: werf's command line reference, `--save-build-report`.

use super::input::Input;
use super::key_values;
use super::name::Style;
use super::reading::Reading;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    if !input.looks_like_json() {
        return key_values::read_werf(input, reading);
    }
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let images = object.required("Images").and_then(|images| images.object());
    let Some(images) = reading.take(images) else {
        return;
    };
    for (_, image) in images.members() {
        let Some(image) = reading.take(image.object()) else {
            continue;
        };
        let digest = image
            .optional("DockerImageDigest")
            .filter(|digest| digest.string() != Ok(""));
        let digest = reading.digest_if_any(digest);
        if let Some(name) = reading.words(image.required("DockerImageName")) {
            reading.image(&name, &digest, Style::Tool);
        }
    }
}

/// D09.
pub(super) fn is(input: &Input<'_>) -> bool {
    let images = input
        .object()
        .and_then(|object| object.optional("Images")?.object().ok());
    images.is_some_and(|images| {
        let mut members = images.members().peekable();
        members.peek().is_some()
            && members.all(|(_, image)| {
                image.object().is_ok_and(|image| {
                    image.optional("WerfImageName").is_some() || image.optional("DockerImageName").is_some()
                })
            })
    })
}
