use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::base::failure::{Class, Classified as _};
use crate::domain::provenance::{MANUAL_BUILD_TYPE, Statement};
use crate::domain::trust::attestation::{self, AttestationOutcome};
use crate::domain::trust::testing::{
    PROFILE, aws_header, local_header, payload, sign, simple_policy, store, subject, time,
};
use crate::domain::trust::{Requirements, RevocationAnswer, examine};
use crate::domain::x509::testing::chain;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A GitHub provenance as countersign writes it, with one member in another way.
fn provenance(pointer: &str, value: &Value) -> Value {
    let mut predicate = json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": {
                "ref": "refs/heads/main",
                "repository": "https://github.com/octo-org/app",
                "path": ".github/workflows/release.yml",
            }},
            "internalParameters": {"github": {"event_name": "push", "runner_environment": "github-hosted"}},
            "resolvedDependencies": [{"uri": "git+https://github.com/octo-org/app@refs/heads/main",
                "digest": {"gitCommit": COMMIT}}],
        },
        "runDetails": {"builder": {"id": "https://github.com/octo-org/app/.github/workflows/release.yml@refs/heads/main"}},
    });
    if !pointer.is_empty() {
        *predicate.pointer_mut(pointer).unwrap() = value.clone();
    }
    predicate
}

/// An accepted attestation with this predicate.
fn accepted(predicate_type: &str, predicate: &Value) -> AcceptedAttestation {
    accepted_by(&local_header(), predicate_type, predicate)
}

/// The same, under a signature with this header.
fn accepted_by(header: &Value, predicate_type: &str, predicate: &Value) -> AcceptedAttestation {
    let image = Digest::of(b"image");
    let text = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "web", "digest": {"sha256": image.hex()}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    });
    let statement = Statement::read(text.to_string().as_bytes()).unwrap();
    let issued = chain();
    let evidence = sign(&issued, header, &payload(&subject(1), &[]));
    let (name, identity) = match header.get("io.cncf.notary.verificationPlugin") {
        Some(_) => ("signingAuthority:test", PROFILE),
        None => ("ca:test", "*"),
    };
    let policy = simple_policy("strict", name, identity);
    let store = store(name, &issued);
    let (wanted, now) = (Requirements::default(), time("2025-06-01T00:00:00Z"));
    let pending = examine(&evidence, &subject(1), &policy, &store, &wanted, now);
    let outcome = pending.conclude(&BTreeMap::from([(0, RevocationAnswer::Good)]));
    let document = Arc::new(Attested::Statement(statement));
    match attestation::judge(&image, Ok(&document), &[&outcome], 0) {
        AttestationOutcome::Accepted(accepted) => *accepted,
        AttestationOutcome::Rejected { message, .. } => panic!("{message}"),
    }
}

const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// The lacks of an expectations file against these attestations, an hour after they were signed.
fn lacks(file: &str, attestations: &[AcceptedAttestation]) -> Vec<Lack> {
    told(file, attestations)
        .into_iter()
        .map(|short| short.lack)
        .collect()
}

fn told(file: &str, attestations: &[AcceptedAttestation]) -> Vec<Shortfall> {
    let expectations = Expectations::read(file.as_bytes()).unwrap();
    let digest = Digest::of(b"attestation");
    let accepted: Vec<_> = attestations.iter().map(|one| (&digest, one)).collect();
    let signed = attestations.first().and_then(AcceptedAttestation::signed_at);
    let now = signed.unwrap_or(time("2025-06-01T00:00:00Z")).plus(3_600);
    missed(judge(&expectations, &accepted, now))
}

fn missed(held: Vec<Held>) -> Vec<Shortfall> {
    held.into_iter().flat_map(|held| held.shortfalls).collect()
}

fn of_provenance(rest: &str) -> String {
    format!("attestations:\n  - type: provenance\n{rest}")
}

#[test]
fn everything_that_a_provenance_says_can_be_expected() {
    let good = [accepted(PROVENANCE, &provenance("", &json!(null)))];
    let rows = [
        (
            "builder",
            "https://github.com/octo-org/app/.github/workflows/release.yml@**",
            "https://github.com/octo-org/app/.github/workflows/test.yml@**",
            Lack::Builder,
        ),
        (
            "source",
            "https://github.com/octo-org/app",
            "https://github.com/octo-org/ap",
            Lack::Source,
        ),
        (
            "source",
            "https://github.com/octo-org/*",
            "https://github.com/*",
            Lack::Source,
        ),
        ("ref", "refs/heads/main", "refs/tags/*", Lack::Source),
        (
            "commit",
            COMMIT,
            "1123456789abcdef0123456789abcdef01234567",
            Lack::Source,
        ),
        (
            "workflow",
            ".github/workflows/release.yml",
            ".github/workflows/test.yml",
            Lack::Condition,
        ),
        ("event", "push", "pull_request", Lack::Condition),
        (
            "runner-environment",
            "github-hosted",
            "self-hosted",
            Lack::Condition,
        ),
        ("minimum-build-level", "1", "2", Lack::Level),
        ("max-age", "61m", "59m", Lack::TooOld),
    ];
    for (name, holds, fails, lack) in rows {
        let quoted = if name == "minimum-build-level" { "" } else { "\"" };
        let file = |value: &str| of_provenance(&format!("    {name}: {quoted}{value}{quoted}\n"));
        assert_eq!(lacks(&file(holds), &good), [], "{name}: {holds}");
        assert_eq!(lacks(&file(fails), &good), [lack], "{name}: {fails}");
    }
}

#[test]
fn what_a_provenance_does_not_say_does_not_hold() {
    for (pointer, name) in [
        ("/buildDefinition/internalParameters/github/event_name", "event"),
        (
            "/buildDefinition/internalParameters/github/runner_environment",
            "runner-environment",
        ),
        ("/buildDefinition/externalParameters/workflow/ref", "ref"),
        ("/buildDefinition/externalParameters/workflow/path", "workflow"),
        (
            "/buildDefinition/externalParameters/workflow/repository",
            "source",
        ),
        ("/runDetails/builder/id", "builder"),
    ] {
        for absent in [json!(null), json!(["**"]), json!({"a": "**"}), json!(1)] {
            let one = [accepted(PROVENANCE, &provenance(pointer, &absent))];
            let short = told(&of_provenance(&format!("    {name}: '**'\n")), &one);
            assert_eq!(short.len(), 1, "{name}");
            assert_eq!(short[0].found, None, "{name}");
        }
    }
}

#[test]
fn one_attestation_meets_all_of_an_expectation() {
    let other = provenance(
        "/buildDefinition/externalParameters/workflow/ref",
        &json!("refs/tags/v1"),
    );
    let fork = provenance(
        "/buildDefinition/externalParameters/workflow/repository",
        &json!("https://github.com/fork/app"),
    );
    let (other, fork) = (accepted(PROVENANCE, &other), accepted(PROVENANCE, &fork));
    let file = of_provenance("    source: https://github.com/octo-org/app\n    ref: refs/heads/main\n");
    // The ref of one and the source of the other are no source and ref.
    assert_eq!(lacks(&file, &[other.clone(), fork.clone()]), [Lack::Source]);
    let good = accepted(PROVENANCE, &provenance("", &json!(null)));
    assert_eq!(lacks(&file, &[other, fork, good]), []);
}

#[test]
fn the_one_that_misses_least_is_told() {
    let worse = accepted(PROVENANCE, &json!({}));
    let better = provenance(
        "/buildDefinition/internalParameters/github/event_name",
        &json!("schedule"),
    );
    let file = of_provenance("    source: https://github.com/octo-org/app\n    event: push\n");
    let short = told(&file, &[worse, accepted(PROVENANCE, &better)]);
    let [short] = short.as_slice() else {
        panic!("{short:?}")
    };
    assert_eq!(
        (short.expected.as_str(), short.found.as_ref().map(Foreign::raw)),
        ("push", Some("schedule"))
    );
    assert_eq!(
        short.message,
        "the provenance says something else of the event that started it"
    );
    let at = of_provenance("    conditions: [{ at: /predicate/none, at-least: 1 }]\n");
    let absent = told(&at, &[accepted(PROVENANCE, &better)]);
    assert_eq!(absent[0].found, None);
    assert_eq!(
        absent[0].message,
        "the provenance says nothing of the member \"/predicate/none\""
    );
}

#[test]
fn a_type_is_a_kind_or_an_exact_uri_and_is_required_unless_said_otherwise() {
    let vulns = "https://in-toto.io/attestation/vulns/v0.1";
    let one = [accepted(vulns, &json!({"scanner": {"result": [1, 2]}}))];
    assert_eq!(lacks("attestations: [{type: vuln}]", &one), []);
    assert_eq!(
        lacks(
            "attestations: [{type: 'https://in-toto.io/attestation/vulns/v0.2'}]",
            &one
        ),
        []
    );
    assert_eq!(
        lacks("attestations: [{type: 'https://example.com/vulns'}]", &one),
        [Lack::Missing]
    );
    assert_eq!(lacks("attestations: [{type: provenance}]", &one), [Lack::Missing]);
    assert_eq!(
        lacks("attestations: [{type: provenance, required: false}]", &one),
        []
    );
    let optional =
        "attestations: [{type: vuln, required: false, conditions: [{at: /predicate/scanner, equals: 1}]}]";
    assert_eq!(lacks(optional, &one), [Lack::Condition]);
    assert_eq!(lacks(optional, &[]), []);
    let custom = [accepted("https://example.com/review/v1", &json!({}))];
    assert_eq!(
        lacks("attestations: [{type: 'https://example.com/review/v1'}]", &custom),
        []
    );
    assert_eq!(
        lacks("attestations: [{type: 'https://example.com/review'}]", &custom),
        [Lack::Missing]
    );
}

#[test]
fn conditions_are_held_against_the_members_they_point_at() {
    let vulns =
        json!({"scanner": {"name": "s", "high": 0, "ok": true, "none": null, "result": ["a", {"id": "x"}]}});
    let one = [accepted("https://in-toto.io/attestation/vulns/v0.2", &vulns)];
    for (condition, holds) in [
        ("at: /predicate/scanner/name, equals: s", true),
        ("at: /predicate/scanner/name, equals: t", false),
        ("at: /predicate/scanner/high, equals: 0.0", true),
        ("at: /predicate/scanner/high, at-least: 0", true),
        ("at: /predicate/scanner/high, at-least: 1", false),
        ("at: /predicate/scanner/ok, equals: true", true),
        ("at: /predicate/scanner/ok, equals: 'true'", false),
        ("at: /predicate/scanner/none, equals: null", true),
        ("at: /predicate/scanner/absent, equals: null", false),
        ("at: /predicate/scanner/result/1/id, in: [w, x]", true),
        ("at: /predicate/scanner/result/0, in: [w, x]", false),
        ("at: /predicate/scanner/result, matches: '**'", false),
        ("at: /predicateType, matches: 'https://in-toto.io/**'", true),
        ("at: '', matches: '**'", false),
    ] {
        let file = format!("attestations: [{{type: vuln, conditions: [{{{condition}}}]}}]");
        let expected: &[Lack] = if holds { &[] } else { &[Lack::Condition] };
        assert_eq!(lacks(&file, &one), expected, "{condition}");
    }
}

#[test]
fn the_age_is_that_of_the_signature_and_a_future_is_no_age() {
    let one = accepted(PROVENANCE, &provenance("", &json!(null)));
    let signed = one.signed_at().unwrap();
    let expectations = Expectations::read(of_provenance("    max-age: 1h\n").as_bytes()).unwrap();
    let digest = Digest::of(b"attestation");
    let at = |seconds| missed(judge(&expectations, &[(&digest, &one)], signed.plus(seconds))).len();
    assert_eq!((at(0), at(3_600), at(3_601), at(-300), at(-301)), (0, 0, 1, 0, 1));
}

#[test]
fn levels_rest_on_what_the_document_and_its_signature_can_show() {
    let said = |of: &AcceptedAttestation, least: u8| {
        let file = of_provenance(&format!("    minimum-build-level: {least}\n"));
        told(&file, std::slice::from_ref(of))
            .into_iter()
            .map(|short| short.message)
            .collect::<Vec<_>>()
    };
    let by_service =
        |pointer: &str, value: Value| accepted_by(&aws_header(), PROVENANCE, &provenance(pointer, &value));
    let good = by_service("", json!(null));
    assert_eq!(said(&good, 2), [""; 0]);
    assert!(said(&good, 3)[0].contains("supports build level 2: the shape of level 2"));
    // The same document by a key that may lie anywhere.
    let local = accepted(PROVENANCE, &provenance("", &json!(null)));
    assert_eq!(said(&local, 1), [""; 0]);
    assert!(said(&local, 2)[0].contains("level 1: the signature does not show"));
    let environment =
        "https://github.com/octo-org/app/.github/workflows/release.yml@refs/heads/main#environment";
    let runner = "/buildDefinition/internalParameters/github/runner_environment";
    for (pointer, value, why) in [
        (
            "/runDetails/builder/id",
            json!(environment),
            "any step of the job can set",
        ),
        (
            "/buildDefinition/buildType",
            json!(MANUAL_BUILD_TYPE),
            "whoever ran countersign",
        ),
        (runner, json!("self-hosted"), "self-hosted runner"),
        (runner, json!(null), "nothing says that the job ran"),
    ] {
        let one = by_service(pointer, value);
        assert_eq!(said(&one, 1), [""; 0], "{why}");
        let told = said(&one, 2);
        assert!(
            told[0].contains("supports build level 1: ") && told[0].contains(why),
            "{told:?}"
        );
    }
    let unnamed = by_service("/runDetails/builder/id", json!(7));
    assert!(said(&unnamed, 1)[0].contains("build level 0"));
}

#[test]
fn a_minimum_level_joins_the_file_and_needs_a_provenance() {
    assert_eq!(Expectations::and_minimum(None, None), None);
    let alone = Expectations::and_minimum(None, Some(BuildLevel::L1)).unwrap();
    let read = |text: &str| Expectations::read(text.as_bytes()).unwrap();
    let same = read(&of_provenance("    minimum-build-level: 1\n"));
    assert_eq!((alone.entries(), alone.file()), (same.entries(), None));
    let file = read("attestations: [{type: spdx}]");
    let both = Expectations::and_minimum(Some(file.clone()), Some(BuildLevel::L2)).unwrap();
    let same = read("attestations: [{type: spdx}, {type: provenance, minimum-build-level: 2}]");
    assert_eq!((both.entries(), both.file()), (same.entries(), file.file()));
    assert_eq!(Expectations::and_minimum(Some(file.clone()), None), Some(file));
    let missing = missed(judge(&alone, &[], time("2025-06-01T00:00:00Z")));
    assert_eq!(
        missing.iter().map(|short| short.lack).collect::<Vec<_>>(),
        [Lack::Missing]
    );
}

#[test]
fn json_and_yaml_say_the_same() {
    let yaml = "attestations:\n  - type: provenance\n    max-age: 720h\n    conditions:\n      - {at: /predicate/x, in: [a, 1]}\n";
    let json = r#" {"attestations":[{"type":"provenance","max-age":"720h","conditions":[{"at":"/predicate/x","in":["a",1]}]}]}"#;
    let read = |text: &str| Expectations::read(text.as_bytes()).unwrap();
    assert_eq!(read(yaml).entries(), read(json).entries());
    // The file is told apart all the same: by its bytes.
    assert_eq!(read(yaml).file(), Some(&Digest::of(yaml.as_bytes())));
    assert_ne!(read(yaml), read(json));
}

#[test]
fn everything_that_is_wrong_is_told_at_once_where_it_stands() {
    let file = "\
attestations:
  - type: sbom
    bilder: x
    max-age: 30d
    minimum-build-level: 4
  - builder: ''
    commit: 1123456
    required: \"yes\"
    conditions:
      - {at: predicate, equals: 1}
      - {at: /a, equals: 1, in: [1]}
      - {at: /a}
      - {at: /a, at-least: '7'}
      - {at: /a, in: []}
      - {at: /a, equals: [1]}
  - type: spdx
    source: https://example.com
extra: 1
";
    let error = Expectations::read(file.as_bytes()).unwrap_err();
    assert_eq!(error.class(), Class::Usage);
    let told: Vec<String> = error.problems.kept().iter().map(ToString::to_string).collect();
    let begin = |start: &str| told.iter().any(|problem| problem.starts_with(start));
    for start in [
        "line 18, column 8: expected only the members attestations, found \"extra\"",
        "attestations[0], line 3, column 13: expected only the members type, required, builder,",
        "attestations[0].type, line 2, column 11: expected provenance, buildkit-provenance, spdx, cyclonedx, vex, sarif, vuln, test-result, vsa, or the URI of a predicate type, found \"sbom\"",
        "attestations[0].max-age, line 4, column 14: expected a number and a unit",
        "attestations[0].minimum-build-level, line 5, column 26: expected a build level from 1 to 3, found the number 4",
        "attestations[1], line 6, column 5: expected an object with the member \"type\"",
        "attestations[1].builder, line 6, column 14: expected a text of 1 to 2048 bytes",
        "attestations[1].commit, line 7, column 13: expected a string, found the number 1123456",
        "attestations[1].required, line 8, column 15: expected true or false, found \"yes\"",
        "attestations[1].conditions[0].at, line 10, column 14: expected a JSON pointer",
        "attestations[1].conditions[1], line 11, column 9: expected exactly one of equals, matches, in, at-least, found 2 of them",
        "attestations[1].conditions[2], line 12, column 9: expected exactly one of equals",
        "attestations[1].conditions[3].at-least, line 13, column 28: expected a number, found \"7\"",
        "attestations[1].conditions[4].in, line 14, column 22: expected a list of 1 to 100, found an array of 0",
        "attestations[1].conditions[5].equals, line 15, column 26: expected a text, a number, true, false or null",
        "attestations[2], line 17, column 13: expected what only a provenance says for the type provenance alone",
    ] {
        assert!(begin(start), "{start}: {told:#?}");
    }
    assert_eq!(told.len(), 16, "{told:#?}");
}

#[test]
fn files_of_another_shape_are_refused() {
    for (file, start) in [
        ("", "line 1, column 1: expected an object, found null"),
        ("[]", "line 1, column 1: expected an object, found an array"),
        (
            "attestations: []",
            "attestations, line 1, column 15: expected a list of 1 to 100",
        ),
        (
            "attestations: {}",
            "attestations, line 1, column 15: expected an array",
        ),
        ("{\"attestations\": [}", "line 1, column 19: not valid JSON"),
        ("a: 1\na: 2\n", "line 2, column 4: the key \"a\" stands twice"),
        (
            "attestations: [{type: vsa, type: vsa}]",
            "line 1, column 34: the key \"type\" stands twice",
        ),
    ] {
        let error = Expectations::read(file.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(start), "{file:?}: {error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Expectations::read(&bytes);
    }

    #[test]
    fn no_document_of_names_panics(text in "(attestations|type|conditions|at|in|provenance|[:,\\[\\]{} \n'\"/-]){0,40}") {
        let _ = Expectations::read(text.as_bytes());
    }
}

/// Files that reader and schema have to agree on.
const FILES: &[&str] = &[
    r#"{"attestations":[{"type":"provenance"}]}"#,
    r#"{"attestations":[]}"#,
    r#"{"attestations":[{"type":"provenance"}],"more":1}"#,
    r#"{"attestations":[{"type":"sbom"}]}"#,
    r#"{"attestations":[{"type":"https://example.com/x"}]}"#,
    r#"{"attestations":[{"type":"https://example.com/ x"}]}"#,
    r#"{"attestations":[{"type":7}]}"#,
    r#"{"attestations":[{}]}"#,
    r#"{"attestations":[{"type":"provenance","required":false}]}"#,
    r#"{"attestations":[{"type":"provenance","required":"no"}]}"#,
    r#"{"attestations":[{"type":"provenance","builder":"https://b/**","source":"s","ref":"r","workflow":"w","event":"e","runner-environment":"x"}]}"#,
    r#"{"attestations":[{"type":"https://slsa.dev/provenance/v1","builder":"b","minimum-build-level":3}]}"#,
    r#"{"attestations":[{"type":"https://slsa.dev/provenance/v0.2","builder":"b"}]}"#,
    r#"{"attestations":[{"type":"spdx","source":"s"}]}"#,
    r#"{"attestations":[{"type":"spdx","minimum-build-level":1}]}"#,
    r#"{"attestations":[{"type":"provenance","builder":""}]}"#,
    r#"{"attestations":[{"type":"provenance","builder":"*****************"}]}"#,
    r#"{"attestations":[{"type":"provenance","builder":["b"]}]}"#,
    r#"{"attestations":[{"type":"provenance","commit":"0123456789abcdef0123456789abcdef01234567"}]}"#,
    r#"{"attestations":[{"type":"provenance","commit":"0123456789ABCDEF0123456789abcdef01234567"}]}"#,
    r#"{"attestations":[{"type":"provenance","commit":"0123456"}]}"#,
    r#"{"attestations":[{"type":"vsa","max-age":"720h"}]}"#,
    r#"{"attestations":[{"type":"vsa","max-age":"30d"}]}"#,
    r#"{"attestations":[{"type":"vsa","max-age":720}]}"#,
    r#"{"attestations":[{"type":"provenance","minimum-build-level":0}]}"#,
    r#"{"attestations":[{"type":"provenance","minimum-build-level":2}]}"#,
    r#"{"attestations":[{"type":"provenance","minimum-build-level":4}]}"#,
    r#"{"attestations":[{"type":"provenance","minimum-build-level":"2"}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"/a"}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"equals":1}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"/a","equals":null}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"/a","equals":[1]}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"/a","equals":1,"in":[1]}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"a","equals":1}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"/a~2","equals":1}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"","equals":1},{"at":"/a~1b/0","matches":"x*"},{"at":"/","in":["a",1,true]},{"at":"/n","at-least":1.5}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"/a","in":[]}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"/a","at-least":"1"}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"/a","matches":1}]}]}"#,
    r#"{"attestations":[{"type":"vsa","conditions":[{"at":"/a","below":1}]}]}"#,
    r#"{"attestations":{"type":"vsa"}}"#,
    "{}",
];

#[test]
fn the_published_schema_and_the_reader_agree() {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../docs/schemas/expectations-1.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut accepted = 0;
    for file in FILES {
        let read = Expectations::read(file.as_bytes());
        let valid = validator.is_valid(&serde_json::from_str(file).unwrap());
        assert_eq!(read.is_ok(), valid, "{file}: {read:?}");
        accepted += usize::from(valid);
    }
    assert!(accepted > 8 && accepted + 8 < FILES.len(), "{accepted}");
    let named = &schema["$defs"]["expectation"]["properties"];
    assert_eq!(named.as_object().unwrap().len(), NAMES.len());
    for name in NAMES {
        assert!(!named[name].is_null(), "{name}");
    }
    let kinds = &named["type"]["anyOf"][0]["enum"];
    assert_eq!(*kinds, json!(Kind::ALL.map(Kind::name)));
}

#[test]
fn what_meets_an_expectation_is_named_and_of_several_the_latest() {
    let of = |source: &str| {
        accepted(
            PROVENANCE,
            &provenance(
                "/buildDefinition/externalParameters/workflow/repository",
                &json!(source),
            ),
        )
    };
    let (a, b, other) = (
        of("https://a.example"),
        of("https://a.example"),
        of("https://b.example"),
    );
    let [first, second, third] = [b"1", b"2", b"3"].map(|bytes| Digest::of(bytes));
    let now = a.signed_at().unwrap().plus(60);
    let read = |file: &str| Expectations::read(file.as_bytes()).unwrap();
    let file = read(
        "attestations: [{type: provenance, source: 'https://a.example'}, {type: spdx, required: false}]",
    );
    let equal = first.clone().min(second.clone());
    for list in [
        [(&first, &a), (&second, &b), (&third, &other)],
        [(&third, &other), (&second, &b), (&first, &a)],
    ] {
        let held = judge(&file, &list, now);
        let told: Vec<_> = held
            .iter()
            .map(|held| (held.wanted.name(), held.required, held.met_by.clone()))
            .collect();
        // Signed in the same second: the digest decides, never the order of a list.
        assert_eq!(
            told,
            [("provenance", true, Some(equal.clone())), ("spdx", false, None)]
        );
        assert!(held.iter().all(|held| held.shortfalls.is_empty()));
    }
    let held = judge(&file, &[(&third, &other)], now);
    assert_eq!((held[0].met_by.clone(), held[0].shortfalls.len()), (None, 1));
}
