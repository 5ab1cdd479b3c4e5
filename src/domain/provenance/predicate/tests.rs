use super::*;
use proptest::prelude::*;

fn choice(line: &str) -> PredicateChoice {
    line.parse().unwrap()
}

fn read(line: &str, text: &str) -> Result<Predicate, String> {
    Predicate::read(choice(line), text.as_bytes()).map_err(|error| crate::base::failure::in_full(&error))
}

/// The smallest good document of each kind.
const GOOD: [(&str, &str); 8] = [
    (
        "spdx",
        r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"web","dataLicense":"CC0-1.0","documentNamespace":"https://example.com/web","creationInfo":{"created":"2026-01-01T00:00:00Z","creators":["Tool: x"]}}"#,
    ),
    (
        "spdx",
        r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}"#,
    ),
    ("cyclonedx", r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#),
    (
        "sarif",
        r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"trivy"}},"results":[]}]}"#,
    ),
    (
        "vex",
        r#"{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/vex","author":"a","timestamp":"2026-01-01T00:00:00Z","version":1,"statements":[{"vulnerability":{"name":"CVE-2026-1"},"status":"fixed"}]}"#,
    ),
    (
        "vuln",
        r#"{"scanner":{"uri":"pkg:x/trivy","result":[]},"metadata":{"scanStartedOn":"2026-01-01T00:00:00Z","scanFinishedOn":"2026-01-01T00:00:01Z"}}"#,
    ),
    ("test-result", r#"{"result":"PASSED","configuration":[]}"#),
    (
        "vsa",
        r#"{"verifier":{"id":"https://example.com/v"},"timeVerified":"2026-01-01T00:00:00Z","resourceUri":"pkg:x","policy":{"uri":"https://example.com/policy"},"verificationResult":"PASSED","verifiedLevels":[]}"#,
    ),
];

/// Lists inside a member, so deep that the document has this depth.
fn nested(depth: usize) -> String {
    let inside = depth - 1;
    format!(r#"{{"a":{}{}}}"#, "[".repeat(inside), "]".repeat(inside))
}

#[test]
fn what_fits_alone_but_not_inside_a_statement_is_refused_before_anything_is_signed() {
    let own = "https://example.com/review/v1=file.json";
    let deepest = read(own, &nested(Bounds::STATEMENT.depth - 1)).unwrap();
    let attachment = deepest.attachment(&[("web".to_owned(), Digest::of(b"web"))]);
    assert!(Statement::read(&attachment.bytes).is_ok());
    let error = read(own, &nested(Bounds::STATEMENT.depth)).unwrap_err();
    assert!(error.contains("63"), "{error}");
}

#[test]
fn a_document_of_each_kind_is_taken_as_its_own_kind_and_as_no_other() {
    for (kind, text) in GOOD {
        for (other, _) in GOOD {
            let read = read(&format!("{other}=file.json"), text);
            assert_eq!(read.is_ok(), kind == other, "{kind} as {other}: {read:?}");
        }
    }
}

#[test]
fn without_any_of_its_members_a_document_is_refused_by_the_members_name() {
    for (kind, text) in GOOD {
        let whole: serde_json::Value = serde_json::from_str(text).unwrap();
        for member in whole.as_object().unwrap().keys() {
            if kind == "spdx" && member == "@context" {
                continue;
            }
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(member);
            let error = read(&format!("{kind}=file.json"), &part.to_string()).unwrap_err();
            let named = error.contains(&format!("\"{member}\"")) || error.contains("spdxVersion");
            assert!(
                named && error.contains("file.json"),
                "{kind} without {member}: {error}"
            );
        }
    }
}

/// A kind, a text of its good document, another that makes it bad, and what is said then.
const LACKING: [(&str, &str, &str, &str); 27] = [
    ("spdx", "CC0-1.0", "MIT", "dataLicense, line 1"),
    ("spdx", r#"["Tool: x"]"#, "[]", "expected at least one creator"),
    ("spdx", r#"["Tool: x"]"#, "[7]", "creationInfo.creators[0]"),
    (
        "spdx",
        r#""name":"web""#,
        r#""name":"web","packages":[{"name":"a","SPDXID":"b"}]"#,
        "packages[0]",
    ),
    (
        "spdx",
        r#""name":"web""#,
        r#""name":"web","relationships":[{"spdxElementId":"a"}]"#,
        "relationships[0]",
    ),
    (
        "spdx",
        r#""@graph":[]"#,
        r#""@graph":[{"name":"x"}]"#,
        "[\"@graph\"][0]",
    ),
    ("cyclonedx", "1.6", "2.0", "expected a version of CycloneDX"),
    ("cyclonedx", "1.6", "1.x", "expected a version of CycloneDX"),
    ("cyclonedx", r#""1.6""#, r#""1.6","version":0"#, "version, line 1"),
    (
        "cyclonedx",
        r#""1.6""#,
        r#""1.6","metadata":[]"#,
        "metadata, line 1",
    ),
    (
        "cyclonedx",
        r#""1.6""#,
        r#""1.6","components":[{"name":"a"}]"#,
        "components[0]",
    ),
    (
        "cyclonedx",
        r#""1.6""#,
        r#""1.6","dependencies":[{}]"#,
        "dependencies[0]",
    ),
    (
        "sarif",
        r#""results":[]"#,
        r#""results":[{"ruleId":"x"}]"#,
        "runs[0].results[0]",
    ),
    (
        "sarif",
        r#""name":"trivy""#,
        r#""name":"trivy","rules":[{"name":"x"}]"#,
        "runs[0].tool.driver.rules[0]",
    ),
    ("vex", r#""version":1"#, r#""version":"1""#, "version, line 1"),
    (
        "vex",
        r#"{"name":"CVE-2026-1"}"#,
        "{}",
        "statements[0].vulnerability",
    ),
    ("vex", r#""fixed""#, r#""affected""#, "action_statement"),
    ("vex", r#""fixed""#, r#""not_affected""#, "impact_statement"),
    ("vex", r#""fixed""#, r#""solved""#, "statements[0].status"),
    (
        "vuln",
        r#""result":[]"#,
        r#""result":[{"id":"CVE-1"}]"#,
        "severity",
    ),
    (
        "vuln",
        r#""result":[]"#,
        r#""result":[{"id":"CVE-1","severity":[{"method":"nvd"}]}]"#,
        "scanner.result[0].severity[0]",
    ),
    ("vuln", "scanFinishedOn", "finished", "scanFinishedOn"),
    (
        "test-result",
        r#""configuration":[]"#,
        r#""configuration":["x"]"#,
        "configuration[0]",
    ),
    (
        "test-result",
        r#""configuration":[]"#,
        r#""configuration":[],"failedTests":[1]"#,
        "failedTests[0]",
    ),
    ("vsa", r#""uri""#, r#""url""#, "\"uri\""),
    (
        "vsa",
        r#""verifiedLevels":[]"#,
        r#""verifiedLevels":[1]"#,
        "verifiedLevels[0]",
    ),
    (
        "vsa",
        r#""verifiedLevels":[]"#,
        r#""verifiedLevels":[],"inputAttestations":[{"uri":"x"}]"#,
        "inputAttestations[0]",
    ),
];

#[test]
fn what_a_schema_requires_inside_a_document_is_required_too() {
    let replaced = |kind: &str, from: &str, to: &str| {
        let (_, good) = GOOD
            .iter()
            .find(|(name, text)| *name == kind && text.contains(from))
            .unwrap();
        read(&format!("{kind}=file.json"), &good.replace(from, to))
    };
    for (kind, from, to, said) in LACKING {
        let error = replaced(kind, from, to).unwrap_err();
        assert!(error.contains(said), "{kind} with {to}: {error}");
    }
    for (kind, from, to) in [
        ("sarif", r#""results":[]"#, r#""results":null"#),
        ("vex", r#"{"name":"CVE-2026-1"}"#, r#""CVE-2026-1""#),
        (
            "vex",
            r#""fixed""#,
            r#""not_affected","justification":"component_not_present""#,
        ),
    ] {
        assert!(replaced(kind, from, to).is_ok(), "{kind} with {to}");
    }
}

#[test]
fn a_word_that_means_a_type_is_answered_with_the_type() {
    for (line, meant) in [
        ("openvex=x", "for OpenVEX write vex"),
        ("sbom=x", "write spdx or cyclonedx"),
        ("provenance=x", "provenance is what a run itself answers for"),
        (
            "https://slsa.dev/provenance/v1=x",
            "provenance is what a run itself answers for",
        ),
        ("buildkit-provenance=x", "--lift-buildkit"),
        ("vulns@a/b=x", "write vuln"),
        ("Tests=x", "write test-result"),
        (
            "application/spdx+json=x",
            "a media type goes behind the @, as in spdx@application/vnd.example.bom+json=bom.json",
        ),
        ("application/vnd.x;version=2=x", "a media type goes behind the @"),
    ] {
        let error = line.parse::<PredicateChoice>().unwrap_err().to_string();
        assert!(error.contains(meant), "{line}: {error}");
    }
    let error = "x=y".parse::<PredicateChoice>().unwrap_err().to_string();
    assert!(error.ends_with("found \"x=y\""), "{error}");
}

/// Amazon ECR refuses media types with parameters, in words that name neither the type nor why.
#[test]
fn an_artifact_type_that_is_none_is_named_with_what_to_write() {
    for (line, found, fix) in [
        (
            "spdx@application/x;v=1=x",
            "application/x;v",
            Some("application/x"),
        ),
        (
            "spdx@application/x; v=x",
            "application/x; v",
            Some("application/x"),
        ),
        ("https://example.com/a@b/c;=x", "b/c;", Some("b/c")),
        ("spdx@sbom=x", "sbom", None),
        ("spdx@a/b/c=x", "a/b/c", None),
        ("spdx@a b/c=x", "a b/c", None),
        ("spdx@;v=x", ";v", None),
        ("spdx@=x", "", None),
    ] {
        let error = line.parse::<PredicateChoice>().unwrap_err();
        let fix = fix.map_or_else(String::new, |fix| {
            format!(": registries refuse parameters, write \"{fix}\"")
        });
        assert_eq!(
            error.to_string(),
            format!(
                "expected an artifact type between @ and = in \"{line}\", as application/vnd.example.review+json, found \"{found}\"{fix}"
            )
        );
    }
    // A predicate type is a URI, in which a semicolon is as good as any letter: no registry takes it for a media type.
    let uri = "https://example.com/a;v=1".replace('=', "%3D");
    let choice: PredicateChoice = format!("{uri}=x").parse().unwrap();
    assert_eq!(choice.predicate_type(), "https://example.com/a;v=1");
    assert_eq!(choice.artifact_type(), MediaType::IN_TOTO);
}

#[test]
fn what_is_wrong_is_named_with_file_member_expected_and_found() {
    let spdx_as_cyclonedx = read("cyclonedx=bom.json", r#"{"bomFormat":"SPDX"}"#).unwrap_err();
    assert_eq!(
        spdx_as_cyclonedx,
        "could not attest bom.json as cyclonedx: bomFormat, line 1, column 14: expected CycloneDX, found \"SPDX\""
    );
    for (text, said) in [
        ("no JSON", "not valid JSON"),
        ("[]", "expected an object, found an array of 0"),
        (r#"{"a":1,"a":2}"#, "the key \"a\" stands twice"),
    ] {
        let error = read("https://example.com/p=x.json", text).unwrap_err();
        assert!(
            error.starts_with("could not attest x.json as ") && error.contains(said),
            "{error}"
        );
    }
    let large = Predicate::read(choice("https://example.com/p=x.json"), &vec![b' '; 10_000_001]);
    assert!(matches!(
        *large.unwrap_err().problem,
        PredicateProblem::Document(DocumentError::TooLarge { .. })
    ));
}

fn wrapped(predicate_type: &str, about: &Digest, predicate: &str) -> String {
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{}"}}}}],"predicateType":"{predicate_type}","predicate": {predicate} }}"#,
        about.hex()
    )
}

#[test]
fn a_statement_is_taken_for_its_predicate_and_held_against_the_image() {
    let (image, other) = (Digest::of(b"image"), Digest::of(b"other"));
    let text = wrapped("https://cyclonedx.org/bom/v1.6", &image, GOOD[2].1);
    let bom = read("cyclonedx=s.json", &text).unwrap();
    assert_eq!(bom.check_subject(&image), Ok(()));
    let error = bom.check_subject(&other).unwrap_err().to_string();
    assert!(
        error.contains(&image.to_string()) && error.contains(&other.to_string()),
        "{error}"
    );
    // Readers of this kind know no Statements: what is stored is the document itself.
    let attachment = bom.attachment(&[("web".to_owned(), image.clone())]);
    assert_eq!(attachment.bytes, GOOD[2].1.as_bytes());
    assert_eq!(attachment.layer_type, attachment.artifact_type);
    let error = read("spdx=s.json", &text).unwrap_err();
    assert!(
        error.contains("expected https://spdx.dev/Document, found"),
        "{error}"
    );
    let broken = read("spdx=s.json", r#"{"_type":"https://in-toto.io/Statement/v1"}"#).unwrap_err();
    assert!(broken.contains("not an in-toto Statement"), "{broken}");
}

#[test]
fn a_predicate_without_readers_of_its_own_is_wrapped_as_it_is_written() {
    let image = Digest::of(b"image");
    let text = r#"{"b": 1.50,  "a":"\u00e9"}"#;
    let custom = read("https://example.com/p=x.json", text).unwrap();
    assert_eq!(custom.check_subject(&image), Ok(()));
    let attachment = custom.attachment(&[
        ("web".to_owned(), image.clone()),
        ("copy".to_owned(), image.clone()),
    ]);
    let written = String::from_utf8(attachment.bytes.clone()).unwrap();
    assert_eq!(
        written,
        format!(
            "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{{\"name\":\"web\",\"digest\":{{\"sha256\":\"{}\"}}}}],\"predicateType\":\"https://example.com/p\",\"predicate\":{text}}}",
            image.hex()
        )
    );
    assert_eq!(attachment.artifact_type, MediaType::IN_TOTO);
    assert!(Statement::read(&attachment.bytes).unwrap().names(&image));
}

#[test]
fn two_of_one_kind_are_refused_unless_their_artifact_types_differ() {
    let bom = |line: &str| read(line, GOOD[2].1).unwrap();
    let error = distinct(&[bom("cyclonedx=a.json"), bom("cyclonedx=b.json")]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("could not attest both a.json and b.json")
    );
    let other = bom("cyclonedx@sbom/cyclone-dx=b.json");
    assert_eq!(distinct(&[bom("cyclonedx=a.json"), other]), Ok(()));
}

#[test]
fn lines_are_split_at_the_first_equals_sign_and_the_last_at_before_it() {
    let line = choice("https://u%40example.com/p?q%3D1@a/b=dir=x/y@z.json");
    assert_eq!(line.predicate_type(), "https://u@example.com/p?q=1");
    assert_eq!(line.artifact_type().as_str(), "a/b");
    assert_eq!(line.file(), "dir=x/y@z.json");
    assert_eq!(
        choice("https://spdx.dev/Document/v2.3=x").kind(),
        Some(Kind::Spdx)
    );
    for wrong in [
        "",
        "=",
        "spdx",
        "spdx=",
        "sbom=x",
        "spdx@=x",
        "spdx@a=x",
        "spdx@a/b;c=x",
        "provenance=x",
        "https://slsa.dev/provenance/v1=x",
        "@a/b=x",
    ] {
        let error = wrong.parse::<PredicateChoice>().unwrap_err();
        assert_eq!(error.class(), Class::Usage, "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_line_and_no_bytes_panic(line in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = line.parse::<PredicateChoice>();
        for (kind, _) in GOOD {
            let _ = Predicate::read(choice(&format!("{kind}=x")), &bytes);
        }
    }
}
