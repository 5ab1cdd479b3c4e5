//! Bad input to the shipped binary: one clear error that names the input, what was found, what was expected and what
//! to do, the exit code of its class, and a layout left exactly as it was.

use std::fs;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SignatureAlgorithm,
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::scratch::{Layout, Scratch, hex_of, snapshot, tool};

const DEMO: &str = "oci:demo:1.0";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Demands one failure of a run, and returns what it says: message, then fix.
fn refused(scratch: &Scratch, code: i32, image: &str, more: &[&str]) -> String {
    let layout = scratch.path("demo");
    let before = layout.is_dir().then(|| snapshot(&layout));
    let run = ["run", "--signer=local", "--provenance=off", image];
    let ran = scratch.expect(code, &[&run[..], more].concat());
    let report = scratch.report();
    let failures = report["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{image}: {report}");
    assert_eq!(report["exit"], code, "{image}");
    let text = |member: &str| failures[0][member].as_str().unwrap_or_default().to_owned();
    let (message, hint) = (text("message"), text("hint"));
    assert!(ran.stdout.contains("fix: ") || hint.is_empty(), "{}", ran.stdout);
    assert_eq!(layout.is_dir().then(|| snapshot(&layout)), before, "{image}");
    format!("{message} | {hint}")
}

/// Rewrites a layout's index.
fn edit(scratch: &Scratch, change: impl FnOnce(&mut Value)) {
    let path = scratch.path("demo/index.json");
    let mut index = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut index);
    fs::write(path, index.to_string()).unwrap();
}

fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn names_that_lead_nowhere() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let text = refused(&scratch, 2, DEMO, &["--require-digest"]);
    says(&text, &["expected a digest", DEMO, "inspect"]);
    let text = refused(&scratch, 2, "web:1.4", &[]);
    says(&text, &["web:1.4", "registry"]);
    let text = refused(&scratch, 5, "oci:demo:9.9", &[]);
    says(&text, &["9.9", "1.0"]);
    let text = refused(&scratch, 5, "oci:nowhere:1.0", &[]);
    says(&text, &["nowhere"]);
    edit(&scratch, |index| {
        let mut second = index["manifests"][0].clone();
        second["annotations"] = json!({ "org.opencontainers.image.ref.name": "2.0" });
        second["digest"] = json!(format!("sha256:{}", "1".repeat(64)));
        index["manifests"].as_array_mut().unwrap().push(second);
    });
    let text = refused(&scratch, 2, "oci:demo", &[]);
    says(&text, &["1.0", "2.0"]);
}

#[test]
fn directories_that_are_no_layout() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    fs::remove_file(scratch.path("demo/oci-layout")).unwrap();
    let text = refused(&scratch, 2, DEMO, &[]);
    says(&text, &["demo", "oci-layout"]);
    let scratch = Scratch::new();
    for bytes in [
        &b"{\"schemaVersion\":2,\"manif"[..],
        b"<html>",
        b"",
        b"[]",
        b"\xff\xfe",
    ] {
        scratch.unsigned("demo");
        fs::write(scratch.path("demo/index.json"), bytes).unwrap();
        let text = refused(&scratch, 3, DEMO, &[]);
        says(&text, &["index.json"]);
        fs::remove_dir_all(scratch.path("demo")).unwrap();
    }
}

#[test]
fn blobs_that_are_missing_short_or_of_another_digest() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let blob = scratch
        .path("demo/blobs/sha256")
        .join(Layout::read(&scratch.path("demo")).image());
    let whole = fs::read(&blob).unwrap();
    fs::write(&blob, &whole[..whole.len() - 1]).unwrap();
    let short = refused(&scratch, 6, DEMO, &[]);
    says(&short, &["sha256:"]);
    let mut other = whole.clone();
    other[10] ^= 1;
    fs::write(&blob, &other).unwrap();
    let changed = refused(&scratch, 6, DEMO, &[]);
    says(&changed, &["sha256:"]);
    fs::remove_file(&blob).unwrap();
    let missing = refused(&scratch, 5, DEMO, &[]);
    says(&missing, &[blob.file_name().unwrap().to_str().unwrap()]);
}

#[test]
fn indexes_that_nest_too_deep_or_name_themselves() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let mut layout = Layout::read(&scratch.path("demo"));
    let mut entry = layout.entries()[0].clone();
    for _ in 0..40 {
        let document = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
        entry = layout.add(INDEX, &document);
    }
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "deep" });
    layout.index["manifests"].as_array_mut().unwrap().push(entry);
    fs::remove_dir_all(scratch.path("demo")).unwrap();
    layout.write(&scratch.path("demo"), None, &PathBuf::new());
    let text = refused(&scratch, 2, "oci:demo:deep", &["--recursive=all"]);
    says(&text, &["deep"]);
    // A digest cannot name itself; an index that claims to is told by its bytes, and must not be followed for ever.
    let name = "2".repeat(64);
    let looped = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [
        { "mediaType": INDEX, "digest": format!("sha256:{name}"), "size": 0 }] })
    .to_string();
    let looped = looped.replace("\"size\":0", &format!("\"size\":{}", looped.len() + 2));
    fs::write(scratch.path("demo/blobs/sha256").join(&name), &looped).unwrap();
    edit(&scratch, |index| {
        index["manifests"][0]["digest"] = json!(format!("sha256:{name}"));
        index["manifests"][0]["size"] = json!(looped.len());
    });
    refused(&scratch, 6, DEMO, &["--recursive=all"]);
}

/// What is wrong with a chain that was made.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    Nothing,
    Curve,
    Expired,
    NotForCode,
}

fn key(curve: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(curve).unwrap()
}

fn named(name: &str, days: std::ops::Range<i64>) -> CertificateParams {
    let mut params = CertificateParams::default();
    let subject = &mut params.distinguished_name;
    subject.push(DnType::CountryName, "US");
    subject.push(DnType::StateOrProvinceName, "WA");
    subject.push(DnType::OrganizationName, "Example");
    subject.push(DnType::CommonName, name);
    let now = OffsetDateTime::now_utc();
    params.not_before = now + Duration::days(days.start);
    params.not_after = now + Duration::days(days.end);
    params
}

/// A root and a leaf below it: the leaf's key, and both certificates as PEM.
fn chain(flaw: Flaw) -> (String, String, String) {
    let mut root = named("root", -9..900);
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root = CertifiedIssuer::self_signed(root, key(&PKCS_ECDSA_P384_SHA384)).unwrap();
    let mut leaf = named("leaf", if flaw == Flaw::Expired { -8..-1 } else { -8..80 });
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![if flaw == Flaw::NotForCode {
        ExtendedKeyUsagePurpose::ServerAuth
    } else {
        ExtendedKeyUsagePurpose::CodeSigning
    }];
    let leaf_key = key(if flaw == Flaw::Curve {
        &PKCS_ECDSA_P256_SHA256
    } else {
        &PKCS_ECDSA_P384_SHA384
    });
    let leaf = leaf.signed_by(&leaf_key, &root).unwrap();
    (leaf_key.serialize_pem(), leaf.pem(), root.pem())
}

fn given(scratch: &Scratch, key: &str, chain: &str) {
    fs::write(scratch.path("key.pem"), key).unwrap();
    fs::write(scratch.path("chain.pem"), chain).unwrap();
}

const GIVEN: [&str; 2] = ["--local-key=key.pem", "--local-chain=chain.pem"];

#[test]
fn keys_and_chains_that_do_not_do() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let (good_key, leaf, root) = chain(Flaw::Nothing);
    let (other_key, other_leaf, _) = chain(Flaw::Nothing);
    let whole = format!("{leaf}{root}");
    let cases: [(&str, &str, String, &[&str]); 8] = [
        ("mismatch", &other_key, whole.clone(), &["key"]),
        (
            "order",
            &good_key,
            format!("{root}{leaf}"),
            &["order the certificates"],
        ),
        ("stranger", &good_key, format!("{leaf}{other_leaf}"), &["issue"]),
        ("no root", &good_key, leaf.clone(), &["root"]),
        ("no key", &leaf, whole.clone(), &["key"]),
        ("no text", "\u{0}\u{1}", whole.clone(), &["key"]),
        ("no chain", &good_key, "nothing".to_owned(), &["certificate"]),
        ("cut key", &good_key[..80], whole.clone(), &["key"]),
    ];
    for (what, key, chain, words) in cases {
        given(&scratch, key, &chain);
        let text = refused(&scratch, 2, DEMO, &GIVEN);
        println!("{what}: {text}");
        says(&text.to_lowercase(), words);
        says(&text, &["key.pem", "chain.pem"]);
    }
    for (flaw, words) in [
        (Flaw::Curve, &["P-384", "P-256"][..]),
        (Flaw::Expired, &["valid at", "until"]),
        (Flaw::NotForCode, &["code"]),
    ] {
        let (key, leaf, root) = chain(flaw);
        given(&scratch, &key, &format!("{leaf}{root}"));
        let text = refused(&scratch, 2, DEMO, &GIVEN);
        println!("flaw: {text}");
        says(&text, words);
    }
    fs::remove_file(scratch.path("key.pem")).unwrap();
    says(&refused(&scratch, 2, DEMO, &GIVEN), &["key.pem"]);
    given(&scratch, &good_key, &whole);
    scratch.expect(
        0,
        &[&["run", "--signer=local", "--provenance=off", DEMO][..], &GIVEN].concat(),
    );
    scratch.verify(0, DEMO, &GIVEN);
    scratch.verify(0, DEMO, &["--local-chain=chain.pem"]);
}

#[test]
fn a_key_and_chain_that_openssl_made() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let here = scratch.path("");
    let subject = |name: &str| format!("/C=US/ST=WA/O=Example/CN={name}");
    let (ca, leaf) = (subject("ca"), subject("leaf"));
    fs::write(
        scratch.path("leaf.cnf"),
        "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n",
    )
    .unwrap();
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes"];
    let root = [
        "req", "-x509", "-days", "30", "-keyout", "ca.key", "-out", "ca.pem", "-subj", &ca,
    ];
    let usage = ["-addext", "keyUsage=critical,keyCertSign", "-sha384"];
    let request = [
        "req", "-new", "-keyout", "key.pem", "-out", "leaf.csr", "-subj", &leaf,
    ];
    let issue = "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -sha384 -extfile leaf.cnf -out leaf.pem";
    let issue: Vec<&str> = issue.split(' ').collect();
    for args in [
        &[&root[..], &curve, &usage].concat(),
        &[&request[..], &curve].concat(),
        &issue,
    ] {
        let Some(output) = tool(&here, "openssl", args) else {
            return;
        };
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
    let pem = |name: &str| fs::read_to_string(scratch.path(name)).unwrap();
    fs::write(scratch.path("chain.pem"), pem("leaf.pem") + &pem("ca.pem")).unwrap();
    scratch.sign(0, DEMO, &GIVEN);
    scratch.verify(0, DEMO, &GIVEN);
    let signature = hex_of(&Layout::read(&scratch.path("demo")).entries()[1]);
    assert_eq!(signature.len(), 64);
    // SEC 1, as `openssl ecparam -genkey` writes it.
    let output = tool(&here, "openssl", &["ec", "-in", "key.pem", "-out", "sec1.pem"]).unwrap();
    assert!(output.status.success());
    scratch.sign(0, DEMO, &["--local-key=sec1.pem", "--local-chain=chain.pem"]);
    assert_eq!(scratch.report()["targets"][0]["state"], "kept");
}
