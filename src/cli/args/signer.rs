//! Who signs, and what.

use std::path::PathBuf;

use clap::Args;

use crate::cli::words::{Pair, SignerKind, Span, Untrusted};

/// Who signs, and with which key.
#[derive(Debug, Args)]
pub(in crate::cli) struct WhoArgs {
    #[command(flatten)]
    pub(in crate::cli) signer: SignerArgs,
    #[command(flatten)]
    pub(in crate::cli) key: KeyArgs,
}

/// Who signs.
#[derive(Debug, Args)]
pub(in crate::cli) struct SignerArgs {
    /// Who signs: a signing profile of AWS Signer, or a local key
    #[arg(
        long,
        value_enum,
        value_name = "WHO",
        default_value = "aws",
        help_heading = "Signing"
    )]
    pub(in crate::cli) signer: SignerKind,
    /// The signing profile of AWS Signer: its name, its ARN, or the ARN of one version
    #[arg(long, value_name = "PROFILE", help_heading = "Signing")]
    pub(in crate::cli) signing_profile: Option<String>,
}

/// The local key.
#[derive(Debug, Args)]
pub(in crate::cli) struct KeyArgs {
    /// Private key for `signer: local` (PEM, P-384); default: a CA made once and kept in the user's state directory
    #[arg(long, value_name = "FILE", help_heading = "Signing")]
    pub(in crate::cli) local_key: Option<PathBuf>,
    /// Certificate chain of that key (PEM), leaf first, root last
    #[arg(long, value_name = "FILE", help_heading = "Signing")]
    pub(in crate::cli) local_chain: Option<PathBuf>,
}

/// What is signed.
#[derive(Debug, Args)]
pub(in crate::cli) struct SigningArgs {
    /// Sign even where a good signature by this signer stands
    #[arg(long, help_heading = "Signing")]
    pub(in crate::cli) resign: bool,
}

/// How it is signed.
#[derive(Debug, Args)]
pub(in crate::cli) struct HowArgs {
    /// How long signatures hold, for `signer: local`; default: as long as the certificate
    #[arg(long, value_name = "DURATION", help_heading = "Signing")]
    pub(in crate::cli) expires_in: Option<Span>,
    /// Print the plan and stop
    #[arg(long, help_heading = "Run")]
    pub(in crate::cli) dry_run: bool,
}

/// What is done on an event that may not sign.
#[derive(Debug, Args)]
pub(in crate::cli) struct EventArgs {
    /// On an event that may be a stranger's (a fork's, `pull_request_target`): sign nothing and end in 0, or in 4
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value = "skip",
        help_heading = "Run"
    )]
    pub(in crate::cli) untrusted: Untrusted,
}

/// Pairs in the payload.
#[derive(Debug, Args)]
pub(in crate::cli) struct MetadataArgs {
    /// Pairs for the signed payload; with `verify`, pairs that it must hold
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Signing")]
    pub(in crate::cli) metadata: Vec<Pair>,
}
