//! Images as `BuildKit` pushes them: an index that holds, beside its platforms, attestations nobody signed.

use countersign::domain::oci::{Digest, MediaType};
use serde_json::{Value, json};

use super::registry::Registry;

/// SLSA provenance v1, as of `BuildKit` 0.26.
pub const V1: &str = "https://slsa.dev/provenance/v1";

/// SLSA provenance v0.2, as of older ones.
pub const V02: &str = "https://slsa.dev/provenance/v0.2";

/// SPDX.
pub const SPDX: &str = "https://spdx.dev/Document";

/// What a builder says of a run, in either version.
pub fn provenance(version: &str, builder: &str) -> Value {
    if version == V02 {
        return json!({"builder": {"id": builder}, "buildType": "https://mobyproject.org/buildkit@v1",
            "invocation": {"configSource": {"entryPoint": "Dockerfile"}}, "materials": []});
    }
    json!({"buildDefinition": {
            "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
            "externalParameters": {"request": {"frontend": "dockerfile.v0"}}, "internalParameters": {}},
        "runDetails": {"builder": {"id": builder}, "metadata": {"invocationId": "k3bm"}}})
}

/// A bill of materials of a platform.
pub fn spdx(name: &str) -> Value {
    json!({"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": name, "dataLicense": "CC0-1.0",
        "documentNamespace": format!("https://anchore.com/syft/{name}"),
        "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: syft-v1.0"]},
        "packages": [{"name": "musl", "SPDXID": "SPDXRef-musl", "downloadLocation": "NOASSERTION"}]})
}

/// A Statement as `BuildKit` writes it: by the name of the push, with tag and platform, and the platform's digest.
pub fn statement(about: &str, predicate_type: &str, predicate: &Value) -> Value {
    let hex = about.trim_start_matches("sha256:");
    json!({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": predicate_type,
        "subject": [
            {"name": "pkg:docker/web@1.4?platform=linux%2Famd64", "digest": {"sha256": hex}},
            {"name": "pkg:docker/web@latest?platform=linux%2Famd64", "digest": {"sha256": hex}}],
        "predicate": predicate})
}

/// An image for a platform that says when it was built; the entry of an index for it.
pub fn image(registry: &Registry, architecture: &str) -> Value {
    let config = json!({"architecture": architecture, "os": "linux", "created": "2026-02-03T04:05:06.789Z",
        "config": {}, "rootfs": {"type": "layers", "diff_ids": []}});
    let config = config.to_string().into_bytes();
    registry.put_blob("web", &config);
    registry.put_blob("web", architecture.as_bytes());
    let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "config": {"mediaType": MediaType::OCI_CONFIG, "digest": Digest::of(&config), "size": config.len()},
        "layers": [{"mediaType": MediaType::OCI_LAYER, "digest": Digest::of(architecture.as_bytes()), "size": architecture.len()}]});
    let mut entry = put(registry, None, &MediaType::OCI_MANIFEST, &manifest);
    entry["platform"] = json!({"os": "linux", "architecture": architecture});
    entry
}

/// The attestation manifest for a platform with these Statements, each with the predicate type that its layer announces;
/// classic, or as an artifact with a subject. The entry of an index for it.
pub fn attestation(registry: &Registry, of: &Value, statements: &[(&str, Value)], artifact: bool) -> Value {
    let layer = |(announced, statement): &(&str, Value)| {
        let bytes = statement.to_string().into_bytes();
        let digest = registry.put_blob("web", &bytes);
        json!({"mediaType": "application/vnd.in-toto+json", "digest": digest, "size": bytes.len(),
            "annotations": {"in-toto.io/predicate-type": announced}})
    };
    let layers: Vec<Value> = statements.iter().map(layer).collect();
    let config = registry.put_blob("web", b"{}");
    let kind = if artifact {
        MediaType::EMPTY
    } else {
        MediaType::OCI_CONFIG
    };
    let mut manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "config": {"mediaType": kind, "digest": config, "size": 2}, "layers": layers});
    if artifact {
        manifest["artifactType"] = json!("application/vnd.docker.attestation.manifest.v1+json");
        manifest["subject"] =
            json!({"mediaType": of["mediaType"], "digest": of["digest"], "size": of["size"]});
    }
    let mut entry = put(registry, None, &MediaType::OCI_MANIFEST, &manifest);
    entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": of["digest"]});
    entry
}

/// An index of these entries.
pub fn index(registry: &Registry, tag: &str, entries: &[&Value]) -> Digest {
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": entries});
    digest(&put(registry, Some(tag), &MediaType::OCI_INDEX, &index))
}

/// The digest of an entry.
pub fn digest(entry: &Value) -> Digest {
    entry["digest"].as_str().unwrap().parse().unwrap()
}

/// An index of two platforms, one for each layout and version: the index, then its platforms.
pub fn built(registry: &Registry, tag: &str, builder: &str) -> (Digest, [Digest; 2]) {
    let (amd, arm) = (image(registry, "amd64"), image(registry, "arm64"));
    let documents = |of: &Value, version: &'static str, name: &str| {
        let about = of["digest"].as_str().unwrap().to_owned();
        [
            (SPDX, statement(&about, SPDX, &spdx(name))),
            (version, statement(&about, version, &provenance(version, builder))),
        ]
    };
    let classic = attestation(registry, &amd, &documents(&amd, V1, "amd64"), false);
    let artifact = attestation(registry, &arm, &documents(&arm, V02, "arm64"), true);
    let index = index(registry, tag, &[&amd, &arm, &classic, &artifact]);
    (index, [digest(&amd), digest(&arm)])
}

fn put(registry: &Registry, tag: Option<&str>, media_type: &MediaType, document: &Value) -> Value {
    let bytes = document.to_string().into_bytes();
    let digest = registry.put_manifest("web", tag, media_type, &bytes);
    json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
}
