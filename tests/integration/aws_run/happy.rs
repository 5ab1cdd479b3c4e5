//! What works: images, indexes, several registries, second runs, other commands.

use std::fs;

use countersign::base::limits::Bounds;
use countersign::base::yaml;
use serde_json::json;

use super::Stage;
use crate::generated::in_repository;
use crate::support::aws::PROFILE;

#[test]
fn an_image_is_signed_attested_and_verified() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web:1.4", stage.host);
    let ended = stage.run(&[&image]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["verdict"], "passed");
    assert_eq!(ended.report["checked"], "self-checked");
    assert_eq!(stage.registry.referrers("web", &digest).len(), 2);
    assert_eq!(stage.signed_and_written().0, 2);
    assert_eq!(ended.report["requests"]["signer"]["SignPayload"], 2);

    stage.world.ledger().clear();
    let again = stage.run(&[&image]);
    assert_eq!(again.code, 0, "{}", again.everything());
    assert_eq!(stage.signed_and_written(), (0, 0));

    let store = stage.root.path().to_str().unwrap();
    let role = crate::support::aws::ROLE;
    for command in ["verify", "inspect"] {
        let ended = stage.call(&[
            command,
            "--role-arn",
            role,
            "--signing-profile",
            PROFILE,
            "--trust-store",
            store,
            &image,
        ]);
        assert_eq!(ended.code, 0, "{command}: {}", ended.everything());
    }
    assert_eq!(stage.signed_and_written(), (0, 0));
}

/// What docker/build-push-action calls its metadata, about an image that was pushed under two names.
fn metadata(stage: &Stage, digest: &str) -> String {
    let names = format!("{0}/web:1.4,{0}/web:latest", stage.host);
    json!({
        "buildx.build.ref": "b/b0/0fjb6ubs",
        "containerimage.descriptor": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1609
        },
        "containerimage.digest": digest,
        "image.name": names,
    })
    .to_string()
}

/// The action's inputs in the step that a guide shows below this heading.
fn step_of_the_guide(heading: &str) -> Vec<(String, String)> {
    let page = fs::read_to_string(in_repository("docs/guides/github.md")).unwrap();
    let (_, section) = page.split_once(heading).unwrap();
    let (_, block) = section.split_once("```yaml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let document = yaml::read(block.as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
    let with = document
        .cursor()
        .pointer("/steps/1/with")
        .unwrap()
        .object()
        .unwrap();
    with.members()
        .map(|(name, value)| (name.to_owned(), value.string().unwrap().to_owned()))
        .collect()
}

#[test]
fn what_a_build_step_hands_over_is_signed_as_the_guide_shows() {
    let stage = Stage::new();
    let built = stage.registry.put_image("web", "1.4", "an image");
    stage.registry.put_image("web", "latest", "an image");
    let metadata = metadata(&stage, &built.to_string());
    let signed = || {
        let mut command = stage.command(&["action"]);
        for (name, value) in step_of_the_guide("## What a build step hands over\n") {
            let value = value.replace("${{ steps.build.outputs.metadata }}", &metadata);
            command.env(format!("INPUT_{}", name.to_uppercase()), value);
        }
        command.env("INPUT_TRUST-STORE", stage.root.path());
        command.env("INPUT_PROVENANCE", "off");
        command.env("GITHUB_WORKSPACE", stage.directory.path());
        stage.finish(&mut command)
    };
    let ended = signed();
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["targets"][0]["digest"], built.to_string());
    assert_eq!(stage.registry.referrers("web", &built).len(), 1);
    assert_eq!(stage.signed_and_written().0, 1);

    // What somebody pushed meanwhile is not what was built.
    stage.registry.put_image("web", "latest", "another image");
    let ended = signed();
    assert_eq!(ended.code, 1, "{}", ended.everything());
    assert_eq!(ended.report["findings"][0]["rule"], "CSN015");
    assert_eq!(
        ended.report["findings"][0]["namedAt"],
        r#"INPUT_IMAGES:1 (["image.name"])"#
    );
    assert_eq!(stage.signed_and_written().0, 1);
}

#[test]
fn one_signature_serves_every_registry_that_holds_the_bytes() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let mut images = vec![format!("{}/web:1.4", stage.host)];
    for repository in ["copies/web", "more/web"] {
        stage.registry.create(repository);
        assert_eq!(stage.registry.put_image(repository, "1.4", "an image"), digest);
        images.push(format!("{}/{repository}:1.4", stage.host));
    }
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let ended = stage.run(&images);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(
        stage.signed_and_written().0,
        2,
        "one for the image, one for its provenance"
    );
    for repository in ["web", "copies/web", "more/web"] {
        assert_eq!(
            stage.registry.referrers(repository, &digest).len(),
            2,
            "{repository}"
        );
    }
    stage.world.ledger().clear();
    assert_eq!(stage.run(&images).code, 0);
    assert_eq!(stage.signed_and_written(), (0, 0));
}
