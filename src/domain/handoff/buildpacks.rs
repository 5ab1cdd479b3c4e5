//! Cloud Native Buildpacks' `report.toml` (F18), read by a small reader of the TOML that the lifecycle writes.
//!
//! Sources: buildpacks/lifecycle `platform/files/report.go`; TOML 1.0.0, "Table", "String", "Array". A value of any
//! other form is passed over, since nothing that names an image has one.

use super::error::Trouble;
use super::input::{Input, Line};
use super::name::Style;
use super::reading::{Reading, Sought, Words};
use crate::base::foreign::Foreign;
use crate::domain::oci::Digest;

/// What the table `[image]` says.
struct Image<'a> {
    /// What is wrong with one is noted; it keeps its place among the others.
    tags: Vec<Option<Words<'a>>>,
    digest: Sought<Digest>,
    id: Option<Words<'a>>,
}

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let image = table(input, reading);
    let digest = match (image.digest, image.id) {
        (Sought::Absent, Some(id)) => reading.sound(&id.spot, Err(Trouble::ImageId)),
        // Without a digest nothing was pushed, which is said of the file as a whole.
        (Sought::Absent | Sought::Wrong, _) => None,
        (Sought::Sound(digest), _) => Some(digest),
    };
    let digest = Sought::required(digest);
    for tag in image.tags.iter().flatten() {
        reading.image(tag, &digest, Style::Tool);
    }
}

fn table<'a>(input: &Input<'a>, reading: &mut Reading) -> Image<'a> {
    let mut image = Image {
        tags: Vec::new(),
        digest: Sought::Absent,
        id: None,
    };
    let (mut inside, mut open, mut known) = (false, false, Vec::new());
    for line in input.lines() {
        if open {
            open = !line.words.ends_with(']');
            strings(&line, line.words, &mut image.tags, reading);
            continue;
        }
        if line.words.starts_with('[') {
            inside = line.words == "[image]";
            continue;
        }
        let Some((key, value)) = line.words.split_once('=').filter(|_| inside) else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        // TOML 1.0.0, "Key/Value Pair": defining a key twice is invalid.
        let is_second = known.contains(&key);
        if is_second && matches!(key, "digest" | "tags" | "image-id") {
            reading.trouble(member(&line, key, key).spot, Trouble::Repeated(Foreign::new(key)));
        }
        known.push(key);
        match key {
            "digest" if !is_second => {
                let words = string(&line, "digest", value, reading);
                image.digest = Sought::required(words.and_then(|words| reading.digest_in(&words)));
            }
            "image-id" => image.id = Some(member(&line, "image-id", value)),
            "tags" => {
                open = !value.ends_with(']');
                strings(&line, value, &mut image.tags, reading);
            }
            _ => {}
        }
    }
    image
}

/// A part of a line as a member of the table.
fn member<'a>(line: &Line<'a>, name: &str, part: &'a str) -> Words<'a> {
    let words = line.part(part);
    Words {
        spot: words.spot.of(format!("image.{name}")),
        ..words
    }
}

/// The strings of an array, or of one line of it.
fn strings<'a>(line: &Line<'a>, words: &'a str, tags: &mut Vec<Option<Words<'a>>>, reading: &mut Reading) {
    let inner = words.trim_start_matches('[').trim_end_matches([']', ',']).trim();
    for word in inner.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let name = format!("tags[{}]", tags.len());
        tags.push(string(line, &name, word, reading));
    }
}

/// A basic or literal string without escapes; no reference and no digest needs one.
fn string<'a>(line: &Line<'a>, name: &str, word: &'a str, reading: &mut Reading) -> Option<Words<'a>> {
    let strip = |quote| word.strip_prefix(quote)?.strip_suffix(quote);
    let text = strip('"').or_else(|| strip('\''));
    let text = text.filter(|text| !text.contains(['"', '\\']));
    let found = || Trouble::Value {
        expected: "a string without escapes",
        found: Foreign::new(word),
    };
    let spot = member(line, name, word).spot;
    let text = reading.sound(&spot, text.ok_or_else(found))?;
    Some(Words {
        text: text.into(),
        spot,
    })
}

/// D18.
pub(super) fn is(input: &Input<'_>) -> bool {
    let line = |wanted: fn(&str) -> bool| input.lines().any(|line| wanted(line.words));
    let is_tags = |words: &str| words.split_once('=').is_some_and(|(key, _)| key.trim() == "tags");
    line(|words| words == "[image]") && line(is_tags)
}
