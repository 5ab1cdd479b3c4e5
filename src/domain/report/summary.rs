//! The report as GitHub-flavoured Markdown, for job summaries and merge requests.
//!
//! Verdict first and in words, then a table, then what hangs on each image, then a section per rejection with what
//! was expected, found and the fix, then the commands with which anyone can check it by hand.

use std::fmt::Write as _;

use super::branches::{legend, lines};
use super::escape::{clip, code, prose, shell};
use super::{Failure, Finding, Level, Paths, RunReport, TargetReport, TargetState, Verdict};
use crate::base::failure::Class;
use crate::base::foreign::Foreign;

/// Bytes of a summary (GitHub shows nothing of one over 1,024 KiB; the rest is left for other steps).
const BUDGET: usize = 900 * 1_024;

/// Platforms named in one row.
const PLATFORMS: usize = 8;

/// Signatures of a refused image that are shown with all their validations.
pub(super) const SIGNATURES: usize = 5;

/// The summary. Every text that is not a constant here is code or plain words: no link, mention, HTML or table
/// border of anyone else's.
pub fn render(report: &RunReport, paths: &Paths) -> String {
    let mut page = Page::default();
    page.add(&heading(report));
    page.add_rows(
        report.targets.iter().map(|target| row(report, target)),
        TABLE_HEAD,
    );
    for target in &report.targets {
        page.add(&plan(report, target));
    }
    for finding in report
        .gravest_first()
        .into_iter()
        .filter(|finding| finding.level == Level::Error)
    {
        page.add(&rejection(report, finding));
    }
    for target in &report.targets {
        page.add(&refused(target));
    }
    for failure in &report.failures {
        if !is_told(report, failure) {
            page.add(&stopped(report, failure));
        }
    }
    let mild = report
        .gravest_first()
        .into_iter()
        .filter(|finding| finding.level != Level::Error);
    page.add_rows(
        mild.map(|finding| remark(report, finding)),
        "### Worth knowing\n\n",
    );
    for target in &report.targets {
        page.add(&fared(target));
    }
    if let Some(build) = &report.build {
        let [voucher, level] = build.words();
        let tied = report.targets.iter().filter_map(|target| {
            let words = sentence(target.binding.as_ref()?.words());
            Some(format!("- {}: {}\n", code(&target.image), prose(&words)))
        });
        let tied: String = tied.collect();
        page.add(&format!(
            "### Provenance\n\n- {}\n- {}\n{tied}",
            prose(&sentence(&voucher)),
            prose(&sentence(&level))
        ));
    }
    for target in &report.targets {
        page.add(&tree(target));
    }
    if report.targets.iter().any(|target| target.tree.is_some()) {
        // Blanks run together in Markdown.
        page.add(&format!("Marks: {}\n", legend(report, "; ")));
    }
    page.add(&by_hand(report, paths));
    page.finish()
}

/// Text that stops growing before the budget is spent.
#[derive(Default)]
struct Page {
    text: String,
    left_out: usize,
}

impl Page {
    /// Adds a block, followed by an empty line, or counts it as left out.
    fn add(&mut self, block: &str) {
        if block.is_empty() {
            return;
        }
        if self.fits(block) {
            self.text.push_str(block);
            self.text.push('\n');
        } else {
            self.left_out += 1;
        }
    }

    /// Adds rows under a head, as many as fit; nothing without rows.
    fn add_rows(&mut self, rows: impl Iterator<Item = String>, head: &str) {
        let mut begun = false;
        for row in rows {
            if !self.fits(&row) {
                self.left_out += 1;
                continue;
            }
            if !begun {
                self.text.push_str(head);
                begun = true;
            }
            self.text.push_str(&row);
        }
        if begun {
            self.text.push('\n');
        }
    }

    fn fits(&self, block: &str) -> bool {
        self.left_out == 0 && self.text.len() + block.len() < BUDGET
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            let _ = writeln!(
                self.text,
                "**Cut here:** {} more parts are in `report.json`, since hosts show no summary over 1 MiB.",
                self.left_out
            );
        }
        self.text
    }
}

fn heading(report: &RunReport) -> String {
    let mark = match report.verdict {
        Verdict::Passed => "✅",
        Verdict::Rejected => "❌",
        Verdict::Failed => "⚠️",
        Verdict::Planned | Verdict::SkippedUntrusted => "📝",
    };
    let mut text = format!("## {mark} countersign: {}\n\n", report.verdict.name());
    let _ = writeln!(text, "**{}.**", sentence(&report.headline()));
    if let Some(basis) = report.basis() {
        let _ = writeln!(text, "\n{}", prose(&basis));
    }
    if let Some(signer) = &report.signer {
        let _ = writeln!(text, "\nSigner: {}", code(signer.raw()));
    }
    text
}

/// The same words with a capital in front.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

const TABLE_HEAD: &str =
    "| image | digest | platforms | signature | provenance | verdict |\n|---|---|---|---|---|---|\n";

fn row(report: &RunReport, target: &TargetReport) -> String {
    let digest = target
        .digest
        .as_ref()
        .map_or_else(|| "–".to_owned(), |digest| code(digest.short()));
    format!(
        "| {} | {digest} | {} | {} | {} | {} |\n",
        code(RunReport::short_name(target)),
        platforms(&target.platforms),
        signatures(target),
        provenance(target),
        report.state_word(target.state)
    )
}

fn platforms(platforms: &[Foreign]) -> String {
    let mut names: Vec<_> = platforms
        .iter()
        .take(PLATFORMS)
        .map(|name| code(&clip(name.raw(), 40)))
        .collect();
    match platforms.len() {
        0 => names.push("–".to_owned()),
        count if count > PLATFORMS => names.push(format!("and {} more", count - PLATFORMS)),
        _ => {}
    }
    names.join(" ")
}

/// The best that can be said of several: one accepted is enough, "could not tell" is not "no".
fn best(verdicts: &[(&'static str, bool)]) -> String {
    if verdicts.contains(&("accepted", true)) {
        return "accepted, made now".to_owned();
    }
    let is_there = |word: &&str| verdicts.iter().any(|(verdict, _)| verdict == word);
    ["accepted", "unknown", "rejected", "listed"]
        .into_iter()
        .find(is_there)
        .unwrap_or("none")
        .to_owned()
}

pub(super) fn signatures(target: &TargetReport) -> String {
    known(
        target,
        target.signatures.iter().map(|one| (one.verdict, one.made_now)),
    )
}

pub(super) fn provenance(target: &TargetReport) -> String {
    let provenance = target.attestations.iter().filter(|one| one.is_provenance());
    known(target, provenance.map(|one| (one.verdict, one.made_now)))
}

/// "None" is said only where somebody looked.
fn known(target: &TargetReport, verdicts: impl Iterator<Item = (&'static str, bool)>) -> String {
    let verdicts: Vec<_> = verdicts.collect();
    if verdicts.is_empty() && target.tree.is_none() {
        return "–".to_owned();
    }
    best(&verdicts)
}

fn plan(report: &RunReport, target: &TargetReport) -> String {
    let Some(title) = report.plan_title(target) else {
        return String::new();
    };
    let mut text = format!("### {title} {}\n\n", code(&target.image));
    for step in &target.plan {
        let _ = writeln!(text, "- {}", prose(step));
    }
    text
}

fn rejection(report: &RunReport, finding: &Finding) -> String {
    let about = report
        .image(finding.target)
        .map_or_else(|| "the run".to_owned(), code);
    let mut text = format!(
        "### {}: {about}\n\n**[{}]({}) {}**: {}\n\n",
        sentence(finding.level.name()),
        finding.rule.id(),
        finding.rule.help_uri(),
        finding.rule.name(),
        prose(&finding.message)
    );
    text.push_str(&evidence(finding));
    text
}

fn evidence(finding: &Finding) -> String {
    let digest = finding.digest.as_ref().map(|digest| code(&digest.to_string()));
    let found = finding.found.as_ref().map(|found| code(found.raw()));
    let platform = finding.platform.as_ref().map(|platform| code(platform.raw()));
    let parts = [
        ("Platform", platform),
        ("Digest", digest),
        ("Expected", finding.expected.as_deref().map(expected)),
        ("Found", found),
        ("Named at", finding.named_at.as_deref().map(code)),
        (
            "What to do",
            Some(prose(finding.fix.as_deref().unwrap_or(finding.rule.fix()))),
        ),
    ];
    parts
        .into_iter()
        .filter_map(|(name, value)| Some(format!("- {name}: {}\n", value?)))
        .collect()
}

/// What was expected: words as they are; what has code in it as one piece, to be compared with what was found.
fn expected(text: &str) -> String {
    let words = prose(text);
    if words.contains('`') { code(text) } else { words }
}

/// Each signature of a refused image with its validations; "no" and "could not tell" are told apart. Where one is
/// accepted, the refusal lies elsewhere.
fn refused(target: &TargetReport) -> String {
    let accepted = target.signatures.iter().any(|one| one.verdict == "accepted");
    if target.state != TargetState::Rejected || target.signatures.is_empty() || accepted {
        return String::new();
    }
    let mut text = format!("### Signatures of {}\n", code(&target.image));
    for signature in target.signatures.iter().take(SIGNATURES) {
        let reason = signature
            .reason
            .as_deref()
            .map(|reason| format!(": {}", prose(reason)));
        let identity = signature
            .identity
            .as_ref()
            .map(|name| format!(" by {}", code(name.raw())));
        let _ = write!(
            text,
            "\nSignature {}{} {}{}\n\n| validation | action | result | why |\n|---|---|---|---|\n",
            code(signature.digest.short()),
            identity.unwrap_or_default(),
            signature.verdict,
            reason.unwrap_or_default()
        );
        for one in &signature.validations {
            let why = one.reason.as_deref().map_or_else(|| "–".to_owned(), prose);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {why} |",
                one.validation, one.action, one.result
            );
        }
    }
    if target.signatures.len() > SIGNATURES {
        let _ = writeln!(
            text,
            "\nand {} more in `report.json`",
            target.signatures.len() - SIGNATURES
        );
    }
    text
}

/// Whether a finding says already why an image was refused; what became public is said in any case.
fn is_told(report: &RunReport, failure: &Failure) -> bool {
    let of_it = |finding: &Finding| finding.level == Level::Error && finding.target == failure.target;
    failure.cause.class == Class::Rejected && failure.done.is_empty() && report.findings.iter().any(of_it)
}

fn stopped(report: &RunReport, failure: &Failure) -> String {
    let about = report
        .image(failure.target)
        .map_or_else(|| "the run".to_owned(), code);
    let mut text = format!(
        "### Stopped: {about}\n\n{} ({}): {}\n",
        failure.place(),
        failure.cause.class,
        prose(&failure.cause.message)
    );
    if let Some(fix) = failure.fix() {
        let _ = write!(text, "\n- What to do: {}\n", prose(fix));
    }
    if !failure.done.is_empty() {
        text.push_str("\nPublic already:\n\n");
        failure.done.iter().for_each(|done| {
            let _ = writeln!(text, "- {}", prose(done));
        });
    }
    text
}

fn remark(report: &RunReport, finding: &Finding) -> String {
    let about = report
        .image(finding.target)
        .map(|image| format!(" {}", code(image)));
    let platform = finding.platform.as_ref();
    let platform = platform.map_or_else(String::new, |name| format!(" ({})", code(name.raw())));
    format!(
        "- {} [{}]({}) {}{}{platform}: {}\n",
        finding.level,
        finding.rule.id(),
        finding.rule.help_uri(),
        finding.rule.name(),
        about.unwrap_or_default(),
        prose(&finding.message)
    )
}

/// What was expected of the attestations, and what met it.
fn fared(target: &TargetReport) -> String {
    if target.expectations.is_empty() {
        return String::new();
    }
    let mut text = format!("### What was expected of {}\n\n", code(&target.image));
    for one in &target.expectations {
        let about = code(&clip(one.about.raw(), 200));
        let _ = writeln!(text, "- {about}: {}", prose(&one.words()));
    }
    text
}

/// The tree in a fenced block, where nothing is obeyed but three backticks, of which none are left.
fn tree(target: &TargetReport) -> String {
    let Some(tree) = &target.tree else {
        return String::new();
    };
    let (lines, left_out) = lines(tree);
    let mut text = format!("### What hangs on {}\n\n```text\n", code(&target.image));
    for line in lines {
        let _ = writeln!(
            text,
            "{}{} {}",
            line.branches,
            line.standing.mark(),
            line.words.replace('`', "'")
        );
    }
    if left_out > 0 {
        let _ = writeln!(text, "… and {left_out} more");
    }
    text.push_str("```\n");
    text
}

fn by_hand(report: &RunReport, paths: &Paths) -> String {
    let judged = report.checked.is_some();
    let commands: String = report
        .targets
        .iter()
        .filter(|_| judged)
        .filter_map(|target| commands(target, paths))
        .collect::<Vec<_>>()
        .join("\n");
    if commands.is_empty() {
        return String::new();
    }
    format!(
        "### Check by hand\n\nThe trust policy and certificates that were used are in {}.\n\n```sh\n{commands}```\n",
        code(paths.trust.as_deref().unwrap_or(TRUST))
    )
}

/// Where the trust policy is written when nobody says otherwise.
const TRUST: &str = "countersign-report/trust";

fn commands(target: &TargetReport, paths: &Paths) -> Option<String> {
    let trust = shell(paths.trust.as_deref().unwrap_or(TRUST))?;
    let image = format!("{}@{}", target.repository, target.digest.as_ref()?);
    let layout = image.strip_prefix("oci:");
    let notation = match layout {
        Some(path) => {
            format!(
                "NOTATION_EXPERIMENTAL=1 notation verify --oci-layout --scope local/layout \\\n  {}",
                shell(path)?
            )
        }
        None => format!("notation verify \\\n  {}", shell(&image)?),
    };
    let image = shell(&image)?;
    Some(format!(
        "countersign verify --trust-policy {trust}/trustpolicy.json --trust-store {trust}/truststore \\\n  {image}\n\
         NOTATION_CONFIG={trust} {notation}\n"
    ))
}
