//! A verification summary (SLSA 1.2, `verification_summary.md`): what was verified, by whom, held against what.
//!
//! It says PASSED and can say nothing else: where the answer is no, there is no summary.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::{BuildLevel, Kind, STATEMENT_TYPE, Statement, to_json};
use crate::base::time::Timestamp;
use crate::base::tree::{Cursor, Node, Value};
use crate::domain::oci::Digest;

/// The version of SLSA whose levels are meant (SLSA, `verification_summary.md`, `slsaVersion`).
const SLSA_VERSION: &str = "1.2";

/// The result; there is no other one (the same, `verificationResult`).
const PASSED: &str = "PASSED";

/// Where nothing is claimed about the build (the same, "`SlsaResult`").
const UNEVALUATED: &str = "SLSA_BUILD_LEVEL_UNEVALUATED";

/// One attestation or signature that the verification rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// Where it can be fetched.
    pub uri: String,
    /// The digest of its manifest.
    pub digest: Digest,
}

/// A verification that every part of it passed.
///
/// ```
/// use countersign::domain::oci::Digest;
/// use countersign::domain::provenance::{Statement, Summary};
/// let image = Digest::of(b"the image");
/// let summary = Summary {
///     verifier: "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release".to_owned(),
///     resource: "oci://registry.example.com/web".to_owned(),
///     policy: ("https://example.com/policy".to_owned(), Digest::of(b"the policy")),
///     inputs: Default::default(),
///     level: None,
/// };
/// let subjects = [("registry.example.com/web".to_owned(), image)];
/// let statement = Statement::read(&summary.statement(&subjects, "2026-01-01T00:00:00Z".parse()?))?;
/// assert!(summary.is_said_by(&statement, &subjects));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Who verified: a URI.
    pub verifier: String,
    /// Where the image is fetched from: a URI without digest, so that a reader can know it beforehand.
    pub resource: String,
    /// What it was held against: a URI that says of which sort, and the digest of the policy's bytes.
    pub policy: (String, Digest),
    /// What the verification rests on; all of it.
    pub inputs: BTreeSet<Input>,
    /// The build level that the evidence supports; none where nobody weighed it.
    pub level: Option<BuildLevel>,
}

impl Summary {
    /// The bytes of a Statement about these subjects: names without tag, and digests; each digest once, in the order
    /// given.
    pub fn statement(&self, subjects: &[(String, Digest)], verified: Timestamp) -> Vec<u8> {
        let mut seen = HashSet::new();
        let subjects = subjects.iter().filter(|(_, digest)| seen.insert(digest));
        to_json(&Written {
            kind: STATEMENT_TYPE,
            subject: subjects
                .map(|(name, digest)| Entry {
                    name,
                    digest: set(digest),
                })
                .collect(),
            predicate_type: Kind::Vsa.predicate_type(),
            predicate: self.predicate(verified),
        })
    }

    fn predicate(&self, verified: Timestamp) -> Predicate<'_> {
        let (uri, digest) = &self.policy;
        let inputs = self.inputs.iter();
        Predicate {
            verifier: Verifier {
                id: &self.verifier,
                version: BTreeMap::from([("countersign", env!("CARGO_PKG_VERSION"))]),
            },
            time_verified: verified,
            resource_uri: &self.resource,
            policy: Resource {
                uri,
                digest: set(digest),
            },
            input_attestations: inputs
                .map(|input| Resource {
                    uri: &input.uri,
                    digest: set(&input.digest),
                })
                .collect(),
            verification_result: PASSED,
            verified_levels: [self.level()],
            slsa_version: SLSA_VERSION,
        }
    }

    /// The build level in SLSA's words. The source track is not looked at and not mentioned.
    fn level(&self) -> String {
        let level = self.level.map(|level| format!("SLSA_BUILD_LEVEL_{level}"));
        level.unwrap_or_else(|| UNEVALUATED.to_owned())
    }

    /// Whether a Statement sums up the same, so that there is nothing to add: about the same digests, by the same
    /// verifier, held against the same policy, resting on the same inputs, with the same result. When it was verified
    /// and by which version may differ. A member that we do not write makes it another summary.
    pub fn is_said_by(&self, found: &Statement, subjects: &[(String, Digest)]) -> bool {
        let predicate = found.document().cursor().pointer("/predicate");
        let ours = |predicate: &Cursor<'_>| {
            let top = predicate.object().ok()?;
            let verified = top.required("timeVerified").ok()?.string().ok()?.parse().ok()?;
            let ours = self.statement(subjects, verified);
            let ours = Statement::read(&ours).ok()?;
            let ours = ours.document().cursor().pointer("/predicate")?;
            Some(same(ours.value(), predicate.value(), "/predicate"))
        };
        found.predicate_type() == Kind::Vsa.predicate_type()
            && found.is_about(subjects)
            && predicate.as_ref().and_then(ours) == Some(true)
    }

    /// Whether a Statement is a summary by the same verifier, whatever it says.
    pub fn is_by_same(&self, found: &Statement) -> bool {
        found.predicate_type() == Kind::Vsa.predicate_type()
            && says(found, "/predicate/verifier/id", &self.verifier)
    }

    /// Whether a Statement is a summary by this verifier that says PASSED, whatever else it says.
    pub fn is_passed_by(verifier: &str, found: &Statement) -> bool {
        found.predicate_type() == Kind::Vsa.predicate_type()
            && says(found, "/predicate/verifier/id", verifier)
            && says(found, "/predicate/verificationResult", PASSED)
    }
}

fn says(found: &Statement, pointer: &str, text: &str) -> bool {
    let member = found.document().cursor().pointer(pointer);
    member.is_some_and(|member| member.string() == Ok(text))
}

/// The member that is there in any case and may say anything.
const VERSION: &str = "/predicate/verifier/version";

/// Whether two values are the same wherever they stand in their texts, but for the version of who wrote them.
fn same(ours: &Value, found: &Value, at: &str) -> bool {
    match (ours, found) {
        (Value::Map(_), Value::Map(_)) if at == VERSION => true,
        (Value::Map(ours), Value::Map(found)) => {
            let member = |name: &str| found.iter().find(|(key, _)| key == name);
            let held = |(name, own): &(String, Node)| {
                let at = format!("{at}/{name}");
                member(name).is_some_and(|(_, found)| same(&own.value, &found.value, &at))
            };
            ours.len() == found.len() && ours.iter().all(held)
        }
        (Value::List(ours), Value::List(found)) => {
            let mut pairs = ours.iter().zip(found);
            ours.len() == found.len() && pairs.all(|(own, found)| same(&own.value, &found.value, at))
        }
        _ => ours == found,
    }
}

fn set(digest: &Digest) -> BTreeMap<&'static str, &str> {
    BTreeMap::from([(digest.algorithm().name(), digest.hex())])
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

/// In the order of the specification's schema.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    verifier: Verifier<'a>,
    time_verified: Timestamp,
    resource_uri: &'a str,
    policy: Resource<'a>,
    input_attestations: Vec<Resource<'a>>,
    verification_result: &'static str,
    verified_levels: [String; 1],
    slsa_version: &'static str,
}

#[derive(Serialize)]
struct Verifier<'a> {
    id: &'a str,
    version: BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize)]
struct Resource<'a> {
    uri: &'a str,
    digest: BTreeMap<&'static str, &'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{json, limits::Bounds};
    use proptest::prelude::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const NOW: &str = "2026-11-24T01:02:03Z";

    fn input(name: &[u8]) -> Input {
        let digest = Digest::of(name);
        Input {
            uri: format!("oci://r.example/web@{digest}"),
            digest,
        }
    }

    fn summary() -> Summary {
        Summary {
            verifier: "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release".to_owned(),
            resource: "oci://r.example/web".to_owned(),
            policy: (
                "https://p.example/policy#verified".to_owned(),
                Digest::of(b"policy"),
            ),
            inputs: [input(b"signature"), input(b"provenance")].into(),
            level: Some(BuildLevel::L2),
        }
    }

    fn subjects() -> Vec<(String, Digest)> {
        [b"index".as_slice(), b"amd64", b"arm64"]
            .map(|bytes| ("r.example/web".to_owned(), Digest::of(bytes)))
            .to_vec()
    }

    fn read(bytes: &[u8]) -> Statement {
        Statement::read(bytes).unwrap()
    }

    fn written() -> String {
        String::from_utf8(summary().statement(&subjects(), time(NOW))).unwrap()
    }

    #[test]
    fn the_bytes_are_these_and_no_others() {
        let one = Summary {
            inputs: [input(b"signature")].into(),
            ..summary()
        };
        let [image, policy, signature] = [b"index".as_slice(), b"policy", b"signature"].map(Digest::of);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            String::from_utf8(one.statement(&subjects()[..1], time(NOW))).unwrap(),
            format!(
                "{{\"_type\":\"https://in-toto.io/Statement/v1\",\
                 \"subject\":[{{\"name\":\"r.example/web\",\"digest\":{{\"sha256\":\"{}\"}}}}],\
                 \"predicateType\":\"https://slsa.dev/verification_summary/v1\",\
                 \"predicate\":{{\"verifier\":{{\
                 \"id\":\"arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release\",\
                 \"version\":{{\"countersign\":\"{version}\"}}}},\
                 \"timeVerified\":\"2026-11-24T01:02:03Z\",\"resourceUri\":\"oci://r.example/web\",\
                 \"policy\":{{\"uri\":\"https://p.example/policy#verified\",\"digest\":{{\"sha256\":\"{}\"}}}},\
                 \"inputAttestations\":[{{\"uri\":\"oci://r.example/web@{signature}\",\
                 \"digest\":{{\"sha256\":\"{}\"}}}}],\
                 \"verificationResult\":\"PASSED\",\"verifiedLevels\":[\"SLSA_BUILD_LEVEL_2\"],\
                 \"slsaVersion\":\"1.2\"}}}}",
                image.hex(),
                policy.hex(),
                signature.hex()
            )
        );
    }

    #[test]
    fn nothing_is_claimed_about_a_build_that_nobody_weighed() {
        let unweighed = Summary {
            level: None,
            ..summary()
        };
        let text = String::from_utf8(unweighed.statement(&subjects(), time(NOW))).unwrap();
        assert!(
            text.contains(r#""verifiedLevels":["SLSA_BUILD_LEVEL_UNEVALUATED"]"#),
            "{text}"
        );
    }

    #[test]
    fn when_and_by_which_version_may_differ_and_nothing_else() {
        let (text, ours) = (written(), summary());
        let said = |text: &str| ours.is_said_by(&read(text.as_bytes()), &subjects());
        let changed = |from: &str, to: &str| {
            assert!(text.contains(from), "{text}");
            said(&text.replacen(from, to, 1))
        };
        assert!(said(&text));
        assert!(changed("2026-11-24", "2020-01-01"));
        assert!(changed(env!("CARGO_PKG_VERSION"), "0.0.0-x"));
        assert!(changed("\"name\":\"r.example/web\"", "\"name\":\"elsewhere\""));
        for (from, to) in [
            ("/signing-profiles/release", "/signing-profiles/other"),
            ("2026-11-24T01:02:03Z", "yesterday"),
            ("\"oci://r.example/web\"", "\"oci://r.example/app\""),
            ("#verified", "#self-checked"),
            (Digest::of(b"policy").hex(), Digest::of(b"other").hex()),
            (Digest::of(b"signature").hex(), Digest::of(b"other").hex()),
            ("PASSED", "FAILED"),
            ("LEVEL_2", "LEVEL_3"),
            ("\"1.2\"", "\"1.0\""),
            (
                "\"verificationResult\"",
                "\"dependencyLevels\":{},\"verificationResult\"",
            ),
            (Digest::of(b"index").hex(), Digest::of(b"other").hex()),
            ("verification_summary/v1", "verification_summary/v2"),
        ] {
            assert!(!changed(from, to), "{from}");
        }
        let more = Summary {
            inputs: ours.inputs.iter().cloned().chain([input(b"more")]).collect(),
            ..ours.clone()
        };
        assert!(!more.is_said_by(&read(text.as_bytes()), &subjects()));
        assert!(!ours.is_said_by(&read(text.as_bytes()), &subjects()[..2]));
    }

    #[test]
    fn who_verified_decides_what_is_replaced() {
        let found = read(written().as_bytes());
        let other = Summary {
            policy: ("urn:x".to_owned(), Digest::of(b"x")),
            ..summary()
        };
        assert!(other.is_by_same(&found));
        let stranger = Summary {
            verifier: "https://example.com/verifier".to_owned(),
            ..summary()
        };
        assert!(!stranger.is_by_same(&found));
    }

    fn any_summary() -> impl Strategy<Value = Summary> {
        let level = prop::option::of(prop::sample::select(BuildLevel::ALL.to_vec()));
        let inputs = prop::collection::btree_set("[a-d]{1,2}", 0..5);
        ("[a-z]{1,3}", "[a-z]{1,3}", any::<bool>(), inputs, level).prop_map(
            |(verifier, resource, given, inputs, level)| Summary {
                verifier: format!("urn:{verifier}"),
                resource: format!("oci://r.example/{resource}"),
                policy: (
                    format!("https://p.example/#{given}"),
                    Digest::of(resource.as_bytes()),
                ),
                inputs: inputs.iter().map(|name| input(name.as_bytes())).collect(),
                level,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_said_and_says_one_summary_only(a in any_summary(), b in any_summary(), at in 0i64..4_000_000_000) {
            let bytes = a.statement(&subjects(), Timestamp::from_unix(at));
            prop_assert!(json::read(&bytes, Bounds::STATEMENT).is_ok());
            let found = read(&bytes);
            prop_assert!(found.names(&subjects()[0].1) && a.is_said_by(&found, &subjects()));
            prop_assert_eq!(b.is_said_by(&found, &subjects()), a == b);
        }

        #[test]
        fn a_flipped_bit_is_another_summary_or_none(at in 0usize..2_000, bit in 0u8..8) {
            let good = written().into_bytes();
            let mut bad = good.clone();
            let at = at % bad.len();
            bad[at] ^= 1 << bit;
            if let Ok(found) = Statement::read(&bad) {
                let free = |needle: &str| good.windows(needle.len()).enumerate()
                    .any(|(start, window)| window == needle.as_bytes() && (start..start + needle.len()).contains(&at));
                // What may differ: names, which are hints, the time, and the version.
                let version = format!("{{\"countersign\":\"{}\"}}", env!("CARGO_PKG_VERSION"));
                let exempt = free("\"name\":\"r.example/web\"") || free(NOW) || free(&version);
                prop_assert!(exempt || !summary().is_said_by(&found, &subjects()), "{}", String::from_utf8_lossy(&bad));
            }
        }

        #[test]
        fn no_statement_panics(text in "\\PC{0,80}") {
            let statement = format!(
                r#"{{"_type":"{STATEMENT_TYPE}","subject":[{{"digest":{{"x":"y"}}}}],"predicateType":"{}","predicate":{{"timeVerified":{}}}}}"#,
                Kind::Vsa.predicate_type(), serde_json::Value::from(text)
            );
            prop_assert!(!summary().is_said_by(&read(statement.as_bytes()), &subjects()));
        }
    }
}
