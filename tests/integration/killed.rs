//! The shipped binary killed, or out of disk, at each of its changes to files in turn: what it leaves can be read by
//! everyone, and running again completes it without doing anything twice.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use crate::faults::{Fault, at_every_change};
use crate::scratch::{BUILD, Layout, NOTARY, PROVENANCE, Scratch, hex, hex_of, snapshot, tool};

const DEMO: &str = "oci:demo:1.0";

/// A user without rights.
const NOBODY: u32 = 65_534;

/// Everything that the index names is there, whole, and by its own name.
fn is_whole(directory: &Path, when: &str) -> Layout {
    let layout = Layout::read(directory);
    for entry in layout.entries() {
        let name = hex_of(entry);
        let path = directory.join("blobs/sha256").join(&name);
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{when}: {name}: {error}"));
        assert_eq!(hex(&bytes), name, "{when}");
        let manifest = layout.json(&name);
        for blob in manifest["layers"].as_array().into_iter().flatten() {
            assert_eq!(hex(layout.blob(&hex_of(blob))), hex_of(blob), "{when}");
        }
    }
    layout
}

/// A command that is struck, and what it attaches.
#[derive(Clone, Copy)]
struct Job {
    command: &'static [&'static str],
    kinds: &'static [&'static str],
    /// Whether the image itself is signed.
    signs: bool,
}

const RUN: Job = Job {
    command: &[
        "run",
        "--signer=local",
        DEMO,
        BUILD[0],
        BUILD[1],
        BUILD[2],
        BUILD[3],
    ],
    kinds: &[PROVENANCE],
    signs: true,
};

const SPDX: &str = "application/spdx+json";
const CYCLONEDX: &str = "application/vnd.cyclonedx+json";

/// The files that the commands below attach.
fn documents(scratch: &Scratch) {
    let spdx = r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"web","dataLicense":"CC0-1.0","documentNamespace":"https://example.com/web","creationInfo":{"created":"2026-01-01T00:00:00Z","creators":["Tool: x"]}}"#;
    fs::write(scratch.path("bom.spdx.json"), spdx).unwrap();
    let cyclonedx = r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#;
    fs::write(scratch.path("bom.cdx.json"), cyclonedx).unwrap();
}

/// One signature on the image if it is signed, one attestation of each kind, one signature on each, and nothing else.
fn is_complete(scratch: &Scratch, job: Job, when: &str) {
    let layout = is_whole(&scratch.path("demo"), when);
    let image = layout.image();
    assert_eq!(
        layout.referrers(&image, NOTARY).len(),
        usize::from(job.signs),
        "{when}"
    );
    for kind in job.kinds {
        layout.referrer(&layout.referrer(&image, kind), NOTARY);
    }
    let entries = 1 + usize::from(job.signs) + 2 * job.kinds.len();
    assert_eq!(layout.entries().len(), entries, "{when}");
}

/// Strikes every change of a command that signs or attests, on a fresh layout; a run after it has to complete the job.
fn strike(fault: Fault, keep_key: bool, job: Job) {
    let scratch = Scratch::new();
    if keep_key {
        scratch.demo();
    }
    documents(&scratch);
    let run = job.command;
    let fresh = || {
        let _ = fs::remove_dir_all(scratch.path("demo"));
        if !keep_key {
            let _ = fs::remove_dir_all(scratch.path("state"));
        }
        scratch.unsigned("demo");
        scratch.command(run)
    };
    let _ = fresh();
    let before = snapshot(&scratch.path("demo"));
    let mut untouched = 0;
    let struck = at_every_change(fault, fresh, |call, output| {
        let when = format!("{fault:?} at {call}");
        let layout = is_whole(&scratch.path("demo"), &when);
        // No attestation is ever listed without its signature.
        for kind in job.kinds {
            for attestation in layout.referrers(&layout.image(), kind) {
                layout.referrer(&attestation, NOTARY);
            }
        }
        let same = snapshot(&scratch.path("demo")) == before;
        untouched += usize::from(same);
        if matches!(fault, Fault::FullDisk) && !same {
            let judged = tool(&scratch.path(""), "skopeo", &["inspect", "--raw", DEMO]);
            assert!(
                judged.is_none_or(|output| output.status.success()),
                "{when}: {output:?}"
            );
        }
        scratch.expect(0, run);
        is_complete(&scratch, job, &when);
        let before = snapshot(&scratch.path("demo"));
        scratch.expect(0, run);
        assert_eq!(snapshot(&scratch.path("demo")), before, "{when}");
    });
    if let Some(struck) = struck {
        let _ = writeln!(
            std::io::stderr(),
            "killed: {fault:?} at {struck} system calls, the layout untouched at {untouched}"
        );
        assert!(struck >= 40 && untouched > 0, "{struck}, {untouched}");
    }
}

#[test]
fn a_run_that_dies_at_any_change_is_completed_by_the_next() {
    strike(Fault::Death, true, RUN);
}

#[test]
fn a_run_that_finds_the_disk_full_at_any_change_is_completed_by_the_next() {
    strike(Fault::FullDisk, true, RUN);
}

#[test]
fn a_first_run_that_dies_while_it_makes_its_key_is_completed_by_the_next() {
    strike(Fault::Death, false, RUN);
}

#[test]
fn a_run_with_documents_that_dies_at_any_change_is_completed_by_the_next() {
    let command = &[
        "run",
        "--signer=local",
        "--provenance=off",
        "--attest=spdx=bom.spdx.json",
        "--attest=cyclonedx=bom.cdx.json",
        DEMO,
    ];
    let kinds = &[SPDX, CYCLONEDX];
    strike(
        Fault::Death,
        true,
        Job {
            command,
            kinds,
            signs: true,
        },
    );
}

#[test]
fn an_attest_that_dies_at_any_change_is_completed_by_the_next() {
    let command = &[
        "attest",
        "--signer=local",
        "--attest=spdx=bom.spdx.json",
        "--attest=cyclonedx=bom.cdx.json",
        DEMO,
    ];
    let kinds = &[SPDX, CYCLONEDX];
    strike(
        Fault::Death,
        true,
        Job {
            command,
            kinds,
            signs: false,
        },
    );
}

#[test]
fn a_layout_that_may_not_be_written_is_named_and_left() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let closed = |mode: u32| {
        for name in ["demo/blobs/sha256", "demo/blobs", "demo"] {
            fs::set_permissions(scratch.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    closed(0o555);
    let before = snapshot(&scratch.path("demo"));
    let mut command = scratch.command(&["run", "--signer=local", "--provenance=off", DEMO]);
    // Root may write anywhere, so the run is somebody else's, who owns everything but the layout.
    let is_root = fs::write(scratch.path("demo/probe"), "").is_ok();
    if is_root {
        fs::remove_file(scratch.path("demo/probe")).unwrap();
        fs::set_permissions(scratch.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        chown(scratch.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output();
    closed(0o755);
    let Ok(output) = output else {
        crate::faults::skipped("a layout that may not be written (nobody may run the binary)");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(said.contains("demo/") && said.contains("fix: "), "{said}");
    assert_eq!(snapshot(&scratch.path("demo")), before);
}
