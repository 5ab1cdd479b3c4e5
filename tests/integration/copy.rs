//! `countersign copy`: an image with its whole tree, between registries and layouts, by the shipped binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::domain::oci::{Digest, MediaType};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::interop;
use crate::scratch::tool;
use crate::support::World;
use crate::support::fault::{Fault, When};
use crate::support::registry::{Quirks, Registry};

struct Stage {
    world: World,
    from: Arc<Registry>,
    to: Arc<Registry>,
    directory: TempDir,
}

impl Stage {
    fn new(from: Quirks, to: Quirks) -> Self {
        let world = World::new();
        let (from, to) = (world.registry(from.named("from")), world.registry(to.named("to")));
        Self {
            world,
            from,
            to,
            directory: TempDir::new().unwrap(),
        }
    }

    /// A signed and attested image of two platforms, with a stranger's referrer and one on the signature.
    fn signed(from: Quirks, to: Quirks) -> (Self, Digest) {
        let stage = Self::new(from, to);
        let digest = stage.index(&["amd64", "arm64"]);
        let (code, said) = stage.call(&[
            "run",
            "--signer=local",
            "--allow=**",
            "--builder-id=https://ci.example.com/builder",
            "--source=https://git.example.com/app",
            &stage.source(),
        ]);
        assert_eq!(code, 0, "{said}");
        (stage, digest)
    }

    fn index(&self, architectures: &[&str]) -> Digest {
        let entry = |architecture: &&str| {
            let digest = self
                .from
                .put_image("web", architecture, &format!("layer of {architecture}"));
            let size = self.from.manifests("web")[&digest.to_string()].bytes.len();
            json!({"mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": size,
                "platform": {"os": "linux", "architecture": architecture}})
        };
        let manifests: Vec<Value> = architectures.iter().map(entry).collect();
        self.put_index(&manifests)
    }

    fn put_index(&self, manifests: &[Value]) -> Digest {
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests});
        let bytes = index.to_string().into_bytes();
        self.from
            .put_manifest("web", Some("1.4"), &MediaType::OCI_INDEX, &bytes)
    }

    fn source(&self) -> String {
        format!("{}/web:1.4", self.from.host())
    }

    fn destination(&self) -> String {
        format!("{}/prod/web:1.4", self.to.host())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn call(&self, args: &[&str]) -> (i32, String) {
        let output = self.command(args).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    fn copy(&self, from: &str, to: &str) -> (i32, String) {
        self.call(&["copy", "--signer=local", from, to])
    }

    fn report(&self) -> Value {
        let file = self.directory.path().join("countersign-report/report.json");
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    }

    fn writes(&self, service: &str) -> usize {
        let entries = self.world.ledger().entries();
        let writes = ["PUT", "POST", "PATCH", "DELETE"];
        let written = entries
            .iter()
            .filter(|entry| entry.service == service && writes.contains(&entry.request.method.as_str()));
        written.count()
    }
}

/// The manifests of a repository that are no lists of referrers, by digest.
fn content(registry: &Registry, name: &str) -> BTreeMap<String, Vec<u8>> {
    let is_list = |media_type: &str, bytes: &[u8]| {
        media_type == MediaType::OCI_INDEX.as_str() && !String::from_utf8_lossy(bytes).contains("platform")
    };
    let manifests = registry.manifests(name).into_iter();
    manifests
        .filter(|(_, stored)| !is_list(&stored.media_type, &stored.bytes))
        .map(|(digest, stored)| (digest, stored.bytes))
        .collect()
}

#[test]
fn a_tree_is_copied_whole_and_a_second_copy_writes_nothing() {
    for (from, to) in [
        (Quirks::default(), Quirks::default()),
        (Quirks::distribution(), Quirks::default()),
        (Quirks::default(), Quirks::distribution()),
        (
            Quirks {
                blobs_elsewhere: true,
                ..Quirks::default()
            },
            Quirks {
                page_size: Some(1),
                ..Quirks::default()
            },
        ),
    ] {
        let (stage, digest) = Stage::signed(from, to);
        let before = content(&stage.from, "web");
        stage.world.ledger().clear();
        let (code, said) = stage.copy(&stage.source(), &stage.destination());
        assert_eq!(code, 0, "{said}");
        assert_eq!(stage.writes("from"), 0);
        let after = content(&stage.to, "prod/web");
        assert_eq!(after, before, "manifests are copied as they are");
        assert_eq!(
            after.len(),
            3 + 3,
            "an index, two platforms, a signature, an attestation and its signature"
        );
        assert_eq!(stage.to.tags("prod/web")["1.4"], digest.to_string());
        let report = stage.report();
        assert_eq!(report["targets"][0]["state"], "copied", "{report:#}");
        assert_eq!(report["targets"][0]["digest"], json!(digest));
        assert_eq!(
            report["targets"][0]["image"],
            json!(format!("{}@{digest}", stage.destination()))
        );
        let (code, said) = stage.call(&["verify", "--signer=local", &stage.destination()]);
        assert_eq!(code, 0, "{said}");
        stage.world.ledger().clear();
        let (code, said) = stage.copy(&stage.source(), &stage.destination());
        assert_eq!(code, 0, "{said}");
        assert_eq!((stage.writes("from"), stage.writes("to")), (0, 0), "{said}");
        assert_eq!(stage.report()["targets"][0]["state"], "kept");
    }
}

#[test]
fn a_layout_is_made_and_what_it_holds_comes_back() {
    let (stage, digest) = Stage::signed(Quirks::default(), Quirks::default());
    let (code, said) = stage.copy(&stage.source(), "oci:out:1.4");
    assert_eq!(code, 0, "{said}");
    let (code, said) = stage.call(&["verify", "--signer=local", "oci:out:1.4"]);
    assert_eq!(code, 0, "{said}");
    let raw = tool(
        stage.directory.path(),
        "skopeo",
        &["inspect", "--raw", "oci:out:1.4"],
    );
    if let Some(raw) = raw {
        assert!(raw.status.success(), "{raw:?}");
        assert_eq!(Digest::of(&raw.stdout), digest);
    }
    let whole = tool(
        stage.directory.path(),
        "skopeo",
        &["copy", "--all", "oci:out:1.4", "oci:again:1.4"],
    );
    assert!(
        whole.is_none_or(|ended| ended.status.success()),
        "skopeo copies the whole image"
    );
    let index = stage.directory.path().join("out/index.json");
    let listed = fs::read(&index).unwrap();
    let (code, said) = stage.copy(&stage.source(), "oci:out:1.4");
    assert_eq!((code, fs::read(&index).unwrap()), (0, listed), "{said}");
    for (from, to) in [
        ("oci:out:1.4", "oci:other:2"),
        ("oci:other:2", &stage.destination()),
    ] {
        let (code, said) = stage.copy(from, to);
        assert_eq!(code, 0, "{said}");
    }
    assert_eq!(content(&stage.to, "prod/web"), content(&stage.from, "web"));
    // A file that was damaged is mended by the next copy.
    let blobs = stage.directory.path().join("out/blobs/sha256");
    let layer = Digest::of(b"layer of arm64");
    fs::write(blobs.join(layer.hex()), "layer of arm63").unwrap();
    let (code, said) = stage.copy(&stage.source(), "oci:out:1.4");
    assert_eq!(
        (code, fs::read(blobs.join(layer.hex())).unwrap()),
        (0, b"layer of arm64".to_vec()),
        "{said}"
    );
    // A tag of a layout is nobody's to take away.
    stage.index(&["riscv64"]);
    let (code, said) = stage.call(&[
        "run",
        "--signer=local",
        "--allow=**",
        "--provenance=off",
        &stage.source(),
    ]);
    assert_eq!(code, 0, "{said}");
    let before = files(&stage.directory.path().join("out"));
    let (code, said) = stage.copy(&stage.source(), "oci:out:1.4");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("names another image"), "{said}");
    assert_eq!(
        files(&stage.directory.path().join("out")),
        before,
        "nothing is written"
    );
}

/// Every file below a directory, with its bytes.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// The reference library of the Notary Project at every destination: on the image and on its provenance it finds one
/// signature, and accepts it by the trust that the run at the source left behind.
#[test]
fn the_library_accepts_what_was_copied_where_it_was_copied_to() {
    let Some(library) = interop::library() else { return };
    for (from, to) in [
        (Quirks::default(), Quirks::distribution()),
        (Quirks::distribution(), Quirks::default()),
    ] {
        let (stage, digest) = Stage::signed(from, to);
        let report = stage.report();
        let attestation = report["targets"][0]["attestations"][0]["digest"]
            .as_str()
            .unwrap();
        let path = |name: &str| stage.directory.path().join(name).to_str().unwrap().to_owned();
        // Every copy leaves a trust of its own there, for its own repository; this one is to serve everywhere.
        fs::rename(path("countersign-report/trust"), path("trust")).unwrap();
        let policy = path("trust/trustpolicy.json");
        let mut trust: Value = serde_json::from_slice(&fs::read(&policy).unwrap()).unwrap();
        trust["trustPolicies"][0]["registryScopes"] = json!(["*"]);
        fs::write(policy, trust.to_string()).unwrap();
        let returned = format!("{}/back:1.4", stage.from.host());
        let store = |image: &str| format!("http://{}", image.trim_end_matches(":1.4"));
        let destination = stage.destination();
        for (from, to, place) in [
            (stage.source().as_str(), destination.as_str(), store(&destination)),
            (&stage.source(), "oci:out:1.4", path("out")),
            ("oci:out:1.4", &returned, store(&returned)),
            ("oci:out:1.4", "oci:other:1.4", path("other")),
        ] {
            let (code, said) = stage.copy(from, to);
            assert_eq!(code, 0, "{from} to {to}: {said}");
            for signed in [&digest.to_string(), attestation] {
                let (code, said) = interop::ask(&library, &["verify", &place, signed, &path("trust")]);
                assert_eq!(
                    (code, &said["accepted"]),
                    (Some(0), &json!(true)),
                    "{place}: {said:#}"
                );
                assert_eq!(
                    said["signatures"].as_array().unwrap().len(),
                    1,
                    "{place}: {said:#}"
                );
            }
        }
        // It does look: where nothing was copied to, there is nothing.
        let unsigned = stage.from.put_image("unsigned", "1.4", "unsigned");
        let place = format!("http://{}/unsigned", stage.from.host());
        let (code, said) = interop::ask(
            &library,
            &["verify", &place, &unsigned.to_string(), &path("trust")],
        );
        assert_eq!((code, &said["accepted"]), (Some(1), &json!(false)), "{said:#}");
    }
}

#[test]
fn what_is_not_accepted_is_not_copied() {
    let stage = Stage::new(Quirks::default(), Quirks::default());
    stage.index(&["amd64"]);
    let (code, said) = stage.call(&["demo", "elsewhere"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = stage.copy(&stage.source(), &stage.destination());
    assert_eq!(code, 1, "{said}");
    assert_eq!(stage.writes("to"), 0);
    assert_eq!(stage.report()["findings"][0]["rule"], "CSN001");
    let (code, said) = stage.copy(&stage.source(), "oci:out");
    assert_eq!(
        (code, stage.directory.path().join("out").exists()),
        (1, false),
        "{said}"
    );
}

#[test]
fn every_error_names_its_side_and_a_fix() {
    let immutable = Quirks {
        immutable_tags: true,
        ..Quirks::default()
    };
    let (stage, _) = Stage::signed(Quirks::default(), immutable);
    let other = stage.to.put_image("prod/web", "1.4", "another");
    let (source, destination) = (stage.source(), stage.destination());
    let unknown = format!("{}/web:none", stage.from.host());
    let nobody = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("{}/web:1.4", socket.local_addr().unwrap())
    };
    for (from, to, code, about, words) in [
        (
            &source,
            &destination,
            4,
            &destination,
            "copy again to another tag",
        ),
        (&unknown, &destination, 5, &unknown, "404"),
        (&source, &nobody, 3, &nobody, "refused"),
        (&nobody, &destination, 3, &nobody, "refused"),
    ] {
        let (found, said) = stage.call(&["copy", "--signer=local", "--request-timeout=2s", from, to]);
        assert_eq!(found, code, "{said}");
        assert!(said.contains(words), "{words}: {said}");
        let report = stage.report();
        let failures = report["failures"].as_array().unwrap();
        assert_eq!(failures.len(), 1, "{report:#}");
        let told = report["targets"][0]["image"].as_str().unwrap();
        assert_eq!(told, about, "{report:#}");
    }
    assert_eq!(stage.to.tags("prod/web")["1.4"], other.to_string());
    stage.world.fault(
        "to",
        "POST upload",
        When::Always,
        Fault::registry_error(403, "DENIED", "not authorized"),
    );
    let (code, said) = stage.copy(&source, &format!("{}/new:1.4", stage.to.host()));
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("the login may not store blobs"), "{said}");
    for (named, words) in [
        (vec![], "expected an image"),
        (vec![source.as_str()], "alone"),
        (vec![&source, &source], "alone"),
        (vec![&source, &destination, "oci:third"], "found 3"),
    ] {
        let (code, said) = stage.call(&[&["copy", "--signer=local"], named.as_slice()].concat());
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(words), "{words}: {said}");
    }
    let (_, help) = stage.call(&["copy", "--help"]);
    assert!(
        help.contains("Usage: countersign copy [OPTIONS] SRC DST"),
        "{help}"
    );
}

#[test]
fn what_others_attached_is_carried_along_and_said() {
    let (stage, digest) = Stage::signed(Quirks::default(), Quirks::default());
    let attach = |to: &str, kind: &str| {
        let subject = &stage.from.manifests("web")[to];
        stage.from.put_blob("web", b"{}");
        let empty = json!({"mediaType": MediaType::EMPTY, "digest": Digest::of(b"{}"), "size": 2});
        let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "artifactType": kind,
            "config": empty, "layers": [empty],
            "subject": {"mediaType": subject.media_type, "digest": to, "size": subject.bytes.len()}});
        let bytes = manifest.to_string().into_bytes();
        stage
            .from
            .put_manifest("web", None, &MediaType::OCI_MANIFEST, &bytes)
    };
    let foreign = attach(&digest.to_string(), "application/vnd.example.scan");
    let below = attach(&foreign.to_string(), "application/vnd.example.note");
    let (code, said) = stage.copy(&stage.source(), &stage.destination());
    assert_eq!(code, 0, "{said}");
    let there = content(&stage.to, "prod/web");
    assert!(there.contains_key(&foreign.to_string()) && there.contains_key(&below.to_string()));
    assert_eq!(stage.to.referrers("prod/web", &foreign), [below]);
    let plan = stage.report()["targets"][0]["plan"].to_string();
    assert!(
        plan.contains("3 of 5 signatures and attestations accepted"),
        "{plan}"
    );
    assert!(plan.contains("carried along"), "{plan}");
}

#[test]
fn a_sparse_index_is_copied_as_far_as_it_goes_and_said() {
    let stage = Stage::new(Quirks::default(), Quirks::default());
    let there = stage.from.put_image("web", "amd64", "layer");
    let size = stage.from.manifests("web")[&there.to_string()].bytes.len();
    let gone = Digest::of(b"gone");
    let entry = |digest: &Digest, architecture: &str| {
        json!({"mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": size,
            "platform": {"os": "linux", "architecture": architecture}})
    };
    stage.put_index(&[entry(&there, "amd64"), entry(&gone, "arm64")]);
    let (code, said) = stage.call(&[
        "run",
        "--signer=local",
        "--allow=**",
        "--provenance=off",
        &stage.source(),
    ]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = stage.copy(&stage.source(), "oci:out:1.4");
    assert_eq!(code, 0, "{said}");
    let plan = stage.report()["targets"][0]["plan"].to_string();
    assert!(
        plan.contains(&gone.to_string()) && plan.contains("sparse"),
        "{plan}"
    );
}

#[test]
fn a_blob_that_lies_never_arrives() {
    let (stage, _) = Stage::signed(Quirks::default(), Quirks::default());
    let layer = Digest::of(b"layer of arm64");
    let flip = Arc::new(move |answer: &mut crate::support::http::Response| {
        if let crate::support::http::Body::Bytes(bytes) = &mut answer.body
            && bytes.starts_with(b"layer of arm64")
        {
            bytes[0] ^= 1;
        }
    });
    stage
        .world
        .fault("from", "GET blob", When::Always, Fault::Edit(flip));
    for to in [stage.destination(), "oci:out:1.4".to_owned()] {
        let (code, said) = stage.copy(&stage.source(), &to);
        assert_eq!(code, 6, "{said}");
    }
    assert!(!stage.to.blobs("prod/web").contains_key(&layer.to_string()));
    assert!(stage.to.tags("prod/web").is_empty());
    assert!(
        !stage
            .directory
            .path()
            .join("out/blobs/sha256")
            .join(layer.hex())
            .exists()
    );
    stage.world.no_more_faults();
    let (code, said) = stage.copy(&stage.source(), &stage.destination());
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_blob_whose_way_breaks_off_is_sent_again() {
    let (stage, _) = Stage::signed(Quirks::default(), Quirks::default());
    stage
        .world
        .fault("from", "GET blob", When::First(2), Fault::TruncateAfter(3));
    stage.world.fault("to", "PUT blob", When::Nth(2), Fault::Reset);
    let (code, said) = stage.copy(&stage.source(), &stage.destination());
    assert_eq!(code, 0, "{said}");
    assert_eq!(content(&stage.to, "prod/web"), content(&stage.from, "web"));
}

#[test]
fn a_copy_that_is_killed_at_any_request_is_completed_by_the_next() {
    for to in [Quirks::default(), Quirks::distribution()] {
        let (stage, digest) = Stage::signed(Quirks::default(), to);
        let whole = {
            stage.world.ledger().clear();
            let (code, said) = stage.copy(&stage.source(), &format!("{}/whole:1.4", stage.to.host()));
            assert_eq!(code, 0, "{said}");
            stage.world.ledger().len()
        };
        stage.world.set_latency(Duration::from_millis(2));
        for nth in (1..whole).step_by(7) {
            let name = format!("at{nth}");
            let destination = format!("{}/{name}:1.4", stage.to.host());
            stage.world.ledger().clear();
            let mut child = stage
                .command(&["copy", "--signer=local", &stage.source(), &destination])
                .spawn()
                .unwrap();
            let began = Instant::now();
            while stage.world.ledger().len() < nth && began.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_micros(300));
            }
            let _ = child.kill();
            let _ = child.wait();
            if let Some(tagged) = stage.to.tags(&name).get("1.4") {
                assert_eq!(*tagged, digest.to_string());
                assert_eq!(content(&stage.to, &name).len(), 6, "at {nth}: the tag comes last");
            }
            let (code, said) = stage.copy(&stage.source(), &destination);
            assert_eq!(code, 0, "at {nth}: {said}");
            assert_eq!(content(&stage.to, &name).len(), 6, "at {nth}");
        }
    }
}

#[test]
fn within_one_registry_nothing_is_sent_twice_and_a_digest_is_kept() {
    let (stage, digest) = Stage::signed(Quirks::default(), Quirks::default());
    let to = format!("{}/web:promoted", stage.from.host());
    stage.world.ledger().clear();
    let (code, said) = stage.copy(&stage.source(), &to);
    assert_eq!(code, 0, "{said}");
    assert_eq!(
        (stage.from.tags("web")["promoted"].clone(), stage.writes("from")),
        (digest.to_string(), 1)
    );
    let other = format!("{}/web:x@{}", stage.to.host(), Digest::of(b"other"));
    let (code, said) = stage.copy(&stage.source(), &other);
    assert_eq!((code, stage.writes("to")), (2, 0), "{said}");
    assert!(said.contains("a copy keeps its digest"), "{said}");
}

#[test]
fn as_an_action_two_lines_name_both() {
    let (stage, digest) = Stage::signed(Quirks::default(), Quirks::default());
    let images = format!("{}\n{}", stage.source(), stage.destination());
    let output = stage
        .command(&["action"])
        .envs([
            ("GITHUB_ACTIONS", "true"),
            ("INPUT_COMMAND", "copy"),
            ("INPUT_SIGNER", "local"),
            ("INPUT_IMAGES", images.as_str()),
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stage.to.tags("prod/web")["1.4"], digest.to_string());
}

#[test]
fn blobs_of_one_registry_are_linked_where_it_can_and_sent_where_it_cannot() {
    for mounts in [true, false] {
        let quirks = Quirks {
            mounts,
            ..Quirks::default()
        };
        let (stage, digest) = Stage::signed(quirks, Quirks::default());
        stage.world.ledger().clear();
        let to = format!("{}/prod/web:1.4", stage.from.host());
        let (code, said) = stage.copy(&stage.source(), &to);
        assert_eq!(code, 0, "{said}");
        assert_eq!(stage.from.tags("prod/web")["1.4"], digest.to_string());
        let ledger = stage.world.ledger();
        let (asked, sent) = (
            ledger.count("from", "POST upload"),
            ledger.count("from", "PUT blob"),
        );
        assert!(
            asked > 0 && sent == if mounts { 0 } else { asked },
            "{asked} asked, {sent} sent"
        );
    }
}

/// Most memory that a process held so far, in kibibytes.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// Copies and says how much memory it took.
#[cfg(target_os = "linux")]
fn memory_of_copy(stage: &Stage, to: &str) -> u64 {
    let mut child = stage
        .command(&["copy", "--signer=local", "--fail-on=none", &stage.source(), to])
        .spawn()
        .unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = peak(child.id()).unwrap_or_default().max(most);
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    most
}

#[cfg(target_os = "linux")]
#[test]
fn a_tree_of_many_large_manifests_takes_no_more_memory_than_a_small_one() {
    let (stage, digest) = Stage::signed(Quirks::default(), Quirks::default());
    let subject = &stage.from.manifests("web")[&digest.to_string()];
    stage.from.put_blob("web", b"{}");
    let empty = json!({"mediaType": MediaType::EMPTY, "digest": Digest::of(b"{}"), "size": 2});
    let filler = "x".repeat(3_000_000);
    for number in 0..70 {
        let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "filler": filler,
            "artifactType": format!("application/vnd.example.n{number}"), "config": empty, "layers": [empty],
            "subject": {"mediaType": subject.media_type, "digest": digest, "size": subject.bytes.len()}});
        let bytes = manifest.to_string().into_bytes();
        stage
            .from
            .put_manifest("web", None, &MediaType::OCI_MANIFEST, &bytes);
    }
    let most = memory_of_copy(&stage, "oci:out:1.4");
    let plan = stage.report()["targets"][0]["plan"].to_string();
    assert!(plan.contains("76 of 76 manifests"), "{plan}");
    assert!(most < 160_000, "{most} KiB for 70 manifests of 3 MB");
}

#[test]
fn copies_of_one_image_into_one_layout_at_once_end_whole() {
    let (stage, _) = Stage::signed(Quirks::default(), Quirks::default());
    for round in 0..4 {
        let to = format!("oci:out{round}:1.4");
        let copy = |_| {
            stage
                .command(&["copy", "--signer=local", &stage.source(), &to, "--output-dir"])
                .arg(format!("report-{}", std::process::id()))
                .spawn()
                .unwrap()
        };
        let children: Vec<_> = (0..5).map(copy).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{output:?}");
        }
        let (code, said) = stage.call(&["verify", "--signer=local", &to]);
        assert_eq!(code, 0, "{said}");
        let (code, said) = stage.copy(&stage.source(), &to);
        assert_eq!(code, 0, "{said}");
        assert_eq!(stage.report()["targets"][0]["state"], "kept", "{said}");
        let top = fs::read_dir(stage.directory.path().join(format!("out{round}"))).unwrap();
        let mut top: Vec<_> = top.map(|entry| entry.unwrap().file_name()).collect();
        top.sort();
        assert_eq!(top, ["blobs", "index.json", "oci-layout"]);
    }
}

#[test]
fn a_platform_that_arrived_otherwise_is_found_out() {
    let (stage, _) = Stage::signed(Quirks::default(), Quirks::default());
    let flip = Arc::new(move |answer: &mut crate::support::http::Response| {
        if let crate::support::http::Body::Bytes(bytes) = &mut answer.body
            && answer.status == 200
            && String::from_utf8_lossy(bytes).contains(&Digest::of(b"layer of arm64").to_string())
        {
            bytes[0] ^= 1;
        }
    });
    stage
        .world
        .fault("to", "GET manifest", When::Always, Fault::Edit(flip));
    let (code, said) = stage.copy(&stage.source(), &stage.destination());
    assert_eq!(code, 6, "{said}");
}

#[test]
fn what_a_list_of_referrers_names_and_refers_to_something_else_is_not_copied() {
    let (stage, digest) = Stage::signed(Quirks::distribution(), Quirks::default());
    let other = stage.from.put_image("web", "other", "another image");
    let manifests = stage.from.manifests("web");
    let tag = digest.to_string().replace(':', "-");
    let list = &manifests[&stage.from.tags("web")[&tag]];
    let mut list: Value = serde_json::from_slice(&list.bytes).unwrap();
    let size = manifests[&other.to_string()].bytes.len();
    list["manifests"]
        .as_array_mut()
        .unwrap()
        .push(json!({"mediaType": MediaType::OCI_MANIFEST, "digest": other, "size": size}));
    let bytes = list.to_string().into_bytes();
    stage
        .from
        .put_manifest("web", Some(&tag), &MediaType::OCI_INDEX, &bytes);
    let (code, said) = stage.copy(&stage.source(), &stage.destination());
    assert_eq!(code, 0, "{said}");
    assert!(!content(&stage.to, "prod/web").contains_key(&other.to_string()));
    let plan = stage.report()["targets"][0]["plan"].to_string();
    assert!(
        plan.contains("1 entries of lists of referrers refer to something else"),
        "{plan}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_layer_is_streamed() {
    const SIZE: u64 = 256 * 1024 * 1024;
    let stage = Stage::new(Quirks::default(), Quirks::default());
    let mut hasher = countersign::domain::oci::Hasher::new(countersign::domain::oci::Algorithm::Sha256);
    let piece = vec![0; 1024 * 1024];
    for _ in 0..SIZE / 1024 / 1024 {
        hasher.update(&piece);
    }
    let layer = hasher.finish();
    stage.from.put_blob("web", b"{}");
    let zeros = layer.to_string();
    let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "config": {"mediaType": MediaType::OCI_CONFIG, "digest": Digest::of(b"{}"), "size": 2},
        "layers": [{"mediaType": MediaType::OCI_LAYER, "digest": layer, "size": SIZE}]});
    let bytes = manifest.to_string().into_bytes();
    stage
        .from
        .put_manifest("web", Some("1.4"), &MediaType::OCI_MANIFEST, &bytes);
    let (code, said) = stage.call(&[
        "run",
        "--signer=local",
        "--allow=**",
        "--provenance=off",
        &stage.source(),
    ]);
    assert_eq!(code, 0, "{said}");
    // The registry does not keep so many bytes: it makes them up when the layer is asked for.
    let made = Arc::new(|answer: &mut crate::support::http::Response| {
        if answer.status == 404 {
            *answer = crate::support::http::Response::new(200);
            answer.body = crate::support::http::Body::Zeros(SIZE);
        }
    });
    stage
        .world
        .fault("from", "GET blob", When::Always, Fault::Edit(made));
    let most = memory_of_copy(&stage, "oci:out:1.4");
    let hex = zeros.trim_start_matches("sha256:").to_owned();
    let stored = fs::metadata(stage.directory.path().join("out/blobs/sha256").join(hex)).unwrap();
    assert_eq!(stored.len(), SIZE);
    assert!(most < 150_000, "{most} KiB for a layer of {SIZE} bytes");
}

#[test]
fn a_directory_that_lists_something_is_never_made_a_layout() {
    let (stage, _) = Stage::signed(Quirks::default(), Quirks::default());
    let out = stage.directory.path().join("out");
    let lists =
        r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/x","digest":"sha256:00","size":1}]}"#;
    fs::create_dir(&out).unwrap();
    fs::write(out.join("index.json"), lists).unwrap();
    let (code, said) = stage.call(&["copy", "--signer=local", &stage.source(), "oci:out:1.4"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("found one with \"index.json\""), "{said}");
    assert_eq!(fs::read_to_string(out.join("index.json")).unwrap(), lists);

    let elsewhere = stage.directory.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_file(out.join("index.json")).unwrap();
    fs::remove_dir_all(out.join("blobs")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, out.join("blobs")).unwrap();
    let (code, said) = stage.call(&["copy", "--signer=local", &stage.source(), "oci:out:1.4"]);
    assert_eq!(code, 2, "{said}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}
