//! What a run costs: every request, and in which wave it was sent.

use super::{LATENCY, Stage};
use crate::support::aws::{PROFILE, ROLE};

/// Every request with its wave, for whoever reads the output of a test that fails.
pub(super) fn told(stage: &Stage) -> (String, usize, usize) {
    let waves = stage.world.ledger().waves();
    let entries = stage.world.ledger().entries();
    let lines = entries.iter().zip(&waves).map(|(entry, wave)| {
        let request = &entry.request;
        format!(
            "{wave:>3}  {} {} ({} {})\n",
            entry.service, entry.operation, request.method, request.path
        )
    });
    let last = waves.iter().copied().max().unwrap_or(0);
    (lines.collect(), entries.len(), last)
}

#[test]
fn one_image_named_by_digest_costs_what_the_documents_say() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    stage.world.set_latency(LATENCY);
    let first = stage.run(&[&image]);
    assert_eq!(first.code, 0, "{}", first.everything());
    let (lines, requests, waves) = told(&stage);
    println!("{lines}");
    assert!(requests <= 29, "{requests} requests\n{lines}");
    assert!(waves <= 11, "{waves} waves\n{lines}");

    stage.world.ledger().clear();
    let second = stage.run(&[&image]);
    assert_eq!(second.code, 0, "{}", second.everything());
    let (lines, requests, _) = told(&stage);
    println!("{lines}");
    assert!(requests <= 15, "{requests} requests\n{lines}");
    assert_eq!(stage.signed_and_written(), (0, 0), "{lines}");
}

/// How often each was asked for a manifest: the API of ECR, and the registry itself.
fn manifests_asked(stage: &Stage) -> (usize, usize) {
    let ledger = stage.world.ledger();
    (
        ledger.count("ecr", "BatchGetImage"),
        ledger.count("registry", "GET manifest"),
    )
}

fn two_hundred_and_fifty(stage: &Stage) -> Vec<String> {
    let image = |n: usize| {
        let digest = stage
            .registry
            .put_image("web", &format!("v{n}"), &format!("image {n}"));
        format!("{}/web@{digest}", stage.host)
    };
    (0..250).map(image).collect()
}

fn list(stage: &Stage, images: &[String]) -> String {
    let path = stage.path("list.txt");
    std::fs::write(&path, images.join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn on_ecr_a_hundred_digests_of_a_repository_cost_one_request() {
    let stage = Stage::new();
    let images = two_hundred_and_fifty(&stage);
    let file = list(&stage, &images);
    let args = ["targets", "--role-arn", ROLE, "--resolve", "--images-from", &file];
    let ended = stage.call(&args);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.data.lines().collect::<Vec<_>>(), images);
    assert_eq!(manifests_asked(&stage), (3, 0));
    // Nobody logged in to the registry: it was not asked anything.
    assert_eq!(stage.world.ledger().count("ecr", "GetAuthorizationToken"), 0);

    // By tag the same, and a tag beside a digest is one more name.
    stage.world.ledger().clear();
    let tagged: Vec<String> = (0..250).map(|n| format!("{}/web:v{n}", stage.host)).collect();
    let file = list(&stage, &tagged);
    let ended = stage.call(&["targets", "--role-arn", ROLE, "--resolve", "--images-from", &file]);
    assert_eq!(
        (ended.code, ended.data.lines().count()),
        (0, 250),
        "{}",
        ended.everything()
    );
    assert_eq!(manifests_asked(&stage), (3, 0));

    // Without the permission the registry is asked, once for each, after one login.
    stage.world.ledger().clear();
    stage
        .aws
        .cloud()
        .state()
        .denied
        .insert("ecr:BatchGetImage".to_owned());
    let file = list(&stage, &images);
    let ended = stage.call(&["targets", "--role-arn", ROLE, "--resolve", "--images-from", &file]);
    assert_eq!(
        (ended.code, ended.data.lines().count()),
        (0, 250),
        "{}",
        ended.everything()
    );
    assert_eq!(manifests_asked(&stage), (3, 250));
    assert_eq!(stage.world.ledger().count("ecr", "GetAuthorizationToken"), 1);
}

#[test]
fn what_the_batch_does_not_give_the_registry_explains() {
    let stage = Stage::new();
    let mut images: Vec<String> = two_hundred_and_fifty(&stage).into_iter().take(5).collect();
    let absent = format!("{}/web@sha256:{}", stage.host, "0".repeat(64));
    images.insert(2, absent.clone());
    let file = list(&stage, &images);
    let ended = stage.call(&["targets", "--role-arn", ROLE, "--resolve", "--images-from", &file]);
    assert_eq!(
        (ended.code, ended.data.as_str()),
        (5, ""),
        "{}",
        ended.everything()
    );
    assert!(
        ended.words.contains(&absent) && ended.words.contains("list.txt:3"),
        "{}",
        ended.words
    );
    assert_eq!(manifests_asked(&stage), (1, 1));
    let elsewhere: Vec<String> = images
        .iter()
        .map(|image| image.replace("/web@", "/none@"))
        .collect();
    let file = list(&stage, &elsewhere);
    let ended = stage.call(&["targets", "--role-arn", ROLE, "--resolve", "--images-from", &file]);
    assert_eq!(
        (ended.code, ended.data.as_str()),
        (5, ""),
        "{}",
        ended.everything()
    );
}

#[test]
fn verify_and_run_look_at_many_images_of_a_repository_at_once() {
    let stage = Stage::new();
    let images: Vec<String> = two_hundred_and_fifty(&stage).into_iter().take(3).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let signed = stage.run_with(&images, &["--dry-run"]);
    assert_eq!(signed.code, 0, "{}", signed.everything());
    assert_eq!(manifests_asked(&stage), (1, 0));
    stage.world.ledger().clear();
    let store = stage.root.path().to_str().unwrap().to_owned();
    let mut args = vec!["verify", "--role-arn", ROLE, "--trust-store", &store];
    args.extend(["--signing-profile", PROFILE]);
    args.extend(&images);
    let judged = stage.call(&args);
    assert_eq!(judged.code, 1, "{}", judged.everything());
    assert_eq!(manifests_asked(&stage), (1, 0));
}
