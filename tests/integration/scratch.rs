//! A directory of its own for a test, and the shipped binary run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign::edge::layout::demo_image;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

pub(crate) const NOTARY: &str = "application/vnd.cncf.notary.signature";
pub(crate) const PROVENANCE: &str = "application/vnd.in-toto.provenance+json";

/// What provenance needs outside a known CI host.
pub(crate) const BUILD: [&str; 4] = [
    "--builder-id",
    "https://ci.example.com/builder",
    "--source",
    "https://git.example.com/team/app@0123456789abcdef0123456789abcdef01234567",
];

/// A scratch directory; the key that `--signer local` makes lives in it too.
pub(crate) struct Scratch {
    dir: TempDir,
}

/// What one run of the binary came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The binary in an environment of its own.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run_as(&self, state: &str, args: &[&str]) -> Ran {
        let output = self
            .command(args)
            .env("XDG_STATE_HOME", self.path(state))
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs and demands an exit code, showing everything where another came.
    pub(crate) fn expect_as(&self, state: &str, code: i32, args: &[&str]) -> Ran {
        let ran = self.run_as(state, args);
        let (stdout, stderr) = (&ran.stdout, &ran.stderr);
        assert_eq!(
            ran.code, code,
            "countersign {args:?}\nstdout:\n{stdout}\nstderr:\n{stderr}"
        );
        ran
    }

    pub(crate) fn expect(&self, code: i32, args: &[&str]) -> Ran {
        self.expect_as("state", code, args)
    }

    /// Signs with the local key and attaches a provenance.
    pub(crate) fn sign(&self, code: i32, image: &str, more: &[&str]) -> Ran {
        let run = ["run", "--signer=local", image];
        self.expect(code, &[&run[..], &BUILD, more].concat())
    }

    /// Judges by the policy that follows from the local key.
    pub(crate) fn verify(&self, code: i32, image: &str, more: &[&str]) -> Ran {
        self.expect(code, &[&["verify", "--signer=local", image][..], more].concat())
    }

    /// The report of the last run.
    pub(crate) fn report(&self) -> Value {
        self.report_in("countersign-report")
    }

    pub(crate) fn report_in(&self, directory: &str) -> Value {
        let text = fs::read(self.path(directory).join("report.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// The rules that fired, with their levels.
    pub(crate) fn findings(&self) -> Vec<String> {
        let report = self.report();
        let findings = report["findings"].as_array().unwrap().iter();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        findings
            .map(|finding| format!("{} {}", word(&finding["level"]), word(&finding["rule"])))
            .collect()
    }

    /// The demo image, signed, at `demo`.
    pub(crate) fn demo(&self) -> Ran {
        self.expect(0, &["demo", "demo", "--color=never"])
    }

    /// The demo image as it is before anyone signs it.
    pub(crate) fn unsigned(&self, name: &str) {
        demo_image::write(&self.path(name)).unwrap();
    }
}

/// Every file below a directory with its bytes, so that "nothing was written" can be compared.
pub(crate) fn snapshot(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut todo = vec![directory.to_owned()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                files.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// A layout's index and blobs in memory.
#[derive(Clone)]
pub(crate) struct Layout {
    pub(crate) index: Value,
    pub(crate) blobs: Vec<(String, Vec<u8>)>,
}

impl Layout {
    pub(crate) fn read(directory: &Path) -> Self {
        let index = serde_json::from_slice(&fs::read(directory.join("index.json")).unwrap()).unwrap();
        let blobs = fs::read_dir(directory.join("blobs/sha256")).unwrap();
        let blobs = blobs.map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        });
        Self {
            index,
            blobs: blobs.collect(),
        }
    }

    pub(crate) fn entries(&self) -> &Vec<Value> {
        self.index["manifests"].as_array().unwrap()
    }

    pub(crate) fn blob(&self, hex: &str) -> &[u8] {
        &self.blobs.iter().find(|(name, _)| name == hex).unwrap().1
    }

    pub(crate) fn json(&self, hex: &str) -> Value {
        serde_json::from_slice(self.blob(hex)).unwrap()
    }

    /// Every listed manifest that refers to a subject and carries that type.
    pub(crate) fn referrers(&self, subject: &str, kind: &str) -> Vec<String> {
        let listed = self.entries().iter().map(hex_of);
        let fits = |hex: &String| {
            let manifest = self.json(hex);
            let own = manifest["artifactType"]
                .as_str()
                .or(manifest["config"]["mediaType"].as_str());
            own == Some(kind) && manifest["subject"]["digest"] == format!("sha256:{subject}")
        };
        listed.filter(fits).collect()
    }

    /// The one listed manifest that refers to a subject and carries that type.
    pub(crate) fn referrer(&self, subject: &str, kind: &str) -> String {
        let found = self.referrers(subject, kind);
        assert_eq!(found.len(), 1, "{kind} on {subject}");
        found[0].clone()
    }

    /// The first listed manifest that refers to nothing.
    pub(crate) fn image(&self) -> String {
        let listed = self.entries().iter().map(hex_of);
        let mut images = listed.filter(|hex| self.json(hex)["subject"].is_null());
        images.next().unwrap()
    }

    pub(crate) fn layer(&self, manifest: &str) -> String {
        hex_of(&self.json(manifest)["layers"][0])
    }

    /// Adds a blob and returns a descriptor of it.
    pub(crate) fn add(&mut self, media_type: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        let (name, size) = (hex(&bytes), bytes.len());
        let descriptor =
            serde_json::json!({ "mediaType": media_type, "digest": format!("sha256:{name}"), "size": size });
        self.blobs.push((name, bytes));
        descriptor
    }

    /// Hangs a document on a listed manifest as countersign's attestations hang there, unsigned; returns the digest of
    /// its manifest, without the algorithm.
    pub(crate) fn attach(&mut self, subject: &str, kind: &str, layer: &str, document: &[u8]) -> String {
        let entry = self.entries().iter().find(|entry| hex_of(entry) == subject);
        let entry = entry.unwrap().clone();
        let plain = |entry: &Value| serde_json::json!({ "mediaType": entry["mediaType"], "digest": entry["digest"], "size": entry["size"] });
        let empty = self.add("application/vnd.oci.empty.v1+json", &serde_json::json!({}));
        let name = hex(document);
        self.blobs.push((name.clone(), document.to_vec()));
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": kind,
            "config": empty,
            "layers": [{ "mediaType": layer, "digest": format!("sha256:{name}"), "size": document.len() }],
            "subject": plain(&entry),
        });
        let mut listed = self.add("application/vnd.oci.image.manifest.v1+json", &manifest);
        let digest = hex_of(&listed);
        listed["artifactType"] = kind.into();
        self.index["manifests"].as_array_mut().unwrap().push(listed);
        digest
    }

    /// Takes a manifest out of the list.
    pub(crate) fn unlist(&mut self, hex: &str) {
        let entries = self.index["manifests"].as_array_mut().unwrap();
        entries.retain(|entry| hex_of(entry) != hex);
    }

    /// Writes the layout; what `original` has under the same name with the same bytes is linked, not copied.
    pub(crate) fn write(&self, directory: &Path, original: Option<&Self>, from: &Path) {
        fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        fs::write(directory.join("index.json"), self.index.to_string()).unwrap();
        for (name, bytes) in &self.blobs {
            let to = directory.join("blobs/sha256").join(name);
            let same = |layout: &Self| {
                layout
                    .blobs
                    .iter()
                    .any(|(other, old)| other == name && old == bytes)
            };
            if original.is_some_and(same) {
                fs::hard_link(from.join("blobs/sha256").join(name), to).unwrap();
            } else {
                fs::write(to, bytes).unwrap();
            }
        }
    }
}

/// The SHA-256 of bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The digest that a descriptor names, without its algorithm.
pub(crate) fn hex_of(descriptor: &Value) -> String {
    let digest = descriptor["digest"].as_str().unwrap();
    digest.strip_prefix("sha256:").unwrap().to_owned()
}

/// Runs a program of another project in a directory; nothing, and a word on the terminal, where it is not installed.
pub(crate) fn tool(directory: &Path, program: &str, args: &[&str]) -> Option<std::process::Output> {
    let output = Command::new(program).args(args).current_dir(directory).output();
    if output.is_err() {
        crate::faults::skipped(&format!("{program} is not installed, so it did not judge"));
    }
    output.ok()
}
