//! Which images, and which of them may be signed.

use clap::Args;

use crate::cli::words::{self, Reach};
use crate::domain::oci::Repository;
use crate::job::HandoffFormat;

/// Which images.
#[derive(Debug, Args)]
pub(in crate::cli) struct ImagesArgs {
    /// Images: registry.host/repository[:tag][@digest] or oci:PATH[:tag][@digest]
    #[arg(value_name = "IMAGES")]
    pub(in crate::cli) positional: Vec<String>,
    /// Text that names images, one per line; the same as naming them as arguments
    #[arg(long, value_name = "TEXT", help_heading = "Images")]
    pub(in crate::cli) images: Vec<String>,
    /// Files that name images, as builders leave them behind; `-` is standard input, `github-artifacts-list` the list
    /// of GitHub Actions
    #[arg(long, value_name = "FILE", help_heading = "Images")]
    pub(in crate::cli) images_from: Vec<String>,
    /// The format of what names images, by id or name, as F05 or buildx; default: recognised by its content
    #[arg(long, value_name = "FORMAT", value_parser = words::images_format, help_heading = "Images")]
    pub(in crate::cli) images_format: Option<&'static HandoffFormat>,
    /// The digest that a push reported, where it was reported without names
    #[arg(long, value_name = "DIGEST", help_heading = "Images")]
    pub(in crate::cli) digest: Option<String>,
    /// The names or tags that the digest was pushed under
    #[arg(long, value_name = "TEXT", help_heading = "Images")]
    pub(in crate::cli) names: Vec<String>,
    /// The repository that a layout's image belongs to, which chooses the trust policy statement; default: only `*` fits
    #[arg(long, value_name = "HOST/PATH", help_heading = "Images")]
    pub(in crate::cli) repository: Option<Repository>,
}

/// How images are taken.
#[derive(Debug, Args)]
pub(in crate::cli) struct SubjectArgs {
    /// How much of an index is acted on
    #[arg(
        long,
        value_enum,
        value_name = "WHICH",
        default_value = "index",
        help_heading = "Images"
    )]
    pub(in crate::cli) recursive: Reach,
    /// Refuse images that are named without a digest
    #[arg(long, help_heading = "Images")]
    pub(in crate::cli) require_digest: bool,
}

/// What may be signed.
#[derive(Debug, Args)]
pub(in crate::cli) struct AllowArgs {
    /// Globs of registry/repository outside which nothing is signed (`*` within a segment, `**` across); default: the
    /// ECR registries of the account in role-arn, else in the ARN of signing-profile
    #[arg(long, value_name = "GLOB", help_heading = "Images")]
    pub(in crate::cli) allow: Vec<String>,
}
