//! A registry that takes no signature on what it does not hold: the attestation goes first, and not without its signature.

use super::faults::assert_clean;
use super::{Ended, Stage};
use crate::support::fault::{Fault, When};
use crate::support::registry::Quirks;

const PUT: &str = "PUT manifest";

/// The pushes of a run: the image's signature, the attestation's (refused), the attestation, its signature.
const ATTESTATION: usize = 3;
const SIGNATURE: usize = 4;

fn stage() -> (Stage, String) {
    let stage = Stage::with(|quirks| Quirks {
        subject_must_exist: true,
        ..quirks
    });
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    (stage, image)
}

/// How many attestations the registry holds.
fn attestations(stage: &Stage) -> usize {
    let manifests = stage.registry.manifests("web");
    let is_one =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("application/vnd.in-toto.provenance+json");
    manifests.values().filter(|stored| is_one(&stored.bytes)).count()
}

/// Running again ends well, with one attestation and one signature on everything.
fn assert_completes(stage: &Stage, image: &str, cell: &str) {
    stage.world.no_more_faults();
    let again = stage.run(&[image]);
    assert_eq!(again.code, 0, "{cell}: {}", again.everything());
    assert_clean(stage, cell);
    assert_eq!(attestations(stage), 1, "{cell}");
    stage.world.ledger().clear();
    assert_eq!(stage.run(&[image]).code, 0, "{cell}");
    assert_eq!(stage.signed_and_written(), (0, 0), "{cell}");
}

fn failed(stage: &Stage, image: &str, code: i32) -> Ended {
    let ended = stage.run(&[image]);
    assert_eq!(ended.code, code, "{}", ended.everything());
    ended
}

#[test]
fn the_attestation_goes_first_where_it_has_to() {
    let (stage, image) = stage();
    let ended = stage.run(&[&image]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let puts = stage.world.ledger().of("registry", PUT);
    let statuses: Vec<u16> = puts.iter().map(|put| put.status).collect();
    assert_eq!(statuses, [201, 404, 201, 201]);
    assert_completes(&stage, &image, "in order");
}

#[test]
fn an_attestation_whose_signature_is_refused_is_taken_back() {
    let (stage, image) = stage();
    let denied = Fault::registry_error(403, "DENIED", "not authorized to perform ecr:PutImage");
    stage.world.fault("registry", PUT, When::From(SIGNATURE), denied);
    let ended = failed(&stage, &image, 4);
    assert!(
        ended.everything().contains("was deleted again"),
        "{}",
        ended.everything()
    );
    assert_eq!(attestations(&stage), 0);
    assert_eq!(stage.world.ledger().count("registry", "DELETE manifest"), 1);
    assert_completes(&stage, &image, "signature refused");
}

#[test]
fn an_attestation_of_which_nobody_knows_whether_it_was_stored_is_taken_back() {
    let (stage, image) = stage();
    stage
        .world
        .fault("registry", PUT, When::From(ATTESTATION), Fault::LoseAnswer);
    let ended = failed(&stage, &image, 3);
    assert!(
        ended.everything().contains("was deleted again"),
        "{}",
        ended.everything()
    );
    assert_eq!(attestations(&stage), 0);
    assert_completes(&stage, &image, "answer lost");
}

#[test]
fn what_cannot_be_taken_back_is_named() {
    let (stage, image) = stage();
    let denied = || Fault::registry_error(403, "DENIED", "not authorized");
    stage
        .world
        .fault("registry", PUT, When::From(SIGNATURE), denied());
    stage
        .world
        .fault("registry", "DELETE manifest", When::Always, denied());
    let ended = failed(&stage, &image, 4);
    let left = stage.registry.manifests("web").into_iter().find(|(_, stored)| {
        String::from_utf8_lossy(&stored.bytes).contains("application/vnd.in-toto.provenance+json")
    });
    let (left, _) = left.unwrap();
    let said = format!("/web@{left} may be public without a signature");
    assert!(ended.everything().contains(&said), "{}", ended.everything());
    // The next run finds exactly what it would have attached, and signs it.
    assert_completes(&stage, &image, "left unsigned");
}

#[test]
fn what_stood_there_before_is_not_deleted() {
    let (stage, image) = stage();
    let denied = || Fault::registry_error(403, "DENIED", "not authorized");
    stage
        .world
        .fault("registry", PUT, When::From(SIGNATURE), denied());
    stage
        .world
        .fault("registry", "DELETE manifest", When::Always, denied());
    failed(&stage, &image, 4);
    assert_eq!(attestations(&stage), 1);
    // The same bytes stand there now, put there by a run that this one knows nothing of.
    stage.world.no_more_faults();
    stage.world.fault("registry", PUT, When::Always, denied());
    failed(&stage, &image, 4);
    assert_eq!(attestations(&stage), 1);
    assert_completes(&stage, &image, "stood before");
}

#[test]
fn another_refusal_of_the_signature_pushes_nothing() {
    let (stage, image) = stage();
    let denied = Fault::registry_error(404, "NAME_UNKNOWN", "no such repository");
    stage.world.fault("registry", PUT, When::From(2), denied);
    let ended = failed(&stage, &image, 5);
    assert_eq!(attestations(&stage), 0, "{}", ended.everything());
    assert_completes(&stage, &image, "another refusal");
}
