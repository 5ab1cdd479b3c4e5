//! The shipped binary on hosts where something is not as it should be: permissions, places, files and streams.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::hosts::{Runner, commands, corpus, harmless};

const IMAGE: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const LINE: &str = "permissions: { contents: read, id-token: write }";

/// Inputs of a job that would sign with AWS.
const AWS: [(&str, &str); 4] = [
    ("INPUT_SIGNER", "aws"),
    ("INPUT_IMAGES", IMAGE),
    ("INPUT_ROLE-ARN", "arn:aws:iam::111122223333:role/countersign"),
    (
        "INPUT_SIGNING-PROFILE",
        "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release",
    ),
];

fn words(ended: &Output) -> String {
    String::from_utf8_lossy(&[&ended.stdout[..], &ended.stderr[..]].concat()).into_owned()
}

/// Annotations of a level, in the order said.
fn annotations(ended: &Output, level: &str) -> Vec<String> {
    let text = words(ended);
    let lines = text
        .lines()
        .filter(|line| line.starts_with(&format!("::{level} ")));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_missing_permission_is_an_error_that_shows_the_line_and_never_a_skip() {
    let runner = Runner::new();
    let own = r#"{"pull_request":{"head":{"repo":{"id":1}},"base":{"repo":{"id":1}}}}"#;
    for (event, payload) in [
        ("push", "{}"),
        ("workflow_dispatch", "{}"),
        ("schedule", "{}"),
        ("release", "{}"),
        ("pull_request", own),
        // Of whom nothing is known, nothing is proved.
        ("pull_request", "{}"),
    ] {
        for untrusted in ["skip", "refuse"] {
            for file in ["output", "summary"] {
                fs::write(runner.path("commands").join(file), "").unwrap();
            }
            let mut inputs = AWS.to_vec();
            inputs.push(("INPUT_UNTRUSTED", untrusted));
            let ended = runner.github(event, payload, &inputs);
            assert_eq!(ended.status.code(), Some(4), "{event}: {ended:?}");
            assert_eq!(runner.output("verdict"), "failed", "{event}");
            assert!(words(&ended).contains(LINE), "{event}: {ended:?}");
            let errors = annotations(&ended, "error");
            assert!(errors.iter().any(|error| error.contains(LINE)), "{errors:?}");
            assert!(runner.read("commands/summary").contains("id-token: write"));
        }
    }
}

#[test]
fn a_fork_s_pull_request_is_skipped_or_refused_before_anyone_is_asked() {
    let runner = Runner::new();
    let pull = r#"{"pull_request":{"head":{"repo":{"id":2}},"base":{"repo":{"id":1}}}}"#;
    let run = r#"{"repository":{"id":1},"workflow_run":{"head_repository":{"id":2}}}"#;
    let token = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://127.0.0.1:1/?a=b"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t"),
    ];
    for (event, payload, more) in [
        ("pull_request", pull, &[][..]),
        // These come with the base repository's rights, so a token is no proof of anything.
        ("pull_request_target", "{}", &token[..]),
        ("workflow_run", run, &token[..]),
    ] {
        fs::write(runner.path("commands/output"), "").unwrap();
        let mut inputs = AWS.to_vec();
        inputs.extend(more);
        let skipped = runner.github(event, payload, &inputs);
        assert_eq!(skipped.status.code(), Some(0), "{event}: {skipped:?}");
        assert_eq!(runner.output("verdict"), "skipped-untrusted");
        assert_eq!(runner.output("signed-digests"), "[]");
        let report = runner.read("workspace/countersign-report/report.json");
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["requests"], serde_json::json!({}), "{event}");
        inputs.push(("INPUT_UNTRUSTED", "refuse"));
        let refused = runner.github(event, payload, &inputs);
        assert_eq!(refused.status.code(), Some(4), "{event}: {refused:?}");
    }
}

/// Copies of the runner's unsigned image under other names.
fn copies(runner: &Runner, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| {
            let name = format!("copy{number:02}");
            let copied = Command::new("cp")
                .args(["-r", "plain", &name])
                .current_dir(runner.path("workspace"))
                .status();
            assert!(copied.unwrap().success());
            format!("oci:{name}:1.0")
        })
        .collect()
}

#[test]
fn the_page_gets_ten_annotations_of_a_level_and_the_worst_of_them() {
    let runner = Runner::new();
    // An image that nobody signed: the demo's, without what hangs on it.
    let index = runner.read("workspace/web/index.json");
    let mut index: serde_json::Value = serde_json::from_str(&index).unwrap();
    index["manifests"]
        .as_array_mut()
        .unwrap()
        .retain(|entry| !entry["annotations"]["org.opencontainers.image.ref.name"].is_null());
    let digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let moved = fs::rename(runner.path("workspace/web"), runner.path("workspace/plain"));
    moved.unwrap();
    fs::write(runner.path("workspace/plain/index.json"), index.to_string()).unwrap();
    let mut images = copies(&runner, 14);
    // The gravest of all comes last.
    let blob = format!(
        "workspace/copy13/blobs/sha256/{}",
        digest.trim_start_matches("sha256:")
    );
    let text = runner.read(&blob).replace("linux", "winux");
    fs::write(runner.path(&blob), text).unwrap();
    images.insert(0, "oci:nowhere:1.0".to_owned());
    let ended = runner.github(
        "push",
        "{}",
        &[("INPUT_COMMAND", "verify"), ("INPUT_IMAGES", &images.join("\n"))],
    );
    assert_eq!(ended.status.code(), Some(6), "{ended:?}");
    let errors = annotations(&ended, "error");
    assert_eq!(errors.len(), 10, "{errors:#?}");
    assert!(
        errors[0].starts_with("::error title=countersign%3A tampered::"),
        "{errors:#?}"
    );
    assert!(
        errors[9].contains("more of this level stand in the report"),
        "{errors:#?}"
    );
    let order: Vec<String> = commands(&ended)
        .into_iter()
        .filter(|name| ["error", "warning", "notice"].contains(&name.as_str()))
        .collect();
    let mut sorted = order.clone();
    sorted.sort_by_key(|name| {
        ["error", "warning", "notice"]
            .iter()
            .position(|known| known == name)
    });
    assert_eq!(order, sorted);
}

#[test]
fn findings_are_shown_at_the_file_that_is_named() {
    let runner = Runner::new();
    let inputs = [
        ("INPUT_COMMAND", "verify"),
        ("INPUT_IMAGES", "oci:web:1.0"),
        ("INPUT_METADATA", "build=17"),
        ("INPUT_SARIF-LOCATION", "docker/Dockerfile:3"),
    ];
    let ended = runner.github("push", "{}", &inputs);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let errors = annotations(&ended, "error");
    let pinned = "::error file=docker/Dockerfile,line=3,title=";
    assert!(
        !errors.is_empty() && errors.iter().all(|line| line.starts_with(pinned)),
        "{errors:?}"
    );
    let sarif = runner.read("workspace/countersign-report/results.sarif");
    let sarif: serde_json::Value = serde_json::from_str(&sarif).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "docker/Dockerfile");
    assert_eq!(place["region"]["startLine"], 3);
    for wrong in ["/etc/passwd", "../x", "Dockerfile:0", "a,b=c\n::error::x"] {
        let ended = runner.github("push", "{}", &[("INPUT_SARIF-LOCATION", wrong)]);
        assert_eq!(ended.status.code(), Some(2), "{wrong}: {ended:?}");
    }
    let gitlab = [("GITLAB_CI", "true"), ("COUNTERSIGN_SIGNER", "local")];
    let args = [
        "verify",
        "--metadata",
        "build=17",
        "--sarif-location",
        "Dockerfile",
        "oci:web:1.0",
    ];
    runner.call(&args, &gitlab);
    let quality = runner.read("workspace/countersign-report/codequality.json");
    let quality: serde_json::Value = serde_json::from_str(&quality).unwrap();
    assert_eq!(
        quality[0]["location"],
        serde_json::json!({"path": "Dockerfile", "lines": {"begin": 1}})
    );
}

#[test]
fn groups_of_images_worked_on_together_do_not_mix() {
    let runner = Runner::new();
    fs::rename(runner.path("workspace/web"), runner.path("workspace/plain")).unwrap();
    let images = copies(&runner, 6).join("\n");
    let ended = runner.github("push", "{}", &[("INPUT_IMAGES", &images)]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let text = String::from_utf8(ended.stderr).unwrap();
    let groups: Vec<&str> = text.split("::group::").skip(1).collect();
    assert_eq!(groups.len(), 6, "{text}");
    for group in groups {
        let (inside, _) = group.split_once("::endgroup::\n").unwrap();
        let steps: Vec<&str> = inside
            .lines()
            .skip(1)
            .map(|line| line.trim().split(':').next().unwrap())
            .collect();
        // The demo's signature stands already; only the provenance of this job is new.
        assert_eq!(
            steps,
            ["resolve", "observe", "sign", "attest", "verify"],
            "{text}"
        );
    }
}

#[test]
fn gitlab_s_sections_close_one_by_one() {
    let runner = Runner::new();
    fs::rename(runner.path("workspace/web"), runner.path("workspace/plain")).unwrap();
    let images = copies(&runner, 3);
    let mut args = vec!["run", "--provenance=off"];
    args.extend(images.iter().map(String::as_str));
    let ended = runner.call(&args, &[("GITLAB_CI", "true"), ("COUNTERSIGN_SIGNER", "local")]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let text = String::from_utf8(ended.stderr).unwrap();
    let marks: Vec<(&str, &str)> = text
        .split("\u{1b}[0Ksection_")
        .skip(1)
        .map(|mark| {
            let mut parts = mark.split([':', '[', '\r']);
            (parts.next().unwrap(), parts.nth(1).unwrap())
        })
        .collect();
    assert_eq!(marks.len(), 6, "{text:?}");
    for pair in marks.chunks(2) {
        assert_eq!(
            (pair[0].0, pair[1].0, pair[0].1),
            ("start", "end", pair[1].1),
            "{text:?}"
        );
    }
}

#[test]
fn a_file_that_names_images_is_found_under_each_of_its_names() {
    let runner = Runner::new();
    fs::write(runner.path("workspace/images.txt"), IMAGE).unwrap();
    let here = runner.path("workspace/images.txt");
    for name in [
        "images.txt",
        here.to_str().unwrap(),
        "/home/runner/work/web/web/images.txt",
        "/__w/web/web/images.txt",
        "/runner/_work/web/web/images.txt",
        "/mnt/disk/web/web/images.txt",
    ] {
        let ended = runner.github(
            "push",
            "{}",
            &[
                ("INPUT_COMMAND", "targets"),
                ("INPUT_SIGNER", ""),
                ("INPUT_IMAGES", ""),
                ("INPUT_IMAGES-FROM", name),
                ("RUNNER_WORKSPACE", "/mnt/disk/web"),
            ],
        );
        assert_eq!(ended.status.code(), Some(0), "{name}: {ended:?}");
        assert_eq!(String::from_utf8_lossy(&ended.stdout).trim(), IMAGE, "{name}");
    }
}

#[test]
fn files_outside_of_the_workspace_name_no_images() {
    let runner = Runner::new();
    let secret = runner.path("secret.txt");
    fs::write(&secret, "r.example/canary:1\n").unwrap();
    let workspace = runner.path("workspace");
    symlink(&secret, workspace.join("link")).unwrap();
    symlink("/proc/self/environ", workspace.join("environ")).unwrap();
    symlink("/", workspace.join("root")).unwrap();
    let pipe = Command::new("mkfifo").arg(workspace.join("pipe")).status();
    assert!(pipe.unwrap().success());
    let outside = secret.to_str().unwrap();
    for name in [
        "link",
        "environ",
        "root/etc/passwd",
        "pipe",
        outside,
        "../secret.txt",
        "/dev/zero",
        "/proc/self/environ",
        "/proc/1/cmdline",
        "/__w/web/web/../../../etc/passwd",
    ] {
        for command in ["targets", "run"] {
            let inputs = [
                ("INPUT_COMMAND", command),
                ("INPUT_SIGNER", if command == "run" { "local" } else { "" }),
                ("INPUT_IMAGES", ""),
                ("INPUT_IMAGES-FROM", name),
                ("INPUT_ALLOW", if command == "run" { "r.example/**" } else { "" }),
                ("SECRET", "canary"),
            ];
            let ended = runner.github("push", "{}", &inputs);
            assert_eq!(ended.status.code(), Some(2), "{command} {name}: {ended:?}");
            assert!(!words(&ended).contains("canary"), "{name}: {ended:?}");
        }
    }
}

#[test]
fn hostile_files_forge_nothing() {
    let runner = Runner::new();
    let mut texts = corpus();
    texts.push("nul\0::error::x\0".to_owned());
    texts.push("m".repeat(1 << 20));
    texts.push(format!("r.example/{}:1", "##[error]::x".repeat(100_000)));
    for text in texts {
        for (name, wrapped) in [
            ("images.txt", text.clone()),
            (
                "metadata.json",
                serde_json::json!({ "image.name": text, "containerimage.digest": text }).to_string(),
            ),
            ("trust.json", text.clone()),
        ] {
            for file in ["output", "summary"] {
                fs::write(runner.path("commands").join(file), "").unwrap();
            }
            fs::write(runner.path("workspace").join(name), wrapped).unwrap();
            let inputs = if name == "trust.json" {
                vec![("INPUT_TRUST-POLICY", name)]
            } else {
                vec![
                    ("INPUT_IMAGES", ""),
                    ("INPUT_IMAGES-FROM", name),
                    ("INPUT_ALLOW", "r.example/**"),
                ]
            };
            let ended = runner.github("push", "{}", &inputs);
            let code = ended.status.code();
            assert!(
                code.is_some_and(|code| ![0, 70].contains(&code)),
                "{name}: {ended:?}"
            );
            harmless(&runner, &ended, &text);
        }
    }
}

#[test]
fn an_output_directory_behind_a_link_is_refused_before_anything_is_signed() {
    let runner = Runner::new();
    let before = runner.read("workspace/web/index.json");
    let elsewhere = runner.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, runner.path("workspace/report")).unwrap();
    let absolute = runner.path("workspace/report/below");
    for name in [
        "report",
        "report/below",
        "./report/a/b",
        absolute.to_str().unwrap(),
    ] {
        let ended = runner.github("push", "{}", &[("INPUT_OUTPUT-DIR", name)]);
        assert_eq!(ended.status.code(), Some(2), "{name}: {ended:?}");
        assert!(words(&ended).contains("symbolic link"), "{name}: {ended:?}");
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert_eq!(runner.read("workspace/web/index.json"), before);
}

#[test]
fn what_cannot_be_written_is_said_and_changes_no_code() {
    // A directory where a file is to be, a device, nothing.
    for broken in ["report", "output", "summary", "absent"] {
        let runner = Runner::new();
        let (output, summary) = (runner.path("commands/output"), runner.path("commands/summary"));
        let mut inputs = Vec::new();
        match broken {
            "report" => {
                let place = runner.path("workspace/countersign-report/report.json/x");
                fs::create_dir_all(place).unwrap();
            }
            "output" => inputs.push(("GITHUB_OUTPUT", "/dev/full")),
            "summary" => {
                fs::remove_file(&summary).unwrap();
                fs::create_dir(&summary).unwrap();
            }
            _ => fs::remove_file(&output).unwrap(),
        }
        let ended = runner.github("push", "{}", &inputs);
        assert_eq!(ended.status.code(), Some(0), "{broken}: {ended:?}");
        assert!(
            words(&ended).contains("could not write to"),
            "{broken}: {ended:?}"
        );
        let sarif = runner.path("workspace/countersign-report/results.sarif");
        assert!(sarif.is_file(), "{broken}");
    }
}

#[test]
fn streams_that_are_closed_or_full_cost_no_report() {
    let open = |path: &Path| fs::OpenOptions::new().write(true).open(path).unwrap();
    for (out, err) in [("closed", "full"), ("full", "closed"), ("full", "full")] {
        let runner = Runner::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(["run", "--signer=local", "--provenance=off", "oci:web:1.0"])
            .env_clear()
            .env("HOME", runner.path("home"))
            .current_dir(runner.path("workspace"))
            .stdin(Stdio::null());
        let stream = |kind: &str| match kind {
            "full" => Stdio::from(open(Path::new("/dev/full"))),
            _ => Stdio::piped(),
        };
        command.stdout(stream(out)).stderr(stream(err));
        let mut child = command.spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        let code = child.wait().unwrap().code();
        // A reader that went away has had enough; data that found no room did not arrive.
        assert_eq!(code, Some(if out == "closed" { 0 } else { 3 }), "{out} {err}");
        let report = runner.read("workspace/countersign-report/report.json");
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["verdict"], "passed");
    }
}
