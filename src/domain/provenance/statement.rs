//! Reading Statements strictly.

use std::collections::{BTreeMap, BTreeSet};

use super::{BuildFacts, Dependency, PROVENANCE_PREDICATE, Parameter, STATEMENT_TYPE, is_uri};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::{Bounds, INDEX_MANIFESTS};
use crate::base::tree::{Cursor, Document, DocumentError, Value};
use crate::domain::oci::Digest;

/// Subjects of one Statement: an index and everything that may be reached from it.
const SUBJECTS: usize = INDEX_MANIFESTS + 1;

/// Digests of one subject (ours; in-toto's `digest_set.md` knows about twenty algorithms).
const DIGESTS: usize = 32;

/// Why bytes are not a Statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The bytes are no such document; over-size is [`DocumentError::TooLarge`].
    #[error("not an in-toto Statement")]
    Document(#[from] DocumentError),
    /// Another version of the Statement, or something else.
    #[error("expected the _type {STATEMENT_TYPE}, found {}", found.quote())]
    Type {
        /// The `_type`.
        found: Foreign,
    },
    /// Nothing, or more than anyone could mean, is stated about.
    #[error("expected 1 to {SUBJECTS} subjects, found {found}")]
    Subjects {
        /// How many.
        found: usize,
    },
    /// A digest that cannot be the named algorithm's.
    #[error("{path}: expected {expected}, found {}", found.quote())]
    Digest {
        /// The member, as `subject[0].digest.sha256`.
        path: String,
        /// What was expected.
        expected: &'static str,
        /// The text.
        found: Foreign,
    },
}

impl Classified for StatementError {
    /// Rejected: a Statement is read to be judged, and nobody can believe this one. Whoever reads a file that the
    /// user named says usage instead.
    fn class(&self) -> Class {
        Class::Rejected
    }
}

/// The digests of one subject by algorithm, as written.
type DigestSet = BTreeMap<String, String>;

/// A parsed in-toto Statement v1: of that type, about at least one subject, each with digests.
///
/// Whatever it says is the word of whoever signed it; [`Statement::read`] believes nothing. Texts are foreign: show
/// them through [`crate::base::foreign`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    document: Document,
    subjects: Vec<DigestSet>,
    predicate_type: String,
}

impl Statement {
    /// Reads a Statement (in-toto attestation, `spec/v1/statement.md`). Unknown members are ignored, as the
    /// specification asks; an absent predicate counts as an empty one.
    ///
    /// # Errors
    /// [`StatementError`] for bytes over 10,000,000, JSON that is malformed or names a member twice, another
    /// `_type`, no or too many subjects, a subject without usable digests, a predicate type that is no URI, or a
    /// predicate that is no object.
    pub fn read(bytes: &[u8]) -> Result<Self, StatementError> {
        Self::read_of(bytes, &[STATEMENT_TYPE])
    }

    /// The same for a Statement of one of these types: other versions have the same members.
    pub(super) fn read_of(bytes: &[u8], types: &[&str]) -> Result<Self, StatementError> {
        let document = json::read(bytes, Bounds::STATEMENT)?;
        let top = document.cursor().object()?;
        let kind = top.required("_type")?.string()?;
        if !types.contains(&kind) {
            return Err(StatementError::Type {
                found: Foreign::new(kind),
            });
        }
        let entries = top.required("subject")?.array()?;
        if entries.is_empty() || entries.len() > SUBJECTS {
            return Err(StatementError::Subjects { found: entries.len() });
        }
        let subjects = entries.iter().map(read_subject).collect::<Result<_, _>>()?;
        let predicate_type = read_predicate_type(&top.required("predicateType")?)?;
        if let Some(predicate) = top.optional("predicate") {
            predicate.object()?;
        }
        Ok(Self {
            document,
            subjects,
            predicate_type,
        })
    }

    /// What kind of predicate it carries: a URI.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// The whole document, for conditions on members by JSON pointer.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Whether one of its subjects has this digest. Names are hints and never count (in-toto attestation,
    /// `spec/v1/digest_set.md`); a subject that gives the same algorithm another value is another subject.
    pub fn names(&self, digest: &Digest) -> bool {
        let (name, hex) = (digest.algorithm().name(), digest.hex());
        self.subjects
            .iter()
            .any(|subject| subject.get(name).is_some_and(|found| found == hex))
    }

    /// What it is about besides this, or instead: a digest of the first subject that has another; none where every
    /// subject has this one.
    pub(super) fn about_other_than(&self, digest: &Digest) -> Option<Foreign> {
        let (name, hex) = (digest.algorithm().name(), digest.hex());
        let other = |subject: &&DigestSet| subject.get(name).is_none_or(|found| found != hex);
        let (algorithm, value) = self.subjects.iter().find(other)?.iter().next()?;
        Some(Foreign::new(format!("{algorithm}:{value}")))
    }

    /// `runDetails.builder.id`; only a SLSA provenance has one. So with the readers below.
    pub fn builder(&self) -> Option<&str> {
        self.text("/runDetails/builder/id")
    }

    /// `buildDefinition.buildType`.
    pub fn build_type(&self) -> Option<&str> {
        self.text("/buildDefinition/buildType")
    }

    /// `runDetails.metadata.invocationId`.
    pub fn invocation_id(&self) -> Option<&str> {
        self.text("/runDetails/metadata/invocationId")
    }

    /// The source repository: `externalParameters.source`, or `externalParameters.workflow.repository` as GitHub's
    /// build type names it.
    pub fn source(&self) -> Option<&str> {
        ["/source", "/workflow/repository"]
            .iter()
            .find_map(|member| self.text(&format!("/buildDefinition/externalParameters{member}")))
    }

    /// The commit of the source: the first dependency's `gitCommit`.
    pub fn commit(&self) -> Option<&str> {
        self.text("/buildDefinition/resolvedDependencies/0/digest/gitCommit")
    }

    /// Whether it claims the same build of the same subjects, so that a repeated run has nothing to add.
    ///
    /// Subjects count by digest, in any order; builder, build type, external parameters and dependencies (so source
    /// and commit) must be equal. Run, time, internal parameters and the builder's version may differ: they say
    /// which repetition wrote it, not what was built.
    pub fn claims_same(&self, subjects: &[(String, Digest)], facts: &BuildFacts) -> bool {
        self.predicate_type == PROVENANCE_PREDICATE
            && self.is_about(subjects)
            && self.builder() == Some(facts.builder.as_str())
            && self.build_type() == Some(&facts.build_type)
            && self.external_parameters() == Some(Parameter::Map(facts.external_parameters.clone()))
            && self.dependencies().as_ref() == Some(&facts.resolved_dependencies)
    }

    /// Whether it is about exactly these subjects: by digest, in any order.
    pub(super) fn is_about(&self, subjects: &[(String, Digest)]) -> bool {
        let own: BTreeSet<DigestSet> = self.subjects.iter().cloned().collect();
        own == sets_of(subjects)
    }

    fn external_parameters(&self) -> Option<Parameter> {
        Parameter::of(self.at("/buildDefinition/externalParameters")?.value())
    }

    /// The dependencies; none where one holds more than a URI and digests, which nothing of ours does.
    fn dependencies(&self) -> Option<Vec<Dependency>> {
        match self.at("/buildDefinition/resolvedDependencies") {
            None => Some(Vec::new()),
            Some(list) => list.array().ok()?.iter().map(read_dependency).collect(),
        }
    }

    fn at(&self, pointer: &str) -> Option<Cursor<'_>> {
        let is_provenance = self.predicate_type == PROVENANCE_PREDICATE;
        is_provenance
            .then(|| self.document.cursor().pointer(&format!("/predicate{pointer}")))
            .flatten()
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        match self.at(pointer)?.value() {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn sets_of(subjects: &[(String, Digest)]) -> BTreeSet<DigestSet> {
    let set =
        |digest: &Digest| DigestSet::from([(digest.algorithm().name().to_owned(), digest.hex().to_owned())]);
    subjects.iter().map(|(_, digest)| set(digest)).collect()
}

fn read_predicate_type(cursor: &Cursor<'_>) -> Result<String, DocumentError> {
    let text = cursor.string()?;
    if is_uri(text) {
        Ok(text.to_owned())
    } else {
        Err(cursor.error("the URI of a predicate type"))
    }
}

fn read_subject(entry: &Cursor<'_>) -> Result<DigestSet, StatementError> {
    let digests = entry.object()?.required("digest")?;
    let members: Vec<_> = digests.object()?.members().collect();
    if members.is_empty() || members.len() > DIGESTS {
        return Err(digests.error(format!("1 to {DIGESTS} digests")).into());
    }
    members
        .into_iter()
        .map(|(algorithm, value)| Ok((algorithm.to_owned(), read_digest(algorithm, &value)?)))
        .collect()
}

/// A value must be what its algorithm can give, where we know the algorithm; others are kept and never match.
fn read_digest(algorithm: &str, value: &Cursor<'_>) -> Result<String, StatementError> {
    let text = value.string()?;
    let known = matches!(algorithm, "sha256" | "sha384" | "sha512");
    if known && format!("{algorithm}:{text}").parse::<Digest>().is_err() {
        return Err(StatementError::Digest {
            path: value.path().to_owned(),
            expected: "lower-case hex digits, as many as the algorithm gives",
            found: Foreign::new(text),
        });
    }
    Ok(text.to_owned())
}

fn read_dependency(entry: &Cursor<'_>) -> Option<Dependency> {
    let object = entry.object().ok()?;
    object.only(&["uri", "digest"]).ok()?;
    let digest = match object.optional("digest") {
        None => BTreeMap::new(),
        Some(digest) => digest
            .object()
            .ok()?
            .members()
            .map(|(name, value)| Some((name.to_owned(), value.string().ok()?.to_owned())))
            .collect::<Option<_>>()?,
    };
    Some(Dependency {
        uri: object.required("uri").ok()?.string().ok()?.to_owned(),
        digest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::provenance::provenance_statement;
    use proptest::prelude::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn facts() -> BuildFacts {
        BuildFacts::manual(
            "https://b.example/1".parse().unwrap(),
            format!("https://g.example/r@{COMMIT}").parse().unwrap(),
        )
    }

    fn subjects() -> Vec<(String, Digest)> {
        [b"index", b"amd64", b"arm64"]
            .map(|bytes| ("r.example/web".to_owned(), Digest::of(bytes)))
            .to_vec()
    }

    fn statement(facts: &BuildFacts) -> Statement {
        Statement::read(&provenance_statement(&subjects(), facts)).unwrap()
    }

    fn error(text: &str) -> StatementError {
        Statement::read(text.as_bytes()).unwrap_err()
    }

    /// A Statement with these members in place of good ones.
    fn with(kind: &str, subject: &str, predicate_type: &str, predicate: &str) -> String {
        format!(
            r#"{{"_type":{kind},"subject":{subject},"predicateType":{predicate_type},"predicate":{predicate}}}"#
        )
    }

    const KIND: &str = r#""https://in-toto.io/Statement/v1""#;
    const SUBJECT: &str = r#"[{"digest":{"gitCommit":"x"}}]"#;

    #[test]
    fn a_statement_tells_builder_source_commit() {
        let statement = statement(&BuildFacts {
            invocation_id: Some("run 7".to_owned()),
            ..facts()
        });
        let source = format!("https://g.example/r@{COMMIT}");
        assert_eq!(statement.builder(), Some("https://b.example/1"));
        assert_eq!(statement.build_type(), Some(super::super::MANUAL_BUILD_TYPE));
        assert_eq!(statement.source(), Some(source.as_str()));
        assert_eq!(statement.commit(), Some(COMMIT));
        assert_eq!(statement.invocation_id(), Some("run 7"));
    }

    #[test]
    fn other_predicates_have_no_builder() {
        let text = with(
            KIND,
            SUBJECT,
            r#""https://spdx.dev/Document""#,
            r#"{"runDetails":{"builder":{"id":"x"}}}"#,
        );
        let statement = Statement::read(text.as_bytes()).unwrap();
        assert_eq!((statement.builder(), statement.source()), (None, None));
        assert_eq!(statement.predicate_type(), "https://spdx.dev/Document");
    }

    #[test]
    fn githubs_names_for_the_source_are_understood() {
        let predicate = r#"{"buildDefinition":{"externalParameters":{"workflow":{"repository":"https://github.com/o/r"}}}}"#;
        let text = with(KIND, SUBJECT, &format!("\"{PROVENANCE_PREDICATE}\""), predicate);
        let statement = Statement::read(text.as_bytes()).unwrap();
        assert_eq!(statement.source(), Some("https://github.com/o/r"));
    }

    #[test]
    fn only_the_digest_counts() {
        let statement = statement(&facts());
        assert!(subjects().iter().all(|(_, digest)| statement.names(digest)));
        assert!(!statement.names(&Digest::of(b"another")));
        let sha512 = Digest::by(crate::domain::oci::Algorithm::Sha512, b"index");
        assert!(!statement.names(&sha512));
    }

    #[test]
    fn a_second_algorithm_makes_it_another_subject_than_ours() {
        let subject = |more: &str| {
            let digest = Digest::of(b"a");
            let text = format!(r#"[{{"digest":{{"sha256":"{}"{more}}}}}]"#, digest.hex());
            let text = with(KIND, &text, r#""a:b""#, "{}");
            Statement::read(text.as_bytes()).unwrap()
        };
        let sha512 = Digest::by(crate::domain::oci::Algorithm::Sha512, b"a");
        let two = subject(&format!(r#","sha512":"{}""#, sha512.hex()));
        assert!(two.names(&Digest::of(b"a")) && two.names(&sha512));
        assert_ne!(two.subjects, subject("").subjects);
    }

    #[test]
    fn the_same_claims_survive_another_run_and_another_version_of_us() {
        let later = BuildFacts {
            invocation_id: Some("2".to_owned()),
            started_on: Some(crate::base::time::Timestamp::from_unix(9)),
            internal_parameters: [("attempt".to_owned(), Parameter::Number(2))].into(),
            builder_version: BTreeMap::new(),
            ..facts()
        };
        let mut reversed = subjects();
        reversed.reverse();
        reversed[0].0 = "copy.example/web".to_owned();
        assert!(statement(&facts()).claims_same(&subjects(), &later));
        assert!(statement(&later).claims_same(&reversed, &facts()));
    }

    #[test]
    fn other_claims_are_not_the_same() {
        let statement = statement(&facts());
        let other = |change: fn(&mut BuildFacts)| {
            let mut facts = facts();
            change(&mut facts);
            facts
        };
        let changes: [fn(&mut BuildFacts); 5] = [
            |facts| facts.build_type.push('x'),
            |facts| facts.builder = "https://b.example/2".parse().unwrap(),
            |facts| facts.external_parameters.clear(),
            |facts| facts.resolved_dependencies.clear(),
            |facts| facts.resolved_dependencies[0].digest.clear(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            assert!(
                !statement.claims_same(&subjects(), &other(change)),
                "change {index}"
            );
        }
        assert!(!statement.claims_same(&subjects()[..2], &facts()));
        let mut more = subjects();
        more.push(("r.example/web".to_owned(), Digest::of(b"more")));
        assert!(!statement.claims_same(&more, &facts()));
    }

    #[test]
    fn every_fault_has_its_name() {
        assert!(matches!(
            error(&with(r#""https://in-toto.io/Statement/v0.1""#, SUBJECT, r#""a:b""#, "{}")),
            StatementError::Type { found } if found.raw().ends_with("v0.1")
        ));
        let no_subject = with(KIND, "[]", r#""a:b""#, "{}");
        assert_eq!(error(&no_subject), StatementError::Subjects { found: 0 });
        let many = format!("[{}]", vec![r#"{"digest":{"x":"y"}}"#; SUBJECTS + 1].join(","));
        assert_eq!(
            error(&with(KIND, &many, r#""a:b""#, "{}")),
            StatementError::Subjects { found: SUBJECTS + 1 }
        );
        assert_eq!(
            error(&with(KIND, r#"[{"digest":{"sha256":"AB"}}]"#, r#""a:b""#, "{}")).to_string(),
            "subject[0].digest.sha256: expected lower-case hex digits, as many as the algorithm gives, found \"AB\""
        );
        for (text, expected) in [
            (
                with(KIND, r#"[{"name":"x"}]"#, r#""a:b""#, "{}"),
                "the member \"digest\"",
            ),
            (
                with(KIND, r#"[{"digest":{}}]"#, r#""a:b""#, "{}"),
                "1 to 32 digests",
            ),
            (
                with(KIND, r#"[{"digest":{"x":1}}]"#, r#""a:b""#, "{}"),
                "a string",
            ),
            (
                with(KIND, SUBJECT, r#""provenance""#, "{}"),
                "the URI of a predicate type",
            ),
            (with(KIND, SUBJECT, r#""a:b""#, "[]"), "an object"),
            (with(KIND, SUBJECT, r#""a:b""#, "null"), "an object"),
            ("[]".to_owned(), "an object"),
        ] {
            let StatementError::Document(inner) = error(&text) else {
                panic!("{text}")
            };
            assert!(inner.to_string().contains(expected), "{text}: {inner}");
            assert_eq!(error(&text).class(), Class::Rejected);
        }
        let twice = format!(r#"{{"_type":{KIND},"_type":{KIND}}}"#);
        assert!(matches!(
            error(&twice),
            StatementError::Document(DocumentError::DuplicateKey { .. })
        ));
    }

    #[test]
    fn over_size_is_told_apart() {
        assert!(matches!(
            Statement::read(&vec![b' '; 10_000_001]),
            Err(StatementError::Document(DocumentError::TooLarge { .. }))
        ));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Statement::read(&bytes);
        }

        #[test]
        fn a_flipped_bit_never_keeps_the_claims_and_the_bytes_apart(at in 0usize..700, bit in 0u8..8) {
            let good = provenance_statement(&subjects(), &facts());
            let mut bad = good.clone();
            let at = at % bad.len();
            bad[at] ^= 1 << bit;
            if let Ok(read) = Statement::read(&bad) {
                let version = env!("CARGO_PKG_VERSION").as_bytes();
                let free = |needle: &[u8]| good.windows(needle.len()).enumerate()
                    .any(|(start, found)| found == needle && (start..start + needle.len()).contains(&at));
                // What may differ between two runs: subjects' names, our version and the names of those members.
                let exempt = free(b"r.example/web") || free(b"\"name\"") || free(b"\"version\"")
                    || free(b"countersign") || free(version);
                prop_assert!(exempt || !read.claims_same(&subjects(), &facts()), "{}", String::from_utf8_lossy(&bad));
            }
        }
    }
}
