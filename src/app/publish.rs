//! What a run leaves behind: files in `output-dir`, data on standard output, the exit code.

use std::path::PathBuf;

use super::{Scene, said};
use crate::base::failure::Cause;
use crate::cli::{FailOn, Format, ReportSettings};
use crate::domain::plan::Step;
use crate::domain::report::{self, Failure, Location, Paths, RunReport, Verdict, json, sarif, summary, text};
use crate::edge::ci::{self, OutputDir, OutputError};
use crate::seams::Clock;

/// A report and the files that say what it was held against.
pub(super) struct Finished {
    pub(super) report: RunReport,
    pub(super) trust: Vec<(PathBuf, Vec<u8>)>,
}

impl Finished {
    /// A run that ended before its job began.
    fn stopped(command: &'static str, step: Step, cause: Cause) -> Self {
        let failure = Failure {
            target: None,
            step,
            cause,
            done: Vec::new(),
        };
        let mut finished = Self::empty(command, Verdict::Failed);
        finished.report.failures.push(failure);
        finished
    }

    /// A run that looked at nothing.
    pub(super) fn empty(command: &'static str, verdict: Verdict) -> Self {
        let now = Clock::System.now();
        let report = RunReport {
            command,
            verdict,
            checked: None,
            exit: 0,
            started: now,
            finished: now,
            signer: None,
            targets: Vec::new(),
            findings: Vec::new(),
            failures: Vec::new(),
            build: None,
            requests: std::collections::BTreeMap::new(),
        };
        Self {
            report,
            trust: Vec::new(),
        }
    }
}

/// Proves that files can be left behind, waits for the work, and publishes what came of it.
pub(super) async fn publishing(
    command: &'static str,
    settings: &ReportSettings,
    scene: &Scene<'_>,
    work: impl Future<Output = Result<Finished, Cause>>,
) -> Result<u8, Cause> {
    let out = OutputDir::prove(&settings.output_dir).map_err(|error| Cause::of(&error))?;
    let finished = work.await;
    let finished = finished.unwrap_or_else(|cause| Finished::stopped(command, Step::Listen, cause));
    Ok(publish(finished, settings, &out, scene))
}

/// Settles the exit code, writes every file, prints the report. What cannot be written is said; the code stands.
fn publish(mut finished: Finished, settings: &ReportSettings, out: &OutputDir, scene: &Scene<'_>) -> u8 {
    settle(&mut finished.report, settings.fail_on, scene);
    for error in write(&finished, settings.place.as_ref(), out, scene) {
        scene.writer.error(&Cause::of(&error));
    }
    show(&finished.report, settings.format, scene)
}

/// The exit code: a signal's, else by class, else by findings.
pub(super) fn settle(report: &mut RunReport, fail_on: FailOn, scene: &Scene<'_>) {
    if let Some(signal) = scene.stop.signal() {
        report.exit = signal.exit_code();
    }
    report.settle(level(fail_on));
}

/// From which level on a finding fails a run.
pub(super) fn level(fail_on: FailOn) -> report::FailOn {
    match fail_on {
        FailOn::Error => report::FailOn::Error,
        FailOn::Warning => report::FailOn::Warning,
        FailOn::Note => report::FailOn::Note,
        FailOn::None => report::FailOn::None,
    }
}

fn write(
    finished: &Finished,
    place: Option<&Location>,
    out: &OutputDir,
    scene: &Scene<'_>,
) -> Vec<OutputError> {
    let path = |name: &str| Some(out.path().join(name).display().to_string());
    let paths = Paths {
        report: path("report.json"),
        sarif: path("results.sarif"),
        summary: path("summary.md"),
        trust: path("trust").filter(|_| !finished.trust.is_empty()),
    };
    let report = &finished.report;
    let trust = match finished.trust.as_slice() {
        [] => Ok(()),
        files => out.write_tree("trust", files),
    };
    let written = [
        out.write("report.json", json::render(report).as_bytes()),
        out.write("results.sarif", sarif::render(report, place).as_bytes()),
        out.write("summary.md", summary::render(report, &paths).as_bytes()),
        trust,
    ];
    let told = ci::publish(
        scene.host,
        scene.environment,
        (report, &paths, place),
        out,
        scene.writer,
    );
    let refused = written.into_iter().filter_map(Result::err);
    refused.chain(told).collect()
}

/// Prints the report to standard output.
pub(super) fn show(report: &RunReport, format: Format, scene: &Scene<'_>) -> u8 {
    let style = text::Style {
        color: scene.writer.data_coloured(),
        width: scene.writer.columns(),
    };
    let printed = match format {
        Format::Text => scene.writer.text(&text::render(report, style)),
        Format::Json => {
            for failure in &report.failures {
                scene.writer.error(&failure.cause);
            }
            scene.writer.json(&json::render(report))
        }
    };
    said(scene.writer, printed, report.exit)
}
