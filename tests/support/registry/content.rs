//! Manifests, referrers, blobs and uploads.

use std::time::Instant;

use axum::http::Method;
use countersign::domain::oci::{Digest, MediaType};
use serde_json::{Value, json};

use super::super::http::{Request, Response};
use super::{Registry, Repo, State, Stored};

/// The media type of an index, which referrers lists and fallback tags are.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Registry {
    pub(super) fn manifest(&self, request: &Request, name: &str, reference: &str) -> Response {
        let mut state = self.state.lock().unwrap();
        if request.method == Method::PUT {
            return self.push_manifest(&mut state, request, name, reference);
        }
        let Some(repo) = state.repos.get_mut(name) else {
            return Response::registry_error(404, "NAME_UNKNOWN", "repository name not known to registry");
        };
        let mut digest = repo
            .tags
            .get(reference)
            .cloned()
            .unwrap_or_else(|| reference.to_owned());
        if self.quirks.fallback_tag_is_subject && !repo.manifests.contains_key(&digest) {
            digest = reference.replacen("sha256-", "sha256:", 1);
        }
        if !repo.manifests.contains_key(&digest) {
            return Response::registry_error(404, "MANIFEST_UNKNOWN", "manifest unknown");
        }
        if request.method == Method::DELETE {
            if !self.quirks.deletes {
                return Response::registry_error(405, "UNSUPPORTED", "The operation is unsupported.");
            }
            repo.manifests.remove(&digest);
            repo.tags.retain(|_, of| *of != digest);
            return Response::new(202);
        }
        let stored = &repo.manifests[&digest];
        let mut answer = Response::new(200)
            .with("content-type", &stored.media_type)
            .with("docker-content-digest", &digest)
            .body(stored.bytes.clone());
        if self.quirks.etags {
            answer.set("etag", &format!("\"{digest}\""));
        }
        answer
    }

    pub(super) fn push_manifest(
        &self,
        state: &mut State,
        request: &Request,
        name: &str,
        reference: &str,
    ) -> Response {
        if let Some((rate, burst)) = self.quirks.manifest_quota {
            let now = Instant::now();
            let (tokens, last) = state.quota.unwrap_or((burst, now));
            let tokens = (tokens + now.duration_since(last).as_secs_f64() * rate).min(burst);
            state.quota = Some((tokens.max(1.0) - 1.0, now));
            if tokens < 1.0 {
                state.quota = Some((tokens, now));
                return Response::registry_error(429, "TOOMANYREQUESTS", "Rate exceeded");
            }
        }
        if !self.quirks.creates_repositories && !state.repos.contains_key(name) {
            let message = format!("The repository with name '{name}' does not exist in the registry");
            return Response::registry_error(404, "NAME_UNKNOWN", &message);
        }
        let order = state.next();
        let repo = state.repos.entry(name.to_owned()).or_default();
        let invalid = |message: &str| Response::registry_error(400, "MANIFEST_INVALID", message);
        let Ok(manifest) = serde_json::from_slice::<Value>(&request.body) else {
            return invalid("not JSON");
        };
        let media_type = request.header("content-type").to_owned();
        if manifest
            .get("mediaType")
            .and_then(Value::as_str)
            .is_some_and(|own| own != media_type)
        {
            return invalid("mediaType does not equal Content-Type");
        }
        if self.quirks.strict_media_types
            && !media_types(&manifest)
                .iter()
                .all(|text| is_plain_media_type(text))
        {
            return Response::registry_error(
                405,
                "UNSUPPORTED",
                "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'",
            );
        }
        let digest = Digest::of(&request.body).to_string();
        let named = reference.contains(':');
        if named && reference != digest {
            return Response::registry_error(
                400,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            );
        }
        if let Some(unknown) = missing_blob(&manifest, repo) {
            let message = format!("blob unknown to registry: {unknown}");
            return Response::registry_error(404, "MANIFEST_BLOB_UNKNOWN", &message);
        }
        let subject = subject_of(&request.body);
        if self.quirks.subject_must_exist
            && subject
                .as_ref()
                .is_some_and(|subject| !repo.manifests.contains_key(subject))
        {
            return Response::registry_error(404, "MANIFEST_UNKNOWN", "subject manifest unknown");
        }
        if !named {
            let now = repo.tags.get(reference).map(String::as_str);
            if self.quirks.etags && !holds(request, now) {
                return Response::registry_error(412, "PRECONDITION_FAILED", "the tag has moved");
            }
            if self.quirks.immutable_tags && repo.tags.contains_key(reference) {
                let message = format!(
                    "The image tag '{reference}' already exists in the '{name}' repository and cannot be overwritten \
                     because the repository is immutable."
                );
                return Response::registry_error(400, "TAG_INVALID", &message);
            }
            repo.tags.insert(reference.to_owned(), digest.clone());
        }
        let stored = Stored {
            media_type,
            bytes: request.body.to_vec(),
            order,
            subject: subject.clone(),
        };
        repo.manifests.entry(digest.clone()).or_insert(stored);
        let mut answer = Response::new(201).with("docker-content-digest", &digest);
        if self.quirks.manifest_location {
            answer.set("location", &format!("/v2/{name}/manifests/{digest}"));
        }
        if let Some(subject) = subject.filter(|_| self.quirks.oci_subject) {
            answer.set("oci-subject", &subject);
        }
        answer
    }

    pub(super) fn list(&self, request: &Request, name: &str, subject: &str) -> Response {
        if !self.quirks.referrers_api {
            return Response::text(404, "404 page not found\n");
        }
        if subject.parse::<Digest>().is_err() {
            return Response::registry_error(400, "DIGEST_INVALID", "provided digest is invalid");
        }
        let state = self.state.lock().unwrap();
        let Some(repo) = state.repos.get(name) else {
            return Response::registry_error(404, "NAME_UNKNOWN", "repository name not known to registry");
        };
        let mut found: Vec<(&String, &Stored)> = repo.manifests.iter().collect();
        found.retain(|(_, stored)| stored.subject.as_deref() == Some(subject));
        found.sort_by_key(|(_, stored)| stored.order);
        let entries: Vec<Value> = found
            .into_iter()
            .map(|(digest, stored)| self.entry(digest, stored))
            .collect();
        let wanted = request.parameter("artifactType");
        let entries = entries.into_iter().filter(|entry| {
            wanted
                .as_deref()
                .is_none_or(|wanted| entry["artifactType"].as_str() == Some(wanted))
        });
        let entries: Vec<Value> = entries.collect();
        let from: usize = request
            .parameter("from")
            .and_then(|from| from.parse().ok())
            .unwrap_or(0);
        let size = self.quirks.page_size.unwrap_or(usize::MAX);
        let until = from.saturating_add(size).min(entries.len());
        let page = entries.get(from..until).unwrap_or_default();
        let body = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": page });
        let mut answer = Response::new(200)
            .with("content-type", INDEX)
            .body(body.to_string());
        if until < entries.len() {
            let filter = wanted
                .as_deref()
                .map(|wanted| format!("&artifactType={wanted}"))
                .unwrap_or_default();
            let link = format!("</v2/{name}/referrers/{subject}?from={until}{filter}>; rel=\"next\"");
            answer.set("link", &link);
        }
        if wanted.is_some() {
            answer.set("oci-filters-applied", "artifactType");
        }
        answer
    }

    pub(super) fn entry(&self, digest: &str, stored: &Stored) -> Value {
        let manifest: Value = serde_json::from_slice(&stored.bytes).unwrap_or_default();
        let mut entry =
            json!({ "mediaType": stored.media_type, "digest": digest, "size": stored.bytes.len() });
        let config = &manifest["config"]["mediaType"];
        let own = manifest
            .get("artifactType")
            .filter(|own| !own.is_null() && *own != "");
        let kind = if self.quirks.config_as_artifact_type {
            config
        } else {
            own.unwrap_or(config)
        };
        if !kind.is_null() && !self.quirks.no_artifact_type {
            entry["artifactType"] = kind.clone();
        }
        if let Some(annotations) = manifest
            .get("annotations")
            .filter(|annotations| annotations.is_object())
        {
            entry["annotations"] = annotations.clone();
        }
        entry
    }

    pub(super) fn blob(&self, request: &Request, name: &str, digest: &str) -> Response {
        let mut state = self.state.lock().unwrap();
        let unknown = || Response::registry_error(404, "BLOB_UNKNOWN", "blob unknown to registry");
        let Some(repo) = state.repos.get_mut(name) else {
            return Response::registry_error(404, "NAME_UNKNOWN", "repository name not known to registry");
        };
        if request.method == Method::DELETE {
            return repo
                .blobs
                .remove(digest)
                .map_or_else(unknown, |_| Response::new(202));
        }
        let Some(bytes) = repo.blobs.get(digest) else {
            return unknown();
        };
        if self.quirks.blobs_elsewhere && request.method == Method::GET {
            let location = format!("{}/{name}/{digest}?X-Amz-Signature=presigned", self.storage());
            return Response::new(307).with("location", &location);
        }
        Response::new(200)
            .with("content-type", "application/octet-stream")
            .with("docker-content-digest", digest)
            .body(bytes.clone())
    }

    pub(super) fn upload(&self, request: &Request, name: &str, session: &str) -> Response {
        let mut state = self.state.lock().unwrap();
        if !self.quirks.creates_repositories && !state.repos.contains_key(name) {
            let message = format!("The repository with name '{name}' does not exist in the registry");
            return Response::registry_error(404, "NAME_UNKNOWN", &message);
        }
        if request.method == Method::POST {
            let linked = request.parameter("mount").zip(request.parameter("from"));
            let linked = linked.filter(|_| self.quirks.mounts).and_then(|(digest, from)| {
                let bytes = state.repos.get(&from)?.blobs.get(&digest)?.clone();
                Some((digest, bytes))
            });
            if let Some((digest, bytes)) = linked {
                let repo = state.repos.entry(name.to_owned()).or_default();
                repo.blobs.insert(digest.clone(), bytes);
                return Response::new(201)
                    .with("location", &format!("/v2/{name}/blobs/{digest}"))
                    .with("docker-content-digest", &digest);
            }
            let session = format!("session-{}", state.next());
            state.uploads.insert(session.clone(), Vec::new());
            return Response::new(202)
                .with("location", &self.session_location(name, &session))
                .with("range", "0-0");
        }
        let Some(mut bytes) = state.uploads.remove(session) else {
            return Response::registry_error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
        };
        bytes.extend_from_slice(&request.body);
        if request.method == Method::PATCH {
            let range = format!("0-{}", bytes.len().saturating_sub(1));
            state.uploads.insert(session.to_owned(), bytes);
            return Response::new(202)
                .with("location", &self.session_location(name, session))
                .with("range", &range);
        }
        let digest = Digest::of(&bytes).to_string();
        if request.parameter("digest").as_deref() != Some(&digest) {
            return Response::registry_error(
                400,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            );
        }
        let repo = state.repos.entry(name.to_owned()).or_default();
        repo.blobs.insert(digest.clone(), bytes);
        Response::new(201)
            .with("location", &format!("/v2/{name}/blobs/{digest}"))
            .with("docker-content-digest", &digest)
    }

    pub(super) fn session_location(&self, name: &str, session: &str) -> String {
        let path = format!("/v2/{name}/blobs/uploads/{session}?_state=opaque%2Bstate");
        if self.quirks.relative_location {
            path
        } else {
            format!("{}{path}", self.base())
        }
    }
}

/// Whether the conditions of a request hold for what is under a tag now.
fn holds(request: &Request, now: Option<&str>) -> bool {
    let etag = now.map(|digest| format!("\"{digest}\""));
    let same = |text: &str| etag.as_deref() == Some(text);
    let wanted = request.header("if-match");
    (request.header("if-none-match") != "*" || now.is_none()) && (wanted.is_empty() || same(wanted))
}

/// The digest of the manifest that a manifest refers to.
pub(super) fn subject_of(manifest: &[u8]) -> Option<String> {
    let manifest: Value = serde_json::from_slice(manifest).ok()?;
    Some(manifest.get("subject")?.get("digest")?.as_str()?.to_owned())
}

/// Every media type that ECR looks at.
fn media_types(manifest: &Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
    let mut found: Vec<Value> = layers.iter().map(|layer| layer["mediaType"].clone()).collect();
    found.extend([
        manifest["artifactType"].clone(),
        manifest["config"]["mediaType"].clone(),
    ]);
    found
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn is_plain_media_type(text: &str) -> bool {
    text.is_empty() || text.parse::<MediaType>().is_ok()
}

/// The first blob or manifest that a manifest names and the repository lacks.
fn missing_blob(manifest: &Value, repo: &Repo) -> Option<String> {
    let list = |name: &str| manifest[name].as_array().cloned().unwrap_or_default();
    let digest = |descriptor: &Value| descriptor["digest"].as_str().map(str::to_owned);
    let mut blobs: Vec<String> = list("layers").iter().filter_map(digest).collect();
    blobs.extend(digest(&manifest["config"]));
    let mut children = list("manifests")
        .iter()
        .filter_map(digest)
        .collect::<Vec<_>>()
        .into_iter();
    blobs
        .into_iter()
        .find(|digest| !repo.blobs.contains_key(digest))
        .or_else(|| children.find(|digest| !repo.manifests.contains_key(digest)))
}
