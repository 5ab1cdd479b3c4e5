//! The report as GitHub-flavoured Markdown, for job summaries and merge requests.
//!
//! Verdict first and in words, then a table, then what hangs on each image, then a section per rejection with what
//! was expected, found and the fix, then the commands with which anyone can check it by hand.

use std::fmt::Write as _;

use super::branches::{legend, lines};
use super::escape::{clip, code, plain, prose, shell};
use super::{
    AttestationReport, Failure, Finding, Level, Paths, RunReport, SignatureReport, TargetReport, TargetState,
    Verdict,
};
use crate::base::foreign::Foreign;

/// Bytes of a summary (GitHub shows nothing of one over 1,024 KiB; the rest is left for other steps).
const BUDGET: usize = 900 * 1_024;

/// Platforms named in one row.
const PLATFORMS: usize = 8;

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
    for failure in &report.failures {
        page.add(&stopped(report, failure));
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
        page.add(&tree(report, target));
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
        let _ = writeln!(text, "\nHow it was checked: {}", prose(&basis));
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
        code(&target.image),
        platforms(&target.platforms),
        signatures(&target.signatures),
        provenance(&target.attestations),
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

pub(super) fn signatures(signatures: &[SignatureReport]) -> String {
    best(
        &signatures
            .iter()
            .map(|one| (one.verdict, one.made_now))
            .collect::<Vec<_>>(),
    )
}

pub(super) fn provenance(attestations: &[AttestationReport]) -> String {
    let provenance = attestations.iter().filter(|one| one.is_provenance());
    best(
        &provenance
            .map(|one| (one.verdict, one.made_now))
            .collect::<Vec<_>>(),
    )
}

/// What was to be done, where that is all there is to show.
fn plan(report: &RunReport, target: &TargetReport) -> String {
    let planned = matches!(report.verdict, Verdict::Planned | Verdict::SkippedUntrusted);
    if !planned && target.state != TargetState::Planned || target.plan.is_empty() {
        return String::new();
    }
    let steps: String = target
        .plan
        .iter()
        .map(|step| format!("- {}\n", prose(step)))
        .collect();
    format!("### Plan for {}\n\n{steps}", code(&target.image))
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
    let parts = [
        ("Digest", digest),
        ("Expected", finding.expected.as_deref().map(prose)),
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

fn stopped(report: &RunReport, failure: &Failure) -> String {
    let about = report
        .image(failure.target)
        .map_or_else(|| "the run".to_owned(), code);
    let mut text = format!(
        "### Stopped: {about}\n\nAt step {} ({}): {}\n",
        failure.step,
        failure.cause.class,
        prose(&failure.cause.message)
    );
    if let Some(hint) = &failure.cause.hint {
        let _ = write!(text, "\n- What to do: {}\n", prose(hint));
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
    format!(
        "- {} [{}]({}) {}{}: {}\n",
        finding.level,
        finding.rule.id(),
        finding.rule.help_uri(),
        finding.rule.name(),
        about.unwrap_or_default(),
        prose(&finding.message)
    )
}

/// The tree in a fenced block, where nothing is obeyed but three backticks, of which none are left.
fn tree(report: &RunReport, target: &TargetReport) -> String {
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
    let _ = writeln!(text, "```\n\n{}", legend(report));
    text
}

fn by_hand(report: &RunReport, paths: &Paths) -> String {
    let judged = report.checked.is_some();
    let commands: String = report
        .targets
        .iter()
        .filter(|_| judged)
        .filter_map(|target| commands(target, paths))
        .collect();
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
                "NOTATION_EXPERIMENTAL=1 notation verify --oci-layout --scope local/layout {}",
                shell(path)?
            )
        }
        None => format!("notation verify {}", shell(&image)?),
    };
    let image = shell(&image)?;
    Some(format!(
        "countersign verify {image} --trust-policy {trust}/trustpolicy.json --trust-store {trust}/truststore\n\
         NOTATION_CONFIG={trust} {notation}\n"
    ))
}

/// One line for a host that shows nothing longer: the verdict and its sentence.
pub fn line(report: &RunReport) -> String {
    plain(&format!(
        "countersign: {}: {}",
        report.verdict.name(),
        report.headline()
    ))
}
