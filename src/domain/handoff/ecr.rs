//! Amazon ECR: its event "ECR Image Action" (F28), and answers of describe-images and put-image (F33).
//!
//! Sources: Amazon ECR user guide, "Amazon ECR events and `EventBridge`"; Amazon ECR API reference, `ImageDetail`, `Image`.
//! Pushes of signatures and attestations are passed over: a run that they start would push again and so start itself.

use super::error::Trouble;
use super::input::Input;
use super::reading::{Reading, What, spot};
use crate::base::foreign::Foreign;
use crate::base::tree::{Cursor, Object};
use crate::domain::oci::{Digest, ImageRef, Tag};

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
    let path = reading.take(detail.required("repository-name"));
    let digest = reading.take(detail.required("image-digest"));
    let (Some(account), Some(region), Some(path), Some(digest)) = (account, region, path, digest) else {
        return;
    };
    let (Some(name), Some(digest)) = (reading.take(path.string()), reading.digest(&digest)) else {
        return;
    };
    let full = format!("{}/{name}", host(account, region));
    let tag = word("image-tag").filter(|tag| !tag.is_empty());
    let tag = tag.map(str::parse).transpose().map_err(Trouble::Reference);
    let parsed = full.parse::<ImageRef>().map_err(Trouble::Reference);
    if let (Some(image), Some(tag)) = (
        reading.sound(&spot(&path), parsed),
        reading.sound(&spot(&path), tag),
    ) {
        let image = ImageRef::new(image.place().clone(), tag, Some(digest));
        reading.push(What::Image(image), full, spot(&path));
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
        let Some(member) = reading.take(detail.required("imageDigest")) else {
            continue;
        };
        let Some(digest) = reading.digest(&member) else {
            continue;
        };
        let tags = detail.optional("imageTags").filter(|tags| !tags.is_null());
        let tags = tags
            .and_then(|tags| reading.take(tags.array()))
            .unwrap_or_default();
        let read: Vec<Tag> = tags
            .iter()
            .filter_map(|tag| reading.take(tag.parse("a tag")))
            .collect();
        add(&detail, &digest, read, &member, reading);
    }
}

fn put(image: &Object<'_>, reading: &mut Reading) {
    let Some(id) = reading.take(image.required("imageId").and_then(|id| id.object())) else {
        return;
    };
    let Some(member) = reading.take(id.required("imageDigest")) else {
        return;
    };
    let Some(digest) = reading.digest(&member) else {
        return;
    };
    let tag = id
        .optional("imageTag")
        .and_then(|tag| reading.take(tag.parse("a tag")));
    add(image, &digest, tag.into_iter().collect(), &member, reading);
}

fn add(image: &Object<'_>, digest: &Digest, tags: Vec<Tag>, at: &Cursor<'_>, reading: &mut Reading) {
    let account = reading.take(image.required("registryId").and_then(|account| account.string()));
    let path = reading.take(image.required("repositoryName").and_then(|path| path.string()));
    let (Some(account), Some(path)) = (account, path) else {
        return;
    };
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        let found = Foreign::new(account);
        return reading.trouble(
            spot(at),
            Trouble::Value {
                expected: "an account of 12 digits",
                found,
            },
        );
    }
    let tags = if tags.is_empty() {
        vec![None]
    } else {
        tags.into_iter().map(Some).collect()
    };
    for tag in tags {
        let what = What::Ecr {
            account: account.to_owned(),
            path: path.to_owned(),
            tag,
            digest: digest.clone(),
        };
        reading.push(what, format!("{path}@{digest}"), spot(at));
    }
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
