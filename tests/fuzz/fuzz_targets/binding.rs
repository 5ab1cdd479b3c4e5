//! What is held against the run that vouches for an image: configurations of images, and provenance that BuildKit left
//! beside them. Nothing ties an image to a run unless it says what the run says, as another reader of JSON finds too.
//! The first byte says whether the bytes are a configuration.
#![no_main]

use countersign::domain::oci::Digest;
use countersign::domain::provenance::Account;
use countersign::domain::provenance::binding::Run;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const SOURCE: &str = "https://github.com/octo-org/app";
const RUN: &str = "https://github.com/octo-org/app/actions/runs/42";

fn run() -> Run {
    let source = format!("{SOURCE}@{COMMIT}").parse().unwrap();
    let mut account = Account::manual("https://ci.example.com/builder".parse().unwrap(), source);
    account.facts.invocation_id = Some(format!("{RUN}/attempts/2"));
    Run::from(&account)
}

fuzz_target!(|bytes: &[u8]| {
    let (kind, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let (run, platform) = (run(), Digest::of(b"platform"));
    let found = if kind & 1 == 0 { run.is_labelled_in(bytes) } else { run.is_named_by(bytes, &platform) };
    if let Err(instead) = found {
        assert!(!instead.is_empty());
        return;
    }
    let document: Value = serde_json::from_slice(bytes).expect("JSON");
    if kind & 1 == 0 {
        let labels = &document["config"]["Labels"];
        assert_eq!(labels["org.opencontainers.image.revision"], COMMIT);
        assert!(labels["org.opencontainers.image.source"].as_str().unwrap().contains(SOURCE));
    } else {
        let mut subjects = document["subject"].as_array().unwrap().iter();
        assert!(subjects.any(|subject| subject["digest"]["sha256"] == platform.hex()));
        let builders = ["/predicate/runDetails/builder/id", "/predicate/builder/id"];
        let mut builders = builders.iter().filter_map(|pointer| document.pointer(pointer));
        assert!(builders.any(|id| id.as_str().is_some_and(|id| id.starts_with(RUN))));
    }
});
