//! The report as text for a terminal or a log.

use std::fmt::Write as _;

use super::branches::{legend, lines};
use super::escape::{clip, plain};
use super::summary::{SIGNATURES, provenance, signatures};
use super::{Failure, Finding, Level, RunReport, Standing, TargetReport, TargetState, Verdict};
use crate::base::foreign::Foreign;
use crate::domain::plan::Step;

/// How text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colours may be used (ANSI X3.64 select graphic rendition).
    pub color: bool,
    /// Columns of the terminal; narrower tables are cut, nothing else is.
    pub width: usize,
}

impl Default for Style {
    /// No colour, 100 columns.
    fn default() -> Self {
        Self {
            color: false,
            width: 100,
        }
    }
}

#[derive(Clone, Copy)]
enum Paint {
    Good,
    Bad,
    Doubt,
    Faint,
    Strong,
}

impl Style {
    fn paint(self, paint: Paint, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Good => "32",
            Paint::Bad => "31",
            Paint::Doubt => "33",
            Paint::Faint => "2",
            Paint::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// The report: table, trees, findings, failures, verdict last, where a terminal leaves the eye.
///
/// No escape sequence but the style's own survives, whatever names, messages and annotations hold.
pub fn render(report: &RunReport, style: Style) -> String {
    let mut text = String::new();
    if !report.targets.is_empty() {
        text.push_str(&table(report, style));
    }
    for target in &report.targets {
        text.push_str(&plan(report, target, style));
        text.push_str(&tree(target, style));
        text.push_str(&refused(target, style));
        text.push_str(&told(report, target, style));
        text.push_str(&expected(target, style));
        if let Some(binding) = &target.binding {
            let _ = writeln!(text, "{}", style.paint(Paint::Faint, binding.words()));
        }
    }
    if report.targets.iter().any(|target| target.tree.is_some()) {
        let _ = writeln!(text, "\n{}", style.paint(Paint::Faint, &legend(report, "   ")));
    }
    for finding in report.gravest_first() {
        text.push_str(&finding_text(report, finding, style));
    }
    for failure in &report.failures {
        text.push_str(&failure_text(report, failure, style));
    }
    if let Some(build) = &report.build {
        let [voucher, level] = build.words().map(|words| plain(&words));
        let _ = writeln!(text, "\nprovenance: {voucher};\n            {level}");
    }
    text.push_str(&verdict(report, style));
    text
}

const HEAD: [&str; 6] = ["IMAGE", "DIGEST", "PLATFORMS", "SIGNATURE", "PROVENANCE", "STATE"];

fn table(report: &RunReport, style: Style) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(report.targets.iter().map(|target| cells(report, target)));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    narrow(&mut widths, style.width);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let cell = if column == 0 {
                fit_end(cell, width)
            } else {
                fit(cell, width)
            };
            let _ = write!(line, "{cell:<width$}  ");
        }
        let line = line.trim_end();
        let shown = if index == 0 {
            style.paint(Paint::Faint, line)
        } else {
            line.to_owned()
        };
        let _ = writeln!(text, "{shown}");
    }
    text
}

fn cells(report: &RunReport, target: &TargetReport) -> [String; 6] {
    let platforms: Vec<_> = target.platforms.iter().map(|name| plain(name.raw())).collect();
    let or_dash = |text: String| if text.is_empty() { "–".to_owned() } else { text };
    [
        plain(&target.image),
        target
            .digest
            .as_ref()
            .map_or_else(|| "–".to_owned(), |digest| digest.short().to_owned()),
        or_dash(platforms.join(",")),
        signatures(target),
        provenance(target),
        report.state_word(target.state).to_owned(),
    ]
}

/// Takes columns from image and platforms, the only two that may be long, until the row fits.
fn narrow(widths: &mut [usize; 6], limit: usize) {
    let [image, digest, platforms, signature, provenance, state] = widths;
    let fixed = *digest + *signature + *provenance + *state + 5 * 2;
    *platforms = (*platforms).min(28);
    *image = (*image).min(limit.saturating_sub(fixed + *platforms)).max(16);
}

fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        text.to_owned()
    } else {
        clip(text, width.saturating_sub(1))
    }
}

/// The end of a name tells images apart, the registry in front of it does not.
fn fit_end(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = text.chars().skip(length + 1 - width.max(1));
    std::iter::once('…').chain(kept).collect()
}

fn plan(report: &RunReport, target: &TargetReport, style: Style) -> String {
    let Some(title) = report.plan_title(target) else {
        return String::new();
    };
    let title = format!("{title} {}", plain(&target.image));
    let mut text = format!("\n{}\n", style.paint(Paint::Strong, &title));
    for step in &target.plan {
        let _ = writeln!(text, "  {}", plain(step));
    }
    text
}

fn tree(target: &TargetReport, style: Style) -> String {
    let Some(tree) = &target.tree else {
        return String::new();
    };
    let (lines, left_out) = lines(tree);
    let mut text = format!("\n{}\n", style.paint(Paint::Strong, &name(target)));
    for line in lines {
        let paint = match line.standing {
            Standing::Verified => Paint::Good,
            Standing::Rejected => Paint::Bad,
            Standing::Unknown => Paint::Doubt,
            Standing::Listed => Paint::Faint,
        };
        let mark = style.paint(paint, &line.standing.mark().to_string());
        let _ = writeln!(text, "{}{mark} {}", line.branches, line.words);
    }
    if left_out > 0 {
        let _ = writeln!(text, "… and {left_out} more");
    }
    text
}

/// Each signature of a refused image with its validations.
fn refused(target: &TargetReport, style: Style) -> String {
    let mut text = String::new();
    let shown = if target.state == TargetState::Rejected {
        SIGNATURES
    } else {
        0
    };
    for signature in target.signatures.iter().take(shown) {
        let reason = signature
            .reason
            .as_deref()
            .map(|reason| format!(": {}", plain(reason)));
        let head = format!(
            "signature {}:{}",
            signature.digest.algorithm().name(),
            signature.digest.short()
        );
        let head = style.paint(Paint::Strong, &head);
        let _ = writeln!(
            text,
            "\n{head} {}{}",
            signature.verdict,
            reason.unwrap_or_default()
        );
        for one in &signature.validations {
            let why = one.reason.as_deref().map(|why| format!(": {}", plain(why)));
            let line = format!("{} ({}) {}", one.validation, one.action, one.result);
            let _ = writeln!(text, "  {line}{}", why.unwrap_or_default());
        }
    }
    text
}

/// What was expected of the attestations, and what met it; what did not is a finding.
fn expected(target: &TargetReport, style: Style) -> String {
    let mut text = String::new();
    for one in &target.expectations {
        let line = format!("expected {}: {}", plain(one.about.raw()), one.words());
        let _ = writeln!(text, "{}", style.paint(Paint::Faint, &line));
    }
    text
}

/// What each attestation says, where somebody asked to see it.
fn told(report: &RunReport, target: &TargetReport, style: Style) -> String {
    let mut text = String::new();
    let asked = matches!(report.command, "inspect" | "download");
    for attestation in target.attestations.iter().filter(|_| asked) {
        let digest = format!(
            "{}:{}",
            attestation.digest.algorithm().name(),
            attestation.digest.short()
        );
        let kind = attestation
            .predicate_type
            .as_ref()
            .or(attestation.artifact_type.as_ref());
        let kind = plain(kind.map_or("attestation", Foreign::raw));
        let head = style.paint(Paint::Strong, &format!("attestation {digest}"));
        let reason = attestation
            .reason
            .as_deref()
            .map(|why| format!(": {}", plain(why)));
        let _ = writeln!(
            text,
            "\n{head} {}{}",
            attestation.verdict,
            reason.unwrap_or_default()
        );
        let _ = writeln!(text, "  type: {kind}");
        for (name, fact) in &attestation.facts {
            let _ = writeln!(text, "  {}: {}", in_words(name), plain(fact.raw()));
        }
        for signature in attestation
            .signatures
            .iter()
            .filter(|one| one.verdict == "accepted")
        {
            let identity = signature.identity.as_ref().map_or("?", Foreign::raw);
            let at = signature
                .signed_at
                .map(|time| format!(", at {time}"))
                .unwrap_or_default();
            let _ = writeln!(text, "  signed by: {}{at}", plain(identity));
        }
        if let Some(file) = &attestation.file {
            let _ = writeln!(text, "  written to: {}", plain(file));
        }
    }
    text
}

/// A fact's name as a sentence about a build would begin.
fn in_words(fact: &'static str) -> &'static str {
    match fact {
        "builder" => "built by",
        "build type" => "how",
        "source" => "from",
        "started" => "when",
        "event" => "because of",
        "runner" => "on a machine",
        "run" => "in the run",
        other => other,
    }
}

/// `repository@digest`, which can be copied into the next command.
fn name(target: &TargetReport) -> String {
    match &target.digest {
        Some(digest) => format!("{}@{digest}", plain(&target.repository)),
        None => plain(&target.image),
    }
}

fn finding_text(report: &RunReport, finding: &Finding, style: Style) -> String {
    let paint = match finding.level {
        Level::Error => Paint::Bad,
        Level::Warning => Paint::Doubt,
        Level::Note => Paint::Faint,
    };
    let rule = format!("{} {} {}", finding.level, finding.rule.id(), finding.rule.name());
    let mut text = format!("\n{}: {}\n", style.paint(paint, &rule), plain(&finding.message));
    let digest = finding.digest.as_ref().map(ToString::to_string);
    let found = finding
        .found
        .as_ref()
        .map(|found| plain(&found.quote().to_string()));
    let platform = finding.platform.as_ref().map(|platform| plain(platform.raw()));
    let parts = [
        ("image", report.image(finding.target).map(plain)),
        ("platform", platform),
        ("digest", digest),
        ("expected", finding.expected.as_deref().map(plain)),
        ("found", found),
        ("named at", finding.named_at.as_deref().map(plain)),
        (
            "fix",
            Some(plain(finding.fix.as_deref().unwrap_or(finding.rule.fix()))),
        ),
    ];
    for (name, value) in parts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        let _ = writeln!(text, "  {name}: {value}");
    }
    text
}

fn failure_text(report: &RunReport, failure: &Failure, style: Style) -> String {
    let what = match failure.step {
        // Nothing was begun: there is no step that a user would know.
        Step::Listen => "error".to_owned(),
        step => format!("{} at {step}", failure.cause.class),
    };
    let mut text = format!(
        "\n{}: {}\n",
        style.paint(Paint::Bad, &what),
        plain(&failure.cause.message)
    );
    if let Some(image) = report.image(failure.target) {
        let _ = writeln!(text, "  image: {}", plain(image));
    }
    if let Some(fix) = failure.fix() {
        let _ = writeln!(text, "  fix: {}", plain(fix));
    }
    for done in &failure.done {
        let _ = writeln!(text, "  public already: {}", plain(done));
    }
    text
}

fn verdict(report: &RunReport, style: Style) -> String {
    let paint = match report.verdict {
        Verdict::Passed => Paint::Good,
        Verdict::Rejected | Verdict::Failed => Paint::Bad,
        Verdict::Planned | Verdict::SkippedUntrusted => Paint::Doubt,
    };
    let word = style.paint(paint, report.verdict.name());
    let mut text = format!("\n{word}: {}\n", plain(&report.headline()));
    if let Some(basis) = report.basis() {
        let _ = writeln!(text, "  {}", plain(&basis));
    }
    text
}
