//! Lines of KEY=VALUE: Tekton's results (F24), GitLab's dotenv reports (F25) and werf's envfile (F26).
//!
//! Sources: tektoncd/chains `docs/slsa-provenance.md`, type hinting; GitLab documentation,
//! `artifacts:reports:dotenv`; werf's command line reference, `--save-build-report`. Values of keys that are not part
//! of a format are never read, and so never shown.

use std::collections::BTreeMap;

use super::error::{Spot, Trouble};
use super::input::Input;
use super::name::{self, Style};
use super::reading::{Reading, What};
use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::Bounds;

/// What one prefix says.
#[derive(Default)]
struct Group<'a> {
    name: Option<(&'a str, Spot)>,
    tag: Option<(&'a str, Spot)>,
    digest: Option<(&'a str, Spot)>,
}

impl Group<'_> {
    /// Name and digest become an image, a digest alone waits for its name.
    fn finish(self, style: Style, reading: &mut Reading) {
        let digest = self
            .digest
            .as_ref()
            .map(|(text, at)| reading.sound(at, name::digest(text)));
        let digest = match digest {
            Some(None) => return,
            Some(digest) => digest,
            None => None,
        };
        match (self.name, self.digest) {
            (Some((text, at)), _) => {
                let bare = text
                    .rsplit('/')
                    .next()
                    .is_some_and(|last| !last.contains([':', '@']));
                let text = match self.tag {
                    Some((tag, _)) if bare => format!("{text}:{tag}"),
                    _ => text.to_owned(),
                };
                reading.image(&text, digest.as_ref(), style, at);
            }
            (None, Some((text, at))) => {
                if let Some(digest) = digest {
                    reading.push(What::Digest(digest), text, at);
                }
            }
            (None, None) => {
                if let Some((tag, at)) = self.tag {
                    let found = Foreign::new(tag);
                    reading.trouble(
                        at,
                        Trouble::Value {
                            expected: "an image name beside the tag",
                            found,
                        },
                    );
                }
            }
        }
    }
}

/// F25: keys are paired by what stands in front of `IMAGE`, `IMAGE_NAME`, `IMAGE_REF`, `IMAGE_TAG` and
/// `DIGEST`.
pub(super) fn read_dotenv(input: &Input<'_>, reading: &mut Reading) {
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    let mut registry_image = None;
    for (line, key, value) in pairs(input) {
        let at = || with_key(input.spot(line), key);
        if key == "CI_REGISTRY_IMAGE" {
            registry_image = Some((value, at()));
            continue;
        }
        let Some((base, kind)) = dotenv_key(key) else {
            continue;
        };
        let group = groups.entry(base.to_owned()).or_default();
        match kind {
            "DIGEST" => group.digest = Some((value, at())),
            "IMAGE_TAG" if !value.contains('/') => group.tag = Some((value, at())),
            _ => group.name = Some((value, at())),
        }
    }
    for (base, mut group) in groups {
        if base.is_empty() && group.name.is_none() {
            group.name = registry_image.take();
        }
        group.finish(Style::Tool, reading);
    }
}

/// What stands in front, and the kind.
fn dotenv_key(key: &str) -> Option<(&str, &'static str)> {
    let base = |rest: &str| rest.strip_suffix('_').map_or(rest.len(), str::len);
    for kind in [
        "IMAGE_NAME",
        "IMAGE_REF",
        "IMAGE_TAG",
        "IMAGE_DIGEST",
        "DIGEST",
        "IMAGE",
    ] {
        let Some(rest) = key.strip_suffix(kind) else {
            continue;
        };
        if rest.is_empty() || rest.ends_with('_') {
            let kind = if kind == "IMAGE_DIGEST" { "DIGEST" } else { kind };
            return Some((rest.get(..base(rest)).unwrap_or_default(), kind));
        }
    }
    None
}

/// F26, envfile: `DOCKER_IMAGE_ID` is a configuration and never used.
pub(super) fn read_werf(input: &Input<'_>, reading: &mut Reading) {
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for (line, key, value) in pairs(input) {
        let at = with_key(input.spot(line), key);
        if let Some(base) = key.strip_suffix("_DOCKER_IMAGE_NAME") {
            groups.entry(base).or_default().name = Some((value, at));
        } else if let Some(base) = key.strip_suffix("_DOCKER_IMAGE_DIGEST") {
            groups.entry(base).or_default().digest = Some((value, at));
        }
    }
    for group in groups.into_values() {
        group.finish(Style::Tool, reading);
    }
}

/// F24: results paired by what stands in front of the suffix.
pub(super) fn read_tekton(input: &Input<'_>, reading: &mut Reading) {
    let mut groups: BTreeMap<(&str, &str), Group<'_>> = BTreeMap::new();
    for (line, key, value) in pairs(input) {
        let at = with_key(input.spot(line), key);
        if let Some(base) = key.strip_suffix("ARTIFACT_OUTPUTS") {
            let _ = base;
            outputs(value, &at, reading);
        } else if let Some(base) = key.strip_suffix("IMAGE_URL") {
            groups.entry((base, "image")).or_default().name = Some((value, at));
        } else if let Some(base) = key.strip_suffix("IMAGE_DIGEST") {
            groups.entry((base, "image")).or_default().digest = Some((value, at));
        } else if let Some(base) = key.strip_suffix("ARTIFACT_URI") {
            groups.entry((base, "artifact")).or_default().name = Some((value, at));
        } else if let Some(base) = key.strip_suffix("ARTIFACT_DIGEST") {
            groups.entry((base, "artifact")).or_default().digest = Some((value, at));
        } else if key == "IMAGES" {
            images(value, &at, reading);
        }
    }
    for group in groups.into_values() {
        group.finish(Style::Tool, reading);
    }
}

/// References separated by commas, blanks or line ends.
pub(super) fn images(value: &str, at: &Spot, reading: &mut Reading) {
    for word in value
        .split([',', ' ', '\t', '\n', '\r'])
        .filter(|word| !word.is_empty())
    {
        reading.image(word, None, Style::Tool, at.clone());
    }
}

/// An object with `uri` and `digest`.
fn outputs(value: &str, at: &Spot, reading: &mut Reading) {
    let document = match json::read(value.as_bytes(), Bounds::SMALL_DOCUMENT) {
        Ok(document) => document,
        Err(error) => return reading.trouble(at.clone(), Trouble::Document(error)),
    };
    let top = document.cursor();
    let Some(object) = reading.take(top.object()) else {
        return;
    };
    let uri = reading.take(object.required("uri").and_then(|uri| uri.string()));
    let digest = reading.take(object.required("digest").and_then(|digest| digest.string()));
    if let (Some(uri), Some(digest)) = (uri, digest)
        && let Some(digest) = reading.sound(at, name::digest(digest))
    {
        reading.image(uri, Some(&digest), Style::Tool, at.clone());
    }
}

fn pairs<'a>(input: &Input<'a>) -> impl Iterator<Item = (u32, &'a str, &'a str)> + use<'a> {
    input.lines().filter_map(|(line, words)| {
        let (key, value) = words.split_once('=')?;
        Some((line, key, value.trim()))
    })
}

fn with_key(mut spot: Spot, key: &str) -> Spot {
    spot.member = Some(key.chars().take(80).collect());
    spot
}

fn is_key(key: &str) -> bool {
    let first = key.bytes().next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// Which of the formats a text of KEY=VALUE is in (D23, in its order).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// F04.
    Outputs,
    /// F24.
    Tekton,
    /// F26.
    Werf,
    /// F25.
    Dotenv,
}

/// D23.
pub(super) fn kind(input: &Input<'_>) -> Option<Kind> {
    if input.looks_like_json()
        || input.yaml.is_some()
        || input.text.lines().any(|line| line.trim() == "[image]")
    {
        return None;
    }
    let mut keys = Vec::new();
    for (_, words) in input.lines() {
        keys.push(
            words
                .split_once('=')
                .map(|(key, _)| key)
                .filter(|key| is_key(key))?,
        );
    }
    let any = |wanted: &dyn Fn(&str) -> bool| keys.iter().any(|key| wanted(key));
    let ends = |key: &str| {
        let hint = ["IMAGE_URL", "ARTIFACT_URI", "ARTIFACT_DIGEST", "ARTIFACT_OUTPUTS"];
        key == "IMAGES" || hint.iter().any(|end| key.ends_with(end))
    };
    if keys.is_empty() {
        None
    } else if any(&|key| key == "digest") && any(&|key| key == "metadata") {
        Some(Kind::Outputs)
    } else if any(&ends) {
        Some(Kind::Tekton)
    } else if any(&|key| key.starts_with("WERF_") && key.ends_with("_DOCKER_IMAGE_NAME")) {
        Some(Kind::Werf)
    } else {
        Some(Kind::Dotenv)
    }
}
