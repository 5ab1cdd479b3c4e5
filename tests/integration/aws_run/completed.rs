//! The process killed at each of its requests in turn: nothing unsigned is left where the order allows it, and running
//! again completes the job without doing anything twice.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Stage;
use super::faults::{OPERATIONS, assert_clean};
use crate::support::fault::{Fault, When};
use crate::support::registry::Quirks;

/// From here on requests may change something.
const WRITING: [&str; 4] = ["signer", "signer-data", "registry", "storage"];

/// Kills a run when its nth request arrives, which is still carried out; says whether it came that far.
fn killed_at(stage: &Stage, image: &str, more: &[&str], nth: usize) -> bool {
    let child: Arc<Mutex<Option<Child>>> = Arc::default();
    let seen = Arc::new(AtomicUsize::new(0));
    for (service, operation) in OPERATIONS {
        if !WRITING.contains(&service) {
            continue;
        }
        let (child, seen) = (Arc::clone(&child), Arc::clone(&seen));
        let strike = Fault::before(move || {
            if seen.fetch_add(1, Ordering::SeqCst) + 1 == nth
                && let Some(child) = child.lock().unwrap().as_mut()
            {
                child.kill().unwrap();
            }
        });
        stage.world.fault(service, operation, When::Always, strike);
    }
    let mut command = stage.run_command(&[image], "https://example.com/source", more);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    // Held until the child is known, so that no request is missed.
    let mut held = child.lock().unwrap();
    *held = Some(command.spawn().unwrap());
    drop(held);
    let status = loop {
        let mut held = child.lock().unwrap();
        if let Some(status) = held.as_mut().unwrap().try_wait().unwrap() {
            break status;
        }
        drop(held);
        std::thread::sleep(Duration::from_millis(2));
    };
    stage.world.no_more_faults();
    assert!(status.code().is_none_or(|code| code == 0), "{nth}: {status}");
    status.code().is_none()
}

fn strike(quirks: fn(Quirks) -> Quirks, always_signed: bool, more: &[&str], from: usize) {
    for nth in from.. {
        let stage = Stage::with(quirks);
        let digest = stage.registry.put_image("web", "1.4", "an image");
        let image = format!("{}/web@{digest}", stage.host);
        if !killed_at(&stage, &image, more, nth) {
            assert!(nth > from.max(20), "only {nth} requests");
            break;
        }
        let cell = format!("killed at request {nth}");
        if always_signed {
            assert_clean(&stage, &cell);
        }
        let again = stage.run_with(&[&image], more);
        assert_eq!(again.code, 0, "{cell}: {}", again.everything());
        assert_clean(&stage, &cell);
        assert_eq!(
            stage.registry.referrers("web", &digest).len(),
            2 + more.len(),
            "{cell}"
        );
        stage.world.ledger().clear();
        assert_eq!(stage.run_with(&[&image], more).code, 0, "{cell}");
        assert_eq!(stage.signed_and_written(), (0, 0), "{cell}");
    }
}

#[test]
fn a_run_that_is_killed_at_any_request_leaves_nothing_unsigned_and_is_completed_by_the_next() {
    strike(|quirks| quirks, true, &[], 1);
}

/// What comes before the summary is the same without it.
#[test]
fn a_run_that_is_killed_while_it_sums_up_is_completed_by_the_next() {
    strike(|quirks| quirks, true, &["--vsa"], 24);
}

#[test]
fn where_the_attestation_has_to_go_first_a_killed_run_is_completed_by_the_next() {
    let quirks = |quirks| Quirks {
        subject_must_exist: true,
        ..quirks
    };
    strike(quirks, false, &[], 1);
}
