//! `--vsa` with AWS Signer on ECR: signed once, kept, replaced, and completed after a kill.

use std::fs;

use serde_json::{Value, json};

use super::faults::assert_clean;
use super::{Ended, Stage};
use crate::judges::keep_statement;
use crate::support::aws::PROFILE;

const SUMMARY: &str = "application/vnd.in-toto.vsa+json";

fn staged() -> (Stage, String) {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    (stage, image)
}

fn passed(ended: &Ended) -> &Ended {
    assert_eq!(ended.code, 0, "{}", ended.everything());
    ended
}

/// Every summary in the repository.
fn summaries(stage: &Stage) -> Vec<Value> {
    let blobs = stage.registry.blobs("web");
    let manifests = stage.registry.manifests("web").into_iter();
    let statements = manifests.filter_map(|(_, stored)| {
        let manifest: Value = serde_json::from_slice(&stored.bytes).ok()?;
        let layer = manifest["layers"][0]["digest"].as_str()?.to_owned();
        (manifest["artifactType"] == SUMMARY).then(|| {
            keep_statement(&blobs[&layer]);
            serde_json::from_slice(&blobs[&layer]).unwrap()
        })
    });
    statements.collect()
}

#[test]
fn a_summary_costs_one_signing_and_the_second_run_nothing() {
    let (stage, image) = staged();
    passed(&stage.run_with(&[&image], &["--vsa"]));
    assert_eq!(
        stage.asked("SignPayload"),
        3,
        "the image, its provenance, the summary"
    );
    let found = summaries(&stage);
    let predicate = &found[0]["predicate"];
    assert_eq!(found.len(), 1);
    assert_eq!(predicate["verifier"]["id"], PROFILE);
    assert_eq!(predicate["resourceUri"], format!("oci://{}/web", stage.host));
    assert_eq!(predicate["verifiedLevels"], json!(["SLSA_BUILD_LEVEL_1"]));
    assert_eq!(predicate["inputAttestations"].as_array().unwrap().len(), 3);
    assert_clean(&stage, "summed up");

    stage.world.ledger().clear();
    let second = stage.run_with(&[&image], &["--vsa"]);
    passed(&second);
    assert_eq!(stage.signed_and_written(), (0, 0));
    assert_eq!(second.report["targets"][0]["state"], "kept");

    // The gate asks for the summary alone.
    let file = json!({"attestations": [{"type": "vsa", "max-age": "1h", "conditions": [
        {"at": "/predicate/verifier/id", "equals": predicate["verifier"]["id"]},
        {"at": "/predicate/policy/digest/sha256", "equals": predicate["policy"]["digest"]["sha256"]},
    ]}]});
    fs::write(stage.path("gate.json"), file.to_string()).unwrap();
    passed(&stage.verify(&["--expect=gate.json", &image]));

    // Another policy: what was expected now is part of it.
    fs::write(stage.path("expect.yml"), "attestations: [{type: provenance}]").unwrap();
    passed(&stage.run_with(&[&image], &["--vsa", "--expect=expect.yml"]));
    let now = summaries(&stage);
    assert_eq!(now.len(), 1);
    assert_ne!(
        now[0]["predicate"]["policy"]["digest"],
        predicate["policy"]["digest"]
    );
    let judged = stage.verify(&["--expect=gate.json", &image]);
    assert_eq!(judged.code, 1, "{}", judged.everything());
    assert_clean(&stage, "replaced");
}

#[test]
fn a_token_of_the_host_carries_the_level_that_the_report_says() {
    let (stage, image) = staged();
    let ended = stage.run_by_host(&image, &[], &["--provenance", "auto", "--vsa"]);
    passed(&ended);
    assert_eq!(ended.report["build"]["level"]["supported"], 2);
    let found = summaries(&stage);
    assert_eq!(
        found[0]["predicate"]["verifiedLevels"],
        json!(["SLSA_BUILD_LEVEL_2"])
    );
    // With warnings that fail the run, an image that nothing ties to it is not summed up.
    let (stage, image) = staged();
    let ended = stage.run_by_host(
        &image,
        &[],
        &["--provenance", "auto", "--vsa", "--fail-on", "warning"],
    );
    assert_eq!(
        (ended.code, summaries(&stage).len()),
        (1, 0),
        "{}",
        ended.everything()
    );
}

#[test]
fn where_the_attestation_has_to_go_first_the_summary_does_too() {
    let stage = Stage::with(|quirks| crate::support::registry::Quirks {
        subject_must_exist: true,
        ..quirks
    });
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    passed(&stage.run_with(&[&image], &["--vsa"]));
    assert_clean(&stage, "attestation first");
    stage.world.ledger().clear();
    passed(&stage.run_with(&[&image], &["--vsa"]));
    assert_eq!(stage.signed_and_written(), (0, 0));
}
