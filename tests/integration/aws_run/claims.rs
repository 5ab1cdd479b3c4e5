//! The identity token's claims: verified before they are believed, fetched keys, and what is said where that fails.

use serde_json::{Value, json};

use super::{LATENCY, Stage};
use crate::support::aws::oidc::{Publishes, Signs};
use crate::support::fault::{Fault, When};

fn image(stage: &Stage) -> String {
    let digest = stage.registry.put_image("web", "1.4", "an image");
    format!("{}/web@{digest}", stage.host)
}

/// The Statement that the run attached.
fn statement(stage: &Stage) -> Value {
    let manifests = stage.registry.manifests("web").into_iter();
    let mut found = manifests.filter_map(|(_, stored)| {
        let manifest: Value = serde_json::from_slice(&stored.bytes).ok()?;
        let layer = manifest["layers"][0].clone();
        (layer["mediaType"] == "application/vnd.in-toto+json").then_some(layer)
    });
    let layer = found.next().unwrap();
    assert_eq!(found.next(), None);
    let blobs = stage.registry.blobs("web");
    serde_json::from_slice(&blobs[layer["digest"].as_str().unwrap()]).unwrap()
}

fn rules(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect()
}

fn failure(report: &Value) -> &str {
    report["failures"][0]["message"].as_str().unwrap()
}

#[test]
fn every_field_comes_from_the_verified_token() {
    for signs in [Signs::Rs256, Signs::Es256] {
        let stage = Stage::new();
        stage.aws.cloud().issuer.sign_with(signs);
        let ended = stage.run_by_host(&image(&stage), &[], &["--provenance", "auto"]);
        assert_eq!(ended.code, 0, "{}", ended.everything());
        let build = &ended.report["build"];
        assert_eq!(build["claimsVerified"], true, "{signs:?}");
        assert_eq!(build["issuer"], "https://token.actions.githubusercontent.com");
        assert_eq!(build["variables"], json!([]));
        assert_eq!(build["level"]["supported"], 2);
        assert!(!rules(&ended.report).contains(&"CSN034"));
        let predicate = &statement(&stage)["predicate"];
        let workflow = "octo-org/app/.github/workflows/release.yml@refs/heads/main";
        assert_eq!(
            predicate["runDetails"]["builder"]["id"],
            format!("https://github.com/{workflow}")
        );
        let definition = &predicate["buildDefinition"];
        assert_eq!(
            definition["buildType"],
            "https://actions.github.io/buildtypes/workflow/v1"
        );
        assert_eq!(
            definition["internalParameters"]["github"],
            json!({ "event_name": "push", "repository_id": "123456", "repository_owner_id": "654321",
                "runner_environment": "github-hosted" })
        );
        assert!(
            !predicate.to_string().contains("level"),
            "a level is never claimed"
        );
        // One token serves the role and the claims.
        let requests = &ended.report["requests"]["oidc"];
        assert_eq!(*requests, json!({ "discovery": 1, "keys": 1, "token": 1 }));
    }
}

#[test]
fn a_token_that_does_not_verify_is_an_error_and_nothing_is_signed() {
    for (publishes, code, words) in [
        (Publishes::Others, 6, "found one that its key did not make"),
        (Publishes::OtherNames, 6, "kid: expected one of the keys of"),
    ] {
        let stage = Stage::new();
        stage.aws.cloud().issuer.publish(publishes);
        let ended = stage.run_by_host(&image(&stage), &[], &[]);
        assert_eq!(ended.code, code, "{}", ended.everything());
        assert!(failure(&ended.report).contains(words), "{}", ended.everything());
        assert_eq!(stage.signed_and_written(), (0, 0), "{publishes:?}");
    }
}

#[test]
fn without_keys_the_environment_speaks_and_that_is_said() {
    for (operation, fault) in [
        ("GET configuration", Fault::status(503)),
        ("GET keys", Fault::status(404)),
        ("GET keys", Fault::html(200)),
        ("GET configuration", Fault::redirect(302, "https://evil.example/")),
        ("GET configuration", Fault::huge("application/json", 1_000_000)),
    ] {
        let stage = Stage::new();
        stage.world.fault("oidc", operation, When::Always, fault);
        let ended = stage.run_by_host(&image(&stage), &[], &[]);
        assert_eq!(ended.code, 0, "{}", ended.everything());
        let build = &ended.report["build"];
        assert_eq!(build["claimsVerified"], false);
        let because = build["because"].as_str().unwrap();
        assert!(because.starts_with("could not get the "), "{because}");
        assert_eq!(build["claims"], json!([]));
        assert_eq!(build["level"]["supported"], 1);
        assert!(rules(&ended.report).contains(&"CSN034"));
        let builder = &statement(&stage)["predicate"]["runDetails"]["builder"]["id"];
        assert!(builder.as_str().unwrap().ends_with("#environment"), "{builder}");
    }
}

#[test]
fn another_server_has_to_be_named_and_its_issuer_must_be_the_tokens() {
    let stage = Stage::new();
    let server = [("GITHUB_SERVER_URL", "https://ghes.example")];
    let ended = stage.run_by_host(&image(&stage), &server, &[]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let because = ended.report["build"]["because"].as_str().unwrap();
    assert!(because.contains("token-issuer names it"), "{because}");

    let stage = Stage::new();
    stage
        .aws
        .cloud()
        .issuer
        .set_claim("iss", json!("https://evil.example"));
    let ended = stage.run_by_host(&image(&stage), &[], &[]);
    assert_eq!(ended.code, 4, "{}", ended.everything());
    let words = "iss: expected https://token.actions.githubusercontent.com, found \"https://evil.example\"";
    assert!(failure(&ended.report).contains(words), "{}", ended.everything());
    assert_eq!(stage.signed_and_written(), (0, 0));
}

#[test]
fn variables_that_contradict_the_token_are_told_and_not_believed() {
    let stage = Stage::new();
    let planted = [
        ("GITHUB_SHA", "ffffffffffffffffffffffffffffffffffffffff"),
        ("GITHUB_REF", "refs/heads/other"),
    ];
    let ended = stage.run_by_host(&image(&stage), &planted, &[]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let found = rules(&ended.report)
        .into_iter()
        .filter(|rule| *rule == "CSN036")
        .count();
    assert_eq!(found, 2, "{}", ended.everything());
    let statement = statement(&stage).to_string();
    assert!(
        !statement.contains("ffffffff") && !statement.contains("heads/other"),
        "{statement}"
    );
}

#[test]
fn a_self_hosted_runner_is_noted_and_a_level_that_is_not_reached_is_an_error() {
    let stage = Stage::new();
    stage
        .aws
        .cloud()
        .issuer
        .set_claim("runner_environment", json!("self-hosted"));
    let image = image(&stage);
    let ended = stage.run_by_host(&image, &[], &["--minimum-build-level", "2"]);
    assert_eq!(ended.code, 1, "{}", ended.everything());
    assert!(
        failure(&ended.report).starts_with("minimum-build-level: "),
        "{}",
        ended.everything()
    );
    assert!(rules(&ended.report).contains(&"CSN032"));
    assert_eq!(stage.signed_and_written(), (0, 0));
    let ended = stage.run_by_host(&image, &[], &["--minimum-build-level", "1"]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert!(rules(&ended.report).contains(&"CSN033"));
}

#[test]
fn checking_the_claims_costs_two_requests_and_no_wave() {
    let stage = Stage::new();
    let image = image(&stage);
    stage.world.set_latency(3 * LATENCY);
    let ended = stage.run_by_host(&image, &[], &[]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let (lines, requests, waves) = super::counts::told(&stage);
    println!("{lines}");
    assert!(requests <= 31, "{requests} requests\n{lines}");
    assert!(waves <= 11, "{waves} waves\n{lines}");
}
