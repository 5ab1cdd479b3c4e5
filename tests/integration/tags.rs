//! Tags beside digests, and names that are resolved, by the shipped binary against a registry.

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

    /// A name in the registry.
    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.registry.host())
    }

    /// Calls the binary; its exit code, standard output and standard error.
    fn call(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(args)
            .env_clear()
            .env("HOME", self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn run(&self, more: &[&str]) -> (i32, String, String) {
        let args = ["run", "--signer=local", "--provenance=off", "--allow=**"];
        self.call(&[&args[..], more].concat())
    }

    fn report(&self) -> Value {
        let file = self.directory.path().join("countersign-report/report.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    fn writes(&self) -> usize {
        let entries = self.world.ledger().entries();
        let writes = entries.iter().filter(|entry| entry.request.method != "GET");
        writes.count()
    }
}

#[test]
fn every_tag_beside_a_digest_is_held_against_it_before_anything_is_signed() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "ours");
    let other = stage.registry.put_image("web", "latest", "other");
    let names = format!("{}\n{}", stage.name("web:1.4"), stage.name("web:latest"));
    let text = digest.to_string();
    let both = ["--digest", text.as_str(), "--names", names.as_str()];
    let (code, _, words) = stage.run(&both);
    assert_eq!(code, 1, "{words}");
    assert_eq!(stage.writes(), 0, "nothing may be signed");
    let report = stage.report();
    let finding = &report["findings"][0];
    assert_eq!(finding["rule"], "CSN015", "{report:#}");
    assert_eq!(finding["expected"], json!(digest.to_string()));
    assert_eq!(finding["found"], json!(other.to_string()));
    assert!(
        finding["message"].as_str().unwrap().contains("web:latest"),
        "{report:#}"
    );
    assert_eq!(report["targets"][0]["state"], "rejected");

    // A tag that is not there does not agree either.
    let gone = format!("{}\n{}", stage.name("web:1.4"), stage.name("web:gone"));
    let (code, _, words) = stage.run(&["--digest", &text, "--names", &gone]);
    assert_eq!((code, stage.writes()), (1, 0), "{words}");
    assert_eq!(stage.report()["findings"][0]["found"], "no such tag");

    // Where they agree it is signed, and verified by both.
    let good = format!("{}\n{}", stage.name("web:1.4"), stage.name("web:v1"));
    let manifest = stage.registry.manifests("web")[&text].bytes.clone();
    stage
        .registry
        .put_manifest("web", Some("v1"), &MediaType::OCI_MANIFEST, &manifest);
    let (code, _, words) = stage.run(&["--digest", &text, "--names", &good]);
    assert_eq!(code, 0, "{words}");
    let verify = ["verify", "--signer=local", "--digest", &text, "--names"];
    let (code, _, words) = stage.call(&[&verify[..], &[&good]].concat());
    assert_eq!(code, 0, "{words}");
    let (code, _, words) = stage.call(&[&verify[..], &[&names]].concat());
    assert_eq!(code, 1, "{words}");
    let report = stage.report();
    assert_eq!(report["findings"][0]["rule"], "CSN015", "{report:#}");
    assert_eq!(
        report["targets"][0]["signatures"][0]["verdict"], "accepted",
        "{report:#}"
    );
}

#[test]
fn a_digest_is_demanded_where_it_is_said_and_a_tag_beside_it_is_no_harm() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "ours");
    let (tag, both) = (stage.name("web:1.4"), stage.name(&format!("web:1.4@{digest}")));
    let (code, _, words) = stage.run(&["--require-digest", &tag]);
    assert_eq!((code, stage.writes()), (2, 0), "{words}");
    let (code, _, words) = stage.run(&["--require-digest", &both]);
    assert_eq!(code, 0, "{words}");
}

#[test]
fn names_are_resolved_and_those_that_mean_one_image_become_one() {
    let stage = Stage::new();
    let child = stage.registry.put_image("web", "amd", "amd");
    let bytes = stage.registry.manifests("web")[&child.to_string()].bytes.clone();
    let entry = |os: &str, more: Value| {
        let mut entry = json!({"mediaType": MediaType::OCI_MANIFEST, "digest": child, "size": bytes.len(),
            "platform": {"os": os, "architecture": "amd64"}});
        entry["annotations"] = more;
        entry
    };
    let attestation = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX,
        "manifests": [entry("linux", json!({})), entry("unknown", attestation)]});
    let index = index.to_string().into_bytes();
    let digest = Digest::of(&index);
    for tag in ["1.4", "latest"] {
        stage
            .registry
            .put_manifest("web", Some(tag), &MediaType::OCI_INDEX, &index);
    }
    let names = ["web:1.4", "web:latest", "web:amd"].map(|rest| stage.name(rest));
    let args = ["targets", "--resolve", &names[0], &names[1], &names[2]];
    let (code, data, words) = stage.call(&args);
    assert_eq!(code, 0, "{words}");
    let expected = format!("{}@{digest}  # linux/amd64\n{}@{child}\n", names[0], names[2]);
    assert_eq!(data, expected);
    let (_, data, _) = stage.call(&[&args[..], &["--format=json"]].concat());
    let data: Value = serde_json::from_str(&data).unwrap();
    let first = &data["targets"][0];
    assert_eq!(
        (&first["digest"], &first["tags"]),
        (&json!(digest), &json!(["1.4", "latest"]))
    );
    assert_eq!(
        (first["sources"].as_array().unwrap().len(), &first["platforms"]),
        (2, &json!(["linux/amd64"]))
    );
    let (_, data, _) = stage.call(&[&args[..], &["--format=matrix"]].concat());
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(
        data["include"][1],
        json!({"image": stage.name("web"), "digest": child})
    );
    // What it prints names the same images when it is read again.
    std::fs::write(stage.directory.path().join("list"), expected).unwrap();
    let (code, data, words) = stage.call(&["targets", "--images-from", "list"]);
    assert_eq!((code, data.lines().count()), (0, 2), "{words}");
}

#[test]
fn every_name_that_cannot_be_resolved_is_told_and_nothing_is_printed() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "ours");
    stage.registry.put_image("web", "latest", "other");
    let astray = stage.name(&format!("web:latest@{digest}"));
    let names = [
        stage.name("web:1.4"),
        stage.name("web:none"),
        astray,
        stage.name("web:gone"),
    ];
    let args: Vec<&str> = ["targets", "--resolve"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let (code, data, words) = stage.call(&args);
    assert_eq!((code, data.as_str()), (1, ""), "{words}");
    for said in ["web:none", "web:gone", "do not agree"] {
        assert!(words.contains(said), "{said} is not said: {words}");
    }
    assert!(!words.contains("web:1.4 "), "{words}");
    let (code, data, _) = stage.call(&["targets", "--resolve", &names[1]]);
    assert_eq!((code, data.as_str()), (5, ""));
}

#[test]
fn every_command_that_judges_holds_a_tag_against_the_digest_beside_it() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "ours");
    stage.registry.put_image("web", "latest", "other");
    let (code, _, words) = stage.run(&[&stage.name(&format!("web:1.4@{digest}"))]);
    assert_eq!(code, 0, "{words}");
    let (right, wrong) = (
        stage.name(&format!("web:1.4@{digest}")),
        stage.name(&format!("web:latest@{digest}")),
    );
    for (command, refused) in [("verify", 1), ("explain", 1), ("inspect", 1), ("download", 1)] {
        let (code, out, words) = stage.call(&[command, "--signer=local", &right]);
        assert_eq!(code, 0, "{command}: {out}{words}");
        assert!(
            !format!("{out}{words}").contains("CSN015"),
            "{command}: {out}{words}"
        );
        let (code, out, words) = stage.call(&[command, "--signer=local", &wrong]);
        assert_eq!(code, refused, "{command}: {out}{words}");
        let said = format!("{out}{words}");
        assert!(said.contains("CSN015"), "{command}: {said}");
        assert!(said.contains("web:latest"), "{command}: {said}");
    }
}

#[test]
fn a_name_without_a_digest_is_noted() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "ours");
    let rules = || {
        let report = stage.report();
        let findings = report["findings"].as_array().unwrap().clone();
        findings
            .iter()
            .map(|finding| finding["rule"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (tag, pinned) = (stage.name("web:1.4"), stage.name(&format!("web:1.4@{digest}")));
    for command in [
        &["run", "--provenance=off", "--allow=**"][..],
        &["verify"],
        &["verify", "--recursive=platforms"],
    ] {
        let with = |image: &str| [command, &["--signer=local", image]].concat().join(" ");
        let (code, _, words) = stage.call(&[command, &["--signer=local", &pinned]].concat());
        assert_eq!((code, rules()), (0, vec![]), "{}: {words}", with(&pinned));
        let (code, _, words) = stage.call(&[command, &["--signer=local", &tag]].concat());
        assert_eq!(
            (code, rules()),
            (0, vec!["CSN013".to_owned()]),
            "{}: {words}",
            with(&tag)
        );
    }
    let finding = &stage.report()["findings"][0];
    assert_eq!(finding["level"], "note");
    assert_eq!(finding["expected"], json!(stage.name(&format!("web@{digest}"))));
    assert_eq!(finding["namedAt"], "IMAGE");
    let (code, _, words) = stage.call(&["verify", "--signer=local", "--fail-on=note", &tag]);
    assert_eq!(code, 1, "{words}");
}

#[test]
fn an_image_that_two_inputs_name_is_one_and_its_findings_name_both_places() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "ours");
    let other = stage.registry.put_image("other", "1", "what makes the key");
    let (code, _, words) = stage.run(&[&stage.name(&format!("other@{other}"))]);
    assert_eq!(code, 0, "{words}");
    let pinned = stage.name(&format!("web@{digest}"));
    let list = format!("# what was built\n{}\n", stage.name(&format!("web:1.4@{digest}")));
    std::fs::write(stage.directory.path().join("images.txt"), list).unwrap();
    let bake = json!({"api": {"containerimage.digest": digest, "image.name": stage.name("web:1.4")}});
    std::fs::write(stage.directory.path().join("bake.json"), bake.to_string()).unwrap();
    let files = ["--images-from=images.txt", "--images-from=bake.json"];
    let (code, _, words) = stage.call(&[&["verify", "--signer=local", &pinned], &files[..]].concat());
    assert_eq!(code, 1, "{words}");
    let report = stage.report();
    assert_eq!(report["targets"].as_array().unwrap().len(), 1, "{report:#}");
    let finding = &report["findings"][0];
    assert_eq!(finding["rule"], "CSN001", "{report:#}");
    let places = finding["namedAt"].as_str().unwrap();
    assert!(
        places.starts_with("IMAGE, images.txt:2, bake.json:1 (api"),
        "{places}"
    );
}
