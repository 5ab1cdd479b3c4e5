//! The identity token's claims: verified before they are believed, fetched keys, and what is said where that fails.

use std::path::Path;
use std::process::Command;

use countersign::domain::oci::MediaType;
use serde_json::{Value, json};

use super::{LATENCY, Stage};
use crate::judges::keep_statement;
use crate::scratch::{Layout, PROVENANCE};
use crate::support::World;
use crate::support::aws::CANARY;
use crate::support::aws::oidc::{Publishes, Signs};
use crate::support::fault::{Fault, When};

pub(super) fn image(stage: &Stage) -> String {
    let digest = stage.registry.put_image("web", "1.4", "an image");
    format!("{}/web@{digest}", stage.host)
}

/// The Statement that the run attached.
pub(super) fn statement(stage: &Stage) -> Value {
    let manifests = stage.registry.manifests("web").into_iter();
    let mut found = manifests.filter_map(|(_, stored)| {
        let manifest: Value = serde_json::from_slice(&stored.bytes).ok()?;
        let layer = manifest["layers"][0].clone();
        (layer["mediaType"] == "application/vnd.in-toto+json").then_some(layer)
    });
    let layer = found.next().unwrap();
    assert_eq!(found.next(), None);
    let blobs = stage.registry.blobs("web");
    let document = &blobs[layer["digest"].as_str().unwrap()];
    keep_statement(document);
    serde_json::from_slice(document).unwrap()
}

pub(super) fn rules(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect()
}

pub(super) fn failure(report: &Value) -> &str {
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
fn checking_claims_and_labels_costs_three_requests_and_no_wave() {
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

pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const REPOSITORY: &str = "https://github.com/octo-org/app";

/// Puts an image whose configuration has these labels; returns its descriptor.
pub(super) fn labelled(stage: &Stage, labels: &Value, tag: Option<&str>) -> Value {
    let config = json!({ "architecture": "amd64", "os": "linux", "config": { "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": [] } })
    .to_string();
    let config_digest = stage.registry.put_blob("web", config.as_bytes());
    let layer = stage.registry.put_blob("web", b"layer");
    let manifest = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.to_string(),
        "config": { "mediaType": MediaType::OCI_CONFIG.to_string(), "digest": config_digest.to_string(), "size": config.len() },
        "layers": [{ "mediaType": MediaType::OCI_LAYER.to_string(), "digest": layer.to_string(), "size": 5 }] });
    put(stage, &manifest, tag)
}

fn put(stage: &Stage, manifest: &Value, tag: Option<&str>) -> Value {
    let media_type: MediaType = manifest["mediaType"].as_str().unwrap().parse().unwrap();
    let bytes = manifest.to_string();
    let digest = stage
        .registry
        .put_manifest("web", tag, &media_type, bytes.as_bytes());
    json!({ "mediaType": media_type.to_string(), "digest": digest.to_string(), "size": bytes.len() })
}

pub(super) fn good_labels() -> Value {
    json!({ "org.opencontainers.image.revision": COMMIT, "org.opencontainers.image.source": REPOSITORY })
}

/// An index of one platform with BuildKit's provenance, whose builder is this one.
fn built(stage: &Stage, builder: &str, labels: &Value) -> String {
    let mut child = labelled(stage, labels, None);
    let about = child["digest"].as_str().unwrap().to_owned();
    let statement = json!({ "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{ "name": "pkg:docker/web", "digest": { "sha256": about.split(':').nth(1).unwrap() } }],
        "predicate": { "runDetails": { "builder": { "id": builder } } } })
    .to_string();
    let blob = stage.registry.put_blob("web", statement.as_bytes());
    let config = stage.registry.put_blob("web", b"{}");
    let mut attestation = put(
        stage,
        &json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.to_string(),
            "config": { "mediaType": MediaType::OCI_CONFIG.to_string(), "digest": config.to_string(), "size": 2 },
            "layers": [{ "mediaType": "application/vnd.in-toto+json", "digest": blob.to_string(), "size": statement.len(),
                "annotations": { "in-toto.io/predicate-type": "https://slsa.dev/provenance/v1" } }] }),
        None,
    );
    child["platform"] = json!({ "os": "linux", "architecture": "amd64" });
    attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": about });
    put(
        stage,
        &json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.to_string(), "manifests": [child, attestation] }),
        Some("built"),
    );
    format!("{}/web:built", stage.host)
}

#[test]
fn labels_and_buildkit_tie_an_image_to_the_run() {
    let stage = Stage::new();
    labelled(&stage, &good_labels(), Some("labelled"));
    let image = format!("{}/web:labelled", stage.host);
    let ended = stage.run_by_host(&image, &[], &["--require-binding"]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["targets"][0]["binding"]["tie"], "labels");
    assert!(!rules(&ended.report).contains(&"CSN035"));

    let stage = Stage::new();
    let image = built(
        &stage,
        &format!("{REPOSITORY}/actions/runs/42/attempts/1"),
        &json!({}),
    );
    let ended = stage.run_by_host(&image, &[], &["--require-binding"]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["targets"][0]["binding"]["tie"], "buildkit");
}

#[test]
fn an_image_that_nothing_ties_to_the_run_is_told_and_refused_on_demand() {
    let stage = Stage::new();
    let other = json!({ "org.opencontainers.image.revision": "f".repeat(40), "org.opencontainers.image.source": REPOSITORY });
    labelled(&stage, &other, Some("1.4"));
    let image = format!("{}/web:1.4", stage.host);
    let ended = stage.run_by_host(&image, &[], &["--require-binding"]);
    assert_eq!(ended.code, 1, "{}", ended.everything());
    assert_eq!(stage.signed_and_written(), (0, 0));
    let finding = ended.report["findings"].as_array().unwrap().iter();
    let finding = finding
        .filter(|finding| finding["rule"] == "CSN035")
        .collect::<Vec<_>>();
    assert_eq!((finding.len(), &finding[0]["level"]), (1, &json!("error")));
    let ended = stage.run_by_host(&image, &[], &[]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["targets"][0]["binding"]["tie"], "none");
    assert!(rules(&ended.report).contains(&"CSN035"));

    let stage = Stage::new();
    let image = built(
        &stage,
        &format!("{REPOSITORY}/actions/runs/43/attempts/1"),
        &json!({}),
    );
    let ended = stage.run_by_host(&image, &[], &["--require-binding"]);
    assert_eq!(ended.code, 1, "{}", ended.everything());
    assert!(
        failure(&ended.report).contains("names the builder"),
        "{}",
        ended.everything()
    );
}

#[test]
fn labels_tie_an_index_whose_buildkit_names_nobody() {
    let stage = Stage::new();
    let image = built(&stage, "", &good_labels());
    let ended = stage.run_by_host(&image, &[], &["--require-binding"]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["targets"][0]["binding"]["tie"], "labels");
}

#[test]
fn one_image_that_nothing_ties_keeps_the_others_from_being_signed() {
    let stage = Stage::new();
    labelled(&stage, &good_labels(), Some("labelled"));
    labelled(&stage, &json!({}), Some("bare"));
    let (good, bare) = (
        format!("{}/web:labelled", stage.host),
        format!("{}/web:bare", stage.host),
    );
    let ended = stage.run_by_host(&good, &[], &["--require-binding", &bare]);
    assert_eq!(ended.code, 1, "{}", ended.everything());
    assert_eq!(stage.signed_and_written(), (0, 0));
    let states = ended.report["targets"].as_array().unwrap().iter();
    let states: Vec<_> = states.map(|target| target["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["rejected", "not-started"]);
}

#[test]
fn labels_that_cannot_be_read_say_nothing_about_the_image() {
    let denied = || Fault::registry_error(403, "DENIED", "not authorized");
    let stage = Stage::new();
    labelled(&stage, &good_labels(), Some("labelled"));
    let image = format!("{}/web:labelled", stage.host);
    stage.world.fault("registry", "GET blob", When::Always, denied());
    let ended = stage.run_by_host(&image, &[], &["--require-binding"]);
    assert_eq!(ended.code, 4, "{}", ended.everything());
    assert_eq!(ended.report["targets"][0]["state"], "failed");
    assert_eq!(stage.signed_and_written(), (0, 0));
}

#[test]
fn what_a_person_described_is_looked_into_on_demand_only() {
    let stage = Stage::new();
    let image = image(&stage);
    let typed = [
        "--builder-id=https://b.example/1",
        "--source=https://git.example/app",
    ];
    let ended = stage.run_by_host(&image, &[], &typed);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["targets"][0]["binding"], Value::Null);
    assert!(!rules(&ended.report).contains(&"CSN035"));
    let ended = stage.run_by_host(&image, &[], &[&typed[..], &["--require-binding"]].concat());
    assert_eq!(ended.code, 1, "{}", ended.everything());
}

/// A layout with the demo's image, and a call in its directory with these variables and no others.
fn call(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .env_clear()
        .env("HOME", directory)
        .envs(variables.iter().copied())
        .current_dir(directory)
        .output()
        .unwrap()
}

#[test]
fn a_gitlab_of_ones_own_vouches_once_it_is_named() {
    let (world, directory) = (World::new(), tempfile::tempdir().unwrap());
    let aws = world.aws();
    let issuer = aws.issuer().to_owned();
    for (name, value) in [
        ("project_path", json!("g/p")),
        ("project_id", json!("3")),
        ("ref", json!("v1")),
        ("ref_type", json!("tag")),
        ("ref_protected", json!("true")),
        ("pipeline_source", json!("push")),
        ("job_id", json!("7")),
        ("runner_id", json!(12)),
        ("runner_environment", json!("self-hosted")),
    ] {
        aws.cloud().issuer.set_claim(name, value);
    }
    let token = |audience: &str| {
        let cloud = aws.cloud();
        cloud.issuer.token(&issuer, audience, cloud.now(), cloud.next())
    };
    let demo = call(directory.path(), &["demo", "web", "--quiet"], &[]);
    assert!(demo.status.success(), "{demo:?}");
    let sign = |token: &str, more: &[&str]| {
        let variables = [
            ("GITLAB_CI", "true"),
            ("AWS_ID_TOKEN", token),
            ("CI_SERVER_URL", "https://gitlab.example"),
            ("CI_PROJECT_URL", "https://gitlab.example/g/p"),
            ("CI_COMMIT_REF_NAME", "v1"),
            ("CI_COMMIT_SHA", COMMIT),
            ("CI_JOB_NAME", "sign"),
            ("CI_JOB_URL", "https://gitlab.example/g/p/-/jobs/7"),
        ];
        let arguments = ["run", "--signer=local", "oci:web:1.0"];
        let ended = call(directory.path(), &[&arguments, more].concat(), &variables);
        let everything = format!("{ended:?}");
        assert!(
            !everything.contains(CANARY) && !everything.contains(token),
            "{everything}"
        );
        let report = std::fs::read(directory.path().join("countersign-report/report.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        (ended.status.code(), report)
    };
    let named = format!("--token-issuer={issuer}");
    let (code, report) = sign(&token("sts.amazonaws.com"), &[&named]);
    assert_eq!(code, Some(0), "{report}");
    let build = &report["build"];
    assert_eq!(build["claimsVerified"], true);
    assert_eq!(build["builder"], format!("{issuer}/g/p/-/runners/12"));
    assert_eq!(build["variables"], json!(["CI_JOB_NAME"]));
    assert_eq!(build["level"]["supported"], 1);
    let layout = Layout::read(&directory.path().join("web"));
    // The demo's own is there as well.
    for provenance in layout.referrers(&layout.image(), PROVENANCE) {
        let builder = layout.json(&layout.layer(&provenance))["predicate"]["runDetails"]["builder"].clone();
        if builder["id"] == build["builder"] {
            keep_statement(layout.blob(&layout.layer(&provenance)));
        }
    }
    // The named issuer speaks for its own address; the variables name another.
    assert_eq!(
        rules(&report).iter().filter(|rule| **rule == "CSN036").count(),
        2,
        "{report}"
    );

    // Not named, nobody is asked; with another audience the token is not for this.
    let (code, report) = sign(&token("sts.amazonaws.com"), &[]);
    assert_eq!(
        (code, &report["build"]["claimsVerified"]),
        (Some(0), &json!(false))
    );
    let (code, report) = sign(&token("somebody else"), &[&named]);
    assert_eq!(code, Some(4), "{report}");
    assert!(
        failure(&report).contains("aud: expected sts.amazonaws.com, found \"somebody else\""),
        "{report}"
    );
    let (code, report) = sign("eyJhbGciOiJub25lIn0.e30.", &[&named]);
    assert_eq!(code, Some(4), "{report}");
    aws.cloud().issuer.set_lifetime(-61);
    let (code, report) = sign(&token("sts.amazonaws.com"), &[&named]);
    assert_eq!(code, Some(4), "{report}");
    assert!(failure(&report).contains("exp: expected later than"), "{report}");
}
