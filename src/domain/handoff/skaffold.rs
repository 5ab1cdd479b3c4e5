//! `skaffold build --file-output` (F27): `tag` carries the digest when the image was pushed.
//!
//! Source: `GoogleContainerTools/skaffold` `cmd/skaffold/app/flags/build_output.go`.

use super::input::Input;
use super::name::Style;
use super::reading::{Reading, Sought};

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let builds = object.required("builds").and_then(|builds| builds.array());
    for build in reading.take(builds).unwrap_or_default() {
        let tag = build.object().and_then(|build| build.required("tag"));
        if let Some(tag) = reading.words(tag) {
            reading.image(&tag, &Sought::Absent, Style::Tool);
        }
    }
}

/// D10.
pub(super) fn is(input: &Input<'_>) -> bool {
    let builds = input
        .object()
        .and_then(|object| object.optional("builds")?.array().ok());
    builds.is_some_and(|builds| {
        builds.iter().any(|build| {
            build
                .object()
                .is_ok_and(|build| build.optional("imageName").is_some())
        })
    })
}
