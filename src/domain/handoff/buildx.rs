//! What BuildKit's front ends leave behind: `--metadata-file` of buildx build, bake and imagetools (F05 to F07), the
//! same of depot (F08), and the outputs of docker/build-push-action (F04).
//!
//! Sources: docker/buildx `docs/reference/buildx_build.md`, `buildx_bake.md`, `buildx_imagetools_create.md`;
//! moby/buildkit `exporter/containerimage/exptypes/types.go`; docker/build-push-action `action.yml`.

use super::error::Trouble;
use super::input::Input;
use super::key_values;
use super::name::Style;
use super::reading::{Frame, Reading, Sought, What, Words, spot};
use crate::base::foreign::Foreign;
use crate::base::tree::{Cursor, DocumentError, Object};
use crate::domain::oci::Digest;

const DIGEST: &str = "containerimage.digest";
const CONFIG: &str = "containerimage.config.digest";
const DESCRIPTOR: &str = "containerimage.descriptor";
const NAME: &str = "image.name";

/// F05, buildx build.
pub(super) fn read_build(input: &Input<'_>, reading: &mut Reading) {
    if let Some(object) = object(input, reading) {
        one(&object, reading);
    }
}

/// F06 and F08, a map of targets; members of the tool itself are passed over.
pub(super) fn read_bake(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = object(input, reading) else {
        return;
    };
    if object.optional(DIGEST).is_some() {
        return one(&object, reading);
    }
    for (_, member) in object.members().filter(|(key, _)| !is_of_tool(key)) {
        if let Some(target) = reading.take(member.object()) {
            one(&target, reading);
        }
    }
}

/// F07, buildx imagetools create: the digest stands in the descriptor only.
pub(super) fn read_imagetools(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = object(input, reading) else {
        return;
    };
    let digest = object
        .required(DESCRIPTOR)
        .and_then(|descriptor| descriptor.object()?.required("digest"));
    named(&object, digest, reading);
}

/// F04, the outputs of the action: `metadata` holds F05, `digest` stands alone, `imageid` proves nothing.
pub(super) fn read_outputs(input: &Input<'_>, reading: &mut Reading) {
    if input.json.is_none() {
        return lines(input, reading);
    }
    let Some(object) = object(input, reading) else {
        return;
    };
    if object.optional("digest").is_none() {
        return one(&object, reading);
    }
    if let Some(metadata) = object.optional("metadata")
        && let Some(words) = reading.words(Ok(metadata))
        && !words.text.is_empty()
    {
        embedded(&words.text, &Frame::Escaped(words.spot.clone()), reading);
    }
    if let Some(digest) = reading.words(object.required("digest")) {
        alone(&digest, reading);
    }
}

/// The three outputs as lines.
fn lines(input: &Input<'_>, reading: &mut Reading) {
    let is_output = |key: &str| matches!(key, "metadata" | "digest");
    for pair in key_values::pairs(input, is_output, reading) {
        match pair.key {
            "metadata" => embedded(pair.value, &pair.frame(), reading),
            _ => alone(&pair.words(), reading),
        }
    }
}

/// A digest without a name beside it.
fn alone(words: &Words<'_>, reading: &mut Reading) {
    if let Some(digest) = reading.digest_in(words) {
        reading.push(What::Digest(digest), words.text.clone(), words.spot.clone());
    }
}

/// F05 inside another text.
fn embedded(text: &str, frame: &Frame, reading: &mut Reading) {
    reading.embedded((text, frame), |top, inner| {
        if let Some(object) = inner.take(top.object()) {
            one(&object, inner);
        }
    });
}

/// One build's object; without an image in it, nothing.
fn one(object: &Object<'_>, reading: &mut Reading) {
    let Some(member) = object.optional(DIGEST) else {
        return;
    };
    let config = reading.digest_if_any(object.optional(CONFIG));
    let digest = named(object, Ok(member.clone()), reading);
    let Some(config) = config.sound() else { return };
    if digest.as_ref() == Some(&config) {
        let found = Foreign::new(config.to_string());
        return reading.trouble(spot(&member), Trouble::ConfigDigest(found));
    }
    reading.configs.push(config);
}

/// Every name of `image.name`, separated by commas; the docker driver writes none.
fn named(
    object: &Object<'_>,
    member: Result<Cursor<'_>, DocumentError>,
    reading: &mut Reading,
) -> Option<Digest> {
    let at = member.as_ref().map(spot).unwrap_or_default();
    let digest = reading.digest(member);
    let names = object.optional(NAME).and_then(|names| reading.words(Ok(names)));
    match (names.filter(|names| !names.text.trim().is_empty()), &digest) {
        (None, Sought::Sound(digest)) => {
            reading.push(What::Digest(digest.clone()), digest.to_string(), at);
        }
        (None, _) => {}
        (Some(names), digest) => each(&names, digest, reading),
    }
    digest.sound()
}

fn each(names: &Words<'_>, digest: &Sought<Digest>, reading: &mut Reading) {
    for name in names
        .text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let name = Words {
            text: name.into(),
            spot: names.spot.clone(),
        };
        reading.image(&name, digest, Style::Tool);
    }
}

fn object<'a>(input: &'a Input<'_>, reading: &mut Reading) -> Option<Object<'a>> {
    super::json_object(input, reading)
}

/// A build, or a set of them, that made no image: one for `type=local` or the cache alone leaves members of the tool.
pub(super) fn is_without_image(input: &Input<'_>) -> bool {
    let tools_alone = |object: &Object<'_>| {
        let mut keys = object.members().map(|(key, _)| key).peekable();
        keys.peek().is_some() && keys.all(is_of_tool)
    };
    input.object().is_some_and(|object| {
        let mut members = object.members().peekable();
        members.peek().is_some()
            && members.all(|(key, member)| {
                is_of_tool(key) || member.object().is_ok_and(|target| tools_alone(&target))
            })
    })
}

fn is_of_tool(key: &str) -> bool {
    key.starts_with("buildx.") || key.starts_with("depot.")
}

/// D05.
pub(super) fn is_imagetools(input: &Input<'_>) -> bool {
    let of_buildx = |object: &Object<'_>| object.members().any(|(key, _)| key.starts_with("buildx."));
    input.has(&[DESCRIPTOR])
        && !input.has(&[DIGEST])
        && input.object().is_some_and(|object| !of_buildx(&object))
}

/// D05a.
pub(super) fn is_outputs(input: &Input<'_>) -> bool {
    let text = |object: &Object<'_>, name| {
        object
            .optional(name)
            .is_some_and(|member| member.string().is_ok())
    };
    input
        .object()
        .is_some_and(|object| text(&object, "digest") && text(&object, "metadata"))
}

/// D06.
pub(super) fn is_build(input: &Input<'_>) -> bool {
    input.has(&[DIGEST])
}

/// D07.
pub(super) fn is_bake(input: &Input<'_>) -> bool {
    let Some(object) = input.object() else {
        return false;
    };
    let mut images = 0;
    for (_, member) in object.members().filter(|(key, _)| !is_of_tool(key)) {
        let Ok(target) = member.object() else { return false };
        images += usize::from(target.optional(DIGEST).is_some());
    }
    images > 0
}

/// D04.
pub(super) fn is_depot(input: &Input<'_>) -> bool {
    input.has(&["depot.build"])
}
