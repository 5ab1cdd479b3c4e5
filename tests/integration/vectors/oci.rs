//! References, signature manifests, referrers and payloads.

use std::collections::BTreeMap;

use countersign::base::json;
use countersign::base::limits::Bounds;
use countersign::domain::notary::{SignedPayload, signature_manifest};
use countersign::domain::oci::{Descriptor, Digest, ImageRef, Manifest, MediaType};
use serde_json::Value;

use super::{Case, Judged};

/// Judges the kinds of this module.
pub(super) fn judge(case: &Case) -> Option<Judged> {
    Some(match case.kind.as_str() {
        "artifact-reference" => reference(case),
        "signature-manifest" => manifest(case),
        "referrer-filter" => referrers(case),
        "payload-match" => payload(case),
        _ => return None,
    })
}

/// A descriptor among the inputs.
pub(super) fn descriptor(value: &Value) -> Descriptor {
    let bytes = value.to_string().into_bytes();
    let document = json::read(&bytes, Bounds::SMALL_DOCUMENT).expect("JSON");
    Descriptor::read(&document.cursor()).expect("a descriptor")
}

fn reference(case: &Case) -> Judged {
    match case.text("reference").parse::<ImageRef>() {
        Ok(image) if image.tag().is_some() || image.digest().is_some() => Judged::accept(),
        Ok(_) => Judged::reject("neither tag nor digest"),
        Err(error) => Judged::reject(error),
    }
}

fn manifest(case: &Case) -> Judged {
    let bytes = case.bytes("manifest");
    let declared = case.input("declared_size").as_u64();
    if declared.is_some_and(|declared| declared != bytes.len() as u64) {
        return Judged::reject("the manifest does not have the declared size");
    }
    let envelope = parse(bytes, case.text("manifest_media_type")).and_then(|manifest| {
        signature_manifest::single_envelope(&manifest).map_err(|error| error.to_string())
    });
    match envelope {
        Err(error) => Judged::reject(error),
        Ok((layer, _)) => {
            let stored = case.bytes("envelope");
            if layer.digest.matches(&stored) && layer.size == stored.len() as u64 {
                Judged::accept()
            } else {
                Judged::reject("the envelope has another digest or size")
            }
        }
    }
}

fn parse(bytes: Vec<u8>, media_type: &str) -> Result<Manifest, String> {
    let media_type: MediaType = media_type.parse().map_err(|error| format!("{error}"))?;
    Manifest::parse(bytes, &media_type).map_err(|error| error.to_string())
}

fn referrers(case: &Case) -> Judged {
    let subject = descriptor(case.input("subject"));
    let mut signatures = Vec::new();
    for listed in case.input("manifests").as_array().expect("manifests") {
        let bytes = case.bytes_at(listed["file"].as_str().expect("a file"));
        let announced = listed["mediaType"]
            .as_str()
            .expect("a media type")
            .parse()
            .expect("a media type");
        match signature_manifest::claims_to_sign(&bytes, &announced, &subject) {
            Ok(true) => signatures.push(Digest::of(&bytes).to_string()),
            Ok(false) => {}
            Err(error) => return Judged::reject(error),
        }
    }
    if signatures.is_empty() {
        Judged::reject("no signature")
    } else {
        Judged::accept().with("signatures", signatures)
    }
}

fn payload(case: &Case) -> Judged {
    let target = descriptor(case.input("target"));
    let metadata = case
        .input("user_metadata")
        .as_object()
        .cloned()
        .unwrap_or_default();
    let metadata: BTreeMap<String, String> = metadata
        .into_iter()
        .map(|(key, value)| (key, value.as_str().expect("text").to_owned()))
        .collect();
    Judged::of(SignedPayload::read(&case.bytes("payload")).and_then(|payload| {
        payload.check_target(&target)?;
        payload.check_metadata(&metadata)
    }))
}
