//! Signature envelopes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::base::tree::Value as Parsed;
use countersign::domain::notary::{
    Envelope, EnvelopeFormat, ExtendedAttribute, IntactEnvelope, Payload, SigningAttributes, UnsignedJws,
};
use countersign::domain::oci::{ImageRef, Manifest, MediaType, Subject};
use countersign::domain::x509::KeySpec;
use serde_json::{Value, json};

use super::{Case, Judged};

/// Judges the kinds of this module.
pub(super) fn judge(case: &Case) -> Option<Judged> {
    Some(match case.kind.as_str() {
        "envelope" => envelope(case),
        "encode-protected-header" => encode(case),
        _ => return None,
    })
}

fn envelope(case: &Case) -> Judged {
    let media_type = case.text("envelope_media_type").parse::<MediaType>();
    let Some(format) = media_type
        .ok()
        .and_then(|media_type| EnvelopeFormat::of(&media_type))
    else {
        return Judged::reject("not the media type of an envelope");
    };
    let intact = match IntactEnvelope::open(&Envelope::new(format, case.bytes("envelope"))) {
        Ok(intact) => intact,
        Err(error) => return Judged::reject(format!("{error:?}")),
    };
    let time = intact
        .signing_time()
        .or(intact.authentic_signing_time())
        .expect("a signing time");
    let expiry = intact.expiry().map(|expiry| expiry.to_string());
    let mut extended: Vec<&ExtendedAttribute> = intact.extended_attributes().iter().collect();
    extended.sort_by_key(|attribute| &attribute.key);
    let extended: Vec<Value> = extended.into_iter().map(attribute).collect();
    Judged::accept()
        .with("key_spec", intact.chain().key_spec().to_string())
        .with("signing_scheme", intact.scheme().to_string())
        .with("signing_time", time.to_string())
        .with("expiry", expiry)
        .with("chain_len", intact.chain().certificates().len())
        .with("has_timestamp", intact.timestamp().is_some())
        .with("extended_attributes", extended)
}

fn attribute(attribute: &ExtendedAttribute) -> Value {
    let value = match &attribute.value {
        Parsed::Text(text) => json!(text),
        Parsed::Number(digits) => serde_json::from_str(digits).expect("a number"),
        Parsed::Bool(value) => json!(value),
        other => json!(format!("{other:?}")),
    };
    json!({"key": attribute.key, "critical": attribute.critical, "value": value})
}

/// We write protected headers for local keys only, and those have no extended attributes; the rest is compared byte
/// for byte.
fn encode(case: &Case) -> Judged {
    let wanted = case.input("attributes");
    if wanted["extended_attributes"]
        .as_array()
        .is_some_and(|extended| !extended.is_empty())
    {
        return Judged::reject("extended attributes are never written");
    }
    let keys = [
        KeySpec::Rsa2048,
        KeySpec::Rsa3072,
        KeySpec::Rsa4096,
        KeySpec::P256,
        KeySpec::P384,
        KeySpec::P521,
    ];
    let Some(key) = keys
        .into_iter()
        .find(|key| key.jws_algorithm() == case.text("alg"))
    else {
        return Judged::reject("no key has this algorithm");
    };
    let time = |name: &str| wanted[name].as_str().map(|text| text.parse().expect("a time"));
    let attributes = SigningAttributes {
        signing_time: time("signing_time").expect("a signing time"),
        expiry: time("expiry"),
        agent: String::new(),
    };
    let input = UnsignedJws::new(&any_payload(), &attributes, key)
        .signing_input()
        .to_vec();
    let protected = input.split(|byte| *byte == b'.').next().expect("a header");
    assert!(URL_SAFE_NO_PAD.decode(protected).is_ok());
    Judged::accept().with(
        "protected_base64url",
        String::from_utf8(protected.to_vec()).expect("ASCII"),
    )
}

fn any_payload() -> Payload {
    let image: ImageRef = "registry.example.com/a:1".parse().expect("a reference");
    let bytes = br#"{"schemaVersion":2,"manifests":[]}"#.to_vec();
    let manifest = Manifest::parse(bytes, &MediaType::OCI_INDEX).expect("an index");
    Payload::new(&Subject::of(image.place().clone(), &manifest), &BTreeMap::new()).expect("a payload")
}
