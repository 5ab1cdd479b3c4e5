//! The one table of inputs: every flag, action input, variable and configuration key with its type, default and help.
//!
//! A group of arguments that several commands take is a struct of its own, flattened into them: one name, one help.
//! Doc comments are the help. Nothing here is required by clap: what is missing is said by [`super::settings`], in
//! the words of the host the value would have come from.

mod attest;
mod images;
mod names;
mod output;
mod services;
mod signer;
mod task;
mod trust;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(super) use attest::{LevelArgs, LiftArgs, PredicateArgs, ProvenanceArgs};
pub(super) use images::{AllowArgs, ImagesArgs, SubjectArgs};
pub(super) use names::{AUTHORITY, LATER_COMMANDS, LATER_INPUTS, TYPED_ONLY};
pub(super) use output::{LookArgs, OutputArgs, ReportArgs};
pub(super) use services::{AwsArgs, ServiceArgs};
pub(super) use signer::{EventArgs, HowArgs, KeyArgs, MetadataArgs, SignerArgs, SigningArgs, WhoArgs};
pub(super) use task::{PoolArgs, TaskArgs, TimeoutArgs};
pub(super) use trust::{ExpectArgs, TrustArgs};

use super::words::TargetsFormat;

/// Sign container images, attach signed provenance, and verify both as a stranger would.
///
/// countersign resolves an image to its digest, signs the digest in Notary Project form, hangs SLSA provenance
/// beside it as a signed OCI referrer, reads everything back, and exits by what it found.
///
/// Try it without account or network: countersign demo
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    disable_help_subcommand = false,
    arg_required_else_help = false
)]
#[command(after_help = AFTER_HELP, max_term_width = 110)]
pub(in crate::cli) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(in crate::cli) command: Command,
}

const AFTER_HELP: &str = "\
Images are written registry.host/repository[:tag][@digest], or oci:PATH[:tag][@digest] for an OCI layout on disk.
Every flag --some-name is also the variable COUNTERSIGN_SOME_NAME and, in a workflow, the input some-name.
Exit codes: 0 reached, 1 rejected, 2 usage, 3 unavailable, 4 refused, 5 missing, 6 tampered, 70 a bug.";

/// The commands that work today.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Show the whole job on a small image, without account or network
    ///
    /// Writes a small multi-platform image as an OCI layout, runs the main job on it with a local key, shows the tree
    /// of what hangs on it, and prints the run, verify and inspect commands that it stands for.
    Demo(DemoArgs),
    /// Sign images, attach signed provenance, and verify the result
    ///
    /// Resolves each image to its digest, plans, signs, pushes the signature, attaches provenance and signs that too,
    /// then reads everything back and judges it. What stands already is kept: a second run signs nothing.
    Run(RunArgs),
    /// Attach documents to images that are there, and sign them
    ///
    /// Each document becomes a referrer of the image, with a signature of its own, which is pushed first. The image is
    /// named by digest or tag and is not signed itself. What stands already is kept; an older one of the same kind by
    /// the same signer is replaced.
    ///
    /// Bills of materials and SARIF are stored as they are, as their readers want them; everything else as the
    /// predicate of an in-toto Statement about the image and its platforms. With --recursive platforms each platform gets
    /// the same documents, about the same image and platforms.
    Attest(AttestArgs),
    /// Judge what is in the store, and write nothing to it
    ///
    /// Without a trust policy the verdict is "self-checked": it proves that the store holds what this signer signed.
    /// With --trust-policy it is "verified" against that policy. With --expect the attestations have to say what the
    /// file asks for; only those count that are about the image and signed by somebody the policy trusts.
    Verify(VerifyArgs),
    /// Show what hangs on an image, and whether it verifies
    Inspect(InspectArgs),
    /// Copy an image with all its signatures and attestations, verified on both sides
    ///
    /// copy SRC DST copies the image behind SRC with its platforms, signatures and attestations, and theirs, from
    /// registry or layout to registry or layout. SRC is judged first as verify does, and nothing is copied that is not
    /// accepted; DST is read back and judged the same way. Nothing is signed again. What others attached is carried
    /// along, vouched for or not; the report says how much of it is accepted. DST gets the tag it is named by, else
    /// that of SRC, after everything else. Copying again writes only what is missing.
    #[command(
        override_usage = "countersign copy [OPTIONS] SRC DST",
        mut_arg("positional", |images| images.value_names(["SRC", "DST"]).num_args(0..))
    )]
    Copy(CopyArgs),
    /// Say why an image counts as signed, or does not, decision by decision
    ///
    /// Names the policy that speaks for the image and why, its trust stores, and for each signature, also those on
    /// attestations, every validation with its reason and its rule. The exit code is that of verify.
    Explain(ExplainArgs),
    /// Write the attestations on an image to files
    ///
    /// Provenance, SBOMs, scans and every other attestation, one file each, named by kind and digest, as they were
    /// stored. For each it says whether somebody trusted signed it: what is not accepted is written too, and proves
    /// nothing. A file that stands there already is kept if it is the same, and never overwritten.
    Download(DownloadArgs),
    /// List the images that would be acted on
    Targets(TargetsArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
    /// Read the command and every input from the environment, as a container action does
    #[command(hide = true)]
    Action,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(in crate::cli) struct DemoArgs {
    /// Where the demo image is written; a demo layout is used again, any other non-empty directory is refused
    #[arg(value_name = "DIR", default_value = "countersign-demo")]
    pub(in crate::cli) dir: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) key: KeyArgs,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
    #[command(flatten)]
    pub(in crate::cli) look: LookArgs,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    #[command(flatten)]
    pub(in crate::cli) images: ImagesArgs,
    #[command(flatten)]
    pub(in crate::cli) subjects: SubjectArgs,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArgs,
    #[command(flatten)]
    pub(in crate::cli) signing: SigningArgs,
    #[command(flatten)]
    pub(in crate::cli) how: HowArgs,
    #[command(flatten)]
    pub(in crate::cli) event: EventArgs,
    #[command(flatten)]
    pub(in crate::cli) metadata: MetadataArgs,
    #[command(flatten)]
    pub(in crate::cli) provenance: ProvenanceArgs,
    #[command(flatten)]
    pub(in crate::cli) lift: LiftArgs,
    #[command(flatten)]
    pub(in crate::cli) predicates: PredicateArgs,
    #[command(flatten)]
    pub(in crate::cli) allow: AllowArgs,
    #[command(flatten)]
    pub(in crate::cli) task: TaskArgs,
    #[command(flatten)]
    pub(in crate::cli) expect: ExpectArgs,
}

/// Arguments of `attest`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AttestArgs {
    #[command(flatten)]
    pub(in crate::cli) images: ImagesArgs,
    #[command(flatten)]
    pub(in crate::cli) subjects: SubjectArgs,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArgs,
    #[command(flatten)]
    pub(in crate::cli) how: HowArgs,
    #[command(flatten)]
    pub(in crate::cli) event: EventArgs,
    #[command(flatten)]
    pub(in crate::cli) predicates: PredicateArgs,
    #[command(flatten)]
    pub(in crate::cli) allow: AllowArgs,
    #[command(flatten)]
    pub(in crate::cli) task: TaskArgs,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    #[command(flatten)]
    pub(in crate::cli) images: ImagesArgs,
    #[command(flatten)]
    pub(in crate::cli) subjects: SubjectArgs,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArgs,
    #[command(flatten)]
    pub(in crate::cli) metadata: MetadataArgs,
    #[command(flatten)]
    pub(in crate::cli) task: TaskArgs,
    #[command(flatten)]
    pub(in crate::cli) expect: ExpectArgs,
    #[command(flatten)]
    pub(in crate::cli) level: LevelArgs,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArgs {
    #[command(flatten)]
    pub(in crate::cli) images: ImagesArgs,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArgs,
    #[command(flatten)]
    pub(in crate::cli) services: ServiceArgs,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
    #[command(flatten)]
    pub(in crate::cli) timeout: TimeoutArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
    #[command(flatten)]
    pub(in crate::cli) look: LookArgs,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    #[command(flatten)]
    pub(in crate::cli) inspect: InspectArgs,
    #[command(flatten)]
    pub(in crate::cli) metadata: MetadataArgs,
}

/// Arguments of `download`.
#[derive(Debug, Args)]
pub(in crate::cli) struct DownloadArgs {
    #[command(flatten)]
    pub(in crate::cli) show: InspectArgs,
    /// Where the files are written
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = "Output")]
    pub(in crate::cli) to: PathBuf,
}

/// Arguments of `copy`.
#[derive(Debug, Args)]
pub(in crate::cli) struct CopyArgs {
    #[command(flatten)]
    pub(in crate::cli) images: ImagesArgs,
    #[command(flatten)]
    pub(in crate::cli) who: WhoArgs,
    #[command(flatten)]
    pub(in crate::cli) task: TaskArgs,
}

/// Arguments of `targets`.
#[derive(Debug, Args)]
pub(in crate::cli) struct TargetsArgs {
    #[command(flatten)]
    pub(in crate::cli) images: ImagesArgs,
    /// The form of standard output
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        default_value = "text",
        help_heading = "Output"
    )]
    pub(in crate::cli) format: TargetsFormat,
    /// Ask the registries for digests and platforms; without it nobody is asked anything
    #[arg(long, help_heading = "Images")]
    pub(in crate::cli) resolve: bool,
    #[command(flatten)]
    pub(in crate::cli) services: ServiceArgs,
    #[command(flatten)]
    pub(in crate::cli) pool: PoolArgs,
    #[command(flatten)]
    pub(in crate::cli) timeout: TimeoutArgs,
    #[command(flatten)]
    pub(in crate::cli) look: LookArgs,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}
