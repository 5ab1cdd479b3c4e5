//! Documents that somebody wants attested: what each is said to be, whether it is that, and the bytes it is attached in.

mod choice;
mod shape;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use choice::{ChoiceError, PredicateChoice};

use super::attestation_manifest::Attachment;
use super::kind::{Form, Kind};
use super::{STATEMENT_TYPE, Statement, StatementError, to_json};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::json;
use crate::base::limits::{self, Bounds};
use crate::base::tree::{Document, DocumentError, Value};
use crate::domain::oci::{ArtifactType, Digest, MediaType};

/// What a Statement's `_type` begins with, whatever its version (in-toto attestation, `spec/v1/statement.md`).
const STATEMENTS: &str = "https://in-toto.io/Statement/";

/// A predicate that a Statement of ours is written around, which has to stay within [`Bounds::STATEMENT`]: one level deeper,
/// with subjects besides, of which an index has up to [`limits::INDEX_MANIFESTS`], each of four values.
const INSIDE: Bounds = Bounds {
    depth: Bounds::STATEMENT.depth - 1,
    values: Bounds::STATEMENT.values - 8 * limits::INDEX_MANIFESTS,
    ..Bounds::STATEMENT
};

/// Why a file cannot be attested as what it is said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not attest {file} as {kind}")]
pub struct PredicateError {
    /// The file, as it was named.
    pub file: String,
    /// What it was said to be.
    pub kind: String,
    /// Why.
    #[source]
    pub problem: Box<PredicateProblem>,
}

/// What is wrong with such a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PredicateProblem {
    /// It is no JSON, too large, not an object, or lacks what a document of this kind has.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It says that it is a Statement, and is none that can be read.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// It is a Statement with another predicate.
    #[error("predicateType: expected {expected}, found {}", found.quote())]
    Type {
        /// The predicate type that was announced.
        expected: String,
        /// The predicate type that it states.
        found: Foreign,
    },
}

impl Classified for PredicateError {
    /// Usage: the file is the user's own.
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// A Statement that is about something else than the image it is to be attached to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not attest {file}: expected a Statement about {image}, found one about {}", found.quote())]
pub struct OtherSubject {
    /// The file.
    pub file: String,
    /// The image.
    pub image: Digest,
    /// What it is about.
    pub found: Foreign,
}

impl Classified for OtherSubject {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("give the predicate without the Statement around it, or the Statement that was made for this image".to_owned())
    }
}

/// A document that is what it is said to be.
///
/// ```
/// use countersign::domain::provenance::{Predicate, PredicateChoice};
/// let choice: PredicateChoice = "cyclonedx=bom.json".parse()?;
/// let bom = Predicate::read(choice, br#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#)?;
/// assert_eq!(bom.choice().artifact_type().as_str(), "application/vnd.cyclonedx+json");
///
/// let choice: PredicateChoice = "spdx=bom.json".parse()?;
/// let error = Predicate::read(choice, br#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#).unwrap_err();
/// assert_eq!(error.to_string(), "could not attest bom.json as spdx");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Predicate {
    choice: PredicateChoice,
    /// The predicate type that is announced: the file's own where it came as a Statement of the same family.
    announced: String,
    /// The predicate, as it is written in the file.
    text: String,
    /// The Statement it came in.
    about: Option<Statement>,
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    predicate: &'a RawValue,
}

impl Predicate {
    /// Reads a file: a predicate, or a Statement around one.
    ///
    /// # Errors
    /// [`PredicateError`] that names the file, the member, what was expected and what was found.
    pub fn read(choice: PredicateChoice, bytes: &[u8]) -> Result<Self, PredicateError> {
        let (file, kind) = (choice.file().to_owned(), choice.name().to_owned());
        Self::parse(choice, bytes).map_err(|problem| PredicateError {
            file,
            kind,
            problem: Box::new(problem),
        })
    }

    fn parse(choice: PredicateChoice, bytes: &[u8]) -> Result<Self, PredicateProblem> {
        let document = json::read(bytes, Bounds::STATEMENT)?;
        document.cursor().object()?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        if !is_statement(&document) {
            if choice.form() == Form::Statement {
                json::read(bytes, INSIDE)?;
            }
            shape::check(&choice, &document)?;
            return Ok(Self {
                announced: choice.predicate_type().to_owned(),
                choice,
                text,
                about: None,
            });
        }
        Self::unwrapped(choice, Statement::read(bytes)?, &text)
    }

    /// The predicate of a Statement that a builder left inside an image's index, which was held against the image; so
    /// nothing is kept of it but the text.
    pub(super) fn lifted(
        kind: Kind,
        layer: &Digest,
        statement: Statement,
        bytes: &[u8],
    ) -> Result<Self, PredicateProblem> {
        let choice = PredicateChoice::lifted(kind, statement.predicate_type(), layer);
        let whole = Self::unwrapped(choice, statement, &String::from_utf8_lossy(bytes))?;
        Ok(Self { about: None, ..whole })
    }

    fn unwrapped(
        choice: PredicateChoice,
        statement: Statement,
        text: &str,
    ) -> Result<Self, PredicateProblem> {
        if !choice.is_of(statement.predicate_type()) {
            return Err(PredicateProblem::Type {
                expected: choice.predicate_type().to_owned(),
                found: Foreign::new(statement.predicate_type()),
            });
        }
        // Read within bounds above; this takes the member as it is written.
        let wrapped: Option<Wrapped<'_>> = serde_json::from_str(text).ok();
        let Some(wrapped) = wrapped else {
            let whole = statement.document().cursor();
            return Err(whole.error("a Statement with the member \"predicate\"").into());
        };
        let predicate = wrapped.predicate.get().to_owned();
        let inner = json::read(predicate.as_bytes(), INSIDE)?;
        inner.cursor().object()?;
        shape::check(&choice, &inner)?;
        Ok(Self {
            announced: statement.predicate_type().to_owned(),
            choice,
            text: predicate,
            about: Some(statement),
        })
    }

    /// What it was said to be.
    pub fn choice(&self) -> &PredicateChoice {
        &self.choice
    }

    /// The predicate type that is announced.
    pub fn predicate_type(&self) -> &str {
        &self.announced
    }

    /// Checks that a Statement that was given is about an image; what was given without one is about whatever it is
    /// attached to.
    ///
    /// # Errors
    /// [`OtherSubject`] that names both digests.
    pub fn check_subject(&self, image: &Digest) -> Result<(), OtherSubject> {
        match &self.about {
            Some(statement) if !statement.names(image) => Err(OtherSubject {
                file: self.choice.file().to_owned(),
                image: image.clone(),
                found: first_subject(statement),
            }),
            _ => Ok(()),
        }
    }

    /// The document to attach to an image: as it is for readers that know no Statements, else in a Statement about
    /// these entries, which every Statement about the image carries.
    pub fn attachment(&self, entries: &[(String, Digest)]) -> Attachment {
        let artifact_type = self.choice.artifact_type();
        let predicate_type = self.announced.clone();
        match self.choice.form() {
            Form::Raw => Attachment {
                layer_type: artifact_type.clone(),
                artifact_type,
                predicate_type,
                bytes: self.text.clone().into_bytes(),
            },
            Form::Statement => Attachment {
                artifact_type,
                layer_type: MediaType::IN_TOTO,
                bytes: self.statement(entries),
                predicate_type,
            },
        }
    }

    fn statement(&self, entries: &[(String, Digest)]) -> Vec<u8> {
        let mut seen = std::collections::HashSet::new();
        let entries = entries.iter().filter(|(_, digest)| seen.insert(digest));
        let subject = entries.map(|(name, digest)| Entry {
            name,
            digest: BTreeMap::from([(digest.algorithm().name(), digest.hex())]),
        });
        to_json(&Written {
            kind: STATEMENT_TYPE,
            subject: subject.collect(),
            predicate_type: &self.announced,
            // The text is one JSON value; nothing stands in for it otherwise than an error of the writer.
            predicate: serde_json::from_str(&self.text).unwrap_or_default(),
        })
    }
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: Vec<Entry<'a>>,
    #[serde(rename = "predicateType")]
    predicate_type: &'a str,
    predicate: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    digest: BTreeMap<&'static str, &'a str>,
}

fn is_statement(document: &Document) -> bool {
    let kind = document.cursor().pointer("/_type");
    kind.is_some_and(|kind| matches!(kind.value(), Value::Text(text) if text.starts_with(STATEMENTS)))
}

/// The first subject's digest, as `sha256:…`.
fn first_subject(statement: &Statement) -> Foreign {
    let digests = statement.document().cursor().pointer("/subject/0/digest");
    let members = digests.as_ref().and_then(|digests| digests.object().ok());
    let first = members.and_then(|members| {
        let (algorithm, value) = members.members().next()?;
        Some(format!("{algorithm}:{}", value.string().ok()?))
    });
    Foreign::new(first.unwrap_or_else(|| "nothing".to_owned()))
}

/// Two documents that would take each other's place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not attest both {first} and {second}: both are {} of type {}", quote(predicate_type), quote(artifact_type.as_str()))]
pub struct SameKind {
    /// A file.
    pub first: String,
    /// Another.
    pub second: String,
    /// Their predicate type.
    pub predicate_type: String,
    /// Their artifact type.
    pub artifact_type: ArtifactType,
}

impl Classified for SameKind {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("an image has one attestation of a kind; give one of them another artifact type: TYPE@ARTIFACT-TYPE=FILE".to_owned())
    }
}

/// Checks that no two of the documents would take each other's place.
///
/// # Errors
/// [`SameKind`] that names the first two.
pub fn distinct(predicates: &[Predicate]) -> Result<(), SameKind> {
    let mut seen: BTreeMap<(ArtifactType, Option<Kind>, &str), &str> = BTreeMap::new();
    for predicate in predicates {
        let (choice, predicate_type) = (predicate.choice(), predicate.predicate_type());
        let key = (choice.artifact_type(), choice.kind(), predicate_type);
        if let Some(first) = seen.insert(key, choice.file()) {
            return Err(SameKind {
                first: first.to_owned(),
                second: choice.file().to_owned(),
                predicate_type: predicate_type.to_owned(),
                artifact_type: choice.artifact_type(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
