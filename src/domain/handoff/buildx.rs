//! What BuildKit's front ends leave behind: `--metadata-file` of buildx build, bake and imagetools (F05 to F07), the
//! same of depot (F08), and the outputs of docker/build-push-action (F04).
//!
//! Sources: docker/buildx `docs/reference/buildx_build.md`, `buildx_bake.md`, `buildx_imagetools_create.md`;
//! moby/buildkit `exporter/containerimage/exptypes/types.go`; docker/build-push-action `action.yml`.

use super::error::{Spot, Trouble};
use super::input::Input;
use super::name::Style;
use super::reading::{Reading, What, spot};
use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::tree::{Cursor, Object};
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
    if let Some(digest) = reading.take(digest)
        && let Some(read) = reading.digest(&digest)
    {
        named(&object, &read, &digest, reading);
    }
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
    let metadata = object.optional("metadata");
    if let Some(metadata) = metadata.filter(|metadata| metadata.string().is_ok_and(|text| !text.is_empty())) {
        let text = metadata.string().unwrap_or_default();
        embedded(text, &spot(&metadata), reading);
    }
    if let Some(digest) = reading.take(object.required("digest"))
        && let Some(read) = reading.digest(&digest)
    {
        reading.push(
            What::Digest(read),
            digest.string().unwrap_or_default(),
            spot(&digest),
        );
    }
}

/// The three outputs as lines.
fn lines(input: &Input<'_>, reading: &mut Reading) {
    for (line, words) in input.lines() {
        match words.split_once('=') {
            Some(("metadata", text)) => embedded(text, &input.spot(line), reading),
            Some(("digest", text)) => {
                let at = input.spot(line);
                if let Some(digest) = reading.sound(&at, super::name::digest(text)) {
                    reading.push(What::Digest(digest), text, at);
                }
            }
            _ => {}
        }
    }
}

/// JSON inside a string; its own lines mean nothing to the reader of the file.
fn embedded(text: &str, at: &Spot, reading: &mut Reading) {
    let mut inner = Reading::new(reading.format);
    match json::read(text.as_bytes(), Bounds::SMALL_DOCUMENT) {
        Ok(document) => {
            if let Some(object) = inner.take(document.cursor().object()) {
                one(&object, &mut inner);
            }
        }
        Err(error) => inner.trouble(at.clone(), Trouble::Document(error)),
    }
    reading.configs.append(&mut inner.configs);
    reading.items.extend(inner.items.into_iter().map(|mut item| {
        item.spot = at.clone();
        item
    }));
    reading.problems.append(&mut inner.problems);
}

/// One build's object; without an image in it, nothing.
fn one(object: &Object<'_>, reading: &mut Reading) {
    let Some(member) = object.optional(DIGEST) else {
        return;
    };
    let config = object.optional(CONFIG).and_then(|config| reading.digest(&config));
    let Some(digest) = reading.digest(&member) else {
        return;
    };
    if config.as_ref() == Some(&digest) {
        return reading.trouble(
            spot(&member),
            Trouble::ConfigDigest(Foreign::new(digest.to_string())),
        );
    }
    reading.configs.extend(config);
    named(object, &digest, &member, reading);
}

/// Every name of `image.name`, separated by commas; the docker driver writes none.
fn named(object: &Object<'_>, digest: &Digest, at: &Cursor<'_>, reading: &mut Reading) {
    let names = object.optional(NAME);
    let text = names.as_ref().and_then(|names| reading.take(names.string()));
    let (Some(names), Some(text)) = (names, text.filter(|text| !text.trim().is_empty())) else {
        return reading.push(What::Digest(digest.clone()), digest.to_string(), spot(at));
    };
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        reading.image(name, Some(digest), Style::Tool, spot(&names));
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
