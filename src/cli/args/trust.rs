//! What signatures are held against.

use std::path::PathBuf;

use clap::Args;

/// What signatures are held against.
#[derive(Debug, Args)]
pub(in crate::cli) struct TrustArgs {
    /// A Notation trust policy file, or `notation` for the one in Notation's own configuration; default: a policy
    /// derived from the signer, which makes a self-check
    #[arg(long, value_name = "FILE", help_heading = "Trust")]
    pub(in crate::cli) trust_policy: Option<PathBuf>,
    /// A PEM file of roots, a Notation truststore directory, or `notation` for the one in Notation's own configuration;
    /// default: AWS Signer's roots, or that of the local chain
    #[arg(long, value_name = "PATH", help_heading = "Trust")]
    pub(in crate::cli) trust_store: Option<PathBuf>,
}

/// What accepted attestations have to say.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExpectArgs {
    /// A YAML or JSON file of what the attestations have to say: required types, builder, source, age, conditions
    #[arg(long, value_name = "FILE", help_heading = "Trust")]
    pub(in crate::cli) expect: Option<PathBuf>,
}
