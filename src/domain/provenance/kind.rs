//! The kinds of attestations that countersign writes and reads by name: which predicate, in which bytes, announced how.
//!
//! One table, because readers agree on little else: Trivy takes a bill of materials only as a raw document whose layer
//! type equals the artifact type (`aquasecurity/trivy`, `pkg/fanal/artifact/image/remote_sbom.go`), Ratify likewise
//! (`ratify-project/ratify`, `plugins/verifier/{sbom,vulnerabilityreport}`), and Kyverno's verifiers select by the exact
//! artifact type alone (`kyverno/kyverno`, `pkg/image/verifiers/`). So every kind has an artifact type of its own.

use std::fmt;
use std::str::FromStr;

use super::PROVENANCE_PREDICATE;
use crate::base::foreign::Foreign;
use crate::base::tree::{Document, DocumentError, Value};
use crate::domain::oci::{ArtifactType, MediaType};

/// A kind of attestation.
///
/// ```
/// use countersign::domain::provenance::Kind;
/// let kind: Kind = "spdx".parse()?;
/// assert_eq!(kind.predicate_type(), "https://spdx.dev/Document");
/// assert_eq!(kind.artifact_type().as_str(), "application/spdx+json");
/// assert_eq!(Kind::of_predicate_type("https://spdx.dev/Document/v2.3"), Some(kind));
/// # Ok::<(), countersign::domain::provenance::KindError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// SLSA provenance v1.
    Provenance,
    /// What `BuildKit` says of its own build, in SLSA provenance v0.2 or v1: told by its build type, and never taken for
    /// the provenance of a run, whose builder and source somebody vouches for.
    BuildKit,
    /// A bill of materials in SPDX.
    Spdx,
    /// A bill of materials in `CycloneDX`.
    CycloneDx,
    /// Statements on exploitability in `OpenVEX`.
    Vex,
    /// Findings of a scanner in SARIF.
    Sarif,
    /// Vulnerabilities by in-toto's predicate.
    Vuln,
    /// Results of tests by in-toto's predicate.
    TestResult,
    /// A verification summary by SLSA's predicate.
    Vsa,
}

/// How the document of a kind is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// As the predicate of an in-toto Statement.
    Statement,
    /// As it is: readers of this kind know no Statements.
    Raw,
}

/// A name that is no kind's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}, found {}", Kind::names(), .0.quote())]
pub struct KindError(pub Foreign);

/// One row of the table.
struct Row {
    name: &'static str,
    predicate: &'static str,
    /// Other predicate types of the same family: the text itself, or with `/` and a version behind it.
    families: &'static [&'static str],
    artifact: ArtifactType,
    form: Form,
    title: &'static str,
}

/// SLSA provenance v1; version 0.2 is another predicate, with other members.
const PROVENANCE: Row = Row {
    name: "provenance",
    predicate: PROVENANCE_PREDICATE,
    families: &[],
    artifact: MediaType::PROVENANCE,
    form: Form::Statement,
    title: "provenance.intoto.json",
};

/// `BuildKit`'s provenance; the page that is its build type stands for a predicate type, since it shares those of SLSA
/// with every other builder.
const BUILDKIT: Row = Row {
    name: "buildkit-provenance",
    predicate: super::buildkit::BUILD_TYPE,
    families: &[],
    artifact: MediaType::BUILDKIT_PROVENANCE,
    form: Form::Statement,
    title: "buildkit-provenance.intoto.json",
};

/// SPDX (in-toto attestation, `spec/predicates/spdx.md`), raw.
const SPDX: Row = Row {
    name: "spdx",
    predicate: "https://spdx.dev/Document",
    families: &["https://spdx.dev/Document", "https://spdx.dev/spdx"],
    artifact: MediaType::SPDX,
    form: Form::Raw,
    title: "sbom.spdx.json",
};

/// `CycloneDX` (in-toto attestation, `spec/predicates/cyclonedx.md`), raw.
const CYCLONEDX: Row = Row {
    name: "cyclonedx",
    predicate: "https://cyclonedx.org/bom",
    families: &["https://cyclonedx.org/bom", "https://cyclonedx.org/schema"],
    artifact: MediaType::CYCLONEDX,
    form: Form::Raw,
    title: "sbom.cdx.json",
};

/// `OpenVEX` (OpenVEX attesting specification).
const VEX: Row = Row {
    name: "vex",
    predicate: "https://openvex.dev/ns",
    families: &["https://openvex.dev/ns"],
    artifact: MediaType::VEX,
    form: Form::Statement,
    title: "openvex.intoto.json",
};

/// SARIF 2.1.0, raw; the schema's own address stands for a predicate type, since in-toto has none.
const SARIF: Row = Row {
    name: "sarif",
    predicate: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json",
    families: &[],
    artifact: MediaType::SARIF,
    form: Form::Raw,
    title: "results.sarif",
};

/// Vulnerabilities (in-toto attestation, `spec/predicates/vulns_02.md`).
const VULN: Row = Row {
    name: "vuln",
    predicate: "https://in-toto.io/attestation/vulns/v0.2",
    families: &["https://in-toto.io/attestation/vulns"],
    artifact: MediaType::VULNS,
    form: Form::Statement,
    title: "vulns.intoto.json",
};

/// Results of tests (in-toto attestation, `spec/predicates/test-result.md`).
const TEST_RESULT: Row = Row {
    name: "test-result",
    predicate: "https://in-toto.io/attestation/test-result/v0.1",
    families: &["https://in-toto.io/attestation/test-result"],
    artifact: MediaType::TEST_RESULT,
    form: Form::Statement,
    title: "test-result.intoto.json",
};

/// Verification summary (SLSA 1.2, `verification_summary.md`).
const VSA: Row = Row {
    name: "vsa",
    predicate: "https://slsa.dev/verification_summary/v1",
    families: &[],
    artifact: MediaType::VSA,
    form: Form::Statement,
    title: "vsa.intoto.json",
};

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Provenance,
        Self::BuildKit,
        Self::Spdx,
        Self::CycloneDx,
        Self::Vex,
        Self::Sarif,
        Self::Vuln,
        Self::TestResult,
        Self::Vsa,
    ];

    const fn row(self) -> &'static Row {
        match self {
            Self::Provenance => &PROVENANCE,
            Self::BuildKit => &BUILDKIT,
            Self::Spdx => &SPDX,
            Self::CycloneDx => &CYCLONEDX,
            Self::Vex => &VEX,
            Self::Sarif => &SARIF,
            Self::Vuln => &VULN,
            Self::TestResult => &TEST_RESULT,
            Self::Vsa => &VSA,
        }
    }

    /// The word people write and read: `provenance`, `spdx`, …
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Every name, for messages.
    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The predicate type that is announced for it.
    pub const fn predicate_type(self) -> &'static str {
        self.row().predicate
    }

    /// What its manifest says it carries.
    pub fn artifact_type(self) -> ArtifactType {
        self.row().artifact.clone()
    }

    /// How its document is stored.
    pub const fn form(self) -> Form {
        self.row().form
    }

    /// The type of its one layer: that of Statements, or the artifact type for a raw document.
    pub fn layer_type(self) -> MediaType {
        match self.form() {
            Form::Statement => MediaType::IN_TOTO,
            Form::Raw => self.artifact_type(),
        }
    }

    /// A file name for its document, by the habits of the formats.
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// The kind whose predicate this is, whatever its version where versions share their meaning.
    pub fn of_predicate_type(uri: &str) -> Option<Self> {
        let of_family = |family: &&str| {
            uri.strip_prefix(family)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is = |kind: &Self| kind.predicate_type() == uri || kind.row().families.iter().any(of_family);
        Self::ALL.into_iter().find(is)
    }

    /// The kind that a manifest of this type carries.
    pub fn of_artifact_type(artifact_type: &ArtifactType) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.row().artifact == *artifact_type)
    }

    /// Checks that a raw document is one of this kind, by the member that its format gives every document: `spdxVersion`
    /// (SPDX 2.3, 6.1; in SPDX 3.0 the `@context` of its JSON-LD), `bomFormat` (`CycloneDX` 1.6), `version` and `runs`
    /// (SARIF 2.1.0, 3.13). Kinds that are stored as Statements say in there what they are.
    ///
    /// # Errors
    /// [`DocumentError::Shape`] that names the member, what was expected and what was found.
    pub fn check_raw(self, document: &Document) -> Result<(), DocumentError> {
        let top = document.cursor().object()?;
        let text = |member: &str, expected: &str, fits: &dyn Fn(&str) -> bool| {
            let value = top.required(member)?;
            match value.value() {
                Value::Text(text) if fits(text) => Ok(()),
                _ => Err(value.error(expected)),
            }
        };
        match self {
            Self::Spdx if top.optional("@context").is_some() => {
                top.required("@graph")?.array()?;
                text("@context", "the context of SPDX 3", &|text| {
                    text.starts_with("https://spdx.org/rdf/3.")
                })
            }
            Self::Spdx => text("spdxVersion", "a version of SPDX, as SPDX-2.3", &|text| {
                text.starts_with("SPDX-")
            }),
            Self::CycloneDx => text("bomFormat", "CycloneDX", &|text| text == "CycloneDX"),
            Self::Sarif => {
                top.required("runs")?.array()?;
                text("version", "2.1.0", &|text| text == "2.1.0")
            }
            Self::Provenance | Self::BuildKit | Self::Vex | Self::Vuln | Self::TestResult | Self::Vsa => {
                Ok(())
            }
        }
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        let named = Self::ALL.into_iter().find(|kind| kind.name() == text);
        named.ok_or_else(|| KindError(Foreign::new(text)))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::{json, limits::Bounds};

    #[test]
    fn every_kind_is_found_by_its_name_its_predicate_and_its_artifact_type_alone() {
        let (mut names, mut types, mut artifacts) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(Kind::of_predicate_type(kind.predicate_type()), Some(kind));
            assert_eq!(Kind::of_artifact_type(&kind.artifact_type()), Some(kind));
            // Registries refuse parameters, and readers of raw documents want the layer's type to be the artifact's.
            assert!(!kind.artifact_type().as_str().contains(';'));
            let raw = kind.layer_type() == kind.artifact_type();
            assert_eq!(raw, kind.form() == Form::Raw);
            assert!(names.insert(kind.name()) && types.insert(kind.predicate_type()));
            assert!(artifacts.insert(kind.artifact_type()));
        }
    }

    #[test]
    fn versions_of_one_family_are_one_kind_and_nothing_else_is() {
        let kind = Kind::of_predicate_type;
        for uri in [
            "https://spdx.dev/Document/v2.3",
            "https://spdx.dev/Document/v3",
            "https://spdx.dev/spdx/v2.3",
        ] {
            assert_eq!(kind(uri), Some(Kind::Spdx), "{uri}");
        }
        assert_eq!(kind("https://cyclonedx.org/bom/v1.6"), Some(Kind::CycloneDx));
        assert_eq!(kind("https://openvex.dev/ns/v0.2.0"), Some(Kind::Vex));
        assert_eq!(
            kind("https://in-toto.io/attestation/vulns/v0.1"),
            Some(Kind::Vuln)
        );
        for uri in [
            "https://slsa.dev/provenance/v0.2",
            "https://slsa.dev/provenance/v1.0",
            "https://spdx.dev/Documents",
            "https://spdx.dev/",
            "",
        ] {
            assert_eq!(kind(uri), None, "{uri}");
        }
        assert_eq!(
            "sbom".parse::<Kind>().unwrap_err().to_string(),
            "expected one of provenance, buildkit-provenance, spdx, cyclonedx, vex, sarif, vuln, test-result, vsa, found \"sbom\""
        );
    }

    #[test]
    fn a_raw_document_of_another_kind_is_told_by_its_own_member() {
        let check = |kind: Kind, text: &str| {
            let document = json::read(text.as_bytes(), Bounds::STATEMENT).unwrap();
            kind.check_raw(&document).map_err(|error| error.to_string())
        };
        assert_eq!(check(Kind::Spdx, r#"{"spdxVersion":"SPDX-2.3"}"#), Ok(()));
        let three = r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}"#;
        assert_eq!(check(Kind::Spdx, three), Ok(()));
        let bom = r#"{"bomFormat":"CycloneDX"}"#;
        assert_eq!(check(Kind::CycloneDx, bom), Ok(()));
        assert_eq!(check(Kind::Sarif, r#"{"version":"2.1.0","runs":[]}"#), Ok(()));
        assert_eq!(
            check(Kind::Spdx, bom).unwrap_err(),
            "line 1, column 1: expected an object with the member \"spdxVersion\", found the members \"bomFormat\""
        );
        assert_eq!(
            check(Kind::CycloneDx, r#"{"bomFormat":"SPDX"}"#).unwrap_err(),
            "bomFormat, line 1, column 14: expected CycloneDX, found \"SPDX\""
        );
        assert!(check(Kind::Sarif, r#"{"version":"2.0.0","runs":[]}"#).is_err());
        assert!(check(Kind::Sarif, r#"{"version":"2.1.0"}"#).is_err());
        assert!(check(Kind::Spdx, "[]").is_err());
        assert_eq!(check(Kind::Vsa, "{}"), Ok(()));
    }
}
