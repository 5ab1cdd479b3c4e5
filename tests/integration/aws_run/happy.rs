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
