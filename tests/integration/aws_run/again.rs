//! Runs after runs: what stands somewhere is copied, what is old is replaced, what was stopped is completed.

use std::collections::BTreeSet;

use countersign::domain::oci::{Digest, MediaType};
use serde_json::json;

use super::{Ended, Stage};
use crate::support::fault::{Fault, When};

const PUT: &str = "PUT manifest";
const DELETE: &str = "DELETE manifest";

fn passed(ended: &Ended) -> &Ended {
    assert_eq!(ended.code, 0, "{}", ended.everything());
    ended
}

/// What refers to a digest, and what refers to that.
fn tree(stage: &Stage, repository: &str, digest: &Digest) -> BTreeSet<Digest> {
    let on = |digest: &Digest| stage.registry.referrers(repository, digest);
    let first = on(digest);
    first.iter().flat_map(on).chain(first.clone()).collect()
}

/// The provenances of `web`.
fn provenances(stage: &Stage) -> BTreeSet<String> {
    let manifests = stage.registry.manifests("web").into_iter();
    let of_type = manifests.filter(|(_, stored)| {
        String::from_utf8_lossy(&stored.bytes).contains("application/vnd.in-toto.provenance+json")
    });
    of_type.map(|(digest, _)| digest).collect()
}

#[test]
fn what_one_place_holds_is_copied_to_the_others_not_signed_again() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let mut images = vec![format!("{}/web:1.4", stage.host)];
    passed(&stage.run(&[&images[0]]));
    for repository in ["copies/web", "more/web"] {
        stage.registry.create(repository);
        stage.registry.put_image(repository, "1.4", "an image");
        images.push(format!("{}/{repository}:1.4", stage.host));
    }
    stage.world.ledger().clear();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    passed(&stage.run(&images));
    assert_eq!(stage.signed_and_written().0, 0);
    assert_eq!(
        stage.world.ledger().count("registry", PUT),
        6,
        "three for each of two places"
    );
    let first = tree(&stage, "web", &digest);
    assert_eq!(first.len(), 3);
    for repository in ["copies/web", "more/web"] {
        assert_eq!(tree(&stage, repository, &digest), first, "{repository}");
    }
}

#[test]
fn one_push_is_all_that_a_copied_signature_costs() {
    let stage = Stage::new();
    stage.registry.put_image("web", "1.4", "an image");
    let (web, copy) = (
        format!("{}/web:1.4", stage.host),
        format!("{}/copies/web:1.4", stage.host),
    );
    passed(&stage.run_with(&[&web], &["--provenance", "off"]));
    stage.registry.create("copies/web");
    stage.registry.put_image("copies/web", "1.4", "an image");
    stage.world.ledger().clear();
    passed(&stage.run_with(&[&web, &copy], &["--provenance", "off"]));
    assert_eq!(stage.signed_and_written().0, 0);
    assert_eq!(stage.world.ledger().count("registry", PUT), 1);
}

#[test]
fn an_older_provenance_of_ours_is_replaced_and_a_foreign_one_is_left() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    passed(&stage.run(&[&image]));
    let older = provenances(&stage);
    let on_older: Vec<Digest> = stage
        .registry
        .referrers("web", &older.first().unwrap().parse().unwrap());
    let foreign = foreign(&stage, &digest);

    let other = "https://example.com/other";
    passed(&stage.finish(&mut stage.run_command(&[&image], other, &[])));
    let newer = provenances(&stage);
    assert!(newer.is_disjoint(&older) && newer.contains(&foreign), "{newer:?}");
    assert_eq!(newer.len(), 2);
    let manifests = stage.registry.manifests("web");
    assert!(
        on_older
            .iter()
            .all(|signature| !manifests.contains_key(&signature.to_string()))
    );
    assert_eq!(stage.world.ledger().count("registry", DELETE), 2);

    stage.world.ledger().clear();
    passed(&stage.finish(&mut stage.run_command(&[&image], other, &[])));
    assert_eq!(stage.signed_and_written(), (0, 0));
}

/// An attestation that nobody signed.
fn foreign(stage: &Stage, digest: &Digest) -> String {
    let empty = stage.registry.put_blob("web", b"{}");
    let size = stage.registry.manifests("web")[&digest.to_string()].bytes.len();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": MediaType::PROVENANCE,
        "config": {"mediaType": MediaType::EMPTY, "digest": empty, "size": 2},
        "layers": [{"mediaType": MediaType::IN_TOTO, "digest": empty, "size": 2}],
        "subject": {"mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": size},
    });
    let bytes = manifest.to_string();
    let foreign = stage
        .registry
        .put_manifest("web", None, &MediaType::OCI_MANIFEST, bytes.as_bytes());
    foreign.to_string()
}

#[test]
fn an_older_provenance_that_may_not_be_deleted_is_a_note() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    passed(&stage.run(&[&image]));
    let denied = Fault::registry_error(403, "DENIED", "not authorized to perform ecr:BatchDeleteImage");
    stage.world.fault("registry", DELETE, When::Always, denied);
    let other = "https://example.com/other";
    let ended = stage.finish(&mut stage.run_command(&[&image], other, &[]));
    passed(&ended);
    assert_eq!(provenances(&stage).len(), 2);
    let findings = ended.report["findings"].as_array().unwrap();
    let note = findings
        .iter()
        .find(|finding| finding["rule"] == "CSN027" && finding["level"] == "note")
        .unwrap();
    assert!(
        note["message"].as_str().unwrap().contains("ecr:BatchDeleteImage"),
        "{note}"
    );

    // Whoever verifies is told that two stand there.
    let verified = stage.verify(&[&image]);
    passed(&verified);
    let findings = verified.report["findings"].as_array().unwrap().iter();
    let told = findings.filter(|finding| finding["level"] != "note");
    let told: Vec<_> = told
        .map(|finding| (&finding["rule"], &finding["level"]))
        .collect();
    assert_eq!(told, [(&json!("CSN027"), &json!("warning"))]);

    // Where it may be deleted later, the next run does so, and signs nothing for it.
    stage.world.no_more_faults();
    stage.world.ledger().clear();
    passed(&stage.finish(&mut stage.run_command(&[&image], other, &[])));
    assert_eq!(provenances(&stage).len(), 1);
    assert_eq!(stage.world.ledger().count("signer", "SignPayload"), 0);
    assert_eq!(stage.world.ledger().count("registry", PUT), 0);
}

#[test]
fn the_signature_that_a_stopped_run_left_on_an_attestation_is_used() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    let run = |more: &[&str]| {
        let mut command = stage.run_command(&[&image], "https://example.com/source", more);
        stage.finish(command.env("SOURCE_DATE_EPOCH", "1700000000"))
    };
    let denied = Fault::registry_error(403, "DENIED", "not authorized to perform ecr:PutImage");
    stage.world.fault("registry", PUT, When::From(3), denied);
    assert_eq!(run(&[]).code, 4);
    assert_eq!(provenances(&stage).len(), 0);
    stage.world.no_more_faults();
    stage.world.ledger().clear();
    // Even where the image is signed anew.
    passed(&run(&["--resign"]));
    assert_eq!(stage.world.ledger().count("signer", "SignPayload"), 1);
    let attestation: Digest = provenances(&stage).first().unwrap().parse().unwrap();
    assert_eq!(stage.registry.referrers("web", &attestation).len(), 1);
}
