//! What an attestation's document says, whatever form it is stored in.

use super::attestation_manifest::is_statement;
use super::kind::{Form, Kind};
use super::{PREDICATE_TYPE, Statement, StatementError, buildkit, words};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::tree::{Cursor, Document, DocumentError, Value};
use crate::domain::oci::{Digest, Manifest};

/// Why bytes are not what their manifest announces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestedError {
    /// They are no Statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// They are no document of their kind.
    #[error("not a document of the kind {kind}")]
    Raw {
        /// The kind.
        kind: &'static str,
        /// Why.
        #[source]
        why: DocumentError,
    },
    /// A raw document of a type that nothing is known about.
    #[error("expected an in-toto Statement, or a raw document of a known kind, found {}", found.quote())]
    Unknown {
        /// The artifact type.
        found: Foreign,
    },
}

impl Classified for AttestedError {
    /// Rejected: the document was stored to be believed, and cannot be.
    fn class(&self) -> Class {
        Class::Rejected
    }
}

/// The document of one attestation.
///
/// Whatever it says is the word of whoever signed it; texts are foreign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attested {
    /// An in-toto Statement.
    Statement(Statement),
    /// A document as its format's readers want it.
    Raw {
        /// What its manifest says it is, and its own member agrees to.
        kind: Kind,
        /// The document.
        document: Document,
    },
}

/// The kind that a manifest announces: by its artifact type, else by the predicate type in its annotations, as where
/// somebody chose another artifact type for a kind.
pub fn announced(manifest: &Manifest) -> Option<Kind> {
    let by_type = manifest.artifact_type().and_then(Kind::of_artifact_type);
    let annotated = manifest.annotations().get(PREDICATE_TYPE);
    by_type.or_else(|| Kind::of_predicate_type(annotated?.raw()))
}

/// The predicate of a raw document, as conditions name members: there is no Statement around it, and whoever writes a
/// condition need not know.
const PREDICATE: &str = "/predicate";

impl Attested {
    /// Reads the document of an attestation manifest: a Statement where the layer says so, else a raw document of the
    /// kind that the artifact type names.
    ///
    /// # Errors
    /// [`AttestedError`] for bytes that are neither.
    pub fn read(manifest: &Manifest, bytes: &[u8]) -> Result<Self, AttestedError> {
        if is_statement(manifest) {
            return Ok(Self::Statement(Statement::read(bytes)?));
        }
        let Some(kind) = announced(manifest).filter(|kind| kind.form() == Form::Raw) else {
            let found = manifest
                .artifact_type()
                .map_or("none", |artifact_type| artifact_type.as_str());
            return Err(AttestedError::Unknown {
                found: Foreign::new(found),
            });
        };
        let raw = |why| AttestedError::Raw {
            kind: kind.name(),
            why,
        };
        let document = json::read(bytes, Bounds::STATEMENT).map_err(raw)?;
        kind.check_raw(&document).map_err(raw)?;
        Ok(Self::Raw { kind, document })
    }

    /// What kind of predicate it carries: a URI.
    pub fn predicate_type(&self) -> &str {
        match self {
            Self::Statement(statement) => statement.predicate_type(),
            Self::Raw { kind, .. } => kind.predicate_type(),
        }
    }

    /// Its kind, where that has a name.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Statement(statement) if buildkit::wrote(statement) => Some(Kind::BuildKit),
            Self::Statement(statement) => Kind::of_predicate_type(statement.predicate_type()),
            Self::Raw { kind, .. } => Some(*kind),
        }
    }

    /// The Statement, where it is one.
    pub fn statement(&self) -> Option<&Statement> {
        match self {
            Self::Statement(statement) => Some(statement),
            Self::Raw { .. } => None,
        }
    }

    /// What people want to know of it, by name: of a provenance its builder, source, run and so on, of anything else a
    /// summary in one line.
    pub fn facts(&self) -> Vec<(&'static str, Foreign)> {
        words::facts(self)
    }

    /// Whether it is about this image as far as the document says: a raw one says nothing, and only what its manifest
    /// refers to counts.
    pub fn may_name(&self, image: &Digest) -> bool {
        self.statement().is_none_or(|statement| statement.names(image))
    }

    /// The member that a JSON pointer (RFC 6901) names. Members of a raw document are its predicate's too:
    /// `/predicate/bomFormat` and `/bomFormat` are the same there.
    pub fn at(&self, pointer: &str) -> Option<Cursor<'_>> {
        match self {
            Self::Statement(statement) => statement.document().cursor().pointer(pointer),
            Self::Raw { document, .. } => {
                let own = pointer.strip_prefix(PREDICATE);
                let own = own.filter(|rest| rest.is_empty() || rest.starts_with('/'));
                document.cursor().pointer(own.unwrap_or(pointer))
            }
        }
    }

    /// The text of a member, where it is one.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        match self.at(pointer)?.value() {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What its manifest announces and the document is not: the predicate type of the annotation, or that of the kind
    /// that the artifact type stands for.
    pub fn not_as_announced(&self, manifest: &Manifest) -> Option<Foreign> {
        let annotated = manifest.annotations().get(PREDICATE_TYPE).map(Foreign::raw);
        let typed = manifest.artifact_type().and_then(Kind::of_artifact_type);
        let is = |announced: &&str| {
            *announced == self.predicate_type()
                || (self.kind().is_some() && Kind::of_predicate_type(announced) == self.kind())
        };
        let wrong = annotated.filter(|announced| !is(announced));
        let wrong = wrong.or(typed.map(Kind::predicate_type).filter(|announced| !is(announced)));
        wrong.map(Foreign::new)
    }
}
