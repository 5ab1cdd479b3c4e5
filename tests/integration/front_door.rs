//! The library's example, on an image and a signature of the conformance vectors.

#[expect(dead_code, reason = "its main is for the command line")]
#[path = "../../examples/verify.rs"]
mod example;

use std::fs;
use std::path::Path;

use countersign::domain::trust::{Outcome, Reason};
use example::{Question, judge};

use crate::vectors;

const IMAGE: &str = "943f9437e193766cba88eefd9561b6241d848bcbfad2eafe6f31520aa57e820a";
const SIGNATURE: &str = "5d0df150";

fn read(relative: &str) -> Vec<u8> {
    let path = vectors::directory().join(relative);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The envelope that the signature manifest of the layout names.
fn envelope() -> Vec<u8> {
    let blobs = vectors::directory().join("oci/gen/jws-ok/blobs/sha256");
    let mut names = fs::read_dir(&blobs)
        .expect("a layout")
        .map(|entry| entry.expect("an entry").path());
    let named = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(SIGNATURE))
    };
    let manifest = names.find(|path| named(path)).expect("a signature manifest");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(manifest).expect("a manifest")).expect("JSON");
    let digest = manifest["layers"][0]["digest"].as_str().expect("a digest");
    fs::read(blobs.join(digest.trim_start_matches("sha256:"))).expect("an envelope")
}

fn ask(change: impl FnOnce(&mut Vec<u8>)) -> Outcome {
    let (image, policy) = (
        read(&format!("oci/gen/jws-ok/blobs/sha256/{IMAGE}")),
        read("policies/gen/02260cc05e23.json"),
    );
    let (mut envelope, roots) = (envelope(), read("stores/vector/root.crt"));
    change(&mut envelope);
    let question = Question {
        envelope: &envelope,
        image: &image,
        scope: "localhost/e2e",
        policy: &policy,
        store: "ca:vector",
        roots: &roots,
    };
    let now = "2025-06-01T00:00:00Z".parse().expect("a time");
    judge(&question, now).expect("a judgement").expect("not skipped")
}

#[test]
fn ten_lines_judge_a_signature() {
    assert!(matches!(ask(|_| {}), Outcome::Accepted(_)));
}

#[test]
fn a_changed_envelope_is_rejected_and_the_outcome_says_why() {
    let Outcome::Rejected(rejected) = ask(|envelope| {
        let text = String::from_utf8(envelope.clone()).expect("text");
        let mut jws: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        jws["signature"] = "A".repeat(512).into();
        *envelope = jws.to_string().into_bytes();
    }) else {
        panic!("accepted");
    };
    assert_eq!(rejected.reason(), Reason::Integrity);
}
