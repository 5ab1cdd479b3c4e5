//! How the work is done, what it leaves behind, and how that looks.

use std::path::PathBuf;

use crate::cli::args::{AUTHORITY, LookArgs, PoolArgs, ReportArgs, TimeoutArgs};
use crate::cli::error::CliError;
use crate::cli::origin::Origins;
use crate::cli::words::{Color, FailOn, Format};
use crate::job::{Concurrency, Location};

/// How output looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub color: Color,
    /// Every step is said.
    pub verbose: bool,
    /// Only errors are said.
    pub quiet: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            color: Color::Auto,
            verbose: false,
            quiet: false,
        }
    }
}

/// What is left behind and what it decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportSettings {
    /// Where files are written.
    pub output_dir: PathBuf,
    /// From which gravity on a finding fails the run.
    pub fail_on: FailOn,
    /// The form of standard output.
    pub format: Format,
    /// Where findings are shown; none: at the image's own name.
    pub place: Option<Location>,
}

/// How a command works through images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSettings {
    /// How many at once.
    pub concurrency: Concurrency,
    /// The report.
    pub report: ReportSettings,
    /// Authority that came from variables.
    pub authority: Vec<String>,
}

/// How images are worked through, and what is left behind.
pub(in crate::cli) fn task(
    (pool, timeout): (&PoolArgs, &TimeoutArgs),
    report: ReportSettings,
    origins: &Origins,
) -> TaskSettings {
    TaskSettings {
        concurrency: concurrency(pool, timeout),
        report,
        authority: origins.variables_among(AUTHORITY),
    }
}

/// How many at once.
pub(in crate::cli) fn concurrency(pool: &PoolArgs, timeout: &TimeoutArgs) -> Concurrency {
    Concurrency {
        jobs: pool.jobs.0,
        timeout: timeout.timeout.0,
        fail_fast: pool.fail_fast,
    }
}

/// What is left behind.
pub(in crate::cli) fn report(args: ReportArgs, format: Format) -> ReportSettings {
    ReportSettings {
        output_dir: args.output_dir,
        fail_on: args.fail_on,
        format,
        place: args.sarif_location,
    }
}

/// How output looks.
pub(in crate::cli) fn look(args: &LookArgs, origins: &Origins) -> Result<Look, CliError> {
    if args.verbose && args.quiet {
        return Err(CliError::Together {
            first: origins.spell("verbose"),
            second: origins.spell("quiet"),
            why: "one says more, the other less",
        });
    }
    Ok(Look {
        color: args.color,
        verbose: args.verbose,
        quiet: args.quiet,
    })
}
