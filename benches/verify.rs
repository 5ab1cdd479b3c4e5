//! One AWS-shaped signature, bytes in to outcome out, against the bare cryptography in it.
//!
//! `cargo bench --bench verify`; the aim is a judgement within 1.5 times the five verifications it cannot do without.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::hint::black_box;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::base::time::Timestamp;
use countersign::domain::notary::{Envelope, EnvelopeFormat, Payload};
use countersign::domain::oci::{Digest, LayoutPath, Manifest, MediaType, Place, Subject};
use countersign::domain::trust::{
    Applicable, Evidence, Outcome, Requirements, RevocationAnswer, TrustPolicyDocument, TrustStore, examine,
};
use countersign::domain::x509::Certificate;
use criterion::{Criterion, criterion_group, criterion_main};
use der::{Decode as _, Encode as _};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P384_SHA384,
};
use serde_json::json;

/// Leaf, two intermediates, root, as AWS Signer has them.
const CERTIFICATES: usize = 4;

const POLICY: &str = r#"{"version": "1.0", "trustPolicies": [{"name": "release", "registryScopes": ["*"],
    "signatureVerification": {"level": "strict"}, "trustStores": ["signingAuthority:aws-signer-ts"],
    "trustedIdentities": ["arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release"]}]}"#;

fn chain() -> (Vec<Certificate>, KeyPair) {
    let params: Vec<CertificateParams> = (0..CERTIFICATES).map(params).collect();
    let keys: Vec<KeyPair> = (0..CERTIFICATES)
        .map(|_| KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap())
        .collect();
    let certificates = (0..CERTIFICATES).map(|index| {
        let above = (index + 1).min(CERTIFICATES - 1);
        let issuer = Issuer::from_params(&params[above], &keys[above]);
        let certificate = params[index].signed_by(&keys[index], &issuer).unwrap();
        Certificate::from_der(certificate.der()).unwrap()
    });
    (certificates.collect(), keys.into_iter().next().unwrap())
}

fn params(index: usize) -> CertificateParams {
    let mut params = CertificateParams::default();
    for (kind, value) in [
        (DnType::CountryName, "US"),
        (DnType::StateOrProvinceName, "WA"),
        (DnType::OrganizationName, "Bench"),
    ] {
        params.distinguished_name.push(kind, value);
    }
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Bench {index}"));
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    if index == 0 {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    } else {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    }
    params
}

/// A protected header as AWS Signer writes it.
fn header() -> String {
    json!({
        "alg": "ES384",
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": ["io.cncf.notary.signingScheme", "io.cncf.notary.authenticSigningTime", "io.cncf.notary.expiry",
            "io.cncf.notary.verificationPlugin", "com.amazonaws.signer.signingProfileVersion",
            "com.amazonaws.signer.signingJob"],
        "io.cncf.notary.signingScheme": "notary.x509.signingAuthority",
        "io.cncf.notary.authenticSigningTime": "2025-03-01T12:00:00Z",
        "io.cncf.notary.expiry": "2036-06-01T12:00:00Z",
        "io.cncf.notary.verificationPlugin": "com.amazonaws.signer.notation.plugin",
        "com.amazonaws.signer.signingProfileVersion":
            "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release/OF8IVUsPJq",
        "com.amazonaws.signer.signingJob":
            "arn:aws:signer:eu-west-1:111122223333:/signing-jobs/97af3947-0000-4000-8000-000000000000",
    })
    .to_string()
}

/// What has to be verified, with nothing around it: keys, messages and signatures.
struct Bare {
    certificates: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>,
    envelope: (Vec<u8>, Vec<u8>, Vec<u8>),
}

impl Bare {
    fn new(chain: &[Certificate], message: &[u8], signature: &[u8]) -> Self {
        let parsed: Vec<x509_cert::Certificate> = chain
            .iter()
            .map(|certificate| x509_cert::Certificate::from_der(certificate.der()).unwrap())
            .collect();
        let key = |index: usize| {
            let info = parsed[index].tbs_certificate().subject_public_key_info();
            info.subject_public_key.raw_bytes().to_vec()
        };
        let certificates = (0..CERTIFICATES).map(|index| {
            let signed = parsed[index].tbs_certificate().to_der().unwrap();
            let signature = parsed[index].signature().raw_bytes().to_vec();
            (key((index + 1).min(CERTIFICATES - 1)), signed, signature)
        });
        Self {
            certificates: certificates.collect(),
            envelope: (key(0), message.to_vec(), signature.to_vec()),
        }
    }

    fn verify(&self) {
        for (key, message, signature) in &self.certificates {
            let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, key);
            key.verify(black_box(message), signature).unwrap();
        }
        let (key, message, signature) = &self.envelope;
        let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key);
        key.verify(black_box(message), signature).unwrap();
    }
}

fn verify(criterion: &mut Criterion) {
    let (chain, leaf_key) = chain();
    let index =
        br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let manifest = Manifest::parse(index.to_vec(), &MediaType::OCI_INDEX).unwrap();
    let subject = Subject::of(Place::Layout(LayoutPath::new("image")), &manifest);
    let payload = Payload::new(&subject, &BTreeMap::new()).unwrap();

    let protected = URL_SAFE_NO_PAD.encode(header());
    let body = URL_SAFE_NO_PAD.encode(payload.bytes());
    let message = format!("{protected}.{body}");
    let signature: p384::ecdsa::Signature = {
        use p384::ecdsa::signature::Signer as _;
        use p384::pkcs8::DecodePrivateKey as _;
        let key = p384::ecdsa::SigningKey::from_pkcs8_der(&leaf_key.serialize_der()).unwrap();
        key.sign(message.as_bytes())
    };
    let signature = signature.to_bytes();
    let x5c: Vec<String> = chain
        .iter()
        .map(|certificate| STANDARD.encode(certificate.der()))
        .collect();
    let jws = json!({"payload": body, "protected": protected, "header": {"x5c": x5c},
        "signature": URL_SAFE_NO_PAD.encode(signature)});
    let bytes = jws.to_string().into_bytes();

    let document = TrustPolicyDocument::parse(POLICY.as_bytes()).unwrap();
    let Ok(Applicable::Judge(policy)) = document.applicable("*") else {
        return;
    };
    let mut store = TrustStore::default();
    let root = chain.last().unwrap().clone();
    store.insert("signingAuthority:aws-signer-ts".parse().unwrap(), Ok(vec![root]));
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let requirements = Requirements::default();
    let judge = || {
        let bytes = black_box(&bytes).clone();
        let evidence = Evidence {
            manifest: Digest::of(&bytes),
            envelope: Envelope::new(EnvelopeFormat::Jws, bytes),
        };
        let pending = examine(&evidence, &subject, policy, &store, &requirements, now);
        pending.conclude(&BTreeMap::from([(0, RevocationAnswer::Good)]))
    };
    assert!(matches!(judge(), Outcome::Accepted(_)));
    let bare = Bare::new(&chain, message.as_bytes(), &signature);

    let mut group = criterion.benchmark_group("verify");
    group.bench_function("bytes to outcome", |bencher| bencher.iter(judge));
    group.bench_function("bare cryptography", |bencher| bencher.iter(|| bare.verify()));
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
