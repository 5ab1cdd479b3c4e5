//! Documents attached to images: with `run`, and by `attest` alone.

use std::fs;

use serde_json::Value;

use crate::scratch::{Layout, NOTARY, Scratch, hex_of, snapshot};

const DEMO: &str = "oci:demo:1.0";
const STATEMENT: &str = "application/vnd.in-toto+json";

/// A line, the document it names, and the artifact type it gets.
const DOCUMENTS: [(&str, &str, &str); 8] = [
    (
        "spdx=bom.spdx.json",
        r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"web","dataLicense":"CC0-1.0","documentNamespace":"https://example.com/web","creationInfo":{"created":"2026-01-01T00:00:00Z","creators":["Tool: x"]}}"#,
        "application/spdx+json",
    ),
    (
        "cyclonedx=bom.cdx.json",
        r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#,
        "application/vnd.cyclonedx+json",
    ),
    (
        "cyclonedx@sbom/cyclone-dx=bom.cdx.json",
        r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#,
        "sbom/cyclone-dx",
    ),
    (
        "sarif=scan.sarif",
        r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"trivy"}},"results":[]}]}"#,
        "application/sarif+json",
    ),
    (
        "vex=vex.json",
        r#"{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/vex","author":"a","timestamp":"2026-01-01T00:00:00Z","version":1,"statements":[{"vulnerability":{"name":"CVE-2026-1"},"status":"fixed"}]}"#,
        "application/vnd.in-toto.openvex+json",
    ),
    (
        "vuln=vuln.json",
        r#"{"scanner":{"uri":"pkg:x/trivy","result":[]},"metadata":{"scanStartedOn":"2026-01-01T00:00:00Z","scanFinishedOn":"2026-01-01T00:00:01Z"}}"#,
        "application/vnd.in-toto.vulns+json",
    ),
    (
        "test-result=tests.json",
        r#"{"result":"PASSED","configuration":[]}"#,
        "application/vnd.in-toto.test-result+json",
    ),
    (
        "https://example.com/review/v1=review.json",
        r#"{"by": "somebody"}"#,
        STATEMENT,
    ),
];

fn prepared() -> Scratch {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    for (line, document, _) in DOCUMENTS {
        fs::write(scratch.path(line.split_once('=').unwrap().1), document).unwrap();
    }
    scratch
}

/// The flags that attach these lines.
fn flags(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| format!("--attest={line}")).collect()
}

/// `attest` with the local key.
fn attest(scratch: &Scratch, code: i32, lines: &[&str]) -> crate::scratch::Ran {
    let flags = flags(lines);
    let mut args = vec!["attest", "--signer=local", DEMO];
    args.extend(flags.iter().map(String::as_str));
    scratch.expect(code, &args)
}

#[test]
fn a_run_attaches_signs_and_reads_back_every_kind_and_keeps_it_the_next_time() {
    let scratch = prepared();
    let flags = flags(&DOCUMENTS.map(|(line, _, _)| line));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    scratch.sign(0, DEMO, &flags);
    let layout = Layout::read(&scratch.path("demo"));
    let image = layout.image();
    for (line, document, artifact_type) in DOCUMENTS {
        let attestation = layout.referrer(&image, artifact_type);
        layout.referrer(&attestation, NOTARY);
        let manifest = layout.json(&attestation);
        let layers = manifest["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 1, "{line}");
        // Readers of bills of materials and SARIF want the document itself under its own type; others a Statement.
        if layers[0]["mediaType"] == artifact_type && artifact_type != STATEMENT {
            assert_eq!(layout.blob(&hex_of(&layers[0])), document.as_bytes(), "{line}");
        } else {
            assert_eq!(layers[0]["mediaType"], STATEMENT, "{line}");
            let statement = layout.json(&hex_of(&layers[0]));
            let predicate: Value = serde_json::from_str(document).unwrap();
            assert_eq!(statement["predicate"], predicate, "{line}");
            assert_eq!(statement["subject"][0]["digest"]["sha256"], image, "{line}");
        }
    }
    let report = scratch.report();
    let attestations = report["targets"][0]["attestations"].as_array().unwrap();
    assert_eq!(attestations.len(), DOCUMENTS.len() + 1);
    assert!(
        attestations.iter().all(|one| one["verdict"] == "accepted"),
        "{attestations:#?}"
    );

    let before = snapshot(&scratch.path("demo"));
    scratch.sign(0, DEMO, &flags);
    assert_eq!(snapshot(&scratch.path("demo")), before);
    assert_eq!(scratch.report()["targets"][0]["state"], "kept");
}

#[test]
fn attest_alone_signs_the_document_and_not_the_image() {
    let scratch = prepared();
    attest(&scratch, 0, &["spdx=bom.spdx.json"]);
    let layout = Layout::read(&scratch.path("demo"));
    let image = layout.image();
    assert_eq!(layout.referrers(&image, NOTARY), Vec::<String>::new());
    let bom = layout.referrer(&image, "application/spdx+json");
    layout.referrer(&bom, NOTARY);
    let report = scratch.report();
    assert_eq!(
        (&report["command"], &report["verdict"]),
        (&"attest".into(), &"passed".into())
    );

    let before = snapshot(&scratch.path("demo"));
    attest(&scratch, 0, &["spdx=bom.spdx.json"]);
    assert_eq!(snapshot(&scratch.path("demo")), before);

    // Another document of the kind takes its place, and leaves other kinds alone.
    attest(&scratch, 0, &["cyclonedx=bom.cdx.json"]);
    let text = fs::read_to_string(scratch.path("bom.spdx.json")).unwrap();
    fs::write(scratch.path("bom.spdx.json"), text.replace("\"web\"", "\"web2\"")).unwrap();
    attest(&scratch, 0, &["spdx=bom.spdx.json"]);
    let layout = Layout::read(&scratch.path("demo"));
    assert_ne!(layout.referrer(&image, "application/spdx+json"), bom);
    assert_eq!(layout.referrers(&bom, NOTARY), Vec::<String>::new());
    layout.referrer(&image, "application/vnd.cyclonedx+json");
}

#[test]
fn a_statement_about_this_image_is_taken_and_one_about_another_is_refused_by_both_digests() {
    let scratch = prepared();
    let image = Layout::read(&scratch.path("demo")).image();
    let statement = |hex: &str| {
        let predicate = DOCUMENTS[1].1;
        let text = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{hex}"}}}}],"predicateType":"https://cyclonedx.org/bom","predicate":{predicate}}}"#
        );
        fs::write(scratch.path("statement.json"), text).unwrap();
    };
    let other = "0".repeat(64);
    statement(&other);
    let before = snapshot(&scratch.path("demo"));
    attest(&scratch, 2, &["cyclonedx=statement.json"]);
    let report = scratch.report().to_string();
    assert!(report.contains(&image) && report.contains(&other), "{report}");
    assert_eq!(snapshot(&scratch.path("demo")), before);
    statement(&image);
    attest(&scratch, 0, &["cyclonedx=statement.json"]);
    let layout = Layout::read(&scratch.path("demo"));
    let bom = layout.referrer(&image, "application/vnd.cyclonedx+json");
    assert_eq!(layout.blob(&layout.layer(&bom)), DOCUMENTS[1].1.as_bytes());
}

#[test]
fn bad_documents_are_usage_errors_and_nothing_is_touched() {
    let scratch = prepared();
    fs::write(scratch.path("no.json"), "no JSON").unwrap();
    fs::write(scratch.path("list.json"), "[]").unwrap();
    fs::write(scratch.path("twice.json"), r#"{"a":1,"a":2}"#).unwrap();
    fs::write(scratch.path("large.json"), vec![b' '; 10_000_001]).unwrap();
    let before = snapshot(&scratch.path("demo"));
    for (lines, said) in [
        (vec![], "--attest"),
        (vec!["sbom=bom.cdx.json"], "expected TYPE[@ARTIFACT-TYPE]=FILE"),
        (vec!["openvex=vex.json"], "for OpenVEX write vex"),
        (
            vec!["provenance=vex.json"],
            "provenance is what a run itself answers for",
        ),
        (vec!["cyclonedx=bom.spdx.json"], "bomFormat"),
        (vec!["spdx=bom.cdx.json"], "spdxVersion"),
        (vec!["spdx=no.json"], "not valid JSON"),
        (vec!["https://example.com/p=list.json"], "expected an object"),
        (vec!["https://example.com/p=twice.json"], "stands twice"),
        (vec!["https://example.com/p=large.json"], "10000000"),
        (vec!["spdx=missing.json"], "missing.json"),
        (vec!["spdx=demo"], "expected a file, found a directory"),
        (vec!["vuln=vuln.json", "vuln=tests.json"], "scanner"),
        (
            vec!["cyclonedx=bom.cdx.json", "cyclonedx=bom.cdx.json"],
            "could not attest both",
        ),
    ] {
        let ran = attest(&scratch, 2, &lines);
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert!(text.contains(said), "{lines:?}: {text}");
        assert_eq!(snapshot(&scratch.path("demo")), before, "{lines:?}");
    }
}

#[test]
fn on_a_ci_host_only_files_of_the_workspace_are_read() {
    let scratch = prepared();
    let outside = Scratch::new();
    fs::write(outside.path("bom.json"), DOCUMENTS[1].1).unwrap();
    let line = format!("--attest=cyclonedx={}", outside.path("bom.json").display());
    let mut command = scratch.command(&["attest", "--signer=local", DEMO, &line]);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", scratch.path(""));
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("below the workspace"), "{said}");
}

#[test]
fn one_kind_is_an_artifact_type_with_a_family_of_predicates() {
    let scratch = prepared();
    // The same document for two readers is two kinds; several of one kind would be told.
    attest(
        &scratch,
        0,
        &["cyclonedx=bom.cdx.json", "cyclonedx@sbom/cyclone-dx=bom.cdx.json"],
    );
    assert_eq!(scratch.findings(), [""; 0]);
    // Another version in the predicate type's URI is the same kind: what comes later takes its place.
    let image = Layout::read(&scratch.path("demo")).image();
    let vex = DOCUMENTS[4].1;
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{image}"}}}}],"predicateType":"https://openvex.dev/ns/v0.2.0","predicate":{vex}}}"#
    );
    fs::write(scratch.path("statement.json"), statement).unwrap();
    attest(&scratch, 0, &["vex=statement.json"]);
    let older = Layout::read(&scratch.path("demo")).referrer(&image, DOCUMENTS[4].2);
    attest(&scratch, 0, &["vex=vex.json"]);
    let layout = Layout::read(&scratch.path("demo"));
    let newer = layout.referrer(&image, DOCUMENTS[4].2);
    assert_ne!(newer, older);
    assert_eq!(
        layout.json(&layout.layer(&newer))["predicateType"],
        "https://openvex.dev/ns"
    );
    assert_eq!(scratch.findings(), [""; 0]);
}

#[test]
fn a_tag_is_refused_where_a_digest_is_demanded() {
    let scratch = prepared();
    let before = snapshot(&scratch.path("demo"));
    let args = [
        "attest",
        "--signer=local",
        "--attest=spdx=bom.spdx.json",
        "--require-digest",
    ];
    let ran = scratch.expect(2, &[&args[..], &[DEMO]].concat());
    assert!(
        ran.stdout.contains("expected a digest, found oci:demo:1.0"),
        "{}",
        ran.stdout
    );
    assert_eq!(snapshot(&scratch.path("demo")), before);
    let image = format!("oci:demo@sha256:{}", Layout::read(&scratch.path("demo")).image());
    scratch.expect(0, &[&args[..], &[&image]].concat());
}

#[test]
fn every_platform_gets_the_documents_about_the_whole_image_where_that_is_asked() {
    let scratch = prepared();
    let args = [
        "attest",
        "--signer=local",
        "--attest=spdx=bom.spdx.json",
        "--attest=vex=vex.json",
    ];
    let attest = || scratch.expect(0, &[&args[..], &["--recursive=platforms", DEMO]].concat());
    attest();
    let layout = Layout::read(&scratch.path("demo"));
    let image = layout.image();
    let index = layout.json(&image);
    let children: Vec<String> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(hex_of)
        .collect();
    assert!(children.len() >= 2);
    let of = |on: &String| {
        layout.referrer(&layout.referrer(on, "application/spdx+json"), NOTARY);
        let vex = layout.referrer(on, "application/vnd.in-toto.openvex+json");
        layout.referrer(&vex, NOTARY);
        layout.layer(&vex)
    };
    // One Statement, which names the index and every platform, hangs on each of them.
    let statement = of(&image);
    let subjects = layout.json(&statement)["subject"].clone();
    let named = subjects.as_array().unwrap().iter();
    let named: Vec<&str> = named
        .map(|one| one["digest"]["sha256"].as_str().unwrap())
        .collect();
    let all: Vec<&str> = std::iter::once(&image)
        .chain(&children)
        .map(String::as_str)
        .collect();
    assert_eq!(named, all);
    for child in &children {
        assert_eq!(of(child), statement);
        assert_eq!(layout.referrers(child, NOTARY), Vec::<String>::new());
    }
    let before = snapshot(&scratch.path("demo"));
    attest();
    assert_eq!(snapshot(&scratch.path("demo")), before);
}
