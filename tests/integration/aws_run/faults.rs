//! Every operation times every fault: the run ends in a class and never in a lie, nothing unsigned is left, and running
//! again completes.

use super::Stage;
use crate::support::fault::{Fault, When};

/// Each operation of a run.
pub(super) const OPERATIONS: [(&str, &str); 11] = [
    ("oidc", "GET token"),
    ("sts", "AssumeRoleWithWebIdentity"),
    ("ecr", "GetAuthorizationToken"),
    ("signer", "SignPayload"),
    ("signer-data", "GetRevocationStatus"),
    ("registry", "GET manifest"),
    ("registry", "GET referrers"),
    ("registry", "POST upload"),
    ("registry", "PUT blob"),
    ("registry", "PUT manifest"),
    ("registry", "GET blob"),
];

/// Faults that pass: a run that meets one of them ends well.
fn passing() -> [(&'static str, When, Fault); 3] {
    [
        ("503 once", When::Nth(1), Fault::status(503)),
        ("reset once", When::Nth(1), Fault::Reset),
        ("answer lost once", When::Nth(1), Fault::LoseAnswer),
    ]
}

/// Faults that stay, each with the codes that it may end in.
fn staying() -> [(&'static str, Fault, &'static [i32]); 3] {
    [
        ("403", Fault::status(403), &[3, 4]),
        ("html", Fault::html(200), &[3, 4, 6]),
        // A list of referrers that is another document sends to the fallback tag, which is a list as good.
        ("another document", Fault::status(200), &[0, 3, 4, 6]),
    ]
}

/// No attestation without a signature on it, and each signature once.
pub(super) fn assert_clean(stage: &Stage, cell: &str) {
    let mut signatures = std::collections::BTreeMap::<String, usize>::new();
    for (digest, stored) in stage.registry.manifests("web") {
        let manifest: serde_json::Value = serde_json::from_slice(&stored.bytes).unwrap();
        if manifest["artifactType"] == "application/vnd.in-toto.provenance+json"
            || manifest["artifactType"] == "application/vnd.in-toto+json"
        {
            let on = stage.registry.referrers("web", &digest.parse().unwrap());
            assert!(
                !on.is_empty(),
                "{cell}: {digest} is an attestation without a signature"
            );
        }
        if manifest["config"]["mediaType"] == "application/vnd.cncf.notary.signature" {
            let subject = manifest["subject"]["digest"].as_str().unwrap().to_owned();
            *signatures.entry(subject).or_default() += 1;
        }
    }
    assert!(
        signatures.values().all(|count| *count == 1),
        "{cell}: {signatures:?}"
    );
}

#[test]
fn what_passes_is_survived() {
    for (service, operation) in OPERATIONS {
        for (name, when, fault) in passing() {
            let cell = format!("{service} {operation}: {name}");
            let stage = Stage::new();
            let digest = stage.registry.put_image("web", "1.4", "an image");
            stage.world.fault(service, operation, when, fault);
            let ended = stage.run(&[&format!("{}/web@{digest}", stage.host)]);
            assert_eq!(ended.code, 0, "{cell}: {}", ended.everything());
            assert_clean(&stage, &cell);
        }
    }
}

#[test]
fn what_stays_is_said_and_a_second_run_completes() {
    for (service, operation) in OPERATIONS {
        for (name, fault, codes) in staying() {
            let cell = format!("{service} {operation}: {name}");
            let stage = Stage::new();
            let digest = stage.registry.put_image("web", "1.4", "an image");
            let image = format!("{}/web@{digest}", stage.host);
            stage.world.fault(service, operation, When::Always, fault);
            let ended = stage.run(&[&image]);
            assert!(codes.contains(&ended.code), "{cell}: {}", ended.everything());
            let passed = ended.report["verdict"] == "passed";
            assert_eq!(passed, ended.code == 0, "{cell}");
            assert!(
                !passed || operation == "GET referrers",
                "{cell}: {}",
                ended.everything()
            );
            stage.world.no_more_faults();
            let again = stage.run(&[&image]);
            assert_eq!(again.code, 0, "{cell}, again: {}", again.everything());
            assert_clean(&stage, &cell);
        }
    }
}
