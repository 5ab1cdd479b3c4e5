//! Lines of KEY=VALUE: Tekton's results (F24), GitLab's dotenv reports (F25) and werf's envfile (F26).
//!
//! Sources: tektoncd/chains `docs/slsa-provenance.md`, type hinting; GitLab documentation,
//! `artifacts:reports:dotenv`; werf's command line reference, `--save-build-report`. Values of keys that are not part
//! of a format are never read, and so never shown.

use std::collections::BTreeMap;

use super::error::{Spot, Trouble};
use super::input::{Input, Line};
use super::name::Style;
use super::reading::{Frame, Reading, Sought, What, Words};
use crate::base::foreign::Foreign;
use crate::domain::oci::Tag;

/// A key with its value, and the line that they are.
pub(super) struct Pair<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
    line: Line<'a>,
}

impl<'a> Pair<'a> {
    /// The value with its place.
    pub(super) fn words(&self) -> Words<'a> {
        Words {
            text: self.value.into(),
            spot: self.spot(self.value),
        }
    }

    /// Where a part of the value stands.
    pub(super) fn spot(&self, part: &str) -> Spot {
        self.line.spot(part).of(shown(self.key))
    }

    /// The value as a document of its own.
    pub(super) fn frame(&self) -> Frame {
        Frame::Verbatim(self.spot(self.value))
    }
}

/// As much of a key as is shown.
fn shown(key: &str) -> String {
    key.chars().take(80).collect()
}

/// The pairs whose keys are known, each key once: which of two values is meant nobody knows.
pub(super) fn pairs<'a>(
    input: &Input<'a>,
    is_known: impl Fn(&str) -> bool,
    reading: &mut Reading,
) -> Vec<Pair<'a>> {
    let mut values: BTreeMap<&str, &str> = BTreeMap::new();
    let mut pairs = Vec::new();
    for line in input.lines() {
        let Some((key, value)) = line.words.split_once('=').filter(|(key, _)| is_known(key)) else {
            continue;
        };
        let value = value.trim();
        let pair = Pair { key, value, line };
        match values.insert(key, value) {
            None => pairs.push(pair),
            Some(before) if before == value => {}
            Some(_) => reading.trouble(line.spot(key), Trouble::Repeated(Foreign::new(shown(key)))),
        }
    }
    pairs
}

/// What one prefix says.
#[derive(Default)]
struct Group<'a> {
    name: Option<Words<'a>>,
    tag: Option<Words<'a>>,
    digest: Option<Words<'a>>,
}

impl Group<'_> {
    /// Name and digest become an image, a digest alone waits for its name.
    fn finish(self, style: Style, reading: &mut Reading) {
        let digest = match &self.digest {
            Some(words) => Sought::required(reading.digest_in(words)),
            None => Sought::Absent,
        };
        match (self.name, self.tag, digest, self.digest) {
            (Some(name), Some(tag), digest, _) if is_bare(&name.text) => {
                let read = tag.text.parse::<Tag>().map_err(Trouble::Reference);
                let tag = reading.sound(&tag.spot, read);
                let text = match tag {
                    Some(tag) => format!("{}:{tag}", name.text).into(),
                    None => name.text,
                };
                reading.image(&Words { text, ..name }, &digest, style);
            }
            (Some(name), _, digest, _) => reading.image(&name, &digest, style),
            (None, _, Sought::Sound(digest), Some(words)) => {
                reading.push(What::Digest(digest), words.text, words.spot);
            }
            (None, Some(tag), Sought::Absent, _) => {
                let found = Foreign::new(&tag.text);
                let expected = "an image name beside the tag";
                reading.trouble(tag.spot, Trouble::Value { expected, found });
            }
            (None, ..) => {}
        }
    }
}

/// Whether a name has neither tag nor digest.
fn is_bare(name: &str) -> bool {
    let last = name.rsplit('/').next();
    last.is_some_and(|last| !last.contains([':', '@']))
}

/// F25: keys are paired by what stands in front of `IMAGE`, `IMAGE_NAME`, `IMAGE_REF`, `IMAGE_TAG` and
/// `DIGEST`.
pub(super) fn read_dotenv(input: &Input<'_>, reading: &mut Reading) {
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    let mut registry_image = None;
    let is_known = |key: &str| key == REGISTRY_IMAGE || dotenv_key(key).is_some();
    for pair in pairs(input, is_known, reading) {
        if pair.key == REGISTRY_IMAGE {
            registry_image = Some(pair.words());
            continue;
        }
        let Some((base, kind)) = dotenv_key(pair.key) else {
            continue;
        };
        let group = groups.entry(base.to_owned()).or_default();
        let place = match kind {
            "DIGEST" => &mut group.digest,
            "IMAGE_TAG" if !pair.value.contains('/') => &mut group.tag,
            _ => &mut group.name,
        };
        *place = Some(pair.words());
    }
    for (base, mut group) in groups {
        if base.is_empty() && group.name.is_none() {
            group.name = registry_image.take();
        }
        group.finish(Style::Tool, reading);
    }
}

/// The variable of GitLab that names a project's repository (GitLab documentation, "Predefined CI/CD variables").
const REGISTRY_IMAGE: &str = "CI_REGISTRY_IMAGE";

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
    const NAME: &str = "_DOCKER_IMAGE_NAME";
    const DIGEST: &str = "_DOCKER_IMAGE_DIGEST";
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for pair in pairs(input, |key| key.ends_with(NAME) || key.ends_with(DIGEST), reading) {
        if let Some(base) = pair.key.strip_suffix(NAME) {
            groups.entry(base).or_default().name = Some(pair.words());
        } else if let Some(base) = pair.key.strip_suffix(DIGEST) {
            groups.entry(base).or_default().digest = Some(pair.words());
        }
    }
    for group in groups.into_values() {
        group.finish(Style::Tool, reading);
    }
}

/// What a Tekton result is by the end of its name (tektoncd/chains `docs/slsa-provenance.md`, type hinting).
#[derive(Clone, Copy)]
enum Hint {
    Outputs,
    Name,
    Digest,
}

const HINTS: [(&str, Hint); 5] = [
    ("ARTIFACT_OUTPUTS", Hint::Outputs),
    ("IMAGE_URL", Hint::Name),
    ("IMAGE_DIGEST", Hint::Digest),
    ("ARTIFACT_URI", Hint::Name),
    ("ARTIFACT_DIGEST", Hint::Digest),
];

/// What stands in front of a hint, the word that it begins with, and the hint.
fn hinted(key: &str) -> Option<((&str, &'static str), Hint)> {
    HINTS.iter().find_map(|(end, hint)| {
        let word = end.split_once('_').map_or(*end, |(word, _)| word);
        Some(((key.strip_suffix(end)?, word), *hint))
    })
}

/// F24: results paired by what stands in front of the suffix.
pub(super) fn read_tekton(input: &Input<'_>, reading: &mut Reading) {
    let mut groups: BTreeMap<(&str, &str), Group<'_>> = BTreeMap::new();
    let is_known = |key: &str| key == "IMAGES" || hinted(key).is_some();
    for pair in pairs(input, is_known, reading) {
        match hinted(pair.key) {
            None => images(pair.value, |part| pair.spot(part), reading),
            Some((_, Hint::Outputs)) => outputs(&pair, reading),
            Some((base, Hint::Name)) => groups.entry(base).or_default().name = Some(pair.words()),
            Some((base, Hint::Digest)) => groups.entry(base).or_default().digest = Some(pair.words()),
        }
    }
    for group in groups.into_values() {
        group.finish(Style::Tool, reading);
    }
}

/// References separated by commas, blanks or line ends.
pub(super) fn images(value: &str, spot: impl Fn(&str) -> Spot, reading: &mut Reading) {
    for word in value
        .split([',', ' ', '\t', '\n', '\r'])
        .filter(|word| !word.is_empty())
    {
        let name = Words {
            text: word.into(),
            spot: spot(word),
        };
        reading.image(&name, &Sought::Absent, Style::Tool);
    }
}

/// An object with `uri` and `digest`.
fn outputs(pair: &Pair<'_>, reading: &mut Reading) {
    reading.embedded((pair.value, &pair.frame()), |top, inner| {
        let Some(object) = inner.take(top.object()) else {
            return;
        };
        let digest = inner.digest(object.required("digest"));
        if let Some(uri) = inner.words(object.required("uri")) {
            inner.image(&uri, &digest, Style::Tool);
        }
    });
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
    for line in input.lines() {
        keys.push(
            line.words
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
