//! `GoReleaser` (F17): `dist/artifacts.json` and `dist/digests.txt`.
//!
//! Sources: goreleaser/goreleaser `internal/artifact/artifact.go`, `internal/pipe/dockerdigest`. The numbers of
//! `internal_type` shift between versions, so the words of `type` decide.

use super::error::Trouble;
use super::input::Input;
use super::name::{self, Style, has_host};
use super::reading::{Reading, Sought, spot};
use crate::base::tree::Cursor;

const TYPES: [&str; 3] = ["Docker Image", "Published Docker Image", "Docker Manifest"];

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    if !input.looks_like_json() {
        return sums(input, reading);
    }
    let Some(top) = input.top() else { return };
    if top
        .object()
        .is_ok_and(|object| object.optional("project_name").is_some())
    {
        return reading.trouble(spot(&top), Trouble::GoreleaserMetadata);
    }
    for item in reading.take(top.array()).unwrap_or_default() {
        artifact(&item, reading);
    }
}

/// An image without a digest was not pushed.
fn artifact(item: &Cursor<'_>, reading: &mut Reading) {
    let Some(object) = reading.take(item.object()) else {
        return;
    };
    let kind = object.optional("type").and_then(|kind| kind.string().ok());
    if !kind.is_some_and(|kind| TYPES.contains(&kind)) {
        return;
    }
    let digest = object
        .optional("extra")
        .and_then(|extra| extra.object().ok()?.optional("Digest"));
    let Some(digest) = digest.filter(|digest| !digest.is_null() && digest.string() != Ok("")) else {
        return;
    };
    let digest = reading.digest(Ok(digest));
    if let Some(name) = reading.words(object.required("name")) {
        reading.image(&name, &digest, Style::Tool);
    }
}

/// Lines of hexadecimal digits, blank, blank or `*`, name.
fn sums(input: &Input<'_>, reading: &mut Reading) {
    for line in input.lines() {
        let Some((hex, name)) = sum(line.words) else {
            let trouble = Trouble::Line("64 hex digits, two blanks and a name");
            reading.trouble(line.spot(line.words), trouble);
            continue;
        };
        let digest = reading.sound(&line.spot(hex), name::digest(&format!("sha256:{hex}")));
        reading.image(&line.part(name), &Sought::required(digest), Style::Tool);
    }
}

fn sum(words: &str) -> Option<(&str, &str)> {
    let (hex, name) = words.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    let is_hex = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex && !name.is_empty()).then_some((hex, name))
}

/// D14.
pub(super) fn is_artifacts(input: &Input<'_>) -> bool {
    let fits = |item: &Cursor<'_>| {
        item.object()
            .is_ok_and(|item| item.optional("internal_type").is_some() && item.optional("type").is_some())
    };
    input.items().is_some_and(|items| items.iter().any(fits))
}

/// D22: otherwise it is a list of files and their sums.
pub(super) fn is_sums(input: &Input<'_>) -> bool {
    let image = |name: &str| has_host(name) && name::reference(name, Style::Tool).is_ok();
    let mut lines = input.lines().peekable();
    !input.looks_like_json()
        && lines.peek().is_some()
        && lines.all(|line| sum(line.words).is_some_and(|(_, name)| image(name)))
}
