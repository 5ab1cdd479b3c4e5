//! Explanations of signatures, policies and attestations.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::base::foreign::Foreign;
use crate::domain::trust::testing::{local_header, payload, sign, store, subject, time};
use crate::domain::trust::{Applicable, Outcome};
use crate::domain::trust::{Requirements, examine};
use crate::domain::x509::testing::chain;

const SUBJECT: &str = "x509.subject: C=US, ST=WA, O=Test";

fn document(scope: &str, identity: &str) -> TrustPolicyDocument {
    let text = json!({"version": "1.0", "trustPolicies": [
        {"name": "release", "registryScopes": [scope], "signatureVerification": {"level": "strict"},
         "trustStores": ["ca:test", "ca:gone"], "trustedIdentities": [identity]},
        {"name": "lab", "registryScopes": ["registry.example.com/lab"],
         "signatureVerification": {"level": "skip"}},
    ]});
    TrustPolicyDocument::parse(text.to_string().as_bytes()).unwrap()
}

/// One signature, judged at a moment.
fn explained(scope: &str, identity: &str, now: &str) -> Explanation {
    let issued = chain();
    let document = document(scope, identity);
    let mut store = store("ca:test", &issued);
    store.insert(
        "ca:gone".parse().unwrap(),
        Ok(vec![issued.certificates[1].clone()]),
    );
    let Ok(Applicable::Judge(policy)) = document.applicable("registry.example.com/web") else {
        panic!("a policy");
    };
    let evidence = sign(&issued, &local_header(), &payload(&subject(1), &[]));
    let about = subject(1);
    let pending = examine(
        &evidence,
        &about,
        policy,
        &store,
        &Requirements::default(),
        time(now),
    );
    let outcome = pending.conclude(&BTreeMap::new());
    let conclusion = match &outcome {
        Outcome::Accepted(_) => Conclusion::yes("a signature passes everything"),
        Outcome::Rejected(rejected) => {
            Conclusion::no(Rule::of_refusal(rejected.reason()), rejected.message())
        }
    };
    let found = Found {
        manifest: Digest::of(b"signature"),
        outcome: Ok(outcome),
    };
    let scope = "registry.example.com/web";
    Explanation::new(about.digest(), scope, &document, &store, &[found], conclusion)
}

fn parsed(explanation: &Explanation) -> Value {
    serde_json::from_str(&explanation.json()).unwrap()
}

#[test]
fn every_decision_is_told_in_order() {
    let text = explained("*", SUBJECT, "2031-01-01T00:00:00Z").text();
    let digests = [
        subject(1).digest().to_string(),
        Digest::of(b"signature").to_string(),
    ];
    let text = text
        .replace(&digests[0], "IMAGE")
        .replace(&digests[1], "SIGNATURE");
    let version = env!("CARGO_PKG_VERSION");
    let text = text.replace(&format!("/v{version}/"), "/VERSION/");
    assert_eq!(
        text,
        "image IMAGE\n\
         \x20 it belongs to registry.example.com/web\n\
         policy \"release\": no policy names registry.example.com/web, and this one speaks for everything \
         (registryScopes \"*\")\n\
         \x20 level strict: integrity enforce, authenticity enforce, expiry enforce, authenticTimestamp enforce, \
         revocation enforce\n\
         \x20 trust store ca:test: 1 certificate\n\
         \x20 trust store ca:gone: 1 certificate\n\
         \x20 trusts \"x509.subject: C=US,O=Test,ST=WA\"\n\
         signature SIGNATURE\n\
         \x20 claims to be signed by \"CN=Test Signer,O=Test,ST=WA,C=US\"\n\
         \x20 says it was made at 2024-06-01T00:00:00Z, counts until 2030-01-01T00:00:00Z\n\
         \x20 integrity (enforce) passed\n\
         \x20 authenticity (enforce) passed\n\
         \x20 expiry (enforce) failed: it expired at 2030-01-01T00:00:00Z, and it is 2031-01-01T00:00:00Z\n\
         \x20   CSN005 signature-expired: https://github.com/countersign/countersign/blob/VERSION/docs/rules/CSN005.md\n\
         \x20 authenticTimestamp (enforce) passed\n\
         \x20 revocation (enforce) passed\n\
         \x20 rejected: it expired at 2030-01-01T00:00:00Z, and it is 2031-01-01T00:00:00Z\n\
         rejected: it expired at 2030-01-01T00:00:00Z, and it is 2031-01-01T00:00:00Z\n\
         \x20   CSN005 signature-expired: https://github.com/countersign/countersign/blob/VERSION/docs/rules/CSN005.md\n"
    );
}

#[test]
fn the_policy_that_names_the_repository_is_said_to() {
    let good = explained("registry.example.com/web", SUBJECT, "2025-01-01T00:00:00Z");
    assert_eq!(good.conclusion().verdict(), "accepted");
    let json = parsed(&good);
    assert_eq!(
        json["policy"]["reason"],
        "its registryScopes name registry.example.com/web"
    );
    assert_eq!(json["signatures"][0]["verdict"], "accepted");
    assert_eq!(json["signatures"][0]["rule"], Value::Null);
    assert_eq!(json["verdict"], "accepted");
    let stranger = explained("*", "x509.subject: C=US, ST=WA, O=Else", "2025-01-01T00:00:00Z");
    let json = parsed(&stranger);
    assert_eq!(json["signatures"][0]["validations"][1]["rule"]["id"], "CSN003");
    assert_eq!(json["rule"]["name"], "signature-untrusted-identity");
}

#[test]
fn skipping_and_having_no_policy_are_decisions_too() {
    let document = document("registry.example.com/web", SUBJECT);
    let explain = |scope: &str| {
        let nothing = Conclusion::yes("nothing is looked at");
        let image = Digest::of(b"image");
        Explanation::new(&image, scope, &document, &TrustStore::default(), &[], nothing).text()
    };
    assert!(explain("registry.example.com/lab").contains("its level is skip, so nothing is looked at"));
    assert!(explain("registry.example.com/other").contains("no policy: expected a trust policy whose"));
    assert!(explain("*").contains("it belongs to no registry"));
    let unusable = explain("registry.example.com/web");
    assert!(
        unusable.contains("trust store ca:test: cannot be used"),
        "{unusable}"
    );
    assert!(unusable.contains("no signature hangs on it"));
}

#[test]
fn what_was_not_judged_says_why() {
    let found = Found {
        manifest: Digest::of(b"signature"),
        outcome: Err("denied\n::set-output".to_owned()),
    };
    let document = document("registry.example.com/web", SUBJECT);
    let conclusion = Conclusion::no(Rule::SignatureInvalid, "the signature cannot be read");
    let explanation = Explanation::new(
        &Digest::of(b"image"),
        "registry.example.com/web",
        &document,
        &TrustStore::default(),
        &[found],
        conclusion,
    );
    assert!(explanation.text().contains("  not judged: denied\\n::set-output"));
    assert_eq!(parsed(&explanation)["signatures"][0]["validations"], json!([]));
}

/// An explanation with an attestation that counts and one that does not.
fn attested() -> Explanation {
    let good = explained("*", SUBJECT, "2025-01-01T00:00:00Z");
    let found = |name: &[u8], fault| FoundAttestation {
        manifest: Digest::of(name),
        predicate_type: Some(Foreign::new("https://slsa.dev/provenance/v1")),
        fault,
        signatures: vec![Found {
            manifest: Digest::of(b"over it"),
            outcome: Err("denied".to_owned()),
        }],
    };
    let unsigned = (
        Rule::AttestationUnsigned,
        "nobody signed the attestation".to_owned(),
    );
    good.with_attestations(&[found(b"good", None), found(b"bad", Some(unsigned))])
}

#[test]
fn attestations_are_explained_with_the_signatures_over_them() {
    let text = attested().text();
    let from = text.find("attestation sha256").unwrap();
    let to = text.rfind("accepted: a signature passes").unwrap();
    let about = text[from..to]
        .replace(&Digest::of(b"good").to_string(), "GOOD")
        .replace(&Digest::of(b"bad").to_string(), "BAD")
        .replace(&Digest::of(b"over it").to_string(), "SIGNATURE")
        .replace(&format!("/v{}/", env!("CARGO_PKG_VERSION")), "/VERSION/");
    assert_eq!(
        about,
        "attestation GOOD\n\
         \x20 says it is a \"https://slsa.dev/provenance/v1\"\n\
         \x20 signature SIGNATURE\n\
         \x20   not judged: denied\n\
         \x20 accepted: it is about this image, and a signature over it is accepted\n\
         attestation BAD\n\
         \x20 says it is a \"https://slsa.dev/provenance/v1\"\n\
         \x20 signature SIGNATURE\n\
         \x20   not judged: denied\n\
         \x20 rejected: nobody signed the attestation\n\
         \x20   CSN021 attestation-unsigned: https://github.com/countersign/countersign/blob/VERSION/docs/rules/CSN021.md\n"
    );
    let json = parsed(&attested());
    assert_eq!(json["attestations"][0]["verdict"], "accepted");
    assert_eq!(json["attestations"][1]["rule"]["name"], "attestation-unsigned");
}

#[test]
fn explanations_follow_the_published_schema() {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../docs/schemas/explanation-1.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let signed = ["2025-01-01T00:00:00Z", "2031-01-01T00:00:00Z"].map(|now| explained("*", SUBJECT, now));
    for explanation in signed.iter().chain([&attested()]) {
        let json = parsed(explanation);
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    assert!(!validator.is_valid(&json!({"schema": "countersign-explanation/2"})));
}
