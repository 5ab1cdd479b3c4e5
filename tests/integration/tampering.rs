//! Every accepted envelope among the vectors, tampered with; every ES384 signature, judged by two libraries.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::domain::notary::{Envelope, EnvelopeFormat, IntactEnvelope};
use countersign::domain::x509::{Certificate, KeySpec, verify_signature};
use p384::ecdsa::signature::Verifier as _;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::vectors::{self, Case};

/// The envelopes among the vectors, of whatever kind of case, that are JSON objects.
fn envelopes() -> Vec<(Case, Value)> {
    let cases = vectors::load(&vectors::directory()).into_iter();
    cases
        .filter(|case| case.has_file("envelope"))
        .filter_map(|case| {
            let jws: Value = serde_json::from_slice(&case.bytes("envelope")).ok()?;
            jws.is_object().then_some((case, jws))
        })
        .collect()
}

/// The envelopes of every case that has to be accepted, each once. A case may also be accepted for what is not in its
/// envelope, or because a policy says not to look; then an envelope that does not open is left out.
fn accepted() -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for (case, jws) in envelopes() {
        if !case.is_to_be_accepted() || found.contains(&jws) {
            continue;
        }
        let opens = open(&jws);
        assert!(opens || case.kind != "envelope", "{}", case.name);
        if opens {
            found.push(jws);
        }
    }
    found
}

fn open(jws: &Value) -> bool {
    let bytes = jws.to_string().into_bytes();
    IntactEnvelope::open(&Envelope::new(EnvelopeFormat::Jws, bytes)).is_ok()
}

fn flip(mut bytes: Vec<u8>, bit: Index) -> Vec<u8> {
    let bit = bit.index(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// The JWS with one bit flipped in what a member decodes to.
fn flip_member(jws: &Value, member: &str, bit: Index) -> Value {
    let bytes = URL_SAFE_NO_PAD
        .decode(jws[member].as_str().expect("text"))
        .expect("base64url");
    let mut flipped = jws.clone();
    flipped[member] = json!(URL_SAFE_NO_PAD.encode(flip(bytes, bit)));
    flipped
}

/// The JWS with one bit flipped in one of its certificates.
fn flip_certificate(jws: &Value, which: Index, bit: Index) -> Value {
    let number = which.index(jws["header"]["x5c"].as_array().expect("a list").len());
    let der = STANDARD
        .decode(jws["header"]["x5c"][number].as_str().expect("text"))
        .expect("base64");
    let mut flipped = jws.clone();
    flipped["header"]["x5c"][number] = json!(STANDARD.encode(flip(der, bit)));
    flipped
}

#[test]
fn no_bit_of_an_accepted_envelope_can_be_flipped() {
    let accepted = accepted();
    assert!(accepted.len() >= 60, "{} envelopes", accepted.len());
    for jws in &accepted {
        proptest!(ProptestConfig::with_cases(24), |(which: Index, bit: Index)| {
            for member in ["payload", "protected", "signature"] {
                prop_assert!(!open(&flip_member(jws, member, bit)), "{member}");
            }
            prop_assert!(!open(&flip_certificate(jws, which, bit)), "x5c");
        });
    }
}

/// A copy of a layout in which one bit of some blobs is flipped, under their old names.
fn flip_blobs(layout: &Path, blobs: &[PathBuf], bit: Index) -> TempDir {
    let copy = TempDir::new().expect("a scratch directory");
    fs::create_dir_all(copy.path().join("blobs/sha256")).expect("a directory");
    for file in ["oci-layout", "index.json"] {
        fs::copy(layout.join(file), copy.path().join(file)).expect("a copy");
    }
    for entry in fs::read_dir(layout.join("blobs/sha256")).expect("blobs") {
        let from = entry.expect("an entry").path();
        let bytes = fs::read(&from).expect("a blob");
        let bytes = if blobs.contains(&from) {
            flip(bytes, bit)
        } else {
            bytes
        };
        let name = from.file_name().expect("a name");
        fs::write(copy.path().join("blobs/sha256").join(name), bytes).expect("a blob");
    }
    copy
}

/// The manifests of a layout that name a subject, and those that others name as theirs.
fn manifests(layout: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let blobs = layout.join("blobs/sha256");
    let (mut signatures, mut images) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(&blobs).expect("blobs") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a blob");
        let Ok(manifest) = serde_json::from_slice::<Value>(&bytes) else {
            continue;
        };
        if let Some(subject) = manifest["subject"]["digest"].as_str() {
            images.push(blobs.join(subject.trim_start_matches("sha256:")));
            signatures.push(path);
        }
    }
    (signatures, images)
}

#[test]
fn no_bit_of_a_manifest_in_an_accepted_layout_can_be_flipped() {
    let cases = vectors::load(&vectors::directory()).into_iter();
    let layouts: Vec<Case> = cases
        .filter(|case| case.kind == "oci-layout-verify" && case.is_to_be_accepted() && !case.holds_cose())
        .collect();
    assert!(layouts.len() >= 5, "{} layouts", layouts.len());
    for case in &layouts {
        let layout = case.path("layout");
        let (signatures, images) = manifests(&layout);
        proptest!(ProptestConfig::with_cases(12), |(bit: Index)| {
            for manifests in [&signatures, &images] {
                let flipped = flip_blobs(&layout, manifests, bit);
                prop_assert!(!vectors::layouts::accepts(&case.in_layout(flipped.path())), "{}", case.name);
            }
        });
        assert!(vectors::layouts::accepts(case), "{}", case.name);
    }
}

#[test]
fn certificates_of_an_accepted_envelope_cannot_be_removed_or_repeated() {
    for jws in accepted() {
        let x5c = jws["header"]["x5c"].as_array().expect("a list").clone();
        for index in 0..x5c.len() {
            let mut changed = jws.clone();
            changed["header"]["x5c"]
                .as_array_mut()
                .expect("a list")
                .remove(index);
            assert!(!open(&changed), "without certificate {index}");
            changed["header"]["x5c"] = json!(x5c);
            changed["header"]["x5c"]
                .as_array_mut()
                .expect("a list")
                .insert(index, x5c[index].clone());
            assert!(!open(&changed), "certificate {index} twice");
        }
    }
}

/// The leaf, the signing input and the signature value of a JWS, where they can be decoded.
fn raw_parts(jws: &Value) -> Option<(Certificate, Vec<u8>, Vec<u8>)> {
    let leaf = STANDARD.decode(jws["header"]["x5c"][0].as_str()?).ok()?;
    let input = format!("{}.{}", jws["protected"].as_str()?, jws["payload"].as_str()?);
    let signature = URL_SAFE_NO_PAD.decode(jws["signature"].as_str()?).ok()?;
    Some((Certificate::from_der(&leaf).ok()?, input.into_bytes(), signature))
}

/// What the p384 crate says.
fn second_opinion(point: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point);
    let signature = p384::ecdsa::Signature::from_slice(signature);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok())
}

#[test]
fn two_libraries_agree_on_every_es384_signature() {
    let (mut good, mut bad) = (0, 0);
    for (case, jws) in envelopes() {
        let Some((leaf, message, signature)) = raw_parts(&jws) else {
            continue;
        };
        let (Ok(KeySpec::P384), Some(point)) = (leaf.key_spec(), leaf.public_key().point()) else {
            continue;
        };
        let algorithm = KeySpec::P384.envelope_algorithm();
        let agree = |message: &[u8], signature: &[u8]| {
            let ours = verify_signature(leaf.public_key(), algorithm, message, signature).is_ok();
            assert_eq!(ours, second_opinion(point, message, signature), "{}", case.name);
            ours
        };
        if agree(&message, &signature) {
            good += 1;
        } else {
            bad += 1;
        }
        proptest!(ProptestConfig::with_cases(16), |(bit: Index)| {
            agree(&flip(message.clone(), bit), &signature);
            if !signature.is_empty() {
                agree(&message, &flip(signature.clone(), bit));
            }
        });
    }
    assert!(
        good >= 3 && good + bad >= 4,
        "{good} good and {bad} bad signatures"
    );
}
