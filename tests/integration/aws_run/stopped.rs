//! Runs that are stopped from outside, and services that never come to an end.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::faults::assert_clean;
use super::{Ended, Stage};
use crate::support::aws::ROLE;
use crate::support::fault::{Fault, When};

/// Waits until an operation was asked so often.
fn wait_for(stage: &Stage, (service, operation, times): (&str, &str, usize)) {
    let patience = Instant::now() + Duration::from_mins(1);
    while stage.world.ledger().count(service, operation) < times {
        assert!(Instant::now() < patience, "{:?}", stage.world.ledger().counts());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send(signal: &str, process: &str) {
    let sent = Command::new("kill").args([signal, process]).status();
    assert!(sent.unwrap().success());
}

/// Starts a run, waits until an operation of the registry was asked so often, and sends a signal.
fn stop_at(stage: &Stage, images: &[&str], at: (&str, &str, usize), signal: &str) -> Ended {
    let mut args = stage.signing(&["--role-arn", ROLE, "--jobs", "1"]);
    args.extend(images);
    let mut command = stage.command(&args);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(stage, at);
    send(signal, &child.id().to_string());
    let output = child.wait_with_output().unwrap();
    let report = std::fs::read(stage.path("countersign-report/report.json")).unwrap();
    Ended {
        code: output.status.code().unwrap(),
        data: String::from_utf8(output.stdout).unwrap(),
        words: String::from_utf8(output.stderr).unwrap(),
        report: serde_json::from_slice(&report).unwrap(),
    }
}

#[test]
fn a_run_that_is_stopped_says_what_is_public() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let stage = Stage::new();
        let mut images = Vec::new();
        for (tag, seed) in [("1", "one"), ("2", "two"), ("3", "three")] {
            let digest = stage.registry.put_image("web", tag, seed);
            images.push(format!("{}/web@{digest}", stage.host));
        }
        let images: Vec<&str> = images.iter().map(String::as_str).collect();
        // The first image is done with three manifests; of the second, the third manifest never arrives.
        stage
            .world
            .fault("registry", "PUT manifest", When::From(6), Fault::Stall);
        let ended = stop_at(&stage, &images, ("registry", "PUT manifest", 6), signal);
        assert_eq!(ended.code, code, "{}", ended.everything());
        assert_eq!(ended.report["exit"], code);
        let targets = ended.report["targets"].as_array().unwrap();
        assert_eq!(targets[0]["state"], "signed", "{}", ended.everything());
        assert_eq!(targets[1]["state"], "failed");
        assert_eq!(targets[2]["state"], "not-started");
        let failures = ended.report["failures"].as_array().unwrap();
        let named = failures.iter().any(|failure| {
            let done = failure["done"].to_string();
            done.contains("signature sha256:")
        });
        assert!(named, "{}", ended.everything());
        stage.assert_no_canary(&ended);
        stage.assert_nobody_else_was_dialled();
        // The third was looked at, since equal digests share a signing, and left alone.
        let third = images[2].rsplit('@').next().unwrap();
        assert_eq!(stage.registry.referrers("web", &third.parse().unwrap()), []);

        stage.world.no_more_faults();
        let again = stage.run(&images);
        assert_eq!(again.code, 0, "{}", again.everything());
        assert_clean(&stage, signal);
    }
}

/// The same command as the first process of a namespace, as in a container; nothing where that is not allowed.
fn as_first_process(command: &Command) -> Option<Command> {
    let may = Command::new("unshare")
        .args(["-rpf", "--mount-proc", "true"])
        .output();
    if !may.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut first = Command::new("unshare");
    first.args(["-rpf", "--mount-proc"]);
    first.arg(command.get_program()).args(command.get_args());
    first.env_clear();
    first.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    first.current_dir(command.get_current_dir().unwrap());
    Some(first)
}

#[test]
fn the_first_process_of_a_container_is_stopped_too() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let stage = Stage::new();
        let digest = stage.registry.put_image("web", "1", "one");
        let image = format!("{}/web@{digest}", stage.host);
        stage
            .world
            .fault("registry", "GET manifest", When::Always, Fault::Stall);
        let args = stage.signing(&["--role-arn", ROLE, &image]);
        let Some(mut command) = as_first_process(&stage.command(&args)) else {
            let _ = writeln!(std::io::stderr(), "SKIPPED: unshare may make no namespaces here");
            return;
        };
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(&stage, ("registry", "GET manifest", 1));
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let first = std::fs::read_to_string(children).unwrap();
        send(signal, first.trim());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let report = std::fs::read(stage.path("countersign-report/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["exit"], code);
    }
}

#[test]
fn a_run_that_is_stopped_before_it_began_leaves_a_report() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    stage
        .world
        .fault("sts", "AssumeRoleWithWebIdentity", When::Always, Fault::Stall);
    let at = ("sts", "AssumeRoleWithWebIdentity", 1);
    let ended = stop_at(&stage, &[&image], at, "-TERM");
    assert_eq!(ended.code, 143, "{}", ended.everything());
    assert_eq!(ended.report["exit"], 143);
    assert_eq!(stage.signed_and_written(), (0, 0));
}

/// A run whose requests may take a moment only.
fn hasty(stage: &Stage) -> Ended {
    let digest = stage.registry.tags("web")["1.4"].clone();
    let image = format!("{}/web@{digest}", stage.host);
    stage.run_with(&[&image], &["-v", "--request-timeout", "400ms"])
}

#[test]
fn a_body_that_stalls_is_not_waited_for() {
    for (operation, bytes) in [
        ("GET manifest", 30),
        ("GET referrers", 10),
        ("PUT manifest", 0),
        ("GET blob", 5),
    ] {
        let stage = Stage::new();
        stage.registry.put_image("web", "1.4", "an image");
        let fault = if bytes == 0 {
            Fault::Stall
        } else {
            Fault::StallAfter(bytes)
        };
        stage.world.fault("registry", operation, When::Always, fault);
        let ended = hasty(&stage);
        assert_eq!(ended.code, 3, "{operation}: {}", ended.everything());
        let told = "no whole answer within 400 ms";
        assert!(
            ended.everything().contains(told),
            "{operation}: {}",
            ended.everything()
        );
        let repeated = format!("registry {operation}: attempt 2 in ");
        assert!(ended.words.contains(&repeated), "{operation}: {}", ended.words);
        stage.world.no_more_faults();
        let again = hasty(&stage);
        assert_eq!(again.code, 0, "{operation}: {}", again.everything());
        assert_clean(&stage, operation);
    }
}

#[test]
fn repeated_requests_to_aws_are_shown_too() {
    let stage = Stage::new();
    stage.registry.put_image("web", "1.4", "an image");
    stage
        .world
        .fault("signer", "SignPayload", When::Nth(1), Fault::status(503));
    let ended = hasty(&stage);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert!(
        ended.words.contains("signer SignPayload: attempt 2"),
        "{}",
        ended.words
    );
    // Without -v nobody sees that, where there is no progress line.
    stage.registry.put_image("web", "1.4", "another image");
    let digest = stage.registry.tags("web")["1.4"].clone();
    stage
        .world
        .fault("signer", "SignPayload", When::Nth(1), Fault::status(503));
    let ended = stage.run(&[&format!("{}/web@{digest}", stage.host)]);
    assert!(!ended.words.contains("attempt"), "{}", ended.words);
}

#[test]
fn endless_pages_come_to_an_end() {
    let stage = Stage::new();
    stage.registry.put_image("web", "1.4", "an image");
    let page = AtomicUsize::new(0);
    let more = Fault::edit(move |answer| {
        let next = page.fetch_add(1, Ordering::SeqCst);
        let link = format!("<?n={next}>; rel=\"next\"");
        answer.set("link", &link);
    });
    stage.world.fault("registry", "GET referrers", When::Always, more);
    let ended = hasty(&stage);
    assert_eq!(ended.code, 3, "{}", ended.everything());
    assert!(
        ended.everything().contains("more than 20 pages"),
        "{}",
        ended.everything()
    );
    assert_eq!(stage.asked("GET referrers"), 20);
    assert_eq!(stage.signed_and_written(), (0, 0));
}

#[test]
fn bodies_without_end_are_cut() {
    for (service, operation) in [
        ("oidc", "GET token"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("ecr", "GetAuthorizationToken"),
        ("signer", "SignPayload"),
        ("registry", "GET manifest"),
        ("registry", "GET referrers"),
        ("registry", "GET blob"),
    ] {
        let stage = Stage::new();
        stage.registry.put_image("web", "1.4", "an image");
        let kind = if operation == "GET referrers" {
            "application/vnd.oci.image.index.v1+json"
        } else if operation == "GET manifest" {
            "application/vnd.oci.image.manifest.v1+json"
        } else {
            "application/json"
        };
        stage
            .world
            .fault(service, operation, When::Always, Fault::huge(kind, 400 << 20));
        let digest = stage.registry.tags("web")["1.4"].clone();
        let ended = stage.run(&[&format!("{}/web@{digest}", stage.host)]);
        // What lies about its own size is no mere trouble.
        let codes: &[i32] = if operation == "GET blob" { &[3, 6] } else { &[3] };
        assert!(codes.contains(&ended.code), "{operation}: {}", ended.everything());
        assert_ne!(ended.report["verdict"], "passed");
    }
}

#[test]
fn a_storm_of_refusals_is_not_answered_by_a_storm() {
    for (operation, most) in [
        ("GET manifest", 4),
        ("GET referrers", 4),
        // Each blob's session is opened ahead of need, and again when it is needed, with the old login and a new one.
        ("POST upload", 20),
        ("PUT blob", 12),
        ("PUT manifest", 8),
        ("GET blob", 12),
    ] {
        let stage = Stage::new();
        stage.registry.put_image("web", "1.4", "an image");
        let refused =
            crate::support::http::Response::registry_error(401, "UNAUTHORIZED", "authentication required")
                .with("www-authenticate", "Basic realm=\"https://elsewhere.example/\"");
        stage
            .world
            .fault("registry", operation, When::Always, Fault::Answer(refused));
        let digest = stage.registry.tags("web")["1.4"].clone();
        let ended = stage.run(&[&format!("{}/web@{digest}", stage.host)]);
        assert_eq!(ended.code, 4, "{operation}: {}", ended.everything());
        let asked = stage.asked(operation);
        assert!(asked <= most, "{operation}: {asked}");
        let logins = stage.asked("GetAuthorizationToken");
        assert!(logins <= 1 + most / 2, "{operation}: {logins}");
    }
}
