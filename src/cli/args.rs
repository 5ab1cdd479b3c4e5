//! The one table of inputs: every flag, action input, variable and configuration key with its type, default and help.
//!
//! Doc comments are the help. Nothing here is required by clap: what is missing is said by [`super::settings`], in
//! the words of the host the value would have come from.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::words::{
    Color, Count, FailOn, Format, Overrides, Pair, ProvenanceMode, Reach, SessionPolicy, SignerKind, Span,
    TargetsFormat, Untrusted,
};
use crate::base::arn::RoleArn;
use crate::domain::oci::{RegistryHost, Repository};
use crate::job::HandoffFormat;

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
pub(super) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

const AFTER_HELP: &str = "\
Images are written registry.host/repository[:tag][@digest], or oci:PATH[:tag][@digest] for an OCI layout on disk.
Every flag --some-name is also the variable COUNTERSIGN_SOME_NAME and, in a workflow, the input some-name.
Exit codes: 0 reached, 1 rejected, 2 usage, 3 unavailable, 4 refused, 5 missing, 6 tampered, 70 a bug.";

/// The commands that work today.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
    /// Judge what is in the store, and write nothing to it
    ///
    /// Without a trust policy the verdict is "self-checked": it proves that the store holds what this signer signed.
    /// With --trust-policy it is "verified" against that policy.
    Verify(VerifyArgs),
    /// Show what hangs on an image, and whether it verifies
    Inspect(InspectArgs),
    /// Say why an image counts as signed, or does not, decision by decision
    ///
    /// Names the policy that speaks for the image and why, its trust stores, and for each signature every validation
    /// with its reason and its rule. The exit code is that of verify.
    Explain(InspectArgs),
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
pub(super) struct DemoArgs {
    /// Where the demo image is written; a demo layout is used again, any other non-empty directory is refused
    #[arg(value_name = "DIR", default_value = "countersign-demo")]
    pub(super) dir: PathBuf,
    #[command(flatten)]
    pub(super) key: KeyArgs,
    #[command(flatten)]
    pub(super) report: ReportArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) look: LookArgs,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) images: ImagesArgs,
    #[command(flatten)]
    pub(super) subjects: SubjectArgs,
    #[command(flatten)]
    pub(super) signer: SignerArgs,
    #[command(flatten)]
    pub(super) key: KeyArgs,
    #[command(flatten)]
    pub(super) signing: SigningArgs,
    #[command(flatten)]
    pub(super) event: EventArgs,
    #[command(flatten)]
    pub(super) metadata: MetadataArgs,
    #[command(flatten)]
    pub(super) provenance: ProvenanceArgs,
    #[command(flatten)]
    pub(super) allow: AllowArgs,
    #[command(flatten)]
    pub(super) services: ServiceArgs,
    #[command(flatten)]
    pub(super) trust: TrustArgs,
    #[command(flatten)]
    pub(super) pool: PoolArgs,
    #[command(flatten)]
    pub(super) timeout: TimeoutArgs,
    #[command(flatten)]
    pub(super) report: ReportArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) look: LookArgs,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    pub(super) images: ImagesArgs,
    #[command(flatten)]
    pub(super) subjects: SubjectArgs,
    #[command(flatten)]
    pub(super) signer: SignerArgs,
    #[command(flatten)]
    pub(super) key: KeyArgs,
    #[command(flatten)]
    pub(super) metadata: MetadataArgs,
    #[command(flatten)]
    pub(super) services: ServiceArgs,
    #[command(flatten)]
    pub(super) trust: TrustArgs,
    #[command(flatten)]
    pub(super) pool: PoolArgs,
    #[command(flatten)]
    pub(super) timeout: TimeoutArgs,
    #[command(flatten)]
    pub(super) report: ReportArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) look: LookArgs,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    #[command(flatten)]
    pub(super) images: ImagesArgs,
    #[command(flatten)]
    pub(super) signer: SignerArgs,
    #[command(flatten)]
    pub(super) key: KeyArgs,
    #[command(flatten)]
    pub(super) services: ServiceArgs,
    #[command(flatten)]
    pub(super) trust: TrustArgs,
    #[command(flatten)]
    pub(super) timeout: TimeoutArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) look: LookArgs,
}

/// Arguments of `targets`.
#[derive(Debug, Args)]
pub(super) struct TargetsArgs {
    #[command(flatten)]
    pub(super) images: ImagesArgs,
    /// The form of standard output
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        default_value = "text",
        help_heading = "Output"
    )]
    pub(super) format: TargetsFormat,
    #[command(flatten)]
    pub(super) look: LookArgs,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

/// Which images.
#[derive(Debug, Args)]
pub(super) struct ImagesArgs {
    /// Images: registry.host/repository[:tag][@digest] or oci:PATH[:tag][@digest]
    #[arg(value_name = "IMAGES")]
    pub(super) positional: Vec<String>,
    /// Text that names images, one per line; the same as naming them as arguments
    #[arg(long, value_name = "TEXT", help_heading = "Images")]
    pub(super) images: Vec<String>,
    /// Files that name images, as builders leave them behind; `-` is standard input, `github-artifacts-list` the list
    /// of GitHub Actions
    #[arg(long, value_name = "FILE", help_heading = "Images")]
    pub(super) images_from: Vec<String>,
    /// The format of what names images, by id or name, as F05 or buildx; default: recognised by its content
    #[arg(long, value_name = "FORMAT", value_parser = super::words::images_format, help_heading = "Images")]
    pub(super) images_format: Option<&'static HandoffFormat>,
    /// The digest that a push reported, where it was reported without names
    #[arg(long, value_name = "DIGEST", help_heading = "Images")]
    pub(super) digest: Option<String>,
    /// The names or tags that the digest was pushed under
    #[arg(long, value_name = "TEXT", help_heading = "Images")]
    pub(super) names: Vec<String>,
    /// The repository that a layout's image belongs to, which chooses the trust policy statement; default: only `*` fits
    #[arg(long, value_name = "HOST/PATH", help_heading = "Images")]
    pub(super) repository: Option<Repository>,
}

/// How images are taken.
#[derive(Debug, Args)]
pub(super) struct SubjectArgs {
    /// How much of an index is acted on
    #[arg(
        long,
        value_enum,
        value_name = "WHICH",
        default_value = "index",
        help_heading = "Images"
    )]
    pub(super) recursive: Reach,
    /// Refuse images that are named without a digest
    #[arg(long, help_heading = "Images")]
    pub(super) require_digest: bool,
}

/// Who signs.
#[derive(Debug, Args)]
pub(super) struct SignerArgs {
    /// Who signs: a signing profile of AWS Signer, or a local key
    #[arg(
        long,
        value_enum,
        value_name = "WHO",
        default_value = "aws",
        help_heading = "Signing"
    )]
    pub(super) signer: SignerKind,
    /// The signing profile of AWS Signer: its name, its ARN, or the ARN of one version
    #[arg(long, value_name = "PROFILE", help_heading = "Signing")]
    pub(super) signing_profile: Option<String>,
}

/// What may be signed.
#[derive(Debug, Args)]
pub(super) struct AllowArgs {
    /// Globs of registry/repository outside which nothing is signed (`*` within a segment, `**` across); default: the
    /// ECR registries of the account in role-arn, else in the ARN of signing-profile
    #[arg(long, value_name = "GLOB", help_heading = "Images")]
    pub(super) allow: Vec<String>,
}

/// AWS and registries.
#[derive(Debug, Args)]
pub(super) struct ServiceArgs {
    #[command(flatten)]
    pub(super) aws: AwsArgs,
    #[command(flatten)]
    pub(super) registry: RegistryArgs,
}

/// Who we are to AWS.
#[derive(Debug, Args)]
pub(super) struct AwsArgs {
    /// The role to assume, with the identity token of the CI job where there is one
    #[arg(long, value_name = "ARN", help_heading = "AWS")]
    pub(super) role_arn: Option<RoleArn>,
    /// Roles to assume after that one, in this order
    #[arg(long, value_name = "ARN", help_heading = "AWS")]
    pub(super) role_chain: Vec<RoleArn>,
    /// The session's name, as audit logs show it; default: made from the CI job
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(super) role_session_name: Option<String>,
    /// How long the credentials live, 15 minutes at least
    #[arg(long, value_name = "DURATION", default_value = "900s", help_heading = "AWS")]
    pub(super) role_duration: Span,
    /// The external id that the last role of a chain asks for
    #[arg(long, value_name = "ID", help_heading = "AWS")]
    pub(super) external_id: Option<String>,
    /// The audience of the identity token; default: `sts.amazonaws.com`, in China `sts.amazonaws.com.cn`
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(super) audience: Option<String>,
    /// Name of the variable, or file, that holds the identity token on hosts other than GitHub; default: `AWS_ID_TOKEN`
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(super) id_token: Option<String>,
    /// The AWS region; default: from the profile's ARN, then `AWS_REGION`, then the first ECR registry
    #[arg(long, value_name = "REGION", help_heading = "AWS")]
    pub(super) region: Option<String>,
    /// Accounts that may act; credentials of any other are refused
    #[arg(long, value_name = "ACCOUNT", help_heading = "AWS")]
    pub(super) allowed_account_ids: Vec<String>,
    /// Whether the session is narrowed to what the targets need; `auto` is not available yet
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value = "off",
        help_heading = "AWS"
    )]
    pub(super) session_policy: SessionPolicy,
    /// Endpoints, certificates and proxies that the environment sets: name them in the report, or refuse them
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value = "report",
        help_heading = "AWS"
    )]
    pub(super) overrides: Overrides,
}

/// How registries are spoken to.
#[derive(Debug, Args)]
pub(super) struct RegistryArgs {
    /// User for registries that are not ECR; default: Docker's configuration file
    #[arg(long, value_name = "NAME", help_heading = "Registries")]
    pub(super) registry_username: Option<String>,
    /// Name of the variable, or file, that holds that user's password
    #[arg(long, value_name = "NAME", help_heading = "Registries")]
    pub(super) registry_password_from: Option<String>,
    /// Registries spoken to without TLS; this machine's own are anyway
    #[arg(long, value_name = "HOST", help_heading = "Registries")]
    pub(super) plain_http: Vec<RegistryHost>,
    /// Longest time for one request
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        help_heading = "Registries"
    )]
    pub(super) request_timeout: Span,
}

/// The local key.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// Private key for `signer: local` (PEM, P-384); default: a CA made once and kept in the user's state directory
    #[arg(long, value_name = "FILE", help_heading = "Signing")]
    pub(super) local_key: Option<PathBuf>,
    /// Certificate chain of that key (PEM), leaf first, root last
    #[arg(long, value_name = "FILE", help_heading = "Signing")]
    pub(super) local_chain: Option<PathBuf>,
}

/// What is signed, and how.
#[derive(Debug, Args)]
pub(super) struct SigningArgs {
    /// Sign even where a good signature by this signer stands
    #[arg(long, help_heading = "Signing")]
    pub(super) resign: bool,
    /// How long signatures hold, for `signer: local`; default: as long as the certificate
    #[arg(long, value_name = "DURATION", help_heading = "Signing")]
    pub(super) expires_in: Option<Span>,
    /// Print the plan and stop
    #[arg(long, help_heading = "Run")]
    pub(super) dry_run: bool,
}

/// What is done on an event that may not sign.
#[derive(Debug, Args)]
pub(super) struct EventArgs {
    /// On an event that may be a stranger's (a fork's, `pull_request_target`): sign nothing and end in 0, or in 4
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value = "skip",
        help_heading = "Run"
    )]
    pub(super) untrusted: Untrusted,
}

/// Pairs in the payload.
#[derive(Debug, Args)]
pub(super) struct MetadataArgs {
    /// Pairs for the signed payload; with `verify`, pairs that it must hold
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Signing")]
    pub(super) metadata: Vec<Pair>,
}

/// What is attested.
#[derive(Debug, Args)]
pub(super) struct ProvenanceArgs {
    /// Attach signed SLSA provenance, or do not
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value = "auto",
        help_heading = "Provenance"
    )]
    pub(super) provenance: ProvenanceMode,
    /// URI of who built the image; required for provenance outside a known CI host
    #[arg(long, value_name = "URI", help_heading = "Provenance")]
    pub(super) builder_id: Option<String>,
    /// What it was built from, as `https://host/repository[@commit]`; required for provenance outside a known CI host
    #[arg(long, value_name = "URI[@COMMIT]", help_heading = "Provenance")]
    pub(super) source: Option<String>,
}

/// What signatures are held against.
#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    /// A Notation trust policy file; default: a policy derived from the signer, which makes a self-check
    #[arg(long, value_name = "FILE", help_heading = "Trust")]
    pub(super) trust_policy: Option<PathBuf>,
    /// A PEM file of roots or a Notation truststore directory; default: AWS Signer's roots, or that of the local chain
    #[arg(long, value_name = "PATH", help_heading = "Trust")]
    pub(super) trust_store: Option<PathBuf>,
}

/// How many at once.
#[derive(Debug, Args)]
pub(super) struct PoolArgs {
    /// Images worked on at the same time
    #[arg(long, value_name = "COUNT", default_value = "16", help_heading = "Run")]
    pub(super) jobs: Count,
    /// Stop at the first image that fails
    #[arg(long, help_heading = "Run")]
    pub(super) fail_fast: bool,
}

/// How long it may take.
#[derive(Debug, Args)]
pub(super) struct TimeoutArgs {
    /// Longest time for one image
    #[arg(long, value_name = "DURATION", default_value = "10m", help_heading = "Run")]
    pub(super) timeout: Span,
}

/// The files that are left behind.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Where report.json, results.sarif, summary.md and trust/ are written
    #[arg(
        long,
        value_name = "DIR",
        default_value = "countersign-report",
        help_heading = "Output"
    )]
    pub(super) output_dir: PathBuf,
    /// A finding at or above this level turns exit code 0 into 1; it never lowers a code
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        default_value = "error",
        help_heading = "Output"
    )]
    pub(super) fail_on: FailOn,
}

/// Standard output.
#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// The form of standard output
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        default_value = "text",
        help_heading = "Output"
    )]
    pub(super) format: Format,
}

/// How it looks.
#[derive(Debug, Args)]
pub(super) struct LookArgs {
    /// Colours, on standard output and standard error
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub(super) color: Color,
    /// Say every step on standard error
    #[arg(short, long, help_heading = "Output")]
    pub(super) verbose: bool,
    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = "Output")]
    pub(super) quiet: bool,
    /// A YAML file of the same names, presentation and defaults only: what grants authority is refused in it
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) config: Option<PathBuf>,
}

/// Commands of the contract that are not built yet: named, they are refused in plain words.
pub(super) const LATER_COMMANDS: [&str; 11] = [
    "explain", "attest", "download", "copy", "report", "doctor", "iam", "init", "profile", "revoke", "policy",
];

/// Inputs of the contract that are not built yet, and the commands that will take them.
pub(super) const LATER_INPUTS: &[(&[&str], &[&str])] = &[
    (
        &["run", "verify"],
        &[
            "require-binding",
            "vsa",
            "expect",
            "minimum-build-level",
            "sarif-location",
        ],
    ),
    (&["run"], &["mode", "lift-buildkit", "attest"]),
    (&["targets"], &["resolve"]),
    (&["verify"], &["blob", "signature"]),
];

/// Inputs that grant authority: refused in a configuration file, and named in the plan where a variable gave them.
pub(super) const AUTHORITY: &[&str] = &[
    "allow",
    "allowed-account-ids",
    "attest",
    "audience",
    "builder-id",
    "expect",
    "external-id",
    "fail-on",
    "id-token",
    "local-chain",
    "local-key",
    "metadata",
    "minimum-build-level",
    "mode",
    "overrides",
    "plain-http",
    "region",
    "registry-password-from",
    "registry-username",
    "repository",
    "require-binding",
    "role-arn",
    "role-chain",
    "role-duration",
    "role-session-name",
    "session-policy",
    "signer",
    "signing-profile",
    "source",
    "trust-policy",
    "trust-store",
    "untrusted",
];

/// Inputs that say what is acted on or where more is to be read: a file may not set them either.
pub(super) const TYPED_ONLY: &[&str] = &[
    "blob",
    "command",
    "config",
    "digest",
    "images",
    "images-format",
    "images-from",
    "names",
    "signature",
];
