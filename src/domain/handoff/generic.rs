//! JSON arrays and JSON lines of references or small objects (F35), where no other format fits.

use super::input::Input;
use super::name::{self, Style};
use super::reading::{Reading, Sought};
use crate::base::tree::{Cursor, Document};

/// The members that may name an image.
const NAMES: [&str; 3] = ["image", "name", "ref"];

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    for (line, document) in &input.json_lines {
        let mut inner = Reading::new(reading.format);
        one(document.cursor(), &mut inner);
        reading.absorb(inner, &line.frame(line.words));
    }
    let Some(top) = input.top() else { return };
    let items = top.array().unwrap_or_else(|_| vec![top]);
    for item in items {
        one(item, reading);
    }
}

fn one(item: Cursor<'_>, reading: &mut Reading) {
    if item.string().is_ok() {
        let name = reading.words(Ok(item));
        return name
            .iter()
            .for_each(|name| reading.image(name, &Sought::Absent, Style::Typed));
    }
    let Some(object) = reading.take(item.object()) else {
        return;
    };
    let digest = reading.digest_if_any(object.optional("digest"));
    let name = NAMES.iter().find_map(|name| object.optional(name));
    if let Some(name) = reading.words(name.map_or_else(|| object.required("image"), Ok)) {
        reading.image(&name, &digest, Style::Typed);
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
