//! The report as SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"), within what GitHub code scanning
//! takes and shows.

use std::collections::BTreeSet;

use super::escape::sarif as text;
use super::ordered::Json;
use super::place::{Location, Placed, place, repository_path};
use super::rules::{Notice, Rule};
use super::{Checked, Failure, Finding, RunReport};
use crate::base::failure::Class;

/// Results in one run (GitHub, "SARIF support for code scanning": 25,000 taken, 5,000 shown).
const RESULTS: usize = 5_000;

/// The schema that the output follows.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The report as SARIF, also when there is nothing to say: an empty list of results closes old alerts.
///
/// Findings are results at a synthetic place, the repository's path, unless `pinned` names a file; failures are
/// notifications. The same findings give the same fingerprints whatever digest or tag the image has now.
pub fn render(report: &RunReport, pinned: Option<&Location>) -> String {
    let (placed, left_out) = place(report, pinned, RESULTS);
    let rules: BTreeSet<Rule> = placed.iter().map(|one| one.finding.rule).collect();
    let rules: Vec<Rule> = rules.into_iter().collect();
    let results = placed
        .iter()
        .map(|one| result(report, one, &rules, pinned.is_some()));
    let run = Json::map([
        ("tool", Json::map([("driver", driver(report, &rules))])),
        ("automationDetails", Json::map([("id", category(report).into())])),
        ("invocations", Json::list([invocation(report, left_out)])),
        ("columnKind", "unicodeCodePoints".into()),
        ("results", Json::list(results)),
        ("properties", properties(report)),
    ]);
    Json::map([
        ("$schema", SCHEMA.into()),
        ("version", "2.1.0".into()),
        ("runs", Json::list([run])),
    ])
    .document()
}

/// The tool, with the rules and notices that are used below; the whole list is documentation, not output. GitHub
/// wants `rules` to be there even without any.
fn driver(report: &RunReport, rules: &[Rule]) -> Json {
    Json::map([
        ("name", "countersign".into()),
        ("organization", "countersign".into()),
        ("semanticVersion", env!("CARGO_PKG_VERSION").into()),
        ("informationUri", env!("CARGO_PKG_REPOSITORY").into()),
        ("rules", Json::list(rules.iter().map(|rule| rule_json(*rule)))),
        (
            "notifications",
            Json::list(notices(report).into_iter().map(notice_json)),
        ),
    ])
}

/// The notices that the run gave rise to, each once, in the order of the ids.
fn notices(report: &RunReport) -> Vec<Notice> {
    let used: BTreeSet<_> = report
        .failures
        .iter()
        .map(Notice::of)
        .chain(is_cancelled(report).then_some(Notice::Cancelled))
        .collect();
    used.into_iter().collect()
}

/// Exit codes above 128 are a signal's.
fn is_cancelled(report: &RunReport) -> bool {
    report.exit > 128
}

fn message(text: &str) -> Json {
    Json::map([("text", text.into())])
}

fn rule_json(rule: Rule) -> Json {
    let (meaning, fix) = (rule.meaning(), rule.fix());
    let help = Json::map([
        ("text", format!("{meaning} {fix}").into()),
        (
            "markdown",
            format!("**What it means.** {meaning}\n\n**What to do.** {fix}").into(),
        ),
    ]);
    let properties = Json::map([
        ("tags", Json::list(["security", "supply-chain"])),
        ("precision", rule.precision().name().into()),
        ("security-severity", rule.security_severity().into()),
    ]);
    Json::map([
        ("id", rule.id().into()),
        ("name", pascal(rule.name()).into()),
        ("shortDescription", message(&sentence(rule.title()))),
        ("fullDescription", message(meaning)),
        ("help", help),
        ("helpUri", rule.help_uri().into()),
        (
            "defaultConfiguration",
            Json::map([("level", rule.level().name().into())]),
        ),
        ("properties", properties),
    ])
}

fn notice_json(notice: Notice) -> Json {
    Json::map([
        ("id", notice.id().into()),
        ("name", pascal(notice.name()).into()),
        ("shortDescription", message(&sentence(notice.title()))),
        ("fullDescription", message(notice.meaning())),
        ("help", message(&format!("{} {}", notice.meaning(), notice.fix()))),
        ("helpUri", notice.help_uri().into()),
    ])
}

/// `signature-missing` as `SignatureMissing`, the form that SARIF wants names in (3.49.7).
fn pascal(name: &str) -> String {
    name.split('-')
        .flat_map(|word| {
            let mut chars = word.chars();
            chars
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(chars)
        })
        .collect()
}

/// The same words with a capital in front and one full stop behind.
fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(chars)
        .chain(['.'])
        .collect()
}

/// `countersign/COMMAND/REPOSITORY/`: one category per command and repository, so that two jobs of one workflow do
/// not close each other's alerts. The slash at the end leaves the run's own id empty.
fn category(report: &RunReport) -> String {
    let mut paths: Vec<_> = report
        .targets
        .iter()
        .map(|target| repository_path(&target.repository))
        .collect();
    paths.sort();
    paths.dedup();
    let what = match paths.as_slice() {
        [] => "none".to_owned(),
        [one] => text(one),
        [first, rest @ ..] => format!("{}+{}", text(first), rest.len()),
    };
    format!("countersign/{}/{what}/", report.command)
}

/// Whether the tool did its work; a "no" is work done.
fn is_successful(report: &RunReport) -> bool {
    let judged = report
        .failures
        .iter()
        .all(|failure| failure.cause.class == Class::Rejected);
    judged && !is_cancelled(report)
}

fn invocation(report: &RunReport, left_out: usize) -> Json {
    let cancelled = is_cancelled(report).then(|| {
        let words = "The run was stopped by a signal before it was finished.";
        notification(report, Notice::Cancelled, words)
    });
    let failures = report.failures.iter().map(|failure| failed(report, failure));
    let cut = (left_out > 0).then(|| {
        let words = format!("{left_out} further findings are left out here; report.json holds them all.");
        Json::map([("level", "warning".into()), ("message", message(&words))])
    });
    Json::filled([
        ("executionSuccessful", is_successful(report).into()),
        ("exitCode", u64::from(report.exit).into()),
        ("startTimeUtc", report.started.to_string().into()),
        ("endTimeUtc", report.finished.to_string().into()),
        (
            "toolExecutionNotifications",
            Json::list(failures.chain(cancelled).chain(cut)),
        ),
    ])
}

fn notification(report: &RunReport, notice: Notice, words: &str) -> Json {
    let index = notices(report).iter().position(|other| *other == notice);
    let descriptor = Json::map([("id", notice.id().into()), ("index", index.into())]);
    Json::map([
        ("descriptor", descriptor),
        ("level", "error".into()),
        ("message", message(words)),
    ])
}

fn failed(report: &RunReport, failure: &Failure) -> Json {
    let image = report
        .image(failure.target)
        .map(|image| format!(" of {}", text(image)));
    let hint = failure
        .cause
        .hint
        .as_deref()
        .map(|hint| format!(" What to do: {}.", text(hint)));
    let words = format!(
        "{}{} ({}): {}.{}",
        failure.place(),
        image.unwrap_or_default(),
        failure.cause.class,
        text(&failure.cause.message),
        hint.unwrap_or_default()
    );
    notification(report, Notice::of(failure), &words)
}

fn properties(report: &RunReport) -> Json {
    let images = report.targets.iter().filter_map(|target| {
        let digest = target.digest.as_ref()?;
        Some(text(&format!("{}@{digest}", target.repository)))
    });
    Json::filled([
        ("command", report.command.into()),
        ("verdict", report.verdict.name().into()),
        ("checked", report.checked.as_ref().map(Checked::name).into()),
        ("images", Json::list(images)),
    ])
}

fn result(report: &RunReport, placed: &Placed<'_>, rules: &[Rule], pinned: bool) -> Json {
    let finding = placed.finding;
    let index = rules.iter().position(|rule| *rule == finding.rule);
    // GitHub computes its own line hash where the file exists, and warns of any other.
    let fingerprint = if pinned {
        "countersign/v1"
    } else {
        "primaryLocationLineHash"
    };
    Json::map([
        ("ruleId", finding.rule.id().into()),
        ("ruleIndex", index.into()),
        ("level", finding.level.name().into()),
        ("message", message(&words(report, finding))),
        ("locations", Json::list([location(report, placed)])),
        (
            "partialFingerprints",
            Json::map([(fingerprint, placed.fingerprint.as_str().into())]),
        ),
    ])
}

/// A message that stands alone: what, of which image, expected, found, what to do.
fn words(report: &RunReport, finding: &Finding) -> String {
    let image = report.image(finding.target).map(text);
    let digest = finding.digest.as_ref().map(ToString::to_string);
    let found = finding
        .found
        .as_ref()
        .map(|found| text(&found.quote().to_string()));
    let platform = finding.platform.as_ref().map(|platform| text(platform.raw()));
    let parts = [
        ("Image", image),
        ("Platform", platform),
        ("Digest", digest),
        ("Expected", finding.expected.as_deref().map(text)),
        ("Found", found),
        ("Named at", finding.named_at.as_deref().map(text)),
        (
            "What to do",
            Some(text(finding.fix.as_deref().unwrap_or(finding.rule.fix()))),
        ),
    ];
    parts
        .into_iter()
        .filter_map(|(name, value)| Some(format!(" {name}: {}.", value?.trim_end_matches('.'))))
        .fold(sentence(&text(&finding.message)), |all, part| all + &part)
}

fn location(report: &RunReport, placed: &Placed<'_>) -> Json {
    let region = Json::map([("startLine", u64::from(placed.line).into())]);
    let physical = Json::map([
        ("artifactLocation", Json::map([("uri", placed.uri().into())])),
        ("region", region),
    ]);
    let logical = logical(report, placed.finding);
    Json::filled([("physicalLocation", physical), ("logicalLocations", logical)])
}

fn logical(report: &RunReport, finding: &Finding) -> Json {
    let Some(target) = finding.target.and_then(|at| report.targets.get(at)) else {
        return Json::Null;
    };
    let digest = finding
        .digest
        .as_ref()
        .or(target.digest.as_ref())
        .map(|digest| format!("@{digest}"));
    let platform = finding.platform.as_ref();
    let platform = platform.map_or_else(String::new, |name| format!(" ({})", text(name.raw())));
    let path = text(&repository_path(&target.repository));
    Json::list([Json::map([
        ("name", format!("{path}{platform}").into()),
        (
            "fullyQualifiedName",
            text(&format!("{}{}", target.repository, digest.unwrap_or_default())).into(),
        ),
        ("kind", "resource".into()),
    ])])
}
