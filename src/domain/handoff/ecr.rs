//! Amazon ECR: its event "ECR Image Action" (F28), and answers of describe-images and put-image (F33).
//!
//! Sources: Amazon ECR user guide, "Amazon ECR events and `EventBridge`"; Amazon ECR API reference, `ImageDetail`, `Image`.
//! Pushes of signatures and attestations are passed over: a run that they start would push again and so start itself.

use super::error::Trouble;
use super::input::Input;
use super::reading::{Reading, What};
use crate::base::tree::{Cursor, Object};
use crate::domain::oci::{ImageRef, Tag};

/// Artifact types of signatures and attestations (Notary signature specification; in-toto attestation framework; cosign).
const ATTACHED: [&str; 4] = [
    "application/vnd.cncf.notary.",
    "application/vnd.in-toto",
    "application/vnd.dev.cosign.",
    "application/vnd.dev.sigstore.",
];

/// F28: one event, or several in an array or under `Records`.
pub(super) fn read_event(input: &Input<'_>, reading: &mut Reading) {
    reading.may_be_empty = true;
    for event in events(input) {
        if let Some(object) = reading.take(event.object()) {
            one_event(&object, reading);
        }
    }
}

fn events<'a>(input: &'a Input<'_>) -> Vec<Cursor<'a>> {
    if let Some(items) = input.items() {
        return items;
    }
    let records = input
        .object()
        .and_then(|object| object.optional("Records")?.array().ok());
    records.unwrap_or_else(|| input.top().into_iter().collect())
}

fn one_event(event: &Object<'_>, reading: &mut Reading) {
    let Some(kind) = reading.take(event.required("detail-type").and_then(|kind| kind.string())) else {
        return;
    };
    if kind != "ECR Image Action" {
        return;
    }
    let Some(detail) = reading.take(event.required("detail").and_then(|detail| detail.object())) else {
        return;
    };
    let word = |name: &str| detail.optional(name).and_then(|member| member.string().ok());
    if word("result") != Some("SUCCESS") || word("action-type") != Some("PUSH") || is_attached(&detail) {
        return;
    }
    let account = reading.take(event.required("account").and_then(|account| account.string()));
    let region = reading.take(event.required("region").and_then(|region| region.string()));
    let digest = reading.digest(detail.required("image-digest"));
    let tag = detail
        .optional("image-tag")
        .filter(|tag| tag.string() != Ok("") && !tag.is_null());
    let tag = tag.map(|tag| reading.take(tag.parse::<Tag>("a tag")));
    let Some(path) = reading.words(detail.required("repository-name")) else {
        return;
    };
    let (Some(account), Some(region)) = (account, region) else {
        return;
    };
    let full = format!("{}/{}", host(account, region), path.text);
    let parsed = full.parse::<ImageRef>().map_err(Trouble::Reference);
    if let (Some(image), Some(digest), Some(tag)) = (
        reading.sound(&path.spot, parsed),
        digest.sound(),
        tag.map_or(Some(None), |tag| tag.map(Some)),
    ) {
        let image = ImageRef::new(image.place().clone(), tag, Some(digest));
        reading.push(What::Image(image), full, path.spot);
    }
}

/// The host of a private registry (Amazon ECR user guide, "Private registry"); partition by region.
pub(super) fn host(account: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("{account}.dkr.ecr.{region}.{suffix}")
}

fn is_attached(detail: &Object<'_>) -> bool {
    ["artifact-media-type", "artifactMediaType"]
        .iter()
        .filter_map(|name| detail.optional(name)?.string().ok())
        .any(|kind| ATTACHED.iter().any(|prefix| kind.starts_with(prefix)))
}

/// F33.
pub(super) fn read_images(input: &Input<'_>, reading: &mut Reading) {
    reading.may_be_empty = true;
    let Some(object) = super::json_object(input, reading) else {
        return;
    };
    if let Some(image) = object.optional("image") {
        if let Some(image) = reading.take(image.object()) {
            put(&image, reading);
        }
        return;
    }
    let details = object
        .required("imageDetails")
        .and_then(|details| details.array());
    for detail in reading.take(details).unwrap_or_default() {
        let Some(detail) = reading.take(detail.object()) else {
            continue;
        };
        if is_attached(&detail) {
            continue;
        }
        let tags = detail.optional("imageTags").filter(|tags| !tags.is_null());
        let tags = tags.and_then(|tags| reading.take(tags.array()));
        add(&detail, &detail, &tags.unwrap_or_default(), reading);
    }
}

fn put(image: &Object<'_>, reading: &mut Reading) {
    if let Some(id) = reading.take(image.required("imageId").and_then(|id| id.object())) {
        let tag: Vec<_> = id.optional("imageTag").into_iter().collect();
        add(image, &id, &tag, reading);
    }
}

/// An image, what identifies it, and its tags.
fn add(image: &Object<'_>, id: &Object<'_>, tags: &[Cursor<'_>], reading: &mut Reading) {
    let mut tags: Vec<Option<Tag>> = tags
        .iter()
        .filter_map(|tag| reading.take(tag.parse("a tag")).map(Some))
        .collect();
    if tags.is_empty() {
        tags.push(None);
    }
    let account = image
        .required("registryId")
        .and_then(|account| match account.string()? {
            text if is_account(text) => Ok(text),
            _ => Err(account.error("an account of 12 digits")),
        });
    let account = reading.take(account);
    let path = reading.take(image.required("repositoryName").and_then(|path| path.string()));
    let words = reading.words(id.required("imageDigest"));
    let digest = words.as_ref().and_then(|words| reading.digest_in(words));
    let (Some(account), Some(path), Some(digest), Some(words)) = (account, path, digest, words) else {
        return;
    };
    for tag in tags {
        let what = What::Ecr {
            account: account.to_owned(),
            path: path.to_owned(),
            tag,
            digest: digest.clone(),
        };
        reading.push(what, format!("{path}@{digest}"), words.spot.clone());
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// D03.
pub(super) fn is_event(input: &Input<'_>) -> bool {
    let fits = |event: &Cursor<'_>| {
        event.object().is_ok_and(|event| {
            let source = event.optional("source").and_then(|source| source.string().ok());
            event.optional("detail-type").is_some() && source == Some("aws.ecr")
        })
    };
    let events = events(input);
    !events.is_empty() && events.iter().all(fits)
}

/// D16.
pub(super) fn is_images(input: &Input<'_>) -> bool {
    let put = input
        .top()
        .and_then(|top| top.pointer("/image/imageId/imageDigest"));
    input.has(&["imageDetails"]) || put.is_some()
}
