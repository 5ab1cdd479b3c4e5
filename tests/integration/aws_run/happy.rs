//! What works: images, indexes, several registries, second runs, other commands.

use super::Stage;
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
