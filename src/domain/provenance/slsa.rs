//! Writing a Statement with SLSA Provenance v1.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::{BuildFacts, Parameters, to_json};
use crate::base::time::Timestamp;
use crate::domain::oci::Digest;

/// The type of a Statement (in-toto attestation, `spec/v1/statement.md`).
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The predicate type of SLSA provenance v1; minor versions share it (SLSA, `build-provenance.md`).
pub const PROVENANCE_PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// The bytes of a Statement with SLSA Provenance v1 about these subjects: names without tag, and digests.
///
/// Subjects stand in the order given, each digest once. The same facts give the same bytes: no time of writing, no
/// run of ours, members in the order of the specification's schema.
pub fn provenance_statement(subjects: &[(String, Digest)], facts: &BuildFacts) -> Vec<u8> {
    let mut seen = HashSet::new();
    let subject = subjects
        .iter()
        .filter(|(_, digest)| seen.insert(digest))
        .map(|(name, digest)| Entry {
            name,
            digest: BTreeMap::from([(digest.algorithm().name(), digest.hex())]),
        })
        .collect();
    to_json(&Written {
        kind: STATEMENT_TYPE,
        subject,
        predicate_type: PROVENANCE_PREDICATE,
        predicate: Predicate::of(facts),
    })
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: Vec<Entry<'a>>,
    #[serde(rename = "predicateType")]
    predicate_type: &'static str,
    predicate: Predicate<'a>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    digest: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    build_definition: BuildDefinition<'a>,
    run_details: RunDetails<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition<'a> {
    build_type: &'a str,
    external_parameters: &'a Parameters,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    internal_parameters: &'a Parameters,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resolved_dependencies: Vec<Resource<'a>>,
}

#[derive(Serialize)]
struct Resource<'a> {
    uri: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    digest: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct RunDetails<'a> {
    builder: Builder<'a>,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Builder<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    version: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    invocation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_on: Option<Timestamp>,
}

impl Metadata<'_> {
    fn is_empty(&self) -> bool {
        self.invocation_id.is_none() && self.started_on.is_none()
    }
}

impl<'a> Predicate<'a> {
    fn of(facts: &'a BuildFacts) -> Self {
        let dependencies = facts.resolved_dependencies.iter();
        Self {
            build_definition: BuildDefinition {
                build_type: &facts.build_type,
                external_parameters: &facts.external_parameters,
                internal_parameters: &facts.internal_parameters,
                resolved_dependencies: dependencies
                    .map(|dependency| Resource {
                        uri: &dependency.uri,
                        digest: &dependency.digest,
                    })
                    .collect(),
            },
            run_details: RunDetails {
                builder: Builder {
                    id: facts.builder.as_str(),
                    version: &facts.builder_version,
                },
                metadata: Metadata {
                    invocation_id: facts.invocation_id.as_deref(),
                    started_on: facts.started_on,
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::provenance::Parameter;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn manual() -> BuildFacts {
        BuildFacts::manual(
            "https://b.example/1".parse().unwrap(),
            format!("https://g.example/r@{COMMIT}").parse().unwrap(),
        )
    }

    fn text(subjects: &[(String, Digest)], facts: &BuildFacts) -> String {
        String::from_utf8(provenance_statement(subjects, facts)).unwrap()
    }

    #[test]
    fn the_bytes_are_these_and_no_others() {
        let digest = Digest::of(b"x");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            text(&[("r.example/web".to_owned(), digest.clone())], &manual()),
            format!(
                "{{\"_type\":\"https://in-toto.io/Statement/v1\",\
                 \"subject\":[{{\"name\":\"r.example/web\",\"digest\":{{\"sha256\":\"{hex}\"}}}}],\
                 \"predicateType\":\"https://slsa.dev/provenance/v1\",\
                 \"predicate\":{{\"buildDefinition\":{{\
                 \"buildType\":\"https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/manual.md\",\
                 \"externalParameters\":{{\"source\":\"https://g.example/r@{COMMIT}\"}},\
                 \"resolvedDependencies\":[{{\"uri\":\"git+https://g.example/r@{COMMIT}\",\
                 \"digest\":{{\"gitCommit\":\"{COMMIT}\"}}}}]}},\
                 \"runDetails\":{{\"builder\":{{\"id\":\"https://b.example/1\",\
                 \"version\":{{\"countersign\":\"{version}\"}}}}}}}}}}",
                hex = digest.hex()
            )
        );
    }

    #[test]
    fn subjects_keep_their_order_and_stand_once() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|bytes| Digest::of(bytes));
        let subjects = [&c, &a, &c, &b].map(|digest| ("n".to_owned(), digest.clone()));
        let text = text(&subjects, &manual());
        let at = |digest: &Digest| {
            text.match_indices(digest.hex())
                .map(|(at, _)| at)
                .collect::<Vec<_>>()
        };
        let (a, b, c) = (at(&a), at(&b), at(&c));
        assert_eq!((a.len(), b.len(), c.len()), (1, 1, 1));
        assert!(c < a && a < b);
    }

    #[test]
    fn what_a_host_knows_more_is_written_too() {
        let facts = BuildFacts {
            internal_parameters: [("runner".to_owned(), Parameter::Flag(true))].into(),
            invocation_id: Some("https://ci.example/runs/1".to_owned()),
            started_on: Some(Timestamp::from_unix(0)),
            ..manual()
        };
        let text = text(&[], &facts);
        assert!(text.contains(r#""internalParameters":{"runner":true}"#));
        assert!(text.ends_with(
            r#""metadata":{"invocationId":"https://ci.example/runs/1","startedOn":"1970-01-01T00:00:00Z"}}}}"#
        ));
    }
}
