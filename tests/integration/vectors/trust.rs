//! Trust policies, trust stores, identities and whole verifications.

mod aws;

use std::collections::BTreeMap;
use std::path::Path;

use countersign::base::failure::{Cause, Classified};
use countersign::base::foreign::Foreign;
use countersign::base::json;
use countersign::base::limits::Bounds;
use countersign::domain::notary::{Envelope, EnvelopeFormat};
use countersign::domain::oci::{Descriptor, Digest};
use countersign::domain::trust::{
    Applicable, DistinguishedName, Evidence, Examination, Outcome, Requirements, RevocationAnswer,
    SignatureVerification, StoreName, StoreType, TrustPolicyDocument, TrustStore, TrustStoreError,
    TrustedIdentity, Validation, ValidationKind, ValidationResult, Verifier,
};
use countersign::domain::x509::read_certificates;
use countersign::edge::trust_files::{notation_store, read_named_store, read_notation_policy};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Case, Judged};

/// Judges the kinds of this module.
pub(super) fn judge(case: &Case) -> Option<Judged> {
    Some(match case.kind.as_str() {
        "trust-policy-oci" => policy(case),
        "policy-select-oci" => select(case),
        "policy-file" => policy_file(case),
        "trust-store" => store(case),
        "store-name" => {
            of(StoreName::new(StoreType::Ca, case.text("value")).map_err(|error| error.to_string()))
        }
        "dn-parse" => name(case),
        "dn-subset" => subset(case),
        "identity-match" => identity(case),
        "verification-level" => level(case),
        "verify-oci" => verify(case),
        _ => return aws::judge(case),
    })
}

/// The whole chain of causes, as a user would read it.
fn words(error: &impl Classified) -> String {
    Cause::of(error).message
}

fn of<T>(result: Result<T, String>) -> Judged {
    Judged::of(result)
}

fn policy(case: &Case) -> Judged {
    match TrustPolicyDocument::parse(&case.bytes("policy")) {
        Ok(_) => Judged::accept(),
        Err(error) => Judged::reject(words(&error)),
    }
}

/// The place in front of the digest; a reference without a digest names nothing that a policy could speak for.
fn scope(reference: &str) -> Result<&str, String> {
    let (scope, _) = reference
        .rsplit_once('@')
        .ok_or_else(|| format!("{reference} has no digest"))?;
    Ok(scope)
}

fn select(case: &Case) -> Judged {
    let document = TrustPolicyDocument::parse(&case.bytes("policy")).expect("the policy is legal");
    let selected = scope(case.text("artifact_reference"))
        .and_then(|scope| document.applicable(scope).map_err(|error| words(&error)));
    match selected {
        Ok(policy) => Judged::accept().with("statement", policy.name()),
        Err(why) => Judged::reject(why),
    }
}

/// A copy of the case's configuration directory, changed as its `setup` says.
fn configuration(case: &Case) -> TempDir {
    let scratch = TempDir::new().expect("a scratch directory");
    copy(&case.path("config_dir"), scratch.path());
    for step in case.input("setup").as_array().into_iter().flatten() {
        let path = scratch.path().join(step["path"].as_str().expect("a path"));
        match step["op"].as_str() {
            Some("mkdir") => std::fs::create_dir_all(path).expect("a directory is made"),
            Some("symlink") => {
                let target = step["target"].as_str().expect("a target");
                std::os::unix::fs::symlink(target, path).expect("a link is made");
            }
            other => panic!("setup step {other:?}"),
        }
    }
    scratch
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory is made");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file is copied");
        }
    }
}

fn policy_file(case: &Case) -> Judged {
    if case.text("policy_type") != "oci" {
        return Judged::reject("policies for blobs are not supported yet");
    }
    let scratch = configuration(case);
    match read_notation_policy(scratch.path()) {
        Ok(given) => {
            let names: Vec<&str> = given.document.policies().map(Applicable::name).collect();
            Judged::accept().with("statements", json!(names))
        }
        Err(error) => Judged::reject(words(&error)),
    }
}

fn store(case: &Case) -> Judged {
    let scratch = configuration(case);
    let name = format!("{}:{}", case.text("store_type"), case.text("store_name"));
    let name: StoreName = match name.parse() {
        Ok(name) => name,
        Err(error) => return Judged::reject(error),
    };
    let mut store = TrustStore::default();
    store.insert(
        name.clone(),
        read_named_store(&notation_store(scratch.path()), &name),
    );
    match store.certificates(&name) {
        Ok(certificates) => Judged::accept().with("certificates", certificates.len()),
        Err(error) => Judged::reject(words(&error)),
    }
}

fn name(case: &Case) -> Judged {
    match case.text("dn").parse::<DistinguishedName>() {
        Ok(name) => {
            let attributes: Map<String, Value> = name
                .attributes()
                .map(|(kind, value)| (kind.to_owned(), value.into()))
                .collect();
            Judged::accept().with("attributes", attributes)
        }
        Err(error) => Judged::reject(error),
    }
}

fn subset(case: &Case) -> Judged {
    let name = |input| case.text(input).parse::<DistinguishedName>().expect("a name");
    if name("identity").is_subset_of(&name("subject")) {
        Judged::accept()
    } else {
        Judged::reject("an attribute differs")
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn identities(case: &Case) -> Result<Vec<TrustedIdentity>, String> {
    texts(case.input("trusted_identities"))
        .map(|text| TrustedIdentity::parse(text).map_err(|error| error.to_string()))
        .collect()
}

fn identity(case: &Case) -> Judged {
    let certificates = read_certificates(&case.bytes("certificate")).expect("a certificate");
    let judged = identities(case).and_then(|identities| {
        let matching = TrustedIdentity::matching(&identities, certificates[0].subject());
        matching.map(|_| ()).map_err(|mismatch| mismatch.to_string())
    });
    of(judged)
}

fn level(case: &Case) -> Judged {
    let text = case.input("signature_verification").to_string();
    let document = json::read(text.as_bytes(), Bounds::SMALL_DOCUMENT).expect("JSON");
    match SignatureVerification::read(&document.cursor()) {
        Ok(verification) => {
            let actions: Map<String, Value> = ValidationKind::ALL
                .iter()
                .map(|kind| (kind.name().to_owned(), verification.action(*kind).name().into()))
                .collect();
            Judged::accept().with("enforcement", actions)
        }
        Err(error) => Judged::reject(error),
    }
}

/// The trust store that a case describes; a file that cannot be read spoils the store it lies in.
pub(super) fn trust_store(case: &Case) -> TrustStore {
    let mut store = TrustStore::default();
    for (name, files) in case.input("trust_stores").as_object().into_iter().flatten() {
        let certificates = texts(files)
            .map(|file| {
                read_certificates(&case.bytes_at(file)).map_err(|problem| TrustStoreError::File {
                    file: Foreign::new(file),
                    problem,
                })
            })
            .collect::<Result<Vec<_>, _>>();
        let name = name.parse().expect("a store's name");
        store.insert(name, certificates.map(|files| files.concat()));
    }
    store
}

fn descriptor(value: &Value) -> Descriptor {
    let document = json::read(value.to_string().as_bytes(), Bounds::SMALL_DOCUMENT).expect("JSON");
    Descriptor::read(&document.cursor()).expect("a descriptor")
}

fn verify(case: &Case) -> Judged {
    let document = TrustPolicyDocument::parse(&case.bytes("policy")).expect("the policy is legal");
    let applicable = scope(case.text("artifact_reference"))
        .and_then(|scope| document.applicable(scope).map_err(|error| words(&error)));
    let policy = match applicable {
        Ok(Applicable::Judge(policy)) => policy,
        Ok(Applicable::Skip(_)) => return Judged::accept().with("results", json!([])).with("level", "skip"),
        Err(why) => return Judged::reject(why),
    };
    let media_type = case.text("envelope_media_type");
    let format = media_type.parse().ok().as_ref().and_then(EnvelopeFormat::of);
    let Some(format) = format else {
        return Judged::reject(format!("{media_type} is no envelope"));
    };
    let bytes = case.bytes("envelope");
    let evidence = Evidence {
        manifest: Digest::of(&bytes),
        envelope: Envelope::new(format, bytes),
    };
    let pending = Examination {
        evidence: &evidence,
        subject: &descriptor(case.input("target")),
        policy,
        store: &trust_store(case),
        requirements: &requirements(case),
        now: case.time("at").expect("a clock"),
        verifiers: &verifiers(case),
    }
    .run();
    let answers = (0..pending.questions().len()).map(|index| (index, answer(case)));
    let outcome = pending.conclude(&answers.collect());
    let judged = match &outcome {
        Outcome::Accepted(_) => Judged::accept(),
        Outcome::Rejected(rejected) => Judged::reject(rejected.message()),
    };
    detailed(judged, case, outcome.validations()).with("level", policy.verification().level().name())
}

fn requirements(case: &Case) -> Requirements {
    let metadata = case.input("user_metadata").as_object().into_iter().flatten();
    Requirements {
        metadata: metadata
            .map(|(key, value)| (key.clone(), value.as_str().expect("a text").to_owned()))
            .collect::<BTreeMap<_, _>>(),
        signer: None,
    }
}

/// The results as the reference program lists them: what was skipped does not appear, what nobody can tell has failed.
fn detailed(judged: Judged, case: &Case, validations: &[Validation]) -> Judged {
    let made = validations
        .iter()
        .filter(|validation| !matches!(validation.result, ValidationResult::Skipped(_)));
    let word = |validation: &Validation| match validation.result {
        ValidationResult::Passed => "ok",
        _ => "failed",
    };
    let results: Vec<Value> = made
        .clone()
        .map(|validation| json!([validation.kind.name(), validation.action.name(), word(validation)]))
        .collect();
    let judged = judged.with("results", results);
    let wanted = case.detail.get("failed").and_then(Value::as_str);
    let failed = made
        .into_iter()
        .find(|validation| Some(validation.kind.name()) == wanted && word(validation) == "failed");
    match failed {
        None => judged,
        Some(failed) => judged
            .with("failed", failed.kind.name())
            .with("action", failed.action.name()),
    }
}

/// What stands in for the plugin that the case has installed: our own verifier, of the plugin's version, taking into
/// account the attributes that the plugin says it did.
fn verifiers(case: &Case) -> Vec<Verifier> {
    let plugin = case.input("plugin");
    let mut ours = Verifier::aws_signer();
    if plugin["metadata"]["name"] != ours.name() {
        return Vec::new();
    }
    let version = plugin["metadata"]["version"].as_str().unwrap_or_default();
    ours.version = version.parse().expect("a version");
    let processed = &plugin["response"]["processedAttributes"];
    if !processed.is_null() {
        ours.processed = texts(processed).map(str::to_owned).collect();
    }
    vec![ours]
}

/// What the revocation service of the plugin would have said.
fn answer(case: &Case) -> RevocationAnswer {
    let check =
        &case.input("plugin")["response"]["verificationResults"]["SIGNATURE_VERIFIER.REVOCATION_CHECK"];
    let why = check["reason"].as_str().unwrap_or_default();
    match check["success"].as_bool() {
        Some(true) => RevocationAnswer::Good,
        Some(false) if !why.contains("failed") => RevocationAnswer::Revoked(vec![Foreign::new(why)]),
        _ => RevocationAnswer::Unknown(why.to_owned()),
    }
}
