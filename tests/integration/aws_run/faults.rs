//! Every operation times every fault: the run ends in a class and never in a lie, nothing unsigned is left, and running
//! again completes.

use std::fmt::Write as _;

use super::{Ended, Stage};
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

/// No attestation that anybody finds without a signature on it, and each signature once.
pub(super) fn assert_clean(stage: &Stage, cell: &str) {
    let mut signatures = std::collections::BTreeMap::<String, usize>::new();
    for (digest, stored) in stage.registry.manifests("web") {
        let manifest: serde_json::Value = serde_json::from_slice(&stored.bytes).unwrap();
        if !is_found(stage, &digest, &manifest) {
            continue;
        }
        if manifest["artifactType"] == "application/vnd.in-toto.provenance+json"
            || manifest["artifactType"] == "application/vnd.in-toto.vsa+json"
            || manifest["artifactType"] == "application/vnd.in-toto+json"
        {
            let on = stage.registry.listed("web", &digest.parse().unwrap());
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

/// Whether whoever looks at what it refers to finds a manifest; where it refers to nothing nobody has to be led to it.
pub(super) fn is_found(stage: &Stage, digest: &str, manifest: &serde_json::Value) -> bool {
    let Some(subject) = manifest["subject"]["digest"].as_str() else {
        return true;
    };
    let listed = stage.registry.listed("web", &subject.parse().unwrap());
    listed.contains(&digest.parse().unwrap())
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

/// Faults that stay.
fn staying() -> [(&'static str, Fault); 5] {
    [
        ("403", Fault::status(403)),
        ("denied", Fault::registry_error(403, "DENIED", "not authorized")),
        ("html", Fault::html(200)),
        // A list of referrers that is another document sends to the fallback tag, which is a list as good.
        ("another document", Fault::status(200)),
        ("400 MiB", Fault::huge("application/json", 400 << 20)),
    ]
}

/// What a run said, one line: the code, then the first failure, else the first finding of level error.
fn said(ended: &Ended) -> String {
    let failures = ended.report["failures"].as_array().unwrap();
    let findings = ended.report["findings"].as_array().unwrap();
    let grave = findings.iter().find(|finding| finding["level"] == "error");
    let Some(first) = failures.first().or(grave) else {
        return ended.code.to_string();
    };
    let text = |name: &str| first[name].as_str().unwrap_or_default().to_owned();
    let hint = match text("hint").as_str() {
        "" => String::new(),
        hint => format!(" | {hint}"),
    };
    let done = match first["done"].as_array().map_or(0, Vec::len) {
        0 => String::new(),
        number => format!(" | public: {number}"),
    };
    without_numbers(&format!(
        "{} {}{}: {}{hint}{done}",
        ended.code,
        text("step"),
        text("rule"),
        text("message")
    ))
}

/// Digests, request ids and other long numbers differ from run to run.
fn without_numbers(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase() || c == '-';
    let mut rest = text;
    let mut clean = String::new();
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end.max(c.len_utf8()));
        let long = part.len() >= 16 && part.chars().any(|c| c.is_ascii_digit());
        // Envelopes differ by a few bytes: signatures are numbers without leading zeros.
        let size = part.len() == 4 && part.chars().all(|c| c.is_ascii_digit());
        clean.push_str(if long || size { "…" } else { part });
        rest = behind;
    }
    clean
}

#[test]
fn what_stays_is_said_and_a_second_run_completes() {
    let mut table = String::new();
    for (service, operation) in OPERATIONS {
        for (name, fault) in staying() {
            let cell = format!("{service} {operation}: {name}");
            let stage = Stage::new();
            let digest = stage.registry.put_image("web", "1.4", "an image");
            let image = format!("{}/web@{digest}", stage.host);
            stage.world.fault(service, operation, When::Always, fault);
            let ended = stage.run_with(&[&image], &["-v"]);
            assert!(
                [0, 3, 4, 6].contains(&ended.code),
                "{cell}: {}",
                ended.everything()
            );
            let passed = ended.report["verdict"] == "passed";
            assert_eq!(passed, ended.code == 0, "{cell}");
            assert!(
                !passed || operation == "GET referrers",
                "{cell}: {}",
                ended.everything()
            );
            assert_clean(&stage, &cell);
            let _ = writeln!(table, "{cell}\n    {}", said(&ended));
            stage.world.no_more_faults();
            let again = stage.run(&[&image]);
            assert_eq!(again.code, 0, "{cell}, again: {}", again.everything());
            assert_clean(&stage, &cell);
        }
    }
    insta::assert_snapshot!(table);
}
