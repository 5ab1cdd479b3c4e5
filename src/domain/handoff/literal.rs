//! Plain lists (F01) and what many tools write in that shape: ko, kaniko, crane, apko, jib; and bare digests.

use super::error::Trouble;
use super::input::Input;
use super::name::{self, Style};
use super::reading::{Reading, What};
use crate::base::foreign::Foreign;

/// Reads references, one per line.
pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    for (line, words) in input.lines() {
        let spot = input.spot(line);
        if words.contains(char::is_whitespace) {
            reading.trouble(spot, Trouble::Words);
        } else if name::is_digest_shaped(words) && !words.contains('@') {
            reading.trouble(spot, Trouble::Mixed(Foreign::new(words)));
        } else {
            reading.image(words, None, Style::Typed, spot);
        }
    }
}

/// Reads one digest, as the tools' digest files hold it.
pub(super) fn read_digest(input: &Input<'_>, reading: &mut Reading) {
    for (line, words) in input.lines() {
        let spot = input.spot(line);
        if let Some(digest) = reading.sound(&spot, name::digest(words)) {
            reading.push(What::Digest(digest), words, spot);
        }
    }
}

/// Reads what tools write either way: a bare digest or references.
pub(super) fn read_either(input: &Input<'_>, reading: &mut Reading) {
    if is_digest(input) {
        read_digest(input, reading);
    } else {
        read(input, reading);
    }
}

/// Reads the names or tags that a digest was pushed under; a name without `/` is a tag.
pub(super) fn read_names(input: &Input<'_>, reading: &mut Reading) {
    for (line, words) in input.lines() {
        for word in words
            .split([',', ' '])
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            name_or_tag(word, input.spot(line), reading);
        }
    }
}

/// Adds a name without digest, or a bare tag.
pub(super) fn name_or_tag(word: &str, spot: super::error::Spot, reading: &mut Reading) {
    if word.contains('/') {
        match reading.sound(&spot, name::reference(word, Style::Tool)) {
            Some(image) if image.digest().is_some() => reading.push(What::Image(image), word, spot),
            Some(image) => reading.push(What::Name(image), word, spot),
            None => {}
        }
    } else {
        let tag = word.parse().map_err(Trouble::Reference);
        if let Some(tag) = reading.sound(&spot, tag) {
            reading.push(What::Tag(tag), word, spot);
        }
    }
}

/// D25: every line is a reference.
pub(super) fn is_list(input: &Input<'_>) -> bool {
    let mut lines = input.lines().peekable();
    !input.looks_like_json()
        && lines.peek().is_some()
        && lines.all(|(_, words)| name::reference(words, Style::Typed).is_ok())
}

/// D21: exactly one token, a digest.
pub(super) fn is_digest(input: &Input<'_>) -> bool {
    let mut lines = input.lines();
    let first = lines.next().map(|(_, words)| words);
    lines.next().is_none() && first.is_some_and(|words| name::digest(words).is_ok())
}
