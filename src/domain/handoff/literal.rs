//! Plain lists (F01) and what many tools write in that shape: ko, kaniko, crane, apko, jib; and bare digests.

use super::error::Trouble;
use super::input::Input;
use super::name::{self, Style};
use super::reading::{Reading, Sought, What, Words};
use crate::base::foreign::Foreign;

/// Reads references, one per line.
pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    for line in input.lines() {
        let words = line.words;
        if words.contains(char::is_whitespace) {
            reading.trouble(line.spot(words), Trouble::Words);
        } else if name::is_digest_shaped(words) && !words.contains('@') {
            reading.trouble(line.spot(words), Trouble::Mixed(Foreign::new(words)));
        } else {
            reading.image(&line.part(words), &Sought::Absent, Style::Typed);
        }
    }
}

/// Reads one digest, as the tools' digest files hold it.
pub(super) fn read_digest(input: &Input<'_>, reading: &mut Reading) {
    for line in input.lines() {
        let words = line.part(line.words);
        if let Some(digest) = reading.digest_in(&words) {
            reading.push(What::Digest(digest), words.text, words.spot);
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
    for line in input.lines() {
        for word in line
            .words
            .split([',', ' '])
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            name_or_tag(line.part(word), reading);
        }
    }
}

/// Adds a name without digest, or a bare tag.
pub(super) fn name_or_tag(word: Words<'_>, reading: &mut Reading) {
    let what = if word.text.contains('/') {
        name::reference(&word.text, Style::Tool).map(|image| match image.digest() {
            Some(_) => What::Image(image),
            None => What::Name(image),
        })
    } else {
        word.text.parse().map(What::Tag).map_err(Trouble::Reference)
    };
    if let Some(what) = reading.sound(&word.spot, what) {
        reading.push(what, word.text, word.spot);
    }
}

/// D25: every line is a reference.
pub(super) fn is_list(input: &Input<'_>) -> bool {
    let mut lines = input.lines().peekable();
    !input.looks_like_json()
        && lines.peek().is_some()
        && lines.all(|line| name::reference(line.words, Style::Typed).is_ok())
}

/// D21: exactly one token, a digest.
pub(super) fn is_digest(input: &Input<'_>) -> bool {
    let mut lines = input.lines();
    let first = lines.next().map(|line| line.words);
    lines.next().is_none() && first.is_some_and(|words| name::digest(words).is_ok())
}
