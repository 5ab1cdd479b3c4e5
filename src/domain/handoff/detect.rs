//! Which format a text is in: every rule is asked, and two that fit are told apart or both named.

use super::error::{HandoffError, Problem, Spot, Trouble};
use super::format::Format;
use super::input::Input;
use super::key_values::{self, Kind};
use super::reading::{Reading, What};
use super::{
    buildpacks, buildx, cloud_build, codepipeline, compose, ecr, generic, github, goreleaser, jib, layout,
    literal, metadata_action, oras, push_output, report, skaffold, werf,
};
use crate::base::problems::Problems;
use crate::base::tree::Value;

/// One rule of detection.
#[derive(Clone, Copy)]
struct Rule {
    id: &'static str,
    format: &'static str,
    /// How sources name the format, where several tools write it.
    label: Option<&'static str>,
    holds: fn(&Input<'_>) -> bool,
    /// Rules that this one refines: where it holds, they do not count.
    over: &'static [&'static str],
}

const fn rule(id: &'static str, format: &'static str, holds: fn(&Input<'_>) -> bool) -> Rule {
    Rule {
        id,
        format,
        label: None,
        holds,
        over: &[],
    }
}

const fn refining(rule: Rule, over: &'static [&'static str]) -> Rule {
    Rule { over, ..rule }
}

const fn labelled(rule: Rule, label: &'static str) -> Rule {
    Rule {
        label: Some(label),
        ..rule
    }
}

/// Every rule, by number; the last is asked only where no other holds.
const RULES: [Rule; 29] = [
    rule("D01", "F02", github::is),
    rule("D02", "F36", report::is),
    rule("D03", "F28", ecr::is_event),
    refining(
        rule("D04", "F08", buildx::is_depot),
        &["D05", "D05a", "D06", "D07"],
    ),
    rule("D05", "F07", buildx::is_imagetools),
    rule("D05a", "F04", buildx::is_outputs),
    rule("D06", "F05", buildx::is_build),
    refining(rule("D07", "F06", buildx::is_bake), &["D08", "D15"]),
    rule("D08", "F11", jib::is),
    rule("D09", "F26", werf::is),
    rule("D10", "F27", skaffold::is),
    rule("D11", "F29", oras::is),
    rule("D12", "F21", codepipeline::is_detail),
    rule("D13", "F21", codepipeline::is_definitions),
    rule("D14", "F17", goreleaser::is_artifacts),
    rule("D15", "F09", metadata_action::is),
    rule("D16", "F33", ecr::is_images),
    rule("D17", "F34", cloud_build::is),
    rule("D18", "F18", buildpacks::is),
    rule("D19", "F22", compose::is),
    rule("D20", "F32", layout::is),
    labelled(rule("D21", "F13", literal::is_digest), "bare-digest"),
    rule("D22", "F17", goreleaser::is_sums),
    rule("D23", "F04", |input| {
        key_values::kind(input) == Some(Kind::Outputs)
    }),
    rule("D23", "F24", |input| {
        key_values::kind(input) == Some(Kind::Tekton)
    }),
    rule("D23", "F26", |input| key_values::kind(input) == Some(Kind::Werf)),
    rule("D23", "F25", |input| {
        key_values::kind(input) == Some(Kind::Dotenv)
    }),
    rule("D24", "F30", push_output::is_docker),
    rule("D24", "F31", push_output::is_helm),
];

/// D25 and the fallback of D17, in this order, where none of the others holds.
const LAST: [Rule; 2] = [
    rule("D25", "F01", literal::is_list),
    rule("D17", "F35", generic::is),
];

/// What the rules say of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detected {
    /// One format.
    One {
        /// The rule.
        rule: &'static str,
        /// The format.
        format: &'static Format,
        /// How sources name it.
        label: &'static str,
    },
    /// None.
    Nothing,
    /// Two that name different images.
    Ambiguous(&'static Format, &'static Format),
}

/// Asks every rule.
pub(super) fn detect(input: &Input<'_>) -> Detected {
    let holding: Vec<&Rule> = RULES.iter().filter(|rule| (rule.holds)(input)).collect();
    let refined: Vec<&str> = holding.iter().flat_map(|rule| rule.over).copied().collect();
    let mut left = holding.into_iter().filter(|rule| !refined.contains(&rule.id));
    let Some(first) = left
        .next()
        .or_else(|| LAST.iter().find(|rule| (rule.holds)(input)))
    else {
        return Detected::Nothing;
    };
    let Some(format) = Format::find(first.format) else {
        return Detected::Nothing;
    };
    let other = left
        .filter_map(|rule| Format::find(rule.format))
        .find(|other| *other != format && targets(other, input) != targets(format, input));
    match other {
        Some(other) => Detected::Ambiguous(format, other),
        None => Detected::One {
            rule: first.id,
            format,
            label: first.label.unwrap_or(format.name),
        },
    }
}

/// What a format makes of a text, in no order; none where it cannot read it.
fn targets(format: &Format, input: &Input<'_>) -> Option<Vec<What>> {
    let mut reading = Reading::new(format.name);
    (format.read)(input, &mut reading);
    let mut targets: Vec<What> = reading.items.into_iter().map(|item| item.what).collect();
    targets.sort();
    reading.problems.is_empty().then_some(targets)
}

/// Reads a text in the format that its rules find, or the one that is forced.
pub(super) fn read(input: &Input<'_>, forced: Option<&'static Format>) -> Result<Reading, HandoffError> {
    let (rule, format, label) = match (forced, detect(input)) {
        (Some(format), _) => (None, format, format.name),
        (None, Detected::One { rule, format, label }) => (Some(rule), format, label),
        (None, Detected::Ambiguous(first, second)) => return Err(ambiguous(first, second)),
        (None, Detected::Nothing) => return nothing(input),
    };
    let mut reading = Reading::new(label);
    reading.rule = rule;
    (format.read)(input, &mut reading);
    if reading.items.is_empty() && reading.problems.is_empty() && !reading.may_be_empty {
        reading.trouble(Spot::default(), Trouble::NothingPushed);
    }
    reading.finished().map_err(|error| HandoffError {
        format: error.format.or(forced.map(|format| format.name)),
        ..error
    })
}

/// Text that fits no rule is read as a list, whose problems say best what is wrong with it.
fn nothing(input: &Input<'_>) -> Result<Reading, HandoffError> {
    let mut reading = Reading::new("list");
    if input.looks_like_json() {
        if input.items().is_some_and(|items| items.is_empty()) {
            reading.trouble(Spot::default(), Trouble::NothingPushed);
        } else {
            unknown(input, &mut reading);
        }
    } else {
        literal::read(input, &mut reading);
    }
    reading.finished()
}

fn unknown(input: &Input<'_>, reading: &mut Reading) {
    if input.hint.file == Some("metadata.json") && input.has(&["project_name", "tag", "version"]) {
        return reading.trouble(Spot::default(), Trouble::GoreleaserMetadata);
    }
    if buildx::is_without_image(input) {
        return reading.trouble(Spot::default(), Trouble::NothingPushed);
    }
    if input
        .items()
        .is_some_and(|items| items.iter().all(|item| item.string().is_ok()))
    {
        // All strings: the problem is in one of them.
        return generic::read(input, reading);
    }
    let found = match (input.top().map(|top| top.value().clone()), input.object()) {
        (_, Some(object)) => {
            let names = object
                .members()
                .take(8)
                .map(|(key, _)| crate::base::foreign::quote(key).to_string());
            format!(
                "an object with the members {}",
                names.collect::<Vec<_>>().join(", ")
            )
        }
        (Some(Value::List(items)), None) => format!("an array of {}", items.len()),
        (Some(_), None) => "a single value".to_owned(),
        (None, None) => format!("{} lines of JSON", input.json_lines.len()),
    };
    reading.trouble(Spot::default(), Trouble::Unknown { found });
}

fn ambiguous(first: &Format, second: &Format) -> HandoffError {
    let trouble = Trouble::Ambiguous {
        first: format!("{first:?}"),
        second: format!("{second:?}"),
    };
    HandoffError {
        format: None,
        problems: Problems::from(Problem {
            spot: Spot::default(),
            trouble,
        }),
    }
}

/// Files that are read where a directory is named (D26).
pub(super) fn is_known_file(name: &str) -> bool {
    const KNOWN: [&str; 6] = [
        "jib-image.json",
        "metadata.json",
        "artifacts.json",
        "report.toml",
        "report.json",
        "imageDetail.json",
    ];
    let is_digest = std::path::Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "digest");
    KNOWN.contains(&name) || name.starts_with("image-refs") || is_digest || is_result(name)
}

/// Whether a file's name is that of a Tekton result (D26).
fn is_result(name: &str) -> bool {
    let ends = [
        "IMAGE_URL",
        "IMAGE_DIGEST",
        "ARTIFACT_URI",
        "ARTIFACT_DIGEST",
        "ARTIFACT_OUTPUTS",
    ];
    name == "IMAGES" || ends.iter().any(|end| name.ends_with(end))
}

/// A Tekton result that stands in a file of its own, as KEY=VALUE; none for other files.
pub(super) fn as_result(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok().filter(|_| is_result(name))?;
    let value: Vec<&str> = text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    Some(format!("{name}={}\n", value.join(",")).into_bytes())
}
