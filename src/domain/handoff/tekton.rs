//! Tekton (F24): results as KEY=VALUE, a lone list with commas, and artifacts with package URLs.
//!
//! Sources: tektoncd/chains, type hinting; Tekton documentation, "Artifacts"; package-url/purl-spec, type `oci`.

use super::error::Trouble;
use super::input::Input;
use super::key_values;
use super::name::{self, Style};
use super::reading::{Reading, Sought, Words};
use crate::base::foreign::Foreign;
use crate::base::tree::Cursor;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    if input.json.is_some() {
        return artifacts(input, reading);
    }
    if key_values::kind(input).is_some() {
        return key_values::read_tekton(input, reading);
    }
    for line in input.lines() {
        key_values::images(line.words, |part| line.spot(part), reading);
    }
}

fn artifacts(input: &Input<'_>, reading: &mut Reading) {
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    let outputs = object.required("outputs").and_then(|outputs| outputs.array());
    for output in reading.take(outputs).unwrap_or_default() {
        let values = output
            .object()
            .and_then(|output| output.required("values")?.array());
        for value in reading.take(values).unwrap_or_default() {
            one(&value, reading);
        }
    }
}

fn one(value: &Cursor<'_>, reading: &mut Reading) {
    let Some(uri) = reading.words(value.object().and_then(|value| value.required("uri"))) else {
        return;
    };
    let Some(rest) = uri.text.strip_prefix("pkg:oci/") else {
        return;
    };
    let full = reading.sound(&uri.spot, image_of(rest));
    let digest = value.pointer("/digest/sha256");
    let digest = digest.map(|digest| {
        let hex = reading.words(Ok(digest))?;
        reading.sound(&hex.spot, name::digest(&format!("sha256:{}", hex.text)))
    });
    let digest = digest.map_or(Sought::Absent, Sought::required);
    if let Some(full) = full {
        let name = Words {
            text: full.into(),
            spot: uri.spot,
        };
        reading.image(&name, &digest, Style::Tool);
    }
}

/// `NAME[@VERSION]?repository_url=…[&tag=…]` as a reference.
fn image_of(purl: &str) -> Result<String, Trouble> {
    let refused = || Trouble::Value {
        expected: "a package URL pkg:oci/NAME@DIGEST?repository_url=…",
        found: Foreign::new(purl),
    };
    let (path, qualifiers) = purl.split_once('?').ok_or_else(refused)?;
    let (name, version) = path
        .split_once('@')
        .map_or((path, None), |(name, version)| (name, Some(version)));
    let name = decoded(name).ok_or_else(refused)?;
    let qualifier = |wanted: &str| {
        let pairs = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find(|(key, _)| *key == wanted)
            .and_then(|(_, value)| decoded(value))
    };
    let url = qualifier("repository_url")
        .filter(|url| !url.is_empty())
        .ok_or_else(refused)?;
    let mut full = match url.rsplit_once('/') {
        Some((_, last)) if last == name => url,
        _ => format!("{}/{name}", url.trim_end_matches('/')),
    };
    if let Some(tag) = qualifier("tag") {
        full = format!("{full}:{tag}");
    }
    if let Some(version) = version.filter(|version| !version.is_empty()) {
        full = format!("{full}@{}", decoded(version).ok_or_else(refused)?);
    }
    Ok(full)
}

/// RFC 3986, 2.1.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let value = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_url_is_the_parent_or_the_whole_repository() {
        let image = |purl| image_of(purl).unwrap();
        assert_eq!(
            image("app@sha256%3Aab?repository_url=r.example/team"),
            "r.example/team/app@sha256:ab"
        );
        assert_eq!(
            image("app@sha256%3Aab?repository_url=r.example/team/app&tag=1"),
            "r.example/team/app:1@sha256:ab"
        );
        assert!(image_of("app@sha256%3Aab").is_err());
        assert!(image_of("app@sha256%3?repository_url=r.example/app").is_err());
    }
}
