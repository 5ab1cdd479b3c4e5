//! Every accepted envelope among the vectors, tampered with; every ES384 signature, judged by two libraries.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::domain::notary::{Envelope, EnvelopeFormat, IntactEnvelope};
use countersign::domain::x509::{Certificate, KeySpec, verify_signature};
use p384::ecdsa::signature::Verifier as _;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

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

/// The envelopes that have to be accepted as such.
fn accepted() -> Vec<Value> {
    envelopes()
        .into_iter()
        .filter(|(case, _)| case.kind == "envelope" && case.is_to_be_accepted())
        .map(|(_, jws)| jws)
        .collect()
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
    assert!(accepted.len() >= 15, "{} envelopes", accepted.len());
    for jws in &accepted {
        assert!(open(jws), "{jws}");
        proptest!(ProptestConfig::with_cases(48), |(which: Index, bit: Index)| {
            for member in ["payload", "protected", "signature"] {
                prop_assert!(!open(&flip_member(jws, member, bit)), "{member}");
            }
            prop_assert!(!open(&flip_certificate(jws, which, bit)), "x5c");
        });
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
