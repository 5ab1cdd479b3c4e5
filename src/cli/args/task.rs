//! How much work at once, and how long it may take.

use clap::Args;

use super::output::{LookArgs, OutputArgs, ReportArgs};
use super::services::ServiceArgs;
use super::trust::TrustArgs;
use crate::cli::words::{Count, Span};

/// How many at once.
#[derive(Debug, Args)]
pub(in crate::cli) struct PoolArgs {
    /// Images worked on at the same time
    #[arg(long, value_name = "COUNT", default_value = "16", help_heading = "Run")]
    pub(in crate::cli) jobs: Count,
    /// Stop at the first image that fails
    #[arg(long, help_heading = "Run")]
    pub(in crate::cli) fail_fast: bool,
}

/// How long it may take.
#[derive(Debug, Args)]
pub(in crate::cli) struct TimeoutArgs {
    /// Longest time for one image
    #[arg(long, value_name = "DURATION", default_value = "10m", help_heading = "Run")]
    pub(in crate::cli) timeout: Span,
}

/// What every command takes that works through images and leaves a report.
#[derive(Debug, Args)]
pub(in crate::cli) struct TaskArgs {
    #[command(flatten)]
    pub(in crate::cli) services: ServiceArgs,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
    #[command(flatten)]
    pub(in crate::cli) pool: PoolArgs,
    #[command(flatten)]
    pub(in crate::cli) timeout: TimeoutArgs,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
    #[command(flatten)]
    pub(in crate::cli) look: LookArgs,
}
