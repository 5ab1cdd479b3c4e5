//! The report as `JUnit` XML, which GitLab and `CodeBuild` show: one suite per image, one case per check.
//!
//! There is no standard. What is written keeps to the schema of Jenkins' xUnit plugin (`junit-10.xsd`), the strictest of
//! the descriptions in use; it has no number of skipped cases over all suites.

use std::fmt::Write as _;

use super::escape::xml;
use super::{AttestationReport, Finding, Level, RunReport, SignatureReport, TargetReport, TargetState};
use crate::base::foreign::Foreign;

/// The report as XML: errors fail their case, failures are errors of theirs, warnings and notes are output of a case
/// that passes, and a plan is skipped.
pub fn render(report: &RunReport) -> String {
    let mut suites: Vec<Suite> = report
        .targets
        .iter()
        .enumerate()
        .map(|(index, target)| of_target(report, index, target))
        .collect();
    suites.push(suite(report, "countersign", None));
    suites.retain(|suite| !suite.cases.is_empty());
    let total = |count: fn(&Case) -> bool| suites.iter().map(|suite| suite.count(count)).sum::<usize>();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuites name=\"countersign\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
        total(|_| true),
        total(Case::fails),
        total(Case::breaks)
    );
    for suite in &suites {
        suite.write(report, &mut text);
    }
    text.push_str("</testsuites>\n");
    text
}

struct Suite {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Remarked(String),
    Failed { kind: String, text: String },
    Broken { kind: String, text: String },
    Skipped(String),
}

impl Case {
    fn new(name: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            name: name.into(),
            outcome,
        }
    }

    fn fails(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }

    fn breaks(&self) -> bool {
        matches!(self.outcome, Outcome::Broken { .. })
    }

    fn skips(&self) -> bool {
        matches!(self.outcome, Outcome::Skipped(_))
    }

    fn write(&self, suite: &str, text: &mut String) {
        let _ = write!(
            text,
            "    <testcase classname=\"{}\" name=\"{}\"",
            xml(suite),
            xml(&self.name)
        );
        let inner = match &self.outcome {
            Outcome::Passed => {
                text.push_str("/>\n");
                return;
            }
            Outcome::Remarked(words) => format!("<system-out>{}</system-out>", xml(words)),
            Outcome::Failed { kind, text } => problem("failure", kind, text),
            Outcome::Broken { kind, text } => problem("error", kind, text),
            Outcome::Skipped(words) => format!("<skipped message=\"{}\"/>", xml(words)),
        };
        let _ = writeln!(text, ">\n      {inner}\n    </testcase>");
    }
}

fn problem(element: &str, kind: &str, text: &str) -> String {
    let (kind, text) = (xml(kind), xml(text));
    format!("<{element} type=\"{kind}\" message=\"{text}\">{text}</{element}>")
}

impl Suite {
    fn count(&self, of: impl Fn(&Case) -> bool) -> usize {
        self.cases.iter().filter(|case| of(case)).count()
    }

    fn write(&self, report: &RunReport, text: &mut String) {
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" timestamp=\"{}\">",
            xml(&self.name),
            self.cases.len(),
            self.count(Case::fails),
            self.count(Case::breaks),
            self.count(Case::skips),
            report.started
        );
        self.cases.iter().for_each(|case| case.write(&self.name, text));
        text.push_str("  </testsuite>\n");
    }
}

fn of_target(report: &RunReport, index: usize, target: &TargetReport) -> Suite {
    let mut suite = suite(report, &target.image, Some(index));
    let good = target
        .signatures
        .iter()
        .filter(|one| one.verdict == "accepted")
        .map(signature);
    let attested = target
        .attestations
        .iter()
        .filter(|one| one.verdict == "accepted")
        .map(attestation);
    let mut cases: Vec<_> = state(report, target)
        .into_iter()
        .chain(good)
        .chain(attested)
        .collect();
    cases.append(&mut suite.cases);
    suite.cases = cases;
    suite
}

/// What a target's end is as a case; its findings and failures say the rest.
fn state(report: &RunReport, target: &TargetReport) -> Option<Case> {
    let word = report.state_word(target.state);
    let outcome = match target.state {
        TargetState::Signed
        | TargetState::Attested
        | TargetState::Copied
        | TargetState::Kept
        | TargetState::Verified => Outcome::Passed,
        TargetState::Planned => Outcome::Skipped("planned only; nothing was done".to_owned()),
        TargetState::Skipped => Outcome::Skipped("not judged, because the policy says to skip it".to_owned()),
        TargetState::NotStarted => Outcome::Skipped("not started, because the run was stopped".to_owned()),
        TargetState::Rejected => Outcome::Failed {
            kind: "rejected".to_owned(),
            text: "the image was judged and refused".to_owned(),
        },
        TargetState::Failed => return None,
    };
    Some(Case::new(format!("image {word}"), outcome))
}

fn signature(signature: &SignatureReport) -> Case {
    Case::new(
        format!("signature {} accepted", signature.digest),
        Outcome::Passed,
    )
}

fn attestation(attestation: &AttestationReport) -> Case {
    Case::new(
        format!("attestation {} accepted", attestation.digest),
        Outcome::Passed,
    )
}

/// The findings and failures of one target, or of the run.
fn suite(report: &RunReport, name: &str, target: Option<usize>) -> Suite {
    let findings = report.findings.iter().filter(|finding| finding.target == target);
    let mut cases: Vec<_> = findings.map(finding_case).collect();
    cases.extend(report.failures_of(target).map(|failure| {
        let fix = failure.fix().map(|fix| format!(". What to do: {fix}"));
        let outcome = Outcome::Broken {
            kind: failure.cause.class.name().to_owned(),
            text: format!("{}{}", failure.cause.message, fix.unwrap_or_default()),
        };
        Case::new(format!("step {}", failure.step), outcome)
    }));
    Suite {
        name: name.to_owned(),
        cases,
    }
}

fn finding_case(finding: &Finding) -> Case {
    let mut text = finding.message.clone();
    let found = finding.found.as_ref().map(|found| found.quote().to_string());
    let fix = finding.fix.as_deref().unwrap_or(finding.rule.fix());
    for (name, value) in [
        ("platform", finding.platform.as_ref().map(Foreign::raw)),
        ("expected", finding.expected.as_deref()),
        ("found", found.as_deref()),
        ("what to do", Some(fix)),
    ] {
        if let Some(value) = value {
            let _ = write!(text, "; {name}: {value}");
        }
    }
    let outcome = match finding.level {
        Level::Error => Outcome::Failed {
            kind: finding.rule.id().to_owned(),
            text,
        },
        level => Outcome::Remarked(format!("{level}: {text}")),
    };
    Case::new(format!("{} {}", finding.rule.id(), finding.rule.name()), outcome)
}
