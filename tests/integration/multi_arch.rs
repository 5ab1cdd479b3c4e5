//! Indexes inside indexes, and attestations inside indexes, by the shipped binary.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;

use countersign::domain::oci::{Digest, MediaType};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::World;
use crate::support::registry::{Quirks, Registry};

struct Stage {
    _world: World,
    registry: Arc<Registry>,
    directory: TempDir,
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let registry = world.registry(Quirks::default());
        Self {
            _world: world,
            registry,
            directory: TempDir::new().unwrap(),
        }
    }

    /// An entry of an index for what is stored.
    fn entry(&self, digest: &Digest, os: &str, architecture: &str) -> Value {
        let stored = &self.registry.manifests("web")[&digest.to_string()];
        json!({"mediaType": stored.media_type, "digest": digest, "size": stored.bytes.len(),
            "platform": {"os": os, "architecture": architecture}})
    }

    fn image(&self, architecture: &str) -> (Digest, Value) {
        let digest = self.registry.put_image("web", architecture, architecture);
        let entry = self.entry(&digest, "linux", architecture);
        (digest, entry)
    }

    fn index(&self, tag: &str, manifests: &[&Value]) -> (Digest, Value) {
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests});
        let bytes = index.to_string().into_bytes();
        let digest = self
            .registry
            .put_manifest("web", Some(tag), &MediaType::OCI_INDEX, &bytes);
        let size = bytes.len();
        let entry = json!({"mediaType": MediaType::OCI_INDEX, "digest": digest, "size": size});
        (digest, entry)
    }

    /// An attestation as BuildKit puts it into an index, classic or as an artifact with a subject.
    fn attestation(&self, of: &Value, artifact: bool) -> (Digest, Value) {
        self.registry.put_blob("web", b"{}");
        let empty = json!({"mediaType": MediaType::EMPTY, "digest": Digest::of(b"{}"), "size": 2});
        let mut manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": empty,
            "layers": [{"mediaType": "application/vnd.in-toto+json", "digest": Digest::of(b"{}"), "size": 2,
                "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}}]});
        if artifact {
            manifest["artifactType"] = json!("application/vnd.docker.attestation.manifest.v1+json");
            manifest["subject"] =
                json!({"mediaType": of["mediaType"], "digest": of["digest"], "size": of["size"]});
        }
        let bytes = manifest.to_string().into_bytes();
        let digest = self
            .registry
            .put_manifest("web", None, &MediaType::OCI_MANIFEST, &bytes);
        let mut entry = self.entry(&digest, "unknown", "unknown");
        entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": of["digest"]});
        (digest, entry)
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(["run", "--signer=local", "--allow=**", "--provenance=off"])
            .args(more)
            .arg(format!("{}/web:root", self.registry.host()))
            .env_clear()
            .env("HOME", self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, more: &[&str]) -> (i32, Value, String) {
        let output = self.command(more).output().unwrap();
        let file = self.directory.path().join("countersign-report/report.json");
        let report = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), report, words)
    }

    /// Signatures on a manifest; what else refers to it is not counted.
    fn signatures(&self, of: &Digest) -> usize {
        let manifests = self.registry.manifests("web");
        let referrers = self.registry.referrers("web", of);
        let is_signature = |digest: &&Digest| {
            let stored = &manifests[&digest.to_string()];
            String::from_utf8_lossy(&stored.bytes).contains("application/vnd.cncf.notary.signature")
        };
        referrers.iter().filter(is_signature).count()
    }
}

#[test]
fn nested_indexes_are_signed_once_and_attestations_inside_are_no_platforms() {
    let stage = Stage::new();
    let [(amd, amd_entry), (arm, arm_entry), (shared, shared_entry)] =
        ["amd64", "arm64", "riscv64"].map(|architecture| stage.image(architecture));
    let (classic, classic_entry) = stage.attestation(&amd_entry, false);
    let (artifact, mut artifact_entry) = stage.attestation(&arm_entry, true);
    // A mark that was lost on the way.
    artifact_entry.as_object_mut().unwrap().remove("annotations");
    let (first, first_entry) = stage.index("first", &[&amd_entry, &shared_entry, &classic_entry]);
    let (second, second_entry) = stage.index("second", &[&shared_entry, &arm_entry, &artifact_entry]);
    let (root, _) = stage.index("root", &[&first_entry, &second_entry, &shared_entry]);

    let (code, report, words) = stage.run(&["--recursive=platforms"]);
    assert_eq!(code, 0, "{words}");
    for digest in [&root, &first, &second, &amd, &arm, &shared] {
        assert_eq!(stage.signatures(digest), 1, "{digest}");
    }
    for digest in [&classic, &artifact] {
        assert_eq!(stage.signatures(digest), 0, "{digest}");
    }
    let targets = report["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 6, "{report:#}");
    let platforms: Vec<String> = targets
        .iter()
        .map(|target| target["platforms"].to_string())
        .collect();
    let named = |name: &str| platforms.iter().any(|platforms| platforms.contains(name));
    assert!(
        named("linux/amd64") && named("linux/arm64") && named("linux/riscv64"),
        "{platforms:?}"
    );
    assert!(!named("unknown"), "{platforms:?}");
    let summary = fs::read_to_string(stage.directory.path().join("countersign-report/summary.md")).unwrap();
    assert!(
        summary.contains("linux/amd64") || summary.contains("linux&#47;amd64"),
        "{summary}"
    );

    let (code, report, words) = stage.run(&["--recursive=all"]);
    assert_eq!(code, 0, "{words}");
    let targets = report["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 8, "{report:#}");
    for target in targets {
        let platforms = target["platforms"].to_string();
        assert!(
            !platforms.contains("unknown"),
            "an attestation is for none: {platforms}"
        );
    }
    for digest in [&root, &shared, &classic, &artifact] {
        assert_eq!(stage.signatures(digest), 1, "{digest}");
    }
}
