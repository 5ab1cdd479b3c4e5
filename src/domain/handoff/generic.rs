//! JSON arrays and JSON lines of references or small objects (F35), where no other format fits.

use super::input::Input;
use super::name::{self, Style};
use super::reading::{Reading, spot};
use crate::base::tree::{Cursor, Document, Position};

/// The members that may name an image.
const NAMES: [&str; 3] = ["image", "name", "ref"];

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    for (line, document) in &input.json_lines {
        let before = reading.items.len();
        one(&document.cursor(), reading);
        for item in reading.items.iter_mut().skip(before) {
            let column = item.spot.at.map_or(1, |at| at.column);
            item.spot.at = Some(Position { line: *line, column });
        }
    }
    let Some(top) = input.top() else { return };
    let items = top.array().unwrap_or_else(|_| vec![top]);
    for item in items {
        one(&item, reading);
    }
}

fn one(item: &Cursor<'_>, reading: &mut Reading) {
    if let Ok(text) = item.string() {
        return reading.image(text, None, Style::Typed, spot(item));
    }
    let Some(object) = reading.take(item.object()) else {
        return;
    };
    let Some(name) = NAMES.iter().find_map(|name| object.optional(name)) else {
        let missing = object.required("image").map(|_| ());
        reading.take(missing);
        return;
    };
    let digest = object.optional("digest").map(|digest| reading.digest(&digest));
    if let Some(text) = reading.take(name.string())
        && digest != Some(None)
    {
        reading.image(text, digest.flatten().as_ref(), Style::Typed, spot(&name));
    }
}

/// The fallback: strings that are references, or objects of nothing but a name and a digest.
pub(super) fn is(input: &Input<'_>) -> bool {
    let lines = || {
        input
            .json_lines
            .iter()
            .map(|(_, document)| Document::cursor(document))
    };
    match (input.items(), input.top()) {
        (Some(items), _) => !items.is_empty() && items.iter().all(fits),
        (None, Some(top)) => fits(&top),
        (None, None) => lines().next().is_some() && lines().all(|line| fits(&line)),
    }
}

fn fits(item: &Cursor<'_>) -> bool {
    if let Ok(text) = item.string() {
        return name::reference(text, Style::Typed).is_ok();
    }
    let Ok(object) = item.object() else { return false };
    let named = NAMES
        .iter()
        .filter(|name| object.optional(name).is_some())
        .count()
        == 1;
    named
        && object
            .members()
            .all(|(key, value)| value.string().is_ok() && (key == "digest" || NAMES.contains(&key)))
}
