//! Results in the places where the host looks for them.

use super::{Environment, Host, OutputDir, OutputError, Paths, Writer, github};
use crate::domain::report::dotenv::{self, Quoting};
use crate::domain::report::{
    Location, Output, Paths as ReportPaths, RunReport, codequality, junit, outputs, summary,
};

/// Publishes a report to the host: outputs, summary and annotations on GitHub, files in the output directory on
/// the others. What could not be written is returned; what was left out is said.
pub fn publish(
    host: Host,
    environment: &Environment,
    (report, written, place): (&RunReport, &ReportPaths, Option<&Location>),
    out: &OutputDir,
    writer: &Writer,
) -> Vec<OutputError> {
    match host {
        Host::GitHub => {
            let paths = for_later_steps(environment, written);
            writer.commands(&github::annotations(report, place));
            let outputs = github::write_outputs(environment, &outputs(report, &paths));
            let summary = github::write_summary(environment, &summary::render(report, &paths));
            if let Ok(left_out) = &outputs {
                say_left_out(left_out, "1 MB", writer);
            }
            [outputs.map(|_| ()), summary]
                .into_iter()
                .filter_map(Result::err)
                .collect()
        }
        Host::GitLab => {
            let values = outputs(report, written);
            let quality = codequality::render(report, place);
            let (text, left_out) = dotenv::render(&values, Quoting::Literal);
            say_left_out(&left_out, "5 KB", writer);
            let files = [
                ("countersign.env", text),
                ("junit.xml", junit::render(report)),
                ("codequality.json", quality),
            ];
            write(out, &files)
        }
        Host::CodeBuild | Host::Bitbucket | Host::Jenkins => {
            let values = outputs(report, written);
            let (text, left_out) = dotenv::render(&values, Quoting::Shell);
            say_left_out(&left_out, "5 KB", writer);
            write(
                out,
                &[("countersign.env", text), ("junit.xml", junit::render(report))],
            )
        }
        Host::Terminal => Vec::new(),
    }
}

fn write(out: &OutputDir, files: &[(&str, String)]) -> Vec<OutputError> {
    let written = files.iter().map(|(name, text)| out.write(name, text.as_bytes()));
    written.filter_map(Result::err).collect()
}

fn say_left_out(left_out: &[Output], limit: &str, writer: &Writer) {
    for output in left_out {
        writer.note(&format!(
            "the output {} is left out: the host takes {limit} in all; report.json holds everything",
            output.name()
        ));
    }
}

/// The paths as later steps see them, which is not how this container does.
fn for_later_steps(environment: &Environment, written: &ReportPaths) -> ReportPaths {
    let paths = Paths::of(environment);
    let seen = |path: &Option<String>| {
        let path = path.as_deref()?;
        let seen = paths.as_ref().map(|paths| paths.for_later_steps(path.as_ref()));
        Some(seen.map_or_else(|| path.to_owned(), |path| path.display().to_string()))
    };
    ReportPaths {
        report: seen(&written.report),
        sarif: seen(&written.sarif),
        summary: seen(&written.summary),
        trust: seen(&written.trust),
    }
}
