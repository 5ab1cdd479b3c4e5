//! Cloud Native Buildpacks' `report.toml` (F18), read by a small reader of the TOML that the lifecycle writes.
//!
//! Sources: buildpacks/lifecycle `platform/files/report.go`; TOML 1.0.0, "Table", "String", "Array". A value of any
//! other form is passed over, since nothing that names an image has one.

use super::error::{Spot, Trouble};
use super::input::Input;
use super::name::{self, Style};
use super::reading::Reading;
use crate::base::foreign::Foreign;

/// What the table `[image]` says, each with its line.
#[derive(Default)]
struct Image<'a> {
    tags: Vec<(String, Spot)>,
    digest: Option<(&'a str, Spot)>,
    has_id: bool,
}

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let image = table(input, reading);
    let Some((text, at)) = image.digest else {
        if image.has_id {
            reading.trouble(Spot::default(), Trouble::ImageId);
        }
        return;
    };
    let digest = unquoted(text).ok_or(Trouble::Digest(Foreign::new(text)));
    let digest = digest.and_then(|text| name::digest(&text));
    let Some(digest) = reading.sound(&at, digest) else {
        return;
    };
    for (tag, at) in image.tags {
        reading.image(&tag, Some(&digest), Style::Tool, at);
    }
}

fn table<'a>(input: &Input<'a>, reading: &mut Reading) -> Image<'a> {
    let (mut image, mut inside, mut open) = (Image::default(), false, false);
    for (line, words) in input.lines() {
        let at = input.spot(line);
        if open {
            open = !words.ends_with(']');
            strings(words, &at, &mut image, reading);
            continue;
        }
        if words.starts_with('[') {
            inside = words == "[image]";
            continue;
        }
        let Some((key, value)) = words.split_once('=').filter(|_| inside) else {
            continue;
        };
        match key.trim() {
            "digest" if image.digest.is_some() => reading.trouble(at, second("digest")),
            "tags" if !image.tags.is_empty() => reading.trouble(at, second("tags")),
            "digest" => image.digest = Some((value.trim(), at)),
            "image-id" => image.has_id = true,
            "tags" => {
                open = !value.trim_end().ends_with(']');
                strings(value.trim(), &at, &mut image, reading);
            }
            _ => {}
        }
    }
    image
}

/// TOML 1.0.0, "Key/Value Pair": defining a key twice is invalid.
fn second(key: &str) -> Trouble {
    Trouble::Value {
        expected: "every key once",
        found: Foreign::new(key),
    }
}

/// The strings of an array, or of one line of it.
fn strings(words: &str, at: &Spot, image: &mut Image<'_>, reading: &mut Reading) {
    let inner = words.trim_start_matches('[').trim_end_matches([']', ',']).trim();
    for word in inner.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match unquoted(word) {
            Some(text) => image.tags.push((text, at.clone())),
            None => reading.trouble(
                at.clone(),
                Trouble::Value {
                    expected: "a string",
                    found: Foreign::new(word),
                },
            ),
        }
    }
}

/// A basic or literal string without escapes; no reference and no digest needs one.
fn unquoted(word: &str) -> Option<String> {
    let strip = |quote| word.strip_prefix(quote)?.strip_suffix(quote);
    let text = strip('"').or_else(|| strip('\''))?;
    (!text.contains(['"', '\\'])).then(|| text.to_owned())
}

/// D18.
pub(super) fn is(input: &Input<'_>) -> bool {
    let line = |wanted: fn(&str) -> bool| input.lines().any(|(_, words)| wanted(words));
    let is_tags = |words: &str| words.split_once('=').is_some_and(|(key, _)| key.trim() == "tags");
    line(|words| words == "[image]") && line(is_tags)
}
