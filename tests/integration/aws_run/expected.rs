//! What is expected of attestations, and documents attached alone, on a registry with AWS Signer.

use std::fs;

use serde_json::Value;

use super::{Ended, Stage};
use crate::support::aws::{PROFILE, ROLE};

const EXPECTED: &str = "attestations:\n  - type: provenance\n    builder: https://example.com/builder\n    \
                        source: https://example.com/source\n    max-age: 1h\n    minimum-build-level: 1\n";

const BOM: &str = r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"web","dataLicense":"CC0-1.0","documentNamespace":"https://example.com/web","creationInfo":{"created":"2026-01-01T00:00:00Z","creators":["Tool: x"]}}"#;

/// What was found, but for remarks about the network of these tests.
fn rules(ended: &Ended) -> Vec<&Value> {
    let findings = ended.report["findings"].as_array().unwrap().iter();
    let told = findings.filter(|finding| finding["level"] != "note");
    told.map(|finding| &finding["rule"]).collect()
}

fn staged() -> (Stage, String) {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    (stage, image)
}

/// `attest` with role and profile.
fn attest(stage: &Stage, line: &str, image: &str) -> Ended {
    let store = stage.root.path().to_str().unwrap();
    stage.call(&[
        "attest",
        "--role-arn",
        ROLE,
        "--signing-profile",
        PROFILE,
        "--trust-store",
        store,
        "--attest",
        line,
        image,
    ])
}

#[test]
fn what_was_expected_and_signed_passes_run_and_verify() {
    let (stage, image) = staged();
    fs::write(stage.path("expect.yml"), EXPECTED).unwrap();
    let ran = stage.run_with(&[&image], &["--expect=expect.yml"]);
    assert_eq!(ran.code, 0, "{}", ran.everything());
    let verified = stage.verify(&["--expect=expect.yml", "--minimum-build-level=1", &image]);
    assert_eq!(verified.code, 0, "{}", verified.everything());
    assert_eq!(rules(&verified), [""; 0]);
}

#[test]
fn another_source_is_refused_by_run_and_verify() {
    let (stage, image) = staged();
    fs::write(stage.path("expect.yml"), EXPECTED.replace("/source", "/other")).unwrap();
    let ran = stage.run_with(&[&image], &["--expect=expect.yml"]);
    assert_eq!(
        (ran.code, rules(&ran)),
        (1, vec![&Value::from("CSN031")]),
        "{}",
        ran.everything()
    );
    let verified = stage.verify(&["--expect=expect.yml", "--minimum-build-level=2", &image]);
    assert_eq!(verified.code, 1, "{}", verified.everything());
    assert_eq!(rules(&verified), ["CSN031", "CSN032"]);
}

#[test]
fn a_broken_expectations_file_costs_no_request() {
    let (stage, image) = staged();
    fs::write(stage.path("expect.yml"), "attestations: [{typ: provenance}]").unwrap();
    stage.world.ledger().clear();
    for ended in [
        stage.run_with(&[&image], &["--expect=expect.yml"]),
        stage.verify(&["--expect=expect.yml", &image]),
        stage.verify(&["--expect=absent.yml", &image]),
    ] {
        assert_eq!(ended.code, 2, "{}", ended.everything());
        assert!(ended.everything().contains(".yml"), "{}", ended.everything());
    }
    assert!(
        stage.world.ledger().is_empty(),
        "{:?}",
        stage.world.ledger().operations()
    );
}

#[test]
fn attest_signs_once_and_writes_nothing_the_second_time() {
    let (stage, image) = staged();
    fs::write(stage.path("bom.json"), BOM).unwrap();
    stage.world.ledger().clear();
    let first = attest(&stage, "spdx=bom.json", &image);
    assert_eq!(first.code, 0, "{}", first.everything());
    assert_eq!(stage.asked("SignPayload"), 1);
    assert_eq!(
        stage.world.ledger().count("registry", "PUT manifest"),
        2,
        "document and signature"
    );

    stage.world.ledger().clear();
    let second = attest(&stage, "spdx=bom.json", &image);
    assert_eq!(second.code, 0, "{}", second.everything());
    assert_eq!(stage.signed_and_written(), (0, 0));
}

#[test]
fn a_document_that_cannot_be_used_costs_no_request() {
    let (stage, image) = staged();
    fs::write(stage.path("broken.json"), "{\"spdxVersion\":").unwrap();
    stage.world.ledger().clear();
    for line in ["spdx=absent.json", "spdx=broken.json", "nonsense"] {
        let ended = attest(&stage, line, &image);
        assert_eq!(ended.code, 2, "{line}: {}", ended.everything());
    }
    assert!(
        stage.world.ledger().is_empty(),
        "{:?}",
        stage.world.ledger().operations()
    );
}
