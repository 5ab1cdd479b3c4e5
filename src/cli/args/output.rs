//! What is left behind, what is printed, and how it looks.

use std::path::PathBuf;

use clap::Args;

use crate::cli::words::{Color, FailOn, Format};
use crate::job::Location;

/// The files that are left behind.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArgs {
    /// Where report.json, results.sarif, summary.md and trust/ are written
    #[arg(
        long,
        value_name = "DIR",
        default_value = "countersign-report",
        help_heading = "Output"
    )]
    pub(in crate::cli) output_dir: PathBuf,
    /// A finding at or above this level turns exit code 0 into 1; it never lowers a code
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        default_value = "error",
        help_heading = "Output"
    )]
    pub(in crate::cli) fail_on: FailOn,
    /// A file of the repository, as `PATH` or `PATH:LINE`, at which findings are shown; default: the image's own name
    #[arg(long, value_name = "PLACE", help_heading = "Output")]
    pub(in crate::cli) sarif_location: Option<Location>,
}

/// Standard output.
#[derive(Debug, Args)]
pub(in crate::cli) struct OutputArgs {
    /// The form of standard output
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        default_value = "text",
        help_heading = "Output"
    )]
    pub(in crate::cli) format: Format,
}

/// How it looks.
#[derive(Debug, Args)]
pub(in crate::cli) struct LookArgs {
    /// Colours, on standard output and standard error
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub(in crate::cli) color: Color,
    /// Say every step on standard error
    #[arg(short, long, help_heading = "Output")]
    pub(in crate::cli) verbose: bool,
    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = "Output")]
    pub(in crate::cli) quiet: bool,
    /// A YAML file of the same names, presentation and defaults only: what grants authority is refused in it
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(in crate::cli) config: Option<PathBuf>,
}
