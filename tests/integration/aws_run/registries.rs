//! Registries as they are: indexes, several at once with logins of their own, S3 behind them, lists without an API, and
//! what others signed.

use base64::Engine as _;
use countersign::domain::oci::{Algorithm, Digest, MediaType};
use serde_json::{Value, json};

use super::{Ended, Stage};
use crate::support::aws::{ACCOUNT, PROFILE, REGION, ROLE};
use crate::support::fault::{Fault, When};
use crate::support::registry::{Auth, Quirks, Registry};

const SIGNATURE: &str = "application/vnd.cncf.notary.signature";

fn passed(ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["verdict"], "passed");
}

/// An index of two platforms under a tag; its digest, and those of the platforms.
fn put_index(registry: &Registry, repository: &str, tag: &str) -> (Digest, Vec<Digest>) {
    let platforms: Vec<Digest> = ["amd64", "arm64"]
        .iter()
        .map(|platform| registry.put_image(repository, platform, platform))
        .collect();
    let manifests = registry.manifests(repository);
    let entries: Vec<Value> = ["amd64", "arm64"]
        .iter()
        .zip(&platforms)
        .map(|(architecture, digest)| {
            json!({"mediaType": MediaType::OCI_MANIFEST, "digest": digest,
                "size": manifests[&digest.to_string()].bytes.len(),
                "platform": {"os": "linux", "architecture": architecture}})
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": entries});
    let bytes = index.to_string();
    let digest = registry.put_manifest(repository, Some(tag), &MediaType::OCI_INDEX, bytes.as_bytes());
    (digest, platforms)
}

#[test]
fn an_index_is_signed_alone_or_with_its_platforms() {
    let stage = Stage::new();
    let (index, platforms) = put_index(&stage.registry, "web", "1.4");
    let image = format!("{}/web:1.4", stage.host);
    passed(&stage.run(&[&image]));
    assert_eq!(stage.signed_and_written().0, 2, "the index and its provenance");
    assert_eq!(stage.registry.referrers("web", &index).len(), 2);
    for platform in &platforms {
        assert!(stage.registry.referrers("web", platform).is_empty());
    }
    let all = ["--recursive", "platforms"];
    passed(&stage.run_with(&[&image], &all));
    for digest in platforms.iter().chain([&index]) {
        let found = stage.registry.referrers("web", digest);
        let of_kind = |kind: &str| {
            let manifests = stage.registry.manifests("web");
            let is = |digest: &&Digest| {
                let bytes = &manifests[&digest.to_string()].bytes;
                String::from_utf8_lossy(bytes).contains(kind)
            };
            found.iter().filter(is).count()
        };
        assert_eq!(of_kind(SIGNATURE), 1, "{digest}");
    }
    stage.world.ledger().clear();
    passed(&stage.run_with(&[&image], &all));
    assert_eq!(stage.signed_and_written(), (0, 0));
    passed(&stage.verify(&["--recursive", "platforms", &image]));
}

#[test]
fn an_image_named_by_sha512_is_signed_under_that_name() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let bytes = stage.registry.manifests("web")[&digest.to_string()].bytes.clone();
    let long = Digest::by(Algorithm::Sha512, &bytes);
    let alias = long.to_string();
    stage
        .registry
        .put_manifest("web", Some(&alias), &MediaType::OCI_MANIFEST, &bytes);
    let image = format!("{}/web@{long}", stage.host);
    let ended = stage.run(&[&image]);
    passed(&ended);
    assert_eq!(ended.report["targets"][0]["digest"], alias);
    assert_eq!(stage.registry.referrers("web", &long).len(), 2);
    assert_eq!(stage.registry.referrers("web", &digest), []);
    stage.world.ledger().clear();
    passed(&stage.run(&[&image]));
    assert_eq!(stage.signed_and_written(), (0, 0));
    passed(&stage.verify(&[&image]));
    let other = Digest::by(Algorithm::Sha384, &bytes);
    let ended = stage.run(&[&format!("{}/web@{other}", stage.host)]);
    assert_eq!(ended.code, 2, "{}", ended.everything());
    assert!(
        ended.everything().contains("sha256 or sha512"),
        "{}",
        ended.everything()
    );
}

/// Docker's configuration file with logins, where the job looks for it.
fn docker_config(stage: &Stage, logins: &[(&str, &str)]) {
    let entry = |(host, login): &(&str, &str)| {
        let encoded = base64::prelude::BASE64_STANDARD.encode(login);
        ((*host).to_owned(), json!({ "auth": encoded }))
    };
    let auths: serde_json::Map<String, Value> = logins.iter().map(entry).collect();
    std::fs::create_dir_all(stage.path(".docker")).unwrap();
    let text = json!({ "auths": auths }).to_string();
    std::fs::write(stage.path(".docker/config.json"), text).unwrap();
}

/// The logins that a service was shown, decoded.
fn shown_logins(stage: &Stage, service: &str) -> Vec<String> {
    let entries = stage.world.ledger().entries();
    let mine = entries.iter().filter(|entry| entry.service == service);
    let mut shown: Vec<String> = mine
        .filter_map(|entry| entry.request.header("authorization").strip_prefix("Basic "))
        .map(|text| base64::prelude::BASE64_STANDARD.decode(text).unwrap())
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .collect();
    shown.sort();
    shown.dedup();
    shown
}

#[test]
fn three_registries_with_logins_of_their_own_share_one_signing() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let basic = Quirks::distribution().with_auth(Auth::Basic).named("basic");
    let basic = stage
        .aws
        .registry_named(&stage.world, "basic.registry.example", basic);
    let bearer = Quirks::default().with_auth(Auth::Bearer).named("bearer");
    let bearer = stage
        .aws
        .registry_named(&stage.world, "bearer.registry.example", bearer);
    basic.accept("ann:CANARYcanary0-ann");
    bearer.accept("bob:CANARYcanary0-bob");
    docker_config(
        &stage,
        &[
            ("basic.registry.example", "ann:CANARYcanary0-ann"),
            ("bearer.registry.example", "bob:CANARYcanary0-bob"),
        ],
    );
    for registry in [&basic, &bearer] {
        assert_eq!(registry.put_image("team/web", "1.4", "an image"), digest);
    }
    let first = format!("{}/web:1.4", stage.host);
    let images = [
        first.as_str(),
        "basic.registry.example/team/web:1.4",
        "bearer.registry.example/team/web:1.4",
    ];
    let allow = ["--allow", "**", "-v"];
    passed(&stage.run_with(&images, &allow));
    assert_eq!(
        stage.signed_and_written().0,
        2,
        "one for the image, one for its provenance"
    );
    assert_eq!(stage.registry.referrers("web", &digest).len(), 2);
    for registry in [&basic, &bearer] {
        assert_eq!(registry.referrers("team/web", &digest).len(), 2);
    }
    assert_eq!(shown_logins(&stage, "basic"), ["ann:CANARYcanary0-ann"]);
    assert_eq!(shown_logins(&stage, "bearer"), ["bob:CANARYcanary0-bob"]);
    let ecr = shown_logins(&stage, "registry");
    assert!(
        ecr.iter().all(|login| login.starts_with("AWS:")) && ecr.len() == 1,
        "{ecr:?}"
    );
    stage.world.ledger().clear();
    passed(&stage.run_with(&images, &allow));
    assert_eq!(stage.signed_and_written().0, 0);
    let written = stage.world.ledger().entries();
    let written = written
        .iter()
        .filter(|entry| entry.request.method == "PUT")
        .count();
    assert_eq!(written, 0);
    for image in images {
        passed(&stage.verify(&[image]));
    }
}

#[test]
fn a_login_for_one_registry_is_typed_and_another_is_refused() {
    let stage = Stage::new();
    let quirks = Quirks::default().with_auth(Auth::Basic).named("basic");
    let registry = stage
        .aws
        .registry_named(&stage.world, "basic.registry.example", quirks);
    registry.accept("ann:CANARYcanary0-ann");
    registry.put_image("team/web", "1.4", "an image");
    let image = "basic.registry.example/team/web:1.4";
    let more = [
        "--allow",
        "**",
        "--registry-username",
        "ann",
        "--registry-password-from",
        "PASSWORD",
    ];
    let mut args = stage.signing(&["--role-arn", ROLE]);
    args.extend(more);
    args.push(image);
    let run = |password: &str| stage.finish(stage.command(&args).env("PASSWORD", password));
    let ended = run("CANARYcanary0-wrong");
    assert_eq!(ended.code, 4, "{}", ended.everything());
    assert!(ended.everything().contains("basic.registry.example"));
    passed(&run("CANARYcanary0-ann"));
}

#[test]
fn blobs_behind_s3_cost_what_the_documents_say() {
    let stage = Stage::new();
    let host = format!("444455556666.dkr.ecr.{REGION}.amazonaws.com");
    let registry = stage.aws.ecr(&stage.world, &host, Quirks::ecr());
    registry.create("web");
    let digest = registry.put_image("web", "1.4", "an image");
    let image = format!("{host}/web@{digest}");
    let allow = ["--allow", "**"];
    passed(&stage.run_with(&[&image], &allow));
    let requests = stage.world.ledger().len();
    assert!(requests <= 32, "{requests}: {:#?}", stage.world.ledger().counts());
    let at_storage = stage.world.ledger().of("storage", "GET object");
    assert!(!at_storage.is_empty());
    for entry in at_storage {
        assert_eq!(entry.request.header("authorization"), "");
        assert_eq!(entry.status, 200);
    }
    stage.world.ledger().clear();
    passed(&stage.run_with(&[&image], &allow));
    let requests = stage.world.ledger().len();
    assert!(requests <= 18, "{requests}: {:#?}", stage.world.ledger().counts());
    assert_eq!(stage.signed_and_written(), (0, 0));
    passed(&stage.verify(&[&image]));

    // Sent into the network around, nobody goes.
    for target in [
        "https://10.0.0.7/x",
        "https://[fd00::7]/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/x",
    ] {
        let fault = Fault::redirect(307, target);
        stage.world.fault("registry", "GET blob", When::Always, fault);
        let ended = stage.verify(&[&image]);
        assert_eq!(ended.code, 3, "{}", ended.everything());
        let told = "a private address that it may not send us to";
        assert!(ended.everything().contains(told), "{}", ended.everything());
        stage.world.no_more_faults();
    }
    let dialled = stage.aws.proxy().unwrap().dialled();
    assert!(
        !dialled.iter().any(|name| name.contains("10.0.0.7")),
        "{dialled:?}"
    );
}

/// What notation writes with AWS's plugin: the type of the config, no artifact type, annotations of both.
fn sign_with_notation(stage: &Stage, digest: &Digest) {
    let size = stage.registry.manifests("web")[&digest.to_string()].bytes.len();
    let subject = json!({"mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": size});
    let payload = json!({ "targetArtifact": subject }).to_string();
    let envelope = stage.aws.cloud().sign_as("release", payload.as_bytes());
    let layer = stage.registry.put_blob("web", &envelope);
    let config = stage.registry.put_blob("web", b"{}");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": {"mediaType": SIGNATURE, "digest": config, "size": 2},
        "layers": [{"mediaType": MediaType::JWS, "digest": layer, "size": envelope.len()}],
        "subject": subject,
        "annotations": {
            "io.cncf.notary.x509chain.thumbprint#S256": "[\"00\"]",
            "org.opencontainers.image.created": "2026-11-21T19:51:34Z",
            "signingJobArn": "somewhere",
        },
    });
    let bytes = manifest.to_string();
    stage
        .registry
        .put_manifest("web", None, &MediaType::OCI_MANIFEST, bytes.as_bytes());
}

#[test]
fn a_signature_by_notation_counts_and_is_not_made_twice() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    sign_with_notation(&stage, &digest);
    let image = format!("{}/web:1.4", stage.host);
    passed(&stage.run_with(&[&image], &["--provenance", "off"]));
    assert_eq!(stage.signed_and_written(), (0, 0));
    passed(&stage.verify(&[&image]));
    // Provenance is still attached, and signed; the image is not.
    passed(&stage.run(&[&image]));
    assert_eq!(stage.signed_and_written().0, 1);
    assert_eq!(stage.registry.referrers("web", &digest).len(), 2);
}

#[test]
fn trust_that_is_given_decides() {
    let stage = Stage::new();
    stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web:1.4", stage.host);
    passed(&stage.run(&[&image]));
    let store = stage.path("truststore/x509/signingAuthority/ours");
    std::fs::create_dir_all(&store).unwrap();
    std::fs::copy(stage.root.path(), store.join("root.pem")).unwrap();
    let policy = |scope: &str, identity: &str| {
        let policy = json!({"version": "1.0", "trustPolicies": [{
            "name": "ours", "registryScopes": [scope], "signatureVerification": {"level": "strict"},
            "trustStores": ["signingAuthority:ours"], "trustedIdentities": [identity]}]});
        std::fs::write(stage.path("policy.json"), policy.to_string()).unwrap();
    };
    let verify = || {
        let mut args = vec!["verify", "--role-arn", ROLE, "--region", REGION];
        args.extend([
            "--trust-policy",
            "policy.json",
            "--trust-store",
            "truststore",
            &image,
        ]);
        stage.call(&args)
    };
    let scope = format!("{}/web", stage.host);
    policy(&scope, PROFILE);
    let ended = verify();
    passed(&ended);
    assert_eq!(ended.report["checked"], "verified");
    policy(&scope, &PROFILE.replace("release", "other"));
    let ended = verify();
    assert_eq!(ended.code, 1, "{}", ended.everything());
    assert!(ended.everything().contains("CSN003"), "{}", ended.everything());
    // A policy that says nothing of this repository trusts nobody for it.
    policy("registry.example.com/web", PROFILE);
    let ended = verify();
    assert_ne!(ended.code, 0, "{}", ended.everything());
    assert_ne!(ended.report["verdict"], "passed");
    // A run refuses to publish what its own policy would refuse.
    policy(&scope, &PROFILE.replace("release", "other"));
    stage.registry.put_image("web", "2.0", "another image");
    let other = format!("{}/web:2.0", stage.host);
    stage.world.ledger().clear();
    let mut args = vec![
        "run",
        "--role-arn",
        ROLE,
        "--signing-profile",
        PROFILE,
        "--provenance",
        "off",
    ];
    args.extend([
        "--trust-policy",
        "policy.json",
        "--trust-store",
        "truststore",
        &other,
    ]);
    let ended = stage.call(&args);
    assert_eq!(ended.code, 1, "{}", ended.everything());
    assert_eq!(stage.world.ledger().count("registry", "PUT manifest"), 0);
}

#[test]
fn a_login_that_runs_out_is_renewed_once() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    let (registry, cloud) = (
        std::sync::Arc::clone(&stage.registry),
        std::sync::Arc::clone(stage.aws.cloud()),
    );
    let expires = Fault::before(move || {
        let login = cloud.state().registry_logins[0].clone();
        registry.expire(&login);
    });
    stage
        .world
        .fault("registry", "PUT manifest", When::Nth(1), expires);
    passed(&stage.run(&[&image]));
    assert_eq!(stage.asked("GetAuthorizationToken"), 2);

    // A registry that takes no login at all is left alone after the second.
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    stage.aws.cloud().state().on_registry_login.clear();
    let ended = stage.run(&[&image]);
    assert_eq!(ended.code, 4, "{}", ended.everything());
    assert!(stage.asked("GetAuthorizationToken") <= 2);
    assert!(
        stage.asked("GET manifest") <= 3,
        "{:?}",
        stage.world.ledger().counts()
    );
    assert_eq!(stage.signed_and_written(), (0, 0));
}

#[test]
fn registries_without_a_list_keep_it_under_a_tag() {
    let stage = Stage::new();
    let name = "old.registry.example";
    let quirks = Quirks {
        immutable_tags: true,
        ..Quirks::distribution().named("old")
    };
    let registry = stage.aws.registry_named(&stage.world, name, quirks);
    let digest = registry.put_image("web", "1.4", "an image");
    let image = format!("{name}/web@{digest}");
    let ended = stage.run_with(&[&image], &["--allow", "**"]);
    // The first entry of the list can be written, the second has to move the tag.
    assert_eq!(ended.code, 4, "{}", ended.everything());
    assert!(
        ended.everything().contains("exclude sha256-*"),
        "{}",
        ended.everything()
    );
    let failure = &ended.report["failures"][0];
    assert!(
        failure.to_string().contains("signature sha256:"),
        "what is public is named: {failure}"
    );
    let account = format!("{ACCOUNT}.dkr");
    assert!(!ended.everything().contains(&account), "{}", ended.everything());
}
