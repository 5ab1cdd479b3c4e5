//! The library's front door, and its example, on an image and a signature of the conformance vectors.

#[expect(dead_code, reason = "its main is for the command line")]
#[path = "../../examples/verify.rs"]
mod example;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use countersign::base::failure::{Class, Classified as _};
use countersign::base::time::Timestamp;
use countersign::domain::trust::{Outcome, Question, QuestionError, Reason};

use crate::scratch::Scratch;
use crate::vectors;

const IMAGE: &str = "943f9437e193766cba88eefd9561b6241d848bcbfad2eafe6f31520aa57e820a";
const SIGNATURE: &str = "5d0df150";
const POLICY: &str = "policies/gen/02260cc05e23.json";
const ROOTS: &str = "stores/vector/root.crt";
const SCOPE: &str = "localhost/e2e";
const STORE: &str = "ca:vector";

fn image() -> String {
    format!("oci/gen/jws-ok/blobs/sha256/{IMAGE}")
}

fn digest() -> String {
    format!("sha256:{IMAGE}")
}

fn now() -> Timestamp {
    "2025-06-01T00:00:00Z".parse().expect("a time")
}

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

/// A copy of a signature whose bytes are not those that the certificate's key made.
fn forged(envelope: &[u8]) -> Vec<u8> {
    let mut jws: serde_json::Value = serde_json::from_slice(envelope).expect("JSON");
    jws["signature"] = "A".repeat(512).into();
    jws.to_string().into_bytes()
}

/// What the front door says of the image and this envelope, after a change of the question.
fn ask(
    envelope: &[u8],
    change: impl for<'a> FnOnce(Question<'a>) -> Question<'a>,
) -> Result<Option<Outcome>, QuestionError> {
    let (digest, image, policy, roots) = (digest(), read(&image()), read(POLICY), read(ROOTS));
    let question = change(Question {
        digest: &digest,
        media_type: "application/vnd.oci.image.manifest.v1+json",
        image: &image,
        scope: SCOPE,
        envelope,
        policy: &policy,
        store: STORE,
        roots: &roots,
    });
    let pending = question.examine(now())?;
    Ok(pending.map(|pending| pending.conclude(&BTreeMap::new())))
}

#[test]
fn a_question_in_bytes_is_accepted() {
    let outcome = ask(&envelope(), |question| question);
    assert!(matches!(outcome, Ok(Some(Outcome::Accepted(_)))), "{outcome:?}");
}

#[test]
fn a_changed_envelope_is_rejected_and_the_outcome_says_why() {
    let Ok(Some(Outcome::Rejected(rejected))) = ask(&forged(&envelope()), |question| question) else {
        panic!("accepted");
    };
    assert_eq!(rejected.reason(), Reason::Integrity);
}

#[test]
fn bytes_of_another_image_are_no_question() {
    let error = ask(&envelope(), |question| Question {
        image: b"{}",
        ..question
    })
    .expect_err("other bytes");
    assert_eq!(error.class(), Class::Tampered);
    assert!(
        error
            .to_string()
            .starts_with(&format!("image: expected bytes of the digest sha256:{IMAGE}"))
    );
}

#[test]
fn parts_that_cannot_be_read_are_named() {
    let said = |change: fn(Question<'_>) -> Question<'_>| {
        ask(&envelope(), change).expect_err("no question").to_string()
    };
    for (part, error) in [
        (
            "digest",
            said(|question| Question {
                digest: "sha256:12",
                ..question
            }),
        ),
        (
            "media type",
            said(|question| Question {
                media_type: "text",
                ..question
            }),
        ),
        (
            "image",
            said(|question| Question {
                media_type: "text/html",
                ..question
            }),
        ),
        (
            "trust policy",
            said(|question| Question {
                policy: b"{}",
                ..question
            }),
        ),
        (
            "trust policy",
            said(|question| Question {
                scope: "elsewhere.example.com/web",
                ..question
            }),
        ),
        (
            "trust store",
            said(|question| Question {
                store: "vector",
                ..question
            }),
        ),
        (
            "trust store",
            said(|question| Question {
                roots: b"nothing",
                ..question
            }),
        ),
    ] {
        assert!(error.starts_with(&format!("{part}: ")), "{error}");
    }
}

#[test]
fn the_example_says_who_signed() {
    let scratch = Scratch::new();
    let judge = |name: &str, envelope: &[u8]| {
        let file = scratch.path(name);
        fs::write(&file, envelope).expect("a file");
        let path = |relative: &str| vectors::directory().join(relative).display().to_string();
        let (image, policy, roots) = (path(&image()), path(POLICY), path(ROOTS));
        let arguments = [
            digest(),
            image,
            SCOPE.to_owned(),
            file.display().to_string(),
            policy,
            STORE.to_owned(),
            roots,
        ];
        example::judge(&arguments, now())
    };
    let accepted = judge("good.jws", &envelope()).expect("accepted");
    assert!(accepted.starts_with("accepted: signed by "), "{accepted}");
    let refused = judge("forged.jws", &forged(&envelope())).expect_err("a forged signature");
    assert!(refused.to_string().contains("signature"), "{refused}");
}
