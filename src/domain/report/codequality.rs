//! The findings as GitLab's Code Quality report, which merge requests show on every tier.
//!
//! Source: GitLab documentation, "Code Quality", "Code Quality report format".

use super::RunReport;
use super::escape::plain;
use super::ordered::Json;
use super::place::{Location, Placed, place};
use super::rules::Rule;

/// Issues in one report (ours; as many as SARIF shows).
const ISSUES: usize = 5_000;

/// The findings, gravest kept, in a stable order, at the same places and with the same identity as in SARIF.
pub fn render(report: &RunReport, pinned: Option<&Location>) -> String {
    let (placed, _) = place(report, pinned, ISSUES);
    Json::list(placed.iter().map(|one| issue(report, one))).document()
}

fn issue(report: &RunReport, placed: &Placed<'_>) -> Json {
    let finding = placed.finding;
    let platform = finding.platform.as_ref();
    let platform = platform.map_or_else(String::new, |name| format!(" ({})", plain(name.raw())));
    let image = report
        .image(finding.target)
        .map(|image| format!("{}{platform}: ", plain(image)));
    let lines = Json::map([("begin", u64::from(placed.line).into())]);
    Json::map([
        (
            "description",
            format!("{}{}", image.unwrap_or_default(), plain(&finding.message)).into(),
        ),
        (
            "check_name",
            format!("{} {}", finding.rule.id(), finding.rule.name()).into(),
        ),
        ("fingerprint", placed.fingerprint.as_str().into()),
        ("severity", severity(finding.rule).into()),
        (
            "location",
            Json::map([("path", plain(&placed.path).into()), ("lines", lines)]),
        ),
    ])
}

/// From GitHub's number to GitLab's word.
fn severity(rule: Rule) -> &'static str {
    match rule.security_severity().split('.').next() {
        Some("9" | "10") => "critical",
        Some("7" | "8") => "major",
        Some("4" | "5" | "6") => "minor",
        _ => "info",
    }
}
