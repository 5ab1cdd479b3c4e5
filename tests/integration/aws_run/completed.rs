//! The process killed at each of its requests in turn: nothing unsigned is left where the order allows it, and running
//! again completes the job without doing anything twice.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::domain::oci::Digest;
use serde_json::Value;

use super::faults::{OPERATIONS, assert_clean, is_found};
use super::{Ended, Stage};
use crate::support::aws::{PROFILE, ROLE};
use crate::support::buildkit;
use crate::support::fault::{Fault, When};
use crate::support::registry::Quirks;

/// From here on requests may change something.
const WRITING: [&str; 4] = ["signer", "signer-data", "registry", "storage"];

const SOURCE: &str = "https://example.com/source";

/// What is killed, and what has to be there in the end.
struct Scene {
    quirks: fn(Quirks) -> Quirks,
    /// Stores the image, and says its digest.
    image: fn(&Stage) -> Digest,
    /// The command that is killed, and then run to its end.
    command: fn(&Stage, &str) -> Command,
    /// Attestations, wherever they hang.
    attestations: usize,
    /// Whether nothing unsigned is left at any moment.
    always_signed: bool,
    /// The first request that is struck.
    from: usize,
}

/// Kills a command when its nth request arrives, which is still carried out; says whether it came that far.
fn killed_at(stage: &Stage, mut command: Command, nth: usize) -> bool {
    let child: Arc<Mutex<Option<Child>>> = Arc::default();
    let seen = Arc::new(AtomicUsize::new(0));
    for (service, operation) in OPERATIONS {
        if !WRITING.contains(&service) {
            continue;
        }
        let (child, seen) = (Arc::clone(&child), Arc::clone(&seen));
        let strike = Fault::before(move || {
            if seen.fetch_add(1, Ordering::SeqCst) + 1 == nth
                && let Some(child) = child.lock().unwrap().as_mut()
            {
                child.kill().unwrap();
            }
        });
        stage.world.fault(service, operation, When::Always, strike);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    // Held until the child is known, so that no request is missed.
    let mut held = child.lock().unwrap();
    *held = Some(command.spawn().unwrap());
    drop(held);
    let status = loop {
        let mut held = child.lock().unwrap();
        if let Some(status) = held.as_mut().unwrap().try_wait().unwrap() {
            break status;
        }
        drop(held);
        std::thread::sleep(Duration::from_millis(2));
    };
    stage.world.no_more_faults();
    assert!(status.code().is_none_or(|code| code == 0), "{nth}: {status}");
    status.code().is_none()
}

/// Every attestation that is found on something, and whether somebody signed it; what `BuildKit` hangs there is none.
fn attestations(stage: &Stage) -> Vec<(String, bool)> {
    let manifests = stage.registry.manifests("web");
    let mut found = Vec::new();
    for (digest, stored) in &manifests {
        let manifest: Value = serde_json::from_slice(&stored.bytes).unwrap();
        let kind = manifest["artifactType"].as_str().unwrap_or_default();
        let refers = !manifest["subject"].is_null() && is_found(stage, digest, &manifest);
        if refers && !kind.is_empty() && !kind.contains("docker.attestation") {
            let on = stage.registry.listed("web", &digest.parse().unwrap());
            found.push((digest.clone(), !on.is_empty()));
        }
    }
    found
}

fn strike(scene: &Scene) {
    for nth in scene.from.. {
        let stage = Stage::with(scene.quirks);
        let digest = (scene.image)(&stage);
        let image = format!("{}/web@{digest}", stage.host);
        if !killed_at(&stage, (scene.command)(&stage, &image), nth) {
            assert!(nth > scene.from.max(20), "only {nth} requests");
            break;
        }
        let cell = format!("killed at request {nth}");
        let left = attestations(&stage);
        if scene.always_signed {
            assert!(left.iter().all(|(_, signed)| *signed), "{cell}: {left:?}");
            assert_clean(&stage, &cell);
        }
        let run = || {
            let ended = stage.finish(&mut (scene.command)(&stage, &image));
            assert_eq!(ended.code, 0, "{cell}: {}", ended.everything());
        };
        run();
        let there = attestations(&stage);
        assert!(there.iter().all(|(_, signed)| *signed), "{cell}: {there:?}");
        assert_eq!(there.len(), scene.attestations, "{cell}: {there:?}");
        assert_clean(&stage, &cell);
        stage.world.ledger().clear();
        run();
        assert_eq!(stage.signed_and_written(), (0, 0), "{cell}");
    }
}

fn plain(stage: &Stage) -> Digest {
    stage.registry.put_image("web", "1.4", "an image")
}

/// One that says when it was built.
fn dated(stage: &Stage) -> Digest {
    buildkit::digest(&buildkit::image(&stage.registry, "amd64"))
}

fn with_provenance(stage: &Stage, image: &str) -> Command {
    stage.run_command(&[image], SOURCE, &[])
}

const SPDX: &str = "--attest=spdx=bom.spdx.json";
const CYCLONEDX: &str = "--attest=cyclonedx=bom.cdx.json";

fn documents(stage: &Stage) {
    std::fs::write(stage.path("bom.spdx.json"), buildkit::spdx("web").to_string()).unwrap();
    let bom = r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#;
    std::fs::write(stage.path("bom.cdx.json"), bom).unwrap();
}

fn run_with_two(stage: &Stage, image: &str) -> Command {
    documents(stage);
    stage.run_command(&[image], SOURCE, &["--provenance", "off", SPDX, CYCLONEDX])
}

fn attest_two(stage: &Stage, image: &str) -> Command {
    documents(stage);
    let store = stage.root.path().to_str().unwrap();
    let who = [
        "attest",
        "--role-arn",
        ROLE,
        "--signing-profile",
        PROFILE,
        "--trust-store",
        store,
    ];
    stage.command(&[&who[..], &[SPDX, CYCLONEDX, image]].concat())
}

fn lift(stage: &Stage, image: &str) -> Command {
    stage.run_command(&[image], SOURCE, &["--provenance", "off", "--lift-buildkit"])
}

fn attestation_first(quirks: Quirks) -> Quirks {
    Quirks {
        subject_must_exist: true,
        ..quirks
    }
}

/// What refers to an image is listed under a tag of its own, which is written anew with every entry.
fn without_api(quirks: Quirks) -> Quirks {
    Quirks {
        referrers_api: false,
        oci_subject: false,
        ..quirks
    }
}

const RUN: Scene = Scene {
    quirks: |quirks| quirks,
    image: plain,
    command: with_provenance,
    attestations: 1,
    always_signed: true,
    from: 1,
};

#[test]
fn a_run_that_is_killed_at_any_request_leaves_nothing_unsigned_and_is_completed_by_the_next() {
    strike(&RUN);
}

/// What comes before the summary is the same without it.
#[test]
fn a_run_that_is_killed_while_it_sums_up_is_completed_by_the_next() {
    strike(&Scene {
        command: |stage, image| stage.run_command(&[image], SOURCE, &["--vsa"]),
        attestations: 2,
        from: 24,
        ..RUN
    });
}

/// The run that replaces a summary: killed before the older one is gone it leaves two, which is no reason for the next run
/// to withhold one, though warnings fail it.
#[test]
fn a_run_that_replaces_a_summary_is_completed_where_warnings_fail_it() {
    strike(&Scene {
        image: |stage| {
            let digest = plain(stage);
            let image = format!("{}/web@{digest}", stage.host);
            let ended = stage.finish(&mut stage.run_command(&[&image], SOURCE, &["--vsa"]));
            assert_eq!(ended.code, 0, "{}", ended.everything());
            digest
        },
        command: |stage, image| {
            std::fs::write(stage.path("expect.yml"), "attestations: [{type: provenance}]").unwrap();
            let strict = ["--vsa", "--expect=expect.yml", "--fail-on=warning"];
            stage.run_command(&[image], SOURCE, &strict)
        },
        attestations: 2,
        from: 12,
        ..RUN
    });
}

#[test]
fn a_run_that_keeps_the_list_under_a_tag_is_completed_by_the_next() {
    strike(&Scene {
        quirks: without_api,
        ..RUN
    });
}

#[test]
fn documents_are_completed_where_the_list_is_kept_under_a_tag() {
    strike(&Scene {
        quirks: without_api,
        command: run_with_two,
        attestations: 2,
        ..RUN
    });
}

#[test]
fn where_the_attestation_has_to_go_first_a_killed_run_is_completed_by_the_next() {
    strike(&Scene {
        quirks: attestation_first,
        always_signed: false,
        ..RUN
    });
}

#[test]
fn a_run_that_attaches_documents_is_completed_too() {
    strike(&Scene {
        command: run_with_two,
        attestations: 2,
        ..RUN
    });
}

#[test]
fn documents_that_go_before_their_signatures_are_signed_by_the_next_run() {
    strike(&Scene {
        quirks: attestation_first,
        command: run_with_two,
        attestations: 2,
        always_signed: false,
        ..RUN
    });
}

#[test]
fn attest_alone_is_completed_by_the_next() {
    strike(&Scene {
        command: attest_two,
        attestations: 2,
        ..RUN
    });
}

#[test]
fn attest_alone_is_completed_where_attestations_go_first() {
    strike(&Scene {
        quirks: attestation_first,
        command: attest_two,
        attestations: 2,
        always_signed: false,
        ..RUN
    });
}

#[test]
fn what_attest_signed_before_it_was_killed_is_used_where_the_image_says_its_time() {
    strike(&Scene {
        image: dated,
        command: |stage, image| {
            // Signatures on what is not there would be left by other bytes.
            let manifests = stage.registry.manifests("web");
            let on_nothing = manifests.values().filter(|stored| {
                let manifest: Value = serde_json::from_slice(&stored.bytes).unwrap();
                let subject = manifest["subject"]["digest"].as_str();
                subject.is_some_and(|subject| !manifests.contains_key(subject))
            });
            assert!(on_nothing.count() <= 2);
            attest_two(stage, image)
        },
        attestations: 2,
        ..RUN
    });
}

#[test]
fn a_run_that_lifts_is_completed_too() {
    strike(&Scene {
        image: |stage| buildkit::built(&stage.registry, "1.4", "https://ci.example/7").0,
        command: lift,
        attestations: 4,
        ..RUN
    });
}

/// Another run than the one that was killed says other things, and cannot know that the bytes are its predecessor's.
#[test]
fn what_another_run_left_unsigned_is_named() {
    let mut named = 0;
    for nth in 1.. {
        let stage = Stage::with(attestation_first);
        let digest = plain(&stage);
        let image = format!("{}/web@{digest}", stage.host);
        let bom = |name: &str| {
            documents(&stage);
            std::fs::write(stage.path("bom.spdx.json"), buildkit::spdx(name).to_string()).unwrap();
        };
        bom("first");
        if !killed_at(&stage, stage.run_command(&[&image], SOURCE, &[SPDX]), nth) {
            break;
        }
        let left = attestations(&stage).into_iter().filter(|(_, signed)| !signed);
        let left: Vec<String> = left.map(|(digest, _)| digest).collect();
        if left.is_empty() {
            continue;
        }
        bom("second");
        let other = &mut stage.run_command(&[&image], "https://example.com/other", &[SPDX]);
        let ended: Ended = stage.finish(other);
        assert_eq!(ended.code, 0, "{nth}: {}", ended.everything());
        let findings = ended.report["findings"].as_array().unwrap();
        for digest in left {
            let about =
                |finding: &&Value| finding["rule"] == "CSN021" && finding.to_string().contains(&digest);
            let finding = findings.iter().find(about);
            let finding = finding.unwrap_or_else(|| panic!("{nth}: {digest}: {findings:#?}"));
            assert_eq!(finding["level"], "warning", "{nth}");
            named += 1;
        }
    }
    assert!(named > 0);
}
