//! The shipped binary: what is typed, set and written down, what comes back, and how it ends.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A directory of its own, with a home, and the binary in an empty environment.
struct Place {
    root: TempDir,
}

/// What one call said and how it ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    data: String,
    words: String,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("home")).unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn command(&self, args: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.path("home"))
            .envs(variables.iter().copied())
            .current_dir(self.root.path())
            .stdin(Stdio::null());
        command
    }

    fn call_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Ended {
        let output = self.command(args, variables).output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            data: String::from_utf8(output.stdout).unwrap(),
            words: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn call(&self, args: &[&str]) -> Ended {
        self.call_with(args, &[])
    }

    /// The demo, which must succeed.
    fn demo(&self) {
        let ended = self.call(&["demo", "--quiet"]);
        assert_eq!((ended.code, ended.words.as_str()), (0, ""), "{ended:?}");
    }

    fn report(&self) -> serde_json::Value {
        self.report_in("countersign-report")
    }

    fn report_in(&self, directory: &str) -> serde_json::Value {
        let bytes = fs::read(self.path(directory).join("report.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

const DEMO: &str = "oci:countersign-demo:1.0";

/// Arguments and variables.
type Asked = (&'static [&'static str], &'static [(&'static str, &'static str)]);

/// What cannot be understood.
const MISUNDERSTOOD: &[Asked] = &[
    (&[], &[]),
    (&["sing"], &[]),
    (&["demmo"], &[]),
    (&["doctor"], &[]),
    (&["run"], &[]),
    (&["run", "--sinner", "local", "oci:x"], &[]),
    (&["run", "--signer", "remote", "oci:x"], &[]),
    (&["run", "oci:x"], &[]),
    (&["run", "--signer", "local", "--signer", "local", "oci:x"], &[]),
    (&["run", "--mode", "auto", "oci:x"], &[]),
    (&["run", "--local-key", "k.pem", "oci:x"], &[]),
    (
        &["run", "--signer", "local", "--local-key", "k.pem", "oci:x"],
        &[],
    ),
    (
        &["run", "--signer", "local", "--local-chain", "c.pem", "oci:x"],
        &[],
    ),
    (&["run", "--timeout", "5", "oci:x"], &[]),
    (&["run", "--jobs", "0", "oci:x"], &[]),
    (&["run", "--jobs"], &[]),
    (&["run", "--metadata", "a", "oci:x"], &[]),
    (&["run", "--repository", "web", "oci:x"], &[]),
    (&["run", "--resign=maybe", "oci:x"], &[]),
    (
        &[
            "run",
            "--signer",
            "local",
            "--metadata",
            "a=1",
            "--metadata",
            "a=2",
            "oci:x",
        ],
        &[],
    ),
    (&["run", "--signer", "local", "--builder-id", "me", "oci:x"], &[]),
    (&["verify", "oci:x"], &[]),
    (
        &["verify", "--verbose", "--quiet", "--signer", "local", "oci:x"],
        &[],
    ),
    (&["targets", "web:1"], &[]),
    (&["targets", "r.example/a\nweb:1"], &[]),
    (&["targets", "{\"a\": 1}"], &[]),
    (&["completions", "tcsh"], &[]),
    (&["completions"], &[]),
    (&["run", "oci:x"], &[("COUNTERSIGN_SIGNER", "remote")]),
    (&["run", "oci:x"], &[("COUNTERSIGN_RESIGN", "yes")]),
    (&["run", "oci:x"], &[("COUNTERSIGN_TIMEOUT", "1s\n2s")]),
    (&["run", "oci:x"], &[("COUNTERSIGN_ATTEST", "spdx=x.json")]),
    (&["run", "--config", "bad.yml", "oci:x"], &[]),
    (&["run", "--config", "wrong.yml", "oci:x"], &[]),
    (&["run", "--config", "none.yml", "oci:x"], &[]),
    (&["run", "oci:x"], &[("COUNTERSIGN_CONFIG", "bad.yml")]),
    (&["action"], &[("GITHUB_ACTIONS", "true"), ("NO_COLOR", "1")]),
    (
        &["action"],
        &[
            ("GITHUB_ACTIONS", "true"),
            ("NO_COLOR", "1"),
            ("INPUT_COMMAND", "doctor"),
        ],
    ),
    (
        &["action"],
        &[
            ("GITHUB_ACTIONS", "true"),
            ("NO_COLOR", "1"),
            ("INPUT_COMMAND", "action"),
        ],
    ),
    (
        &["action"],
        &[
            ("GITHUB_ACTIONS", "true"),
            ("NO_COLOR", "1"),
            ("INPUT_SIGNER", "remote"),
        ],
    ),
    (
        &["action"],
        &[
            ("GITHUB_ACTIONS", "true"),
            ("NO_COLOR", "1"),
            ("INPUT_IMAGES", "oci:x"),
        ],
    ),
    (
        &["action"],
        &[
            ("GITHUB_ACTIONS", "true"),
            ("NO_COLOR", "1"),
            ("INPUT_COMMAND", "verify"),
            ("INPUT_RESIGN", "true"),
        ],
    ),
    (
        &["action", "--signer", "local"],
        &[("GITHUB_ACTIONS", "true"), ("NO_COLOR", "1")],
    ),
];

/// The first blob whose text holds these words.
fn blob_with(layout: &Path, words: &str) -> PathBuf {
    let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap();
    let mut blobs = blobs.map(|entry| entry.unwrap().path());
    blobs
        .find(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(words))
        .unwrap()
}

/// Every file below a directory with its bytes.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn help_teaches() {
    let place = Place::new();
    let mut pages = place.call(&["help"]).data;
    for command in [
        "demo",
        "run",
        "verify",
        "inspect",
        "targets",
        "completions",
        "man",
    ] {
        let page = place.call(&[command, "--help"]);
        assert_eq!((page.code, page.words.as_str()), (0, ""));
        let _ = write!(pages, "\n=== {command} ===\n{}", page.data);
    }
    insta::assert_snapshot!(pages);
}

#[test]
fn what_cannot_be_understood_is_said_in_one_way() {
    let place = Place::new();
    fs::write(place.path("bad.yml"), "jobs: 4\ntrust-store: x\n").unwrap();
    fs::write(place.path("wrong.yml"), "# ours\njobs: many\n").unwrap();
    let mut page = String::new();
    for (args, variables) in MISUNDERSTOOD {
        let ended = place.call_with(args, variables);
        assert_eq!(
            (ended.code, ended.data.as_str()),
            (2, ""),
            "{args:?} {variables:?} {ended:?}"
        );
        let variables = variables.iter().map(|(name, value)| format!("{name}={value:?} "));
        let args = args.join(" ").replace('\n', "\\n");
        let variables: String = variables.collect();
        let _ = writeln!(page, "$ {variables}countersign {args}\n{}", ended.words);
    }
    assert!(
        !place.path("countersign-report").exists(),
        "a command line that does not parse leaves nothing"
    );
    insta::assert_snapshot!(page);
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let place = Place::new();
    fs::write(place.path("cs.yml"), "format: json\nquiet: true\n").unwrap();
    let first_word = |args: &[&str], variables: &[(&str, &str)]| {
        let ended = place.call_with(args, variables);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended
            .data
            .split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let (json, matrix, text) = (
        "{ \"targets\":",
        "{\"include\":[{\"digest\":null,\"image\":\"oci:x\"}]}",
        "oci:x",
    );
    let variable = [("COUNTERSIGN_FORMAT", "matrix")];
    assert_eq!(first_word(&["targets", "oci:x"], &[]), text);
    assert_eq!(first_word(&["targets", "oci:x", "--config", "cs.yml"], &[]), json);
    assert_eq!(
        first_word(&["targets", "oci:x", "--config", "cs.yml"], &variable),
        matrix
    );
    assert_eq!(
        first_word(
            &["targets", "oci:x", "--config", "cs.yml", "--format", "text"],
            &variable
        ),
        text
    );
    assert_eq!(
        first_word(&["targets", "oci:x"], &[("COUNTERSIGN_FORMAT", " \n")]),
        text
    );
    assert_eq!(
        first_word(&["targets", "oci:x"], &[("COUNTERSIGN_CONFIG", "cs.yml")]),
        json
    );
}

#[test]
fn variables_name_images_line_by_line_and_arguments_replace_them() {
    let place = Place::new();
    let variable = [("COUNTERSIGN_IMAGES", "# all\noci:a\n\noci:b\n")];
    assert_eq!(place.call_with(&["targets"], &variable).data, "oci:a\noci:b\n");
    assert_eq!(place.call_with(&["targets", "oci:c"], &variable).data, "oci:c\n");
    let json = place.call_with(&["targets", "--format", "json"], &variable).data;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json.pointer("/targets/1/sources/0/where").unwrap(),
        "COUNTERSIGN_IMAGES"
    );
    assert_eq!(json.pointer("/targets/1/sources/0/line").unwrap(), 4);
}

#[test]
fn on_github_only_inputs_count() {
    let place = Place::new();
    let github = ("GITHUB_ACTIONS", "true");
    let planted = ("COUNTERSIGN_IMAGES", "oci:planted");
    let input = [
        github,
        planted,
        ("INPUT_COMMAND", "targets"),
        ("INPUT_IMAGES", "oci:a\noci:b"),
    ];
    let ended = place.call_with(&["action"], &input);
    assert_eq!((ended.code, ended.data.as_str()), (0, "oci:a\noci:b\n"));
    assert!(
        ended.words.contains("COUNTERSIGN_IMAGES is ignored"),
        "{}",
        ended.words
    );
    // In a step that runs the binary itself neither counts: an earlier step can plant both.
    let ended = place.call_with(&["targets"], &input);
    assert_eq!(ended.code, 2, "{ended:?}");
    // Elsewhere inputs are nothing.
    let ended = place.call_with(&["targets", "oci:c"], &[("INPUT_IMAGES", "oci:a")]);
    assert_eq!((ended.data.as_str(), ended.words.as_str()), ("oci:c\n", ""));
}

#[test]
fn a_variable_that_is_no_input_is_named() {
    let place = Place::new();
    let ended = place.call_with(&["targets", "oci:c"], &[("COUNTERSIGN_SINGER", "x")]);
    assert_eq!(
        ended.words,
        "warning: \"COUNTERSIGN_SINGER\" is no input and is ignored\n"
    );
    let quiet = place.call_with(&["targets", "-q", "oci:c"], &[("COUNTERSIGN_SINGER", "x")]);
    assert_eq!(quiet.words, "");
    // It may be why something is missing.
    for wrong in [
        &["targets"][..],
        &["verify", "--nothing", "oci:c"],
        &["targets", "web:1"],
    ] {
        let refused = place.call_with(wrong, &[("COUNTERSIGN_IMAGE", "oci:c")]);
        assert_eq!(refused.code, 2, "{refused:?}");
        let warned = "warning: \"COUNTERSIGN_IMAGE\" is no input and is ignored\n";
        assert_eq!(refused.words.matches(warned).count(), 1, "{}", refused.words);
    }
}

#[test]
fn nothing_printed_is_a_command_of_the_host() {
    let place = Place::new();
    let github = [("GITHUB_ACTIONS", "true")];
    let ended = place.call_with(&["targets", "oci:##[add-mask]x", "--color=never"], &github);
    assert_eq!(ended.data, "oci:## [add-mask]x\n");
    let json = place
        .call_with(&["targets", "oci:##[add-mask]x", "--format=json"], &github)
        .data;
    assert!(!json.contains("##["), "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json.pointer("/targets/0/repository").unwrap(),
        "oci:##[add-mask]x"
    );
}

#[test]
fn demo_signs_once_and_leaves_a_report() {
    let place = Place::new();
    let first = place.call(&["demo", "--color=never"]);
    assert_eq!(first.code, 0, "{first:?}");
    let report = place.report();
    assert_eq!(report.pointer("/schema").unwrap(), "countersign-report/1");
    assert_eq!(report.pointer("/verdict").unwrap(), "passed");
    assert_eq!(report.pointer("/checked").unwrap(), "self-checked");
    assert_eq!(report.pointer("/targets/0/state").unwrap(), "signed");
    for name in [
        "results.sarif",
        "summary.md",
        "trust/trustpolicy.json",
        "trust/truststore",
    ] {
        assert!(place.path("countersign-report").join(name).exists(), "{name}");
    }
    let layout = files(&place.path("countersign-demo"));
    // The commands that it prints are the commands that work.
    let commands: Vec<&str> = first
        .data
        .lines()
        .filter_map(|line| line.strip_prefix("  countersign "))
        .collect();
    assert_eq!(commands.len(), 3, "{}", first.data);
    for command in commands {
        let args: Vec<&str> = command.split(' ').collect();
        let ended = place.call(&args);
        assert_eq!(ended.code, 0, "{command}: {ended:?}");
    }
    assert_eq!(place.call(&["demo"]).code, 0);
    assert_eq!(place.report().pointer("/targets/0/state").unwrap(), "kept");
    assert_eq!(files(&place.path("countersign-demo")), layout);
}

#[test]
fn a_directory_of_someone_else_is_no_demo() {
    let place = Place::new();
    fs::write(place.path("home/letter.txt"), "dear").unwrap();
    let ended = place.call(&["demo", "home"]);
    assert_eq!((ended.code, ended.data.as_str()), (2, ""), "{ended:?}");
}

#[test]
fn each_class_has_its_exit_code() {
    let place = Place::new();
    place.demo();
    let verify = ["verify", "--signer=local", DEMO];
    assert_eq!(place.call(&verify).code, 0);
    // Another machine's CA signed nothing here.
    let other = place.path("other");
    let elsewhere = place.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let state = [("XDG_STATE_HOME", other.to_str().unwrap())];
    assert_eq!(place.call_with(&["demo", "elsewhere/demo"], &state).code, 0);
    let rejected = place.call_with(&verify, &state);
    assert_eq!(rejected.code, 1, "{rejected:?}");
    assert_eq!(place.report().pointer("/verdict").unwrap(), "rejected");
    assert_eq!(place.call(&["verify", "--signer=local", "oci:nowhere:1"]).code, 5);
    assert_eq!(place.report().pointer("/failures/0/class").unwrap(), "missing");
    let registry = place.call(&["verify", "--signer=local", "127.0.0.1:1/web:1"]);
    assert_eq!(registry.code, 3, "{registry:?}");
    assert_eq!(place.report().pointer("/exit").unwrap(), 3);
    let index = blob_with(&place.path("countersign-demo"), "\"manifests\"");
    let mut bytes = fs::read(&index).unwrap();
    bytes[40] ^= 1;
    fs::write(&index, bytes).unwrap();
    assert_eq!(place.call(&verify).code, 6);
}

#[test]
fn a_copy_of_the_derived_policy_is_still_a_self_check() {
    let place = Place::new();
    place.demo();
    fs::rename(place.path("countersign-report/trust"), place.path("trust")).unwrap();
    let policy = [
        "verify",
        "--trust-policy=trust/trustpolicy.json",
        "--trust-store=trust/truststore",
        DEMO,
    ];
    assert_eq!(place.call(&policy).code, 0);
    assert_eq!(place.report().pointer("/checked").unwrap(), "self-checked");
    // To whoever does not hold the key, it is a policy that somebody gave.
    let elsewhere = place.path("elsewhere");
    let ended = place.call_with(&policy, &[("XDG_STATE_HOME", elsewhere.to_str().unwrap())]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(place.report().pointer("/checked").unwrap(), "verified");
    assert!(!elsewhere.exists(), "verifying makes no key");
}

#[test]
fn an_output_directory_that_cannot_be_used_stops_before_anything_is_signed() {
    let place = Place::new();
    place.demo();
    let layout = files(&place.path("countersign-demo"));
    std::os::unix::fs::symlink(place.path("home"), place.path("link")).unwrap();
    let run = ["run", "--signer=local", "--provenance=off", "--resign", DEMO];
    for directory in ["link", "countersign-demo/oci-layout", "/proc/nowhere"] {
        let ended = place.call(&[&run[..], &["--output-dir", directory]].concat());
        assert_eq!(
            (ended.code, ended.data.as_str()),
            (2, ""),
            "{directory}: {ended:?}"
        );
        assert!(
            ended.words.starts_with("error: could not write to"),
            "{}",
            ended.words
        );
    }
    assert_eq!(files(&place.path("countersign-demo")), layout);
}

#[test]
fn an_error_before_the_job_leaves_a_report_too() {
    let place = Place::new();
    place.demo();
    let ended = place.call(&["run", "--signer=local", DEMO, "--format=json"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended.words.starts_with("error: expected --builder-id"),
        "{}",
        ended.words
    );
    let report = place.report();
    assert_eq!(report.pointer("/command").unwrap(), "run");
    assert_eq!(report.pointer("/failures/0/class").unwrap(), "usage");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&ended.data).unwrap(),
        report
    );
}

#[test]
fn authority_from_a_variable_is_named_with_its_source() {
    let place = Place::new();
    place.demo();
    let ended = place.call_with(
        &["run", "--provenance=off", DEMO, "--dry-run"],
        &[("COUNTERSIGN_SIGNER", "local")],
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(place.report().pointer("/verdict").unwrap(), "planned");
    assert!(
        ended.data.contains("signer from COUNTERSIGN_SIGNER"),
        "{}",
        ended.data
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is() {
    let place = Place::new();
    place.demo();
    let mut child = place
        .command(&["verify", "--signer=local", DEMO], &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = place
        .command(&["targets", "oci:x"], &[])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&output.stderr).starts_with("warning: could not write to standard output")
    );
}

#[test]
fn the_private_key_reaches_no_output() {
    let place = Place::new();
    let demo = place.call(&["demo", "--verbose"]);
    let state = place.path("home/.local/state/countersign");
    let key = fs::read_to_string(state.join("local-key.pem")).unwrap();
    let secrets: Vec<&str> = key.lines().filter(|line| !line.starts_with("-----")).collect();
    assert!(secrets.iter().any(|line| line.len() == 64), "{}", secrets.len());
    let mut outputs = files(&place.path("countersign-report"));
    outputs.extend(files(&place.path("countersign-demo")));
    outputs.push(("standard output".into(), demo.data.into_bytes()));
    outputs.push(("standard error".into(), demo.words.into_bytes()));
    for (path, bytes) in outputs {
        let text = String::from_utf8_lossy(&bytes);
        for secret in &secrets {
            assert!(!text.contains(secret), "{}", path.display());
        }
    }
}

#[test]
fn documents_are_made_from_the_table() {
    let place = Place::new();
    let bash = place.call(&["completions", "bash"]);
    assert!(
        bash.data.contains("--trust-policy") && !bash.data.contains("--mode"),
        "{}",
        bash.data
    );
    let man = place.call(&["man"]);
    assert!(
        man.data.starts_with(".ie") || man.data.contains(".TH countersign"),
        "{}",
        man.data
    );
    assert!(man.data.contains("trust\\-policy"));
}

#[test]
fn progress_is_for_terminals_and_steps_are_for_those_who_ask() {
    let place = Place::new();
    let mut child = place
        .command(&["demo"], &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    child.wait().unwrap();
    assert!(
        words.starts_with("note: wrote the demo image") && words.lines().count() == 1,
        "{words:?}"
    );
    let verbose = place.call(&["verify", "-v", "--signer=local", DEMO]).words;
    assert!(
        verbose.contains("  verify") && !verbose.contains('\r'),
        "{verbose}"
    );
}

#[test]
fn a_signal_stops_the_run_and_the_report_says_so() {
    let place = Place::new();
    place.demo();
    let lock = fs::OpenOptions::new()
        .write(true)
        .open(place.path("countersign-demo/oci-layout"))
        .unwrap();
    lock.lock().unwrap();
    let stopped = |signal: &'static str, code: i32| {
        let output = format!("--output-dir={signal}");
        let run = [
            "run",
            "--verbose",
            "--signer=local",
            "--provenance=off",
            "--resign",
            DEMO,
            &output,
        ];
        let mut child = place
            .command(&run, &[])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // From then on the run waits for the lock.
        let mut words = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(words.any(|line| line.unwrap().contains("  observe")));
        let kill = format!("kill -{signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        move || {
            assert_eq!(child.wait().unwrap().code(), Some(code));
        }
    };
    let (mut terminated, mut interrupted) = (stopped("TERM", 143), stopped("INT", 130));
    terminated();
    interrupted();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let report = place.report_in(signal);
        assert_eq!(report.pointer("/exit").unwrap(), code);
        assert_eq!(report.pointer("/verdict").unwrap(), "failed");
        assert_eq!(report.pointer("/command").unwrap(), "run");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::new();
    let bytes = std::ffi::OsStr::from_bytes(b"oci:\xff");
    let typed = place.command(&["targets"], &[]).arg(bytes).output().unwrap();
    assert_eq!(typed.status.code(), Some(2));
    assert_eq!(
        typed.stderr,
        b"error: could not read an argument: expected UTF-8 text, found other bytes\n"
    );
    let set = place
        .command(&["targets"], &[])
        .env("COUNTERSIGN_IMAGES", bytes)
        .output()
        .unwrap();
    assert_eq!(set.status.code(), Some(2));
    assert_eq!(
        set.stderr,
        b"error: could not read the variable \"COUNTERSIGN_IMAGES\": expected UTF-8 text, found other bytes\n"
    );
}
