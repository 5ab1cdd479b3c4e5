//! One line of what is to be attested: `TYPE[@ARTIFACT-TYPE]=FILE`.

use std::str::FromStr;

use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::domain::oci::{ArtifactType, Digest, MediaType};
use crate::domain::provenance::is_uri;
use crate::domain::provenance::kind::{Form, Kind};

/// A document and what it is said to be: a kind by name, or a predicate type.
///
/// ```
/// use countersign::domain::provenance::PredicateChoice;
/// let line: PredicateChoice = "https://example.com/review/v1@application/vnd.example.review+json=review.json".parse()?;
/// assert_eq!(line.predicate_type(), "https://example.com/review/v1");
/// assert_eq!(line.artifact_type().as_str(), "application/vnd.example.review+json");
/// assert_eq!(line.file(), "review.json");
/// # Ok::<(), countersign::domain::provenance::ChoiceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredicateChoice {
    kind: Option<Kind>,
    predicate_type: String,
    artifact_type: Option<ArtifactType>,
    file: String,
}

/// A line that says nothing that can be attested.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// It has another form, or names no type.
    #[error("expected TYPE[@ARTIFACT-TYPE]=FILE, where TYPE is spdx, cyclonedx, vex, sarif, vuln, test-result, vsa or the URI of a predicate type, found {}{}", found.quote(), meant.map_or_else(String::new, |meant| format!(": {meant}")))]
    Form {
        /// The line.
        found: Foreign,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// What stands for the artifact type is none.
    #[error("expected an artifact type between @ and = in {}, as application/vnd.example.review+json, found {}{}", line.quote(), found.quote(), cut.as_ref().map_or_else(String::new, |cut| format!(": registries refuse parameters, write {}", cut.quote())))]
    ArtifactType {
        /// The line.
        line: Foreign,
        /// What stands there.
        found: Foreign,
        /// The same without what follows the `;`, where that is one.
        cut: Option<Foreign>,
    },
}

/// Words that people write for a TYPE, and what to write instead.
const MEANT: [(&[&str], &str); 6] = [
    (
        &["provenance", "slsa", "slsaprovenance"],
        "provenance is what a run itself answers for, and no document; it is attached unless --provenance is off",
    ),
    (
        &["buildkit-provenance", "buildkit"],
        "what BuildKit says of its build is taken from the image itself, by --lift-buildkit",
    ),
    (&["openvex"], "for OpenVEX write vex"),
    (
        &["sbom", "bom"],
        "write spdx or cyclonedx, by the format of the file",
    ),
    (
        &["vulns", "vulnerabilities", "vulnerability"],
        "for in-toto's vulnerabilities predicate write vuln, for SARIF sarif",
    ),
    (
        &["test-results", "tests", "test"],
        "for in-toto's test result predicate write test-result",
    ),
];

/// What is wrong with a text that stands for an artifact type.
fn no_artifact_type(line: &str, own: &str) -> ChoiceError {
    let bare = own.split_once(';').map(|(bare, _)| bare.trim_end());
    let bare = bare.filter(|bare| bare.parse::<MediaType>().is_ok());
    ChoiceError::ArtifactType {
        line: Foreign::new(line),
        found: Foreign::new(own),
        cut: bare.map(Foreign::new),
    }
}

/// What somebody meant who wrote this.
fn meant(what: &str) -> Option<&'static str> {
    let plain = what.to_ascii_lowercase();
    let word = Kind::of_predicate_type(what).map_or(plain.as_str(), |kind| kind.name());
    let row = MEANT.iter().find(|(words, _)| words.contains(&word));
    let media_type = what
        .split(';')
        .next()
        .filter(|bare| bare.parse::<MediaType>().is_ok());
    row.map(|(_, meant)| *meant).or(media_type.map(|_| {
        "a media type goes behind the @, as in spdx@application/vnd.example.bom+json=bom.json; TYPE says what the file holds"
    }))
}

impl Classified for ChoiceError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

impl FromStr for PredicateChoice {
    type Err = ChoiceError;

    /// Splits at the first `=`, then at the last `@` before it; a URI that holds one of them writes `%3D`, `%40`.
    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        let named = text.split(['=', '@']).next().unwrap_or_default();
        let wrong = || ChoiceError::Form {
            found: Foreign::new(text),
            meant: meant(named),
        };
        let (what, file) = text.split_once('=').ok_or_else(wrong)?;
        let (what, artifact_type) = match what.rsplit_once('@') {
            None => (what, None),
            Some((what, own)) => (
                what,
                Some(
                    own.parse::<MediaType>()
                        .map_err(|_| no_artifact_type(text, own))?,
                ),
            ),
        };
        let what = what.replace("%3D", "=").replace("%40", "@");
        let (kind, predicate_type) = match what.parse::<Kind>() {
            Ok(kind) => (Some(kind), kind.predicate_type().to_owned()),
            Err(_) if is_uri(&what) => (Kind::of_predicate_type(&what), what),
            Err(_) => return Err(wrong()),
        };
        // Provenance says what a run can answer for, and is the run's own.
        if matches!(kind, Some(Kind::Provenance | Kind::BuildKit)) || file.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            kind,
            predicate_type,
            artifact_type,
            file: file.to_owned(),
        })
    }
}

impl PredicateChoice {
    /// What a builder left inside an image, by the digest of its layer.
    pub(super) fn lifted(kind: Kind, predicate_type: &str, layer: &Digest) -> Self {
        Self {
            kind: Some(kind),
            predicate_type: predicate_type.to_owned(),
            artifact_type: None,
            file: layer.to_string(),
        }
    }

    /// The kind, where it has a name.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// What people call it: the kind's name, or the predicate type.
    pub fn name(&self) -> &str {
        match self.kind {
            Some(kind) => kind.name(),
            None => &self.predicate_type,
        }
    }

    /// The predicate type that it announces.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// Whether a Statement's predicate type is the one meant: the same, or of the same family.
    pub(super) fn is_of(&self, predicate_type: &str) -> bool {
        predicate_type == self.predicate_type
            || (self.kind.is_some() && Kind::of_predicate_type(predicate_type) == self.kind)
    }

    /// What its manifest will say it carries: as typed, or the kind's own; a Statement's type where nothing is known.
    pub fn artifact_type(&self) -> ArtifactType {
        let own = || self.kind.map_or(MediaType::IN_TOTO, Kind::artifact_type);
        self.artifact_type.clone().unwrap_or_else(own)
    }

    /// How its document is stored.
    pub fn form(&self) -> Form {
        self.kind.map_or(Form::Statement, Kind::form)
    }

    /// The file.
    pub fn file(&self) -> &str {
        &self.file
    }
}
