//! The main job over the shipped binary: sign, attest, read back; again; with other wishes; on other stores.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::scratch::{BUILD, Layout, NOTARY, PROVENANCE, Scratch, hex_of, snapshot, tool};

const DEMO: &str = "oci:demo:1.0";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn signatures(report: &Value) -> Vec<&Value> {
    let targets = report["targets"].as_array().unwrap().iter();
    targets
        .flat_map(|target| target["signatures"].as_array().unwrap())
        .collect()
}

#[test]
fn the_demo_signs_attests_and_verifies_without_account_or_network() {
    let scratch = Scratch::new();
    scratch.demo();
    let report = scratch.report();
    assert_eq!(report["verdict"], "passed");
    assert_eq!(report["checked"], "self-checked");
    assert_eq!(report["exit"], 0);
    let target = &report["targets"][0];
    assert_eq!(target["state"], "signed");
    assert_eq!(signatures(&report).len(), 1);
    let provenance = &target["attestations"][0];
    assert_eq!(provenance["predicateType"], "https://slsa.dev/provenance/v1");
    assert_eq!(provenance["verdict"], "accepted");
    assert_eq!(provenance["signatures"][0]["verdict"], "accepted");
    let layout = Layout::read(&scratch.path("demo"));
    let image = layout.image();
    let signature = layout.json(&layout.referrer(&image, NOTARY));
    assert_eq!(signature["layers"][0]["mediaType"], "application/jose+json");
    let attestation = layout.referrer(&image, PROVENANCE);
    layout.referrer(&attestation, NOTARY);
    assert_eq!(layout.entries().len(), 4);
}

#[test]
fn a_second_run_signs_nothing_writes_nothing_and_says_why() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    scratch.sign(0, DEMO, &[]);
    let before = snapshot(&scratch.path("demo"));
    let ran = scratch.sign(0, DEMO, &[]);
    assert_eq!(snapshot(&scratch.path("demo")), before);
    let report = scratch.report();
    assert_eq!(report["targets"][0]["state"], "kept");
    let plan = report["targets"][0]["plan"].to_string();
    assert!(
        plan.contains("keep the signature") && plan.contains("keep the provenance"),
        "{plan}"
    );
    assert!(ran.stdout.contains("keep the signature"), "{}", ran.stdout);
}

#[test]
fn resign_signs_again_and_says_that_there_are_two() {
    let scratch = Scratch::new();
    scratch.demo();
    // Within the same second the same key makes the same signature.
    std::thread::sleep(Duration::from_millis(1_100));
    let run = ["run", "--signer=local", DEMO, "--resign", "--provenance=off"];
    scratch.expect(0, &run);
    let report = scratch.report();
    assert_eq!(report["targets"][0]["state"], "signed");
    assert_eq!(signatures(&report).len(), 2);
    assert_eq!(scratch.findings(), ["note CSN041"]);
}

#[test]
fn a_dry_run_prints_the_plan_and_stops() {
    let scratch = Scratch::new();
    scratch.demo();
    let before = snapshot(&scratch.path("demo"));
    let ran = scratch.sign(0, DEMO, &["--resign", "--dry-run"]);
    assert_eq!(snapshot(&scratch.path("demo")), before);
    let report = scratch.report();
    assert_eq!(
        (&report["verdict"], &report["checked"]),
        (&json!("planned"), &Value::Null)
    );
    let plan = report["targets"][0]["plan"].to_string();
    assert!(plan.contains("sign again") && plan.contains("attest: "), "{plan}");
    assert!(
        ran.stdout.contains("sign again") && !ran.stdout.contains("Self-checked"),
        "{}",
        ran.stdout
    );
}

#[test]
fn where_nothing_was_judged_nothing_is_called_checked() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    for args in [
        &["run", "--signer=local", "--provenance=off", "oci:demo:2.0"][..],
        &["run", "--signer=local", "--provenance=off", "--dry-run", DEMO],
        &[
            "run",
            "--signer=local",
            "--provenance=off",
            "--require-digest",
            DEMO,
        ],
    ] {
        let ran = scratch.run_as("state", args);
        assert_eq!(scratch.report()["checked"], Value::Null, "{args:?}");
        assert!(!ran.stdout.contains("elf-checked"), "{args:?}: {}", ran.stdout);
    }
}

#[test]
fn trust_files_of_another_policy_verify_and_are_named() {
    let scratch = Scratch::new();
    scratch.demo();
    fs::rename(scratch.path("countersign-report/trust"), scratch.path("trust")).unwrap();
    let given = [
        "verify",
        DEMO,
        "--trust-policy=trust/trustpolicy.json",
        "--trust-store=trust/truststore",
    ];
    // The same policy proves no more than the signer itself does.
    scratch.expect(0, &given);
    assert_eq!(scratch.report()["checked"], "self-checked");
    // Whoever does not hold the key was given something to go by.
    scratch.expect_as("elsewhere", 0, &given);
    let report = scratch.report();
    assert_eq!(report["checked"], "verified");
    assert_eq!(report["targets"][0]["state"], "verified");
}

#[test]
fn another_root_and_another_identity_are_refused() {
    let scratch = Scratch::new();
    scratch.demo();
    fs::rename(scratch.path("countersign-report/trust"), scratch.path("trust")).unwrap();
    scratch.expect_as("other", 0, &["demo", "theirs"]);
    scratch.expect_as("other", 1, &["verify", "--signer=local", DEMO]);
    assert_eq!(scratch.report()["verdict"], "rejected");
    assert!(
        scratch.findings().contains(&"error CSN009".to_owned()),
        "{:?}",
        scratch.findings()
    );
    // The root is trusted, its subject is not.
    let path = scratch.path("trust/trustpolicy.json");
    let mut policy: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    policy["trustPolicies"][0]["trustedIdentities"] = json!(["x509.subject: C=US, ST=WA, O=Somebody Else"]);
    fs::write(&path, policy.to_string()).unwrap();
    let given = [
        "verify",
        DEMO,
        "--trust-policy=trust/trustpolicy.json",
        "--trust-store=trust/truststore",
    ];
    scratch.expect(1, &given);
    assert!(
        scratch.findings().contains(&"error CSN003".to_owned()),
        "{:?}",
        scratch.findings()
    );
}

#[test]
fn platforms_are_signed_and_verified_when_asked() {
    let scratch = Scratch::new();
    scratch.demo();
    scratch.verify(1, DEMO, &["--recursive=platforms"]);
    scratch.sign(0, DEMO, &["--recursive=platforms"]);
    let report = scratch.report();
    assert_eq!(report["targets"].as_array().unwrap().len(), 3);
    assert_eq!(signatures(&report).len(), 3);
    scratch.verify(0, DEMO, &["--recursive=platforms"]);
}

#[test]
fn metadata_is_signed_and_can_be_demanded() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    scratch.sign(0, DEMO, &["--metadata", "build=17"]);
    scratch.verify(0, DEMO, &["--metadata", "build=17"]);
    scratch.verify(1, DEMO, &["--metadata", "build=18"]);
    scratch.verify(1, DEMO, &["--metadata", "run=17"]);
}

#[test]
fn an_expired_signature_is_rejected_and_signed_anew() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    // Expiry has whole seconds and the run verifies what it signed, so one second may be too short for it.
    let run = ["run", "--signer=local", "--provenance=off", DEMO];
    scratch.expect(0, &[&run[..], &["--expires-in=4s"]].concat());
    scratch.verify(0, DEMO, &[]);
    std::thread::sleep(Duration::from_secs(5));
    scratch.verify(1, DEMO, &[]);
    assert_eq!(scratch.findings(), ["error CSN005"]);
    scratch.expect(0, &run);
    assert_eq!(scratch.report()["targets"][0]["state"], "signed");
    scratch.verify(0, DEMO, &[]);
}

#[test]
fn provenance_without_builder_and_source_is_refused_with_the_inputs() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let before = snapshot(&scratch.path("demo"));
    let ran = scratch.expect(2, &["run", "--signer=local", DEMO]);
    let said = ran.stderr + &ran.stdout;
    assert!(said.contains("expected --builder-id and --source"), "{said}");
    let half = scratch.expect(2, &["run", "--signer=local", DEMO, BUILD[0], BUILD[1]]);
    assert!(half.stdout.contains("--source"), "{}", half.stdout);
    assert_eq!(snapshot(&scratch.path("demo")), before);
}

#[test]
fn an_attestation_without_its_signature_is_rejected() {
    let scratch = Scratch::new();
    scratch.demo();
    let mut layout = Layout::read(&scratch.path("demo"));
    let attestation = layout.referrer(&layout.image(), PROVENANCE);
    let signature = layout.referrer(&attestation, NOTARY);
    layout.unlist(&signature);
    fs::write(scratch.path("demo/index.json"), layout.index.to_string()).unwrap();
    scratch.verify(1, DEMO, &[]);
    assert_eq!(scratch.findings(), ["error CSN021"]);
    assert_eq!(
        scratch.report()["targets"][0]["attestations"][0]["verdict"],
        "rejected"
    );
    // A run signs it again, once.
    fs::remove_file(scratch.path("demo/blobs/sha256").join(&signature)).unwrap();
    let demo = ["run", "--signer=local", DEMO, "--builder-id"];
    let source = "https://github.com/countersign/countersign";
    let builder = "https://github.com/countersign/countersign/demo";
    scratch.expect(0, &[&demo[..], &[builder, "--source", source]].concat());
    scratch.verify(0, DEMO, &[]);
    Layout::read(&scratch.path("demo")).referrer(&attestation, NOTARY);
}

/// The demo, and beside it as `two` its first platform, both signed and attested.
fn two_images(scratch: &Scratch) -> (Layout, String, String) {
    scratch.unsigned("demo");
    let mut layout = Layout::read(&scratch.path("demo"));
    let one = layout.image();
    let mut two = layout.json(&one)["manifests"][0].clone();
    two["annotations"] = json!({ "org.opencontainers.image.ref.name": "two" });
    layout.index["manifests"]
        .as_array_mut()
        .unwrap()
        .push(two.clone());
    fs::write(scratch.path("demo/index.json"), layout.index.to_string()).unwrap();
    scratch.sign(0, DEMO, &[]);
    scratch.sign(0, "oci:demo:two", &["--provenance=off"]);
    (Layout::read(&scratch.path("demo")), one, hex_of(&two))
}

#[test]
fn an_attestation_listed_for_another_image_is_refused() {
    let scratch = Scratch::new();
    let (mut layout, one, two) = two_images(&scratch);
    let other = Scratch::new();
    other.unsigned("demo");
    let attestation = layout.referrer(&one, PROVENANCE);
    // The same Statement under a manifest that refers to the second image.
    let mut manifest = layout.json(&attestation);
    manifest["subject"] = json!({ "mediaType": MANIFEST, "digest": format!("sha256:{two}"),
        "size": layout.blob(&two).len() });
    let statement = layout.layer(&attestation);
    let names_two = String::from_utf8_lossy(layout.blob(&statement)).contains(&two);
    assert!(names_two, "a Statement about an index names its platforms too");
    // So the Statement is changed to one about something else; a forger can do no better than that.
    let mut wrong: Value = layout.json(&statement);
    wrong["subject"] = json!([{ "name": "demo", "digest": { "sha256": "0".repeat(64) } }]);
    let kind = manifest["layers"][0]["mediaType"].as_str().unwrap().to_owned();
    let mut layer = layout.add(&kind, &wrong);
    layer["annotations"] = manifest["layers"][0]["annotations"].clone();
    manifest["layers"][0] = layer;
    let mut entry = layout.add(MANIFEST, &manifest);
    entry["artifactType"] = json!(PROVENANCE);
    layout.index["manifests"].as_array_mut().unwrap().push(entry);
    layout.write(&scratch.path("forged"), None, &scratch.path("demo"));
    scratch.verify(1, "oci:forged:two", &[]);
    assert_eq!(scratch.findings(), ["error CSN023"]);
}

#[test]
fn a_genuine_attestation_under_another_image_s_fallback_tag_is_not_taken_for_its_own() {
    let scratch = Scratch::new();
    let (mut layout, one, two) = two_images(&scratch);
    let attestation = layout.referrer(&one, PROVENANCE);
    let size = layout.blob(&attestation).len();
    let listed = json!({ "mediaType": MANIFEST, "artifactType": PROVENANCE, "size": size,
        "digest": format!("sha256:{attestation}") });
    let fallback = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [listed] });
    let mut entry = layout.add(INDEX, &fallback);
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": format!("sha256-{two}") });
    layout.index["manifests"].as_array_mut().unwrap().push(entry);
    layout.write(&scratch.path("forged"), None, &scratch.path("demo"));
    let ran = scratch.run_as("state", &["verify", "--signer=local", "oci:forged:two"]);
    let report = scratch.report();
    let attestations = report["targets"][0]["attestations"].as_array().unwrap();
    assert!(
        attestations.iter().all(|found| found["verdict"] == "rejected"),
        "{attestations:?} {ran:?}"
    );
}

#[test]
fn signatures_and_attestations_of_others_do_not_make_ours_worse() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let theirs = [
        "run",
        "--signer=local",
        DEMO,
        "--builder-id=https://their.example.com/builder",
        "--source=https://their.example.com/source",
    ];
    scratch.expect_as("their", 0, &theirs);
    scratch.expect(0, &["demo", "ours"]);
    // Alone, a stranger's word is a no, and not an absent one.
    scratch.verify(1, DEMO, &[]);
    assert_eq!(scratch.findings(), ["error CSN009", "error CSN025"]);
    // A run without provenance says what it saw.
    scratch.expect(0, &["run", "--signer=local", "--provenance=off", DEMO]);
    assert_eq!(scratch.findings(), ["warning CSN025"]);
    // To verify, what is there has to be in order, unless an accepted one of its kind is there.
    scratch.verify(1, DEMO, &[]);
    assert_eq!(scratch.findings(), ["error CSN025"]);
    scratch.sign(0, DEMO, &[]);
    assert_eq!(scratch.findings(), ["warning CSN025"]);
    scratch.verify(0, DEMO, &[]);
    assert_eq!(scratch.findings(), ["warning CSN025"]);
    let report = scratch.report();
    let count = |verdict: &str| {
        let found = report["targets"][0]["attestations"].as_array().unwrap();
        found.iter().filter(|one| one["verdict"] == verdict).count()
    };
    assert_eq!((count("accepted"), count("rejected")), (1, 1));
    scratch.verify(1, DEMO, &["--fail-on=warning"]);
    // And the other way round nobody's run breaks the other's.
    scratch.expect_as("their", 0, &theirs);
    assert_eq!(scratch.report()["targets"][0]["state"], "kept");
    // An unsigned one is a no for whoever verifies, whatever is beside it.
    let mut layout = Layout::read(&scratch.path("demo"));
    let attestations = layout.referrers(&layout.image(), PROVENANCE);
    for attestation in attestations {
        let signer = layout.referrer(&attestation, NOTARY);
        let envelope = layout.layer(&signer);
        let accepted = String::from_utf8_lossy(layout.blob(&envelope)).len();
        assert!(accepted > 0);
        let accepted_one = report["targets"][0]["attestations"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["verdict"] == "accepted" && one["digest"] == format!("sha256:{attestation}"));
        if !accepted_one {
            layout.unlist(&signer);
        }
    }
    fs::write(scratch.path("demo/index.json"), layout.index.to_string()).unwrap();
    scratch.verify(1, DEMO, &[]);
    assert_eq!(scratch.findings(), ["error CSN021"]);
    // For a run that asked for provenance and has it, that is a remark.
    scratch.sign(0, DEMO, &[]);
    assert_eq!(scratch.findings(), ["warning CSN021"]);
}

#[test]
fn two_signers_of_the_same_claims_leave_an_attestation_each_and_stand_in_nobody_s_way() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    scratch.sign(0, DEMO, &[]);
    // Times are whole seconds: within one second the two attestations would be the same bytes.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let run = [&["run", "--signer=local", DEMO][..], &BUILD].concat();
    scratch.expect_as("their", 0, &run);
    let layout = Layout::read(&scratch.path("demo"));
    // An attestation says when the image was signed, so each signer's has bytes of its own.
    assert_eq!(layout.referrers(&layout.image(), PROVENANCE).len(), 2);
    assert_eq!(layout.referrers(&layout.image(), NOTARY).len(), 2);
    scratch.verify(0, DEMO, &[]);
    assert_eq!(scratch.findings(), ["warning CSN025"]);
}

#[test]
fn inspect_without_trust_lists_and_claims_nothing() {
    let scratch = Scratch::new();
    scratch.demo();
    let inspect = ["inspect", DEMO, "--format=json"];
    // A machine without a key, and so without anything to judge by.
    let ran = scratch.expect_as("none", 0, &inspect);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["findings"], json!([]));
    assert_eq!((&report["checked"], &report["exit"]), (&Value::Null, &json!(0)));
    let target = &report["targets"][0];
    assert_eq!(target["state"], "not-judged");
    assert_eq!(target["signatures"][0]["verdict"], "listed");
    assert_eq!(target["attestations"][0]["verdict"], "listed");
    assert_eq!(target["attestations"][0]["signatures"][0]["verdict"], "listed");
    let tree = target["referrers"].to_string();
    assert!(
        tree.contains("\"listed\"") && !tree.contains("verified") && !tree.contains("rejected"),
        "{tree}"
    );
    let words = scratch
        .expect_as("none", 0, &["inspect", DEMO, "--color=never"])
        .stdout;
    assert!(
        !words.contains("verified") && !words.contains("rejected"),
        "{words}"
    );
    // By the key it is judged.
    let words = scratch
        .expect(0, &["inspect", "--signer=local", DEMO, "--color=never"])
        .stdout;
    assert!(words.contains("self-checked"), "{words}");
}

#[test]
fn a_digest_that_is_demanded_can_be_read_where_the_hint_says() {
    let scratch = Scratch::new();
    scratch.demo();
    let run = ["run", "--signer=local", "--provenance=off", "--require-digest"];
    let ran = scratch.expect(2, &[&run[..], &[DEMO]].concat());
    assert!(ran.stdout.contains("countersign inspect"), "{}", ran.stdout);
    let ran = scratch.expect(0, &["inspect", DEMO, "--format=json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let digest = report["targets"][0]["digest"].as_str().unwrap();
    let named = format!("oci:demo@{digest}");
    scratch.expect(0, &[&run[..], &[&named]].concat());
}

#[test]
fn a_local_key_in_ci_is_worth_a_note() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let output = scratch
        .command(&["run", "--signer=local", "--provenance=off", DEMO])
        .env("GITLAB_CI", "true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(scratch.findings(), ["note CSN043"]);
    scratch.expect(0, &["run", "--signer=local", "--provenance=off", DEMO]);
    assert_eq!(scratch.findings(), [""; 0]);
}

#[test]
fn authority_from_a_variable_is_named_when_verifying_too() {
    let scratch = Scratch::new();
    scratch.demo();
    let output = scratch
        .command(&["verify", DEMO])
        .env("COUNTERSIGN_SIGNER", "local")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let plan = scratch.report()["targets"][0]["plan"].to_string();
    assert!(plan.contains("signer from COUNTERSIGN_SIGNER"), "{plan}");
}

#[test]
fn runs_at_once_lose_nothing() {
    let scratch = Scratch::new();
    scratch.demo();
    let children: Vec<_> = (0..4)
        .map(|number| {
            let (out, pair) = (format!("--output-dir=out{number}"), format!("run={number}"));
            let run = [
                "run",
                "--signer=local",
                "--provenance=off",
                "--resign",
                "--metadata",
            ];
            let mut command = scratch.command(&[&run[..], &[&pair, &out, DEMO]].concat());
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let layout = Layout::read(&scratch.path("demo"));
    let listed = layout.referrers(&layout.image(), NOTARY);
    assert_eq!(listed.len(), 5);
    for number in 0..4 {
        let report = scratch.report_in(&format!("out{number}"));
        let made = signatures(&report);
        let made: Vec<_> = made.iter().filter(|one| one["madeNow"] == true).collect();
        assert_eq!(made.len(), 1, "{report}");
        assert!(listed.contains(&hex_of(made[0])));
    }
    scratch.verify(0, DEMO, &[]);
}

#[test]
fn skopeo_takes_the_signed_layout() {
    let scratch = Scratch::new();
    scratch.demo();
    let here = scratch.path("");
    let before = snapshot(&scratch.path("demo"));
    let Some(output) = tool(&here, "skopeo", &["inspect", "--raw", DEMO]) else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let index: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    let copy = ["copy", "--all", "--preserve-digests", "--quiet"];
    let output = tool(&here, "skopeo", &[&copy[..], &[DEMO, "oci:copied:1.0"]].concat()).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(snapshot(&scratch.path("demo")), before);
    // It copies images and leaves what refers to them behind, which is said and can be mended.
    scratch.verify(1, "oci:copied:1.0", &[]);
    assert_eq!(scratch.findings(), ["error CSN001"]);
    scratch.sign(0, "oci:copied:1.0", &[]);
    scratch.verify(0, "oci:copied:1.0", &[]);
    // Copied again into the signed layout, the signature stays and still fits.
    let again = [&copy[..], &["oci:copied:1.0", DEMO]].concat();
    let output = tool(&here, "skopeo", &again).unwrap();
    assert!(output.status.success(), "{output:?}");
    scratch.verify(0, DEMO, &[]);
}

/// Every form in which the private key could show: lines of the PEM body, and the secret number in the usual
/// encodings.
fn secrets(pem: &str) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    use p384::pkcs8::DecodePrivateKey as _;
    let key = p384::SecretKey::from_pkcs8_pem(pem).unwrap();
    let number = key.to_bytes();
    let hex = number
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let decimal: Vec<String> = number.iter().take(8).map(u8::to_string).collect();
    let mut secrets = vec![hex.to_uppercase(), hex, decimal.join(", ")];
    for bytes in [&number[..], &key.to_sec1_der().unwrap()[..]] {
        secrets.push(STANDARD_NO_PAD.encode(bytes));
        secrets.push(STANDARD.encode(bytes));
        secrets.push(URL_SAFE_NO_PAD.encode(bytes));
    }
    let body = pem.lines().filter(|line| !line.starts_with("-----"));
    secrets.extend(body.map(str::to_owned));
    secrets
}

#[test]
fn the_private_key_reaches_nothing_that_is_written_or_said() {
    let scratch = Scratch::new();
    let mut said = vec![scratch.demo()];
    let kept = scratch.path("state/countersign/local-key.pem");
    let pem = fs::read_to_string(kept).unwrap();
    fs::write(scratch.path("key.pem"), &pem).unwrap();
    fs::copy(
        scratch.path("state/countersign/local-chain.pem"),
        scratch.path("chain.pem"),
    )
    .unwrap();
    fs::write(scratch.path("cut.pem"), &pem[..pem.len() - 40]).unwrap();
    let reversed: Vec<&str> = pem.lines().rev().collect();
    fs::write(scratch.path("wrong.pem"), reversed.join("\n")).unwrap();
    fs::write(
        scratch.path("config.yml"),
        format!("local-key: |\n  {}\n", pem.replace('\n', "\n  ")),
    )
    .unwrap();
    let run = ["run", "--signer=local", "--provenance=off", "--verbose", DEMO];
    let given = |key: &'static str, chain: &'static str| {
        [&run[..], &["--local-key", key, "--local-chain", chain]].concat()
    };
    for args in [
        [&run[..], &["--resign"]].concat(),
        [&run[..], &["--resign", "--format=json"]].concat(),
        given("key.pem", "chain.pem"),
        given("cut.pem", "chain.pem"),
        given("wrong.pem", "chain.pem"),
        // The key where a chain, a policy, a configuration, an image or another key was meant.
        given("chain.pem", "key.pem"),
        given("key.pem", "key.pem"),
        [&run[..], &["--trust-policy=key.pem"]].concat(),
        [&run[..], &["--config=key.pem"]].concat(),
        [&run[..], &["--config=config.yml"]].concat(),
        vec![
            "verify",
            "--verbose",
            "--signer=local",
            "--local-chain=key.pem",
            DEMO,
        ],
        vec![
            "verify",
            "--verbose",
            "--trust-policy=key.pem",
            "--trust-store=state",
            DEMO,
        ],
        vec![
            "verify",
            "--verbose",
            "--signer=local",
            "oci:state/countersign:1.0",
        ],
        vec!["inspect", "--verbose", "--signer=local", DEMO],
    ] {
        said.push(scratch.run_as("state", &args));
    }
    let mut texts: Vec<(String, String)> = Vec::new();
    for ran in &said {
        texts.push(("standard output".to_owned(), ran.stdout.clone()));
        texts.push(("standard error".to_owned(), ran.stderr.clone()));
        for directory in ["countersign-report", "demo"] {
            for (path, bytes) in snapshot(&scratch.path(directory)) {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                texts.push((path.display().to_string(), text));
            }
        }
    }
    let codes: Vec<i32> = said.iter().map(|ran| ran.code).collect();
    assert!(codes.iter().filter(|code| **code == 0).count() >= 4, "{codes:?}");
    assert!(codes.iter().filter(|code| **code == 2).count() >= 6, "{codes:?}");
    let secrets = secrets(&pem);
    assert!(secrets.len() >= 10 && secrets.iter().all(|secret| secret.len() >= 16));
    for (place, text) in texts {
        for secret in &secrets {
            assert!(!text.contains(secret), "{place} holds the private key");
        }
    }
}

/// What changes from run to run, replaced: digests that hold a key or a time, the key's name, sizes, times.
fn redacted(text: &str) -> String {
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let mut said = String::new();
    let mut word = String::new();
    let flush = |word: &mut String, said: &mut String| {
        let digits = word.chars().any(|c| c.is_ascii_digit());
        match word.len() {
            12 | 64 if digits => said.push_str("HEX"),
            _ => said.push_str(word),
        }
        word.clear();
    };
    for c in text.chars() {
        if is_hex(c) {
            word.push(c);
        } else {
            flush(&mut word, &mut said);
            said.push(c);
        }
    }
    flush(&mut word, &mut said);
    let words = said.split_inclusive([' ', '\n']).map(|word| {
        let time = word.len() > 19 && word.as_bytes()[4] == b'-' && word.contains('T') && word.contains('Z');
        if time { "TIME ".to_owned() } else { word.to_owned() }
    });
    words.collect()
}

#[test]
fn the_demo_shows_its_tree_and_summary() {
    let scratch = Scratch::new();
    let tree = scratch.demo().stdout;
    let summary = fs::read_to_string(scratch.path("countersign-report/summary.md")).unwrap();
    insta::assert_snapshot!(format!(
        "{}\n=== summary.md ===\n{}",
        redacted(&tree),
        redacted(&summary)
    ));
}

#[test]
fn explain_says_why_in_words_and_ends_as_verify_does() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let explain = ["explain", "--signer=local", DEMO];
    scratch.sign(0, DEMO, &[]);
    let ran = scratch.expect(0, &explain);
    for word in [
        "integrity",
        "authenticity",
        "revocation",
        "attestation sha256:",
        "says it is a \"https://slsa.dev/provenance/v1\"",
        "accepted: a signature passes everything",
    ] {
        assert!(ran.stdout.contains(word), "{word} is not said:\n{}", ran.stdout);
    }
    let other = scratch.expect_as("other", 0, &["demo", "elsewhere"]);
    drop(other);
    let refused = scratch.expect_as("other", 1, &explain);
    assert!(
        refused.stdout.contains("rejected:") && refused.stdout.contains("CSN"),
        "{}",
        refused.stdout
    );
    let json = scratch.expect(0, &[&explain[..], &["--format=json"]].concat());
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["schema"], "countersign-explanation/1");
}
