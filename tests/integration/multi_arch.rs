//! Indexes inside indexes, and attestations inside indexes, by the shipped binary.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;

use countersign::domain::oci::{Digest, MediaType};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::World;
use crate::support::registry::{Quirks, Registry};

struct Stage {
    world: World,
    registry: Arc<Registry>,
    directory: TempDir,
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let registry = world.registry(Quirks::default());
        Self {
            world,
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
        let run = ["run", "--allow=**", "--provenance=off"];
        self.call(&[&run[..], more].concat())
    }

    fn call(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(args)
            .arg("--signer=local")
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
        self.ended(&mut self.command(more))
    }

    fn ended(&self, command: &mut Command) -> (i32, Value, String) {
        let output = command.output().unwrap();
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

/// Rules and the digests they are about.
fn findings(report: &Value, rule: &str) -> Vec<Value> {
    let findings = report["findings"].as_array().unwrap().iter();
    let of_rule = findings.filter(|finding| finding["rule"] == rule);
    of_rule.map(|finding| finding["digest"].clone()).collect()
}

#[test]
fn what_a_sparse_index_names_and_does_not_hold_is_told_and_the_rest_is_signed() {
    let stage = Stage::new();
    let (amd, amd_entry) = stage.image("amd64");
    let gone = Digest::of(b"gone");
    let gone_entry = json!({"mediaType": MediaType::OCI_MANIFEST, "digest": gone, "size": 7,
        "platform": {"os": "linux", "architecture": "arm64"}});
    let nested = json!({"mediaType": MediaType::OCI_INDEX, "digest": Digest::of(b"nested"), "size": 6});
    let (root, _) = stage.index("root", &[&gone_entry, &amd_entry, &nested]);
    for command in [
        stage.command(&["--recursive=all"]),
        stage.call(&["verify", "--recursive=all"]),
    ] {
        let mut command = command;
        let (code, report, words) = stage.ended(&mut command);
        assert_eq!(code, 0, "{words}");
        assert_eq!(
            findings(&report, "CSN011"),
            [json!(gone), json!(Digest::of(b"nested"))],
            "{report:#}"
        );
        let message = report["findings"][0]["message"].to_string();
        assert!(
            message.contains("linux/arm64") && message.contains("sparse"),
            "{message}"
        );
        assert_eq!(report["targets"].as_array().unwrap().len(), 2, "{report:#}");
    }
    assert_eq!((stage.signatures(&root), stage.signatures(&amd)), (1, 1));
    let (code, report, words) = stage.run(&[]);
    assert_eq!((code, findings(&report, "CSN011")), (0, vec![]), "{words}");
}

#[test]
fn a_signed_index_with_an_unsigned_platform_is_told_where_platforms_are_asked_for() {
    let stage = Stage::new();
    let ((amd, amd_entry), (_, arm_entry)) = (stage.image("amd64"), stage.image("arm64"));
    let (root, _) = stage.index("root", &[&amd_entry, &arm_entry]);
    let (code, _, words) = stage.run(&[]);
    assert_eq!(code, 0, "{words}");
    assert_eq!((stage.signatures(&root), stage.signatures(&amd)), (1, 0));
    let (code, report, words) = stage.ended(&mut stage.call(&["verify"]));
    assert_eq!((code, findings(&report, "CSN011")), (0, vec![]), "{words}");
    let (code, report, words) = stage.ended(&mut stage.call(&["verify", "--recursive=platforms"]));
    assert_eq!(code, 1, "{words}");
    assert_eq!(findings(&report, "CSN011").len(), 2, "{report:#}");
    assert_eq!(findings(&report, "CSN001").len(), 2, "{report:#}");
}

#[test]
fn findings_of_two_platforms_name_theirs_in_every_form() {
    let stage = Stage::new();
    let ((_, amd_entry), (_, arm_entry)) = (stage.image("amd64"), stage.image("arm64"));
    stage.index("root", &[&amd_entry, &arm_entry]);
    let (code, _, words) = stage.run(&[]);
    assert_eq!(code, 0, "{words}");
    let verify = ["verify", "--recursive=platforms", "--sarif-location=Dockerfile"];
    for (args, print) in [
        (&verify[..2], "primaryLocationLineHash"),
        (&verify, "countersign/v1"),
    ] {
        let mut command = stage.call(args);
        let (code, report, words) = stage.ended(command.env("GITLAB_CI", "true"));
        assert_eq!(code, 1, "{words}");
        let findings = report["findings"].as_array().unwrap();
        for rule in ["CSN001", "CSN011"] {
            let of_rule = findings.iter().filter(|finding| finding["rule"] == rule);
            let mut named: Vec<_> = of_rule.map(|finding| finding["platform"].as_str()).collect();
            named.sort_unstable();
            assert_eq!(
                named,
                [Some("linux/amd64"), Some("linux/arm64")],
                "{rule}: {report:#}"
            );
        }
        let read = |name: &str| {
            let file = stage.directory.path().join("countersign-report").join(name);
            fs::read_to_string(file).unwrap()
        };
        let sarif: Value = serde_json::from_str(&read("results.sarif")).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        let prints: BTreeSet<_> = results
            .iter()
            .map(|result| {
                let print = result["partialFingerprints"][print].as_str().unwrap();
                print
                    .strip_suffix(":1")
                    .expect("counted only where nothing else tells them apart")
            })
            .collect();
        assert_eq!((prints.len(), results.len()), (5, 5), "{sarif:#}");
        let quality: Value = serde_json::from_str(&read("codequality.json")).unwrap();
        let [junit, summary] = ["junit.xml", "summary.md"].map(read);
        for platform in ["linux/amd64", "linux/arm64"] {
            let names_it = |result: &&Value| {
                let message = result["message"]["text"].as_str().unwrap();
                let logical = &result["locations"][0]["logicalLocations"][0];
                let named = format!("web ({platform})");
                message.contains(&format!(" Platform: {platform}.")) && logical["name"] == named
            };
            assert_eq!(results.iter().filter(names_it).count(), 2, "{sarif:#}");
            let named = format!(" ({platform}): ");
            let issues = quality.as_array().unwrap().iter();
            let issues = issues.filter(|issue| issue["description"].as_str().unwrap().contains(&named));
            assert_eq!(issues.count(), 2, "{quality:#}");
            assert_eq!(
                junit.matches(&format!("; platform: {platform};")).count(),
                3,
                "{junit}"
            );
            assert!(
                summary.contains(&format!("- Platform: `{platform}`")),
                "{summary}"
            );
            assert!(summary.contains(&format!("(`{platform}`): ")), "{summary}");
        }
    }
}

#[test]
fn an_index_that_nests_too_deep_or_names_too_much_is_refused_before_anything_is_signed() {
    let stage = Stage::new();
    let (_, mut entry) = stage.image("amd64");
    for level in 0..6 {
        let name = if level == 5 { "root" } else { "inner" };
        entry = stage.index(name, &[&entry]).1;
    }
    let (code, report, words) = stage.run(&["--recursive=all"]);
    assert_eq!(code, 2, "{words}");
    assert!(
        report["failures"][0]["message"]
            .to_string()
            .contains("nested deeper than 4"),
        "{report:#}"
    );
    let fake = |number: usize| json!({"mediaType": MediaType::OCI_MANIFEST, "digest": Digest::of(&number.to_be_bytes()), "size": 8});
    let entries: Vec<Value> = (0..2_001).map(fake).collect();
    stage.index("root", &entries.iter().collect::<Vec<_>>());
    let (code, report, words) = stage.run(&["--recursive=all"]);
    assert_eq!(code, 2, "{words}");
    assert!(
        report["failures"][0]["message"]
            .to_string()
            .contains("more than 2000 manifests"),
        "{report:#}"
    );
    assert_eq!(stage.world.ledger().count("registry", "PUT manifest"), 0);
}

#[test]
fn a_thousand_children_are_signed_with_as_many_requests_each_as_one_and_in_little_memory() {
    const CHILDREN: usize = 1_000;
    let stage = Stage::new();
    let entries: Vec<Value> = (0..CHILDREN)
        .map(|number| stage.image(&format!("x{number}")).1)
        .collect();
    stage.index("root", &entries.iter().collect::<Vec<_>>());
    stage.world.ledger().clear();
    let mut child = stage
        .command(&["--recursive=all", "--timeout=1h"])
        .spawn()
        .unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = peak(child.id()).unwrap_or_default().max(most);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let counts = stage.world.ledger().counts();
    let count = |operation: &str| stage.world.ledger().count("registry", operation);
    assert_eq!(count("PUT manifest"), CHILDREN + 1, "{counts:?}");
    for (operation, each) in [
        ("GET manifest", 2),
        ("GET referrers", 2),
        ("PUT blob", 1),
        ("GET blob", 1),
    ] {
        assert!(
            count(operation) <= each * (CHILDREN + 1) + 8,
            "{operation}: {counts:?}"
        );
    }
    assert!(most < 150_000, "{most} KiB for {CHILDREN} children");
    let (code, report, words) = stage.run(&["--recursive=all", "--timeout=1h"]);
    assert_eq!(code, 0, "{words}");
    let state = |target: &Value| target["state"] == "kept";
    assert_eq!(
        report["targets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|target| state(target))
            .count(),
        CHILDREN + 1
    );
}

/// Most memory that a process held so far, in kibibytes; nothing where the system does not tell.
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
