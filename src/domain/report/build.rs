//! What the report says of the build that was attested: who vouches for it, and which level that supports.

use super::ordered::Json;
use crate::base::foreign::{Foreign, quote};

/// The build that a run attests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildReport {
    /// `runDetails.builder.id`.
    pub builder: String,
    /// `buildDefinition.buildType`.
    pub build_type: String,
    /// Whether the facts come from an identity token that was verified.
    pub claims_verified: bool,
    /// Who signed that token.
    pub issuer: Option<String>,
    /// The build whose record the build service gave, where the facts come from that.
    pub record: Option<Foreign>,
    /// Why nobody vouches for the facts.
    pub because: Option<Foreign>,
    /// The claims, or members of the record, that were used.
    pub claims: Vec<&'static str>,
    /// The variables that were used.
    pub variables: Vec<&'static str>,
    /// The SLSA build level that the evidence supports; the provenance itself claims none.
    pub level: u8,
    /// Why not more.
    pub reasons: Vec<String>,
}

/// What ties an image to the run that attests it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingReport {
    /// `annotations`, `labels`, `buildkit`, `pushed`, or `none`.
    pub tie: &'static str,
    /// What was found instead, where nothing ties it.
    pub found: Vec<Foreign>,
}

impl BindingReport {
    pub(super) fn json(&self) -> Json {
        Json::map([("tie", self.tie.into()), ("found", Json::list(&self.found))])
    }

    /// A sentence for people.
    pub(super) const fn words(&self) -> &'static str {
        match self.tie.as_bytes() {
            b"annotations" => "tied to this run by annotations that name its commit and repository",
            b"labels" => "tied to this run by labels that name its commit and repository",
            b"pushed" => "tied to this run by the registry's word that it was pushed after the build began",
            b"buildkit" => "tied to this run by BuildKit's provenance, which names it",
            _ => "nothing ties it to this run",
        }
    }
}

impl BuildReport {
    pub(super) fn json(&self) -> Json {
        let texts = |texts: &[&'static str]| Json::list(texts.iter().map(|text| Json::from(*text)));
        Json::map([
            ("builder", (&self.builder).into()),
            ("buildType", (&self.build_type).into()),
            ("claimsVerified", self.claims_verified.into()),
            ("issuer", self.issuer.as_ref().into()),
            ("record", self.record.as_ref().into()),
            ("because", self.because.as_ref().into()),
            ("claims", texts(&self.claims)),
            ("variables", texts(&self.variables)),
            (
                "level",
                Json::map([
                    ("supported", u64::from(self.level).into()),
                    ("reasons", Json::list(&self.reasons)),
                ]),
            ),
        ])
    }

    /// Two sentences for people.
    pub(super) fn words(&self) -> [String; 2] {
        let voucher = match (&self.issuer, &self.record, &self.because) {
            (Some(issuer), ..) => {
                format!("the facts come from an identity token of {issuer}, which was verified")
            }
            (None, Some(build), _) => {
                format!(
                    "the facts come from the build service's own record of {}",
                    quote(build.raw())
                )
            }
            (None, None, Some(because)) => format!(
                "the facts come from the environment, for which nobody vouches: {}",
                quote(because.raw())
            ),
            (None, None, None) => "the facts are the word of whoever ran countersign".to_owned(),
        };
        let level = format!(
            "the evidence supports SLSA build level {}: {}",
            self.level,
            self.reasons.join("; ")
        );
        [voucher, level]
    }
}
