//! What is attested.

use clap::Args;

use crate::cli::words::ProvenanceMode;
use crate::job::PredicateChoice;

/// What is attested.
#[derive(Debug, Args)]
pub(in crate::cli) struct ProvenanceArgs {
    /// Attach signed SLSA provenance, or do not
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value = "auto",
        help_heading = "Provenance"
    )]
    pub(in crate::cli) provenance: ProvenanceMode,
    /// URI of who built the image; required for provenance outside a known CI host
    #[arg(long, value_name = "URI", help_heading = "Provenance")]
    pub(in crate::cli) builder_id: Option<String>,
    /// What it was built from, as `https://host/repository[@commit]`; required for provenance outside a known CI host
    #[arg(long, value_name = "URI[@COMMIT]", help_heading = "Provenance")]
    pub(in crate::cli) source: Option<String>,
    /// Refuse an image that nothing ties to this run: no label or annotation with its commit, no provenance by BuildKit
    #[arg(long, help_heading = "Provenance")]
    pub(in crate::cli) require_binding: bool,
    /// Sum up what the run verified in a signed attestation (SLSA's verification summary), for gates that check no more
    /// than that; a run that says no attaches none
    #[arg(long, help_heading = "Provenance")]
    pub(in crate::cli) vsa: bool,
    #[command(flatten)]
    pub(in crate::cli) level: LevelArgs,
}

/// How much of a build has to be vouched for.
#[derive(Debug, Args)]
pub(in crate::cli) struct LevelArgs {
    /// The SLSA build level, 1 to 3, that the evidence has to support; less is an error: with run nothing is signed, with
    /// verify the signed provenance has to be there and support it. There a builder that the expectations do not name
    /// reaches 2 by its signer's word alone
    #[arg(long, value_name = "LEVEL", help_heading = "Provenance")]
    pub(in crate::cli) minimum_build_level: Option<String>,
}

/// What becomes of attestations inside an index.
#[derive(Debug, Args)]
pub(in crate::cli) struct LiftArgs {
    /// Attach BuildKit's own provenance and SPDX bills of materials, which an index holds unsigned, to the platforms that
    /// they are about, and sign them
    #[arg(long, help_heading = "Provenance")]
    pub(in crate::cli) lift_buildkit: bool,
}

/// What else is attested.
#[derive(Debug, Args)]
pub(in crate::cli) struct PredicateArgs {
    /// Documents to attach and sign, one per kind, as spdx=bom.json; TYPE is spdx, cyclonedx, vex, sarif, vuln,
    /// test-result, vsa or a predicate type URI (`%3D`, `%40` for `=`, `@` in it); a Statement about the image, or the
    /// predicate alone
    #[arg(long, value_name = "TYPE[@ARTIFACT-TYPE]=FILE", help_heading = "Provenance")]
    pub(in crate::cli) attest: Vec<PredicateChoice>,
}
