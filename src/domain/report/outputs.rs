//! The outputs of a step: what later steps of a pipeline may ask for by name.

use std::collections::BTreeMap;

use super::escape::plain;
use super::ordered::Json;
use super::{AttestationReport, Checked, RunReport, SignatureReport, TargetReport, TargetState};

/// Where the parts of a report were written, as later steps can read them; none where they were not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// `report.json`.
    pub report: Option<String>,
    /// `results.sarif`.
    pub sarif: Option<String>,
    /// `summary.md`.
    pub summary: Option<String>,
    /// The directory with `trustpolicy.json` and `truststore/`.
    pub trust: Option<String>,
}

/// Every output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// The run in one word.
    Verdict,
    /// The images, as `repository@digest`.
    Images,
    /// Self-checked or verified.
    Checked,
    /// The digests that carry an accepted signature.
    SignedDigests,
    /// Signatures by image digest.
    SignatureDigests,
    /// Provenance by image digest.
    ProvenanceDigests,
    /// Verification summaries by image digest.
    VsaDigests,
    /// Where the JSON report is.
    ReportPath,
    /// Where the SARIF report is.
    SarifPath,
    /// Where the summary is.
    SummaryPath,
    /// Where policy and certificates are.
    TrustPath,
    /// A matrix for jobs that follow.
    Matrix,
}

impl Output {
    /// Every output, in the order of the documentation.
    pub const ALL: &[Self] = &[
        Self::Verdict,
        Self::Images,
        Self::Checked,
        Self::SignedDigests,
        Self::SignatureDigests,
        Self::ProvenanceDigests,
        Self::VsaDigests,
        Self::ReportPath,
        Self::SarifPath,
        Self::SummaryPath,
        Self::TrustPath,
        Self::Matrix,
    ];

    /// The name, as `signed-digests`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Images => "images",
            Self::Checked => "checked",
            Self::SignedDigests => "signed-digests",
            Self::SignatureDigests => "signature-digests",
            Self::ProvenanceDigests => "provenance-digests",
            Self::VsaDigests => "vsa-digests",
            Self::ReportPath => "report-path",
            Self::SarifPath => "sarif-path",
            Self::SummaryPath => "summary-path",
            Self::TrustPath => "trust-path",
            Self::Matrix => "matrix",
        }
    }

    /// The name as a variable, as `SIGNED_DIGESTS`.
    pub fn variable(self) -> String {
        self.name().to_ascii_uppercase().replace('-', "_")
    }

    /// What it holds, for documentation.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Verdict => "passed, rejected, failed, planned or skipped-untrusted",
            Self::Images => "JSON array of registry/repository@digest",
            Self::Checked => "self-checked or verified; empty where nothing was judged good",
            Self::SignedDigests => "JSON array of the digests that carry an accepted signature",
            Self::SignatureDigests => "JSON object, image digest to array of accepted signatures' digests",
            Self::ProvenanceDigests => "JSON object, image digest to array of accepted provenances' digests",
            Self::VsaDigests => {
                "JSON object, image digest to array of accepted verification summaries' digests"
            }
            Self::ReportPath => "path of report.json",
            Self::SarifPath => "path of results.sarif",
            Self::SummaryPath => "path of summary.md",
            Self::TrustPath => "directory with trustpolicy.json and truststore/",
            Self::Matrix => "JSON object {\"include\":[{\"image\":…,\"digest\":…}]}",
        }
    }
}

/// The outputs with their values, each on one line. What was not accepted is in none of them: a deployment that takes
/// its images from here can only get what passed.
pub fn outputs(report: &RunReport, paths: &Paths) -> Vec<(Output, String)> {
    let path = |path: &Option<String>| path.as_deref().map(plain).unwrap_or_default();
    let value = |output: Output| match output {
        Output::Verdict => report.verdict.name().to_owned(),
        Output::Checked => checked(report).map_or("", Checked::name).to_owned(),
        Output::Images => Json::list(passed(report).map(|(name, _)| name)).line(),
        Output::SignedDigests => signed_digests(report),
        Output::SignatureDigests => by_digest(report, |target| accepted(&target.signatures)),
        Output::ProvenanceDigests => by_digest(report, |target| {
            accepted_of(&target.attestations, AttestationReport::is_provenance)
        }),
        Output::VsaDigests => by_digest(report, |target| {
            accepted_of(&target.attestations, AttestationReport::is_summary)
        }),
        Output::ReportPath => path(&paths.report),
        Output::SarifPath => path(&paths.sarif),
        Output::SummaryPath => path(&paths.summary),
        Output::TrustPath => path(&paths.trust),
        Output::Matrix => matrix(report),
    };
    Output::ALL
        .iter()
        .map(|output| (*output, value(*output)))
        .collect()
}

/// What the check was worth, where anything was judged good.
fn checked(report: &RunReport) -> Option<&Checked> {
    use TargetState::{Attested, Copied, Kept, Signed, Verified};
    let good = |target: &TargetReport| matches!(target.state, Signed | Attested | Kept | Verified | Copied);
    report
        .checked
        .as_ref()
        .filter(|_| report.targets.iter().any(good))
}

/// Targets that were not refused and did not fail: judged good, or planned only.
fn usable(report: &RunReport) -> impl Iterator<Item = &TargetReport> {
    use TargetState::{Attested, Kept, Planned, Signed, Verified};
    let good = |target: &&TargetReport| matches!(target.state, Planned | Signed | Attested | Kept | Verified);
    report.targets.iter().filter(good)
}

/// Those of them that were asked for: a platform that something is attached to is no image to deploy.
fn asked_for(report: &RunReport) -> impl Iterator<Item = &TargetReport> {
    usable(report).filter(|target| !target.attested_only)
}

/// `repository@digest` and the digest, of usable targets that were resolved.
fn passed(report: &RunReport) -> impl Iterator<Item = (String, String)> {
    asked_for(report).filter_map(|target| {
        let digest = target.digest.as_ref()?.to_string();
        Some((format!("{}@{digest}", target.repository), digest))
    })
}

fn signed_digests(report: &RunReport) -> String {
    let signed = usable(report).filter(|target| !accepted(&target.signatures).is_empty());
    let mut digests: Vec<_> = signed.filter_map(|target| target.digest.as_ref()).collect();
    let mut seen = std::collections::HashSet::new();
    digests.retain(|digest| seen.insert(*digest));
    Json::list(digests.into_iter().map(ToString::to_string)).line()
}

fn accepted(signatures: &[SignatureReport]) -> Vec<String> {
    let good = signatures
        .iter()
        .filter(|signature| signature.verdict == "accepted");
    good.map(|signature| signature.digest.to_string()).collect()
}

fn accepted_of(attestations: &[AttestationReport], is: fn(&AttestationReport) -> bool) -> Vec<String> {
    let good = attestations
        .iter()
        .filter(|one| is(one) && one.verdict == "accepted");
    good.map(|one| one.digest.to_string()).collect()
}

/// An object from image digest to what hangs on it; the same image in two places gives both lists, once each.
fn by_digest(report: &RunReport, of: impl Fn(&TargetReport) -> Vec<String>) -> String {
    let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for target in usable(report) {
        let (Some(digest), found) = (&target.digest, of(target)) else {
            continue;
        };
        let list = map.entry(digest.to_string()).or_default();
        for one in found {
            if !list.contains(&one) {
                list.push(one);
            }
        }
    }
    map.retain(|_, list| !list.is_empty());
    Json::Map(
        map.into_iter()
            .map(|(digest, list)| (digest, Json::list(list)))
            .collect(),
    )
    .line()
}

fn matrix(report: &RunReport) -> String {
    let row = |target: &TargetReport| {
        let digest = target.digest.as_ref()?.to_string();
        Some(Json::map([
            ("image", (&target.repository).into()),
            ("digest", digest.into()),
        ]))
    };
    Json::map([("include", Json::list(asked_for(report).filter_map(row)))]).line()
}
