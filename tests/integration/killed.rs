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

/// One signature on the image, one provenance, one signature on that, and nothing else.
fn is_complete(scratch: &Scratch, when: &str) {
    let layout = is_whole(&scratch.path("demo"), when);
    let image = layout.image();
    layout.referrer(&image, NOTARY);
    layout.referrer(&layout.referrer(&image, PROVENANCE), NOTARY);
    assert_eq!(layout.entries().len(), 4, "{when}");
}

/// Strikes every change of a run that signs and attests, on a fresh layout; a run after it has to complete the job.
fn strike(fault: Fault, keep_key: bool) {
    let scratch = Scratch::new();
    if keep_key {
        scratch.demo();
    }
    let run = [&["run", "--signer=local", DEMO][..], &BUILD].concat();
    let fresh = || {
        let _ = fs::remove_dir_all(scratch.path("demo"));
        if !keep_key {
            let _ = fs::remove_dir_all(scratch.path("state"));
        }
        scratch.unsigned("demo");
        scratch.command(&run)
    };
    let _ = fresh();
    let before = snapshot(&scratch.path("demo"));
    let mut untouched = 0;
    let struck = at_every_change(fault, fresh, |call, output| {
        let when = format!("{fault:?} at {call}");
        let layout = is_whole(&scratch.path("demo"), &when);
        // No attestation is ever listed without its signature.
        for attestation in layout.referrers(&layout.image(), PROVENANCE) {
            layout.referrer(&attestation, NOTARY);
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
        scratch.expect(0, &run);
        is_complete(&scratch, &when);
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
    strike(Fault::Death, true);
}

#[test]
fn a_run_that_finds_the_disk_full_at_any_change_is_completed_by_the_next() {
    strike(Fault::FullDisk, true);
}

#[test]
fn a_first_run_that_dies_while_it_makes_its_key_is_completed_by_the_next() {
    strike(Fault::Death, false);
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
