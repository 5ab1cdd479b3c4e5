//! What builders leave behind, given to the shipped binary as file, directory, standard input and text.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const IDX: &str = "sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6";
const AMD: &str = "sha256:5861314d7fccb39c2192173240eab44fa35ca66426201ca2acd0630a6258dd51";

/// `cargo fuzz list` shows a target for each format; they are files of three lines that share one body.
#[test]
fn every_format_has_a_fuzz_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for format in countersign::domain::handoff::FORMATS {
        let name = format!("handoff_{}", format.id.to_ascii_lowercase());
        assert!(
            fuzz.join(format!("fuzz_targets/{name}.rs")).is_file(),
            "{format:?}"
        );
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{format:?}");
    }
}

/// Calls the binary; its exit code, standard output and standard error.
fn call(
    directory: &TempDir,
    args: &[&str],
    variables: &[(&str, &str)],
    input: &str,
) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(args)
        .env_clear()
        .env("HOME", directory.path())
        .envs(variables.iter().copied())
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // What does not read its input closes it early.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let ended = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        ended.status.code().unwrap(),
        text(ended.stdout),
        text(ended.stderr),
    )
}

fn sample(directory: &TempDir, sample: &str, name: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors/handoff")
        .join(sample);
    fs::copy(from, directory.path().join(name)).unwrap();
}

#[test]
fn a_file_is_listed_with_the_place_of_every_name() {
    let directory = TempDir::new().unwrap();
    sample(&directory, "f06-two.json", "bake.json");
    let args = ["targets", "--images-from", "bake.json", "--format", "json"];
    let (code, data, words) = call(&directory, &args, &[], "");
    assert_eq!(code, 0, "{words}");
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(
        data["targets"][1],
        json!({
            "registry": "111122223333.dkr.ecr.eu-west-1.amazonaws.com", "repository": "team/web",
            "digest": AMD, "tags": ["1"],
            "sources": [{"where": "bake.json", "format": "bake", "line": 11, "member": "web[\"image.name\"]"}]
        })
    );
}

#[test]
fn texts_standard_input_and_companions_meet() {
    let directory = TempDir::new().unwrap();
    sample(&directory, "f09-two-tags.json", "meta.json");
    let args = ["targets", "--images-from", "-", "--images-from", "meta.json"];
    let host = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
    let listed = call(&directory, &args, &[], IDX);
    assert_eq!(
        (listed.0, listed.1),
        (0, format!("{host}/team/app:1.4.2@{IDX}\n"))
    );
    let metadata = format!(r#"{{"containerimage.digest":"{IDX}","image.name":"r.example/web:1"}}"#);
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("INPUT_COMMAND", "targets"),
        ("INPUT_IMAGES", metadata.as_str()),
    ];
    assert_eq!(
        call(&directory, &["action"], &github, "").1,
        format!("r.example/web:1@{IDX}\n")
    );
    let args = [
        "targets",
        "--digest",
        IDX,
        "--names",
        "r.example/a:1\nr.example/b:1",
    ];
    assert_eq!(
        call(&directory, &args, &[], "").1,
        format!("r.example/a:1@{IDX}\nr.example/b:1@{IDX}\n")
    );
    let (code, data, words) = call(
        &directory,
        &["targets", "--digest", "", "--names", "r.example/a:1"],
        &[],
        "",
    );
    assert_eq!((code, data.as_str()), (2, ""), "{words}");
}

#[test]
fn directories_are_read_by_the_names_of_their_files() {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("dist")).unwrap();
    sample(&directory, "f17-artifacts.json", "dist/artifacts.json");
    let own = r#"{"project_name":"x","tag":"v1","version":"1"}"#;
    fs::write(directory.path().join("dist/metadata.json"), own).unwrap();
    let (code, data, words) = call(&directory, &["targets", "--images-from", "dist"], &[], "");
    assert_eq!((code, data.lines().count()), (0, 2), "{words}");
    assert!(words.contains("it is skipped"), "{words}");
    let (code, _, words) = call(
        &directory,
        &["targets", "--images-from", "dist/metadata.json"],
        &[],
        "",
    );
    assert_eq!(code, 2);
    assert!(words.contains("GoReleaser's own"), "{words}");
    let results = directory.path().join("results");
    fs::create_dir(&results).unwrap();
    fs::write(results.join("IMAGE_URL"), "r.example/web:1\n").unwrap();
    fs::write(results.join("IMAGE_DIGEST"), IDX).unwrap();
    assert_eq!(
        call(&directory, &["targets", "--images-from", "results"], &[], "").1,
        format!("r.example/web:1@{IDX}\n")
    );
}

#[test]
fn a_layout_needs_a_repository() {
    let directory = TempDir::new().unwrap();
    let layout = directory.path().join("layout");
    fs::create_dir(&layout).unwrap();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    sample(&directory, "f32-tagged.json", "layout/index.json");
    for name in ["layout", "layout/index.json"] {
        let (code, _, words) = call(&directory, &["targets", "--images-from", name], &[], "");
        assert_eq!(code, 2);
        assert!(
            words.contains("expected a repository for the OCI layout"),
            "{words}"
        );
        let args = ["targets", "--images-from", name, "--repository", "r.example/web"];
        assert_eq!(
            call(&directory, &args, &[], "").1,
            format!("r.example/web:1.4.2@{IDX}\n")
        );
    }
}

#[test]
fn githubs_list_is_read_when_it_is_asked_for() {
    let directory = TempDir::new().unwrap();
    sample(&directory, "f02-two.json", "list.json");
    let path = directory.path().join("list.json");
    let workspace = directory.path().to_str().unwrap();
    let base = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_WORKSPACE", workspace),
        ("INPUT_COMMAND", "targets"),
    ];
    let asked = ("INPUT_IMAGES-FROM", "github-artifacts-list");
    let with = |list: &str| {
        let variables: Vec<(&str, &str)> = base
            .into_iter()
            .chain([asked, ("GITHUB_ARTIFACTS_LIST", list)])
            .collect();
        call(&directory, &["action"], &variables, "")
    };
    let (code, data, words) = with(path.to_str().unwrap());
    assert_eq!((code, data.lines().count()), (0, 1), "{words}");
    assert_eq!(with("").0, 2);
    let (code, _, words) = with("/proc/self/environ");
    assert_eq!(code, 2);
    assert!(words.contains("below the workspace"), "{words}");
}

#[test]
fn nothing_is_signed_that_a_file_names_without_allow() {
    let directory = TempDir::new().unwrap();
    sample(&directory, "f05-index.json", "metadata.json");
    let args = ["run", "--signer", "local", "--images-from", "metadata.json"];
    let (code, data, _) = call(&directory, &args, &[], "");
    assert_eq!(code, 2);
    let said =
        "expected --allow for what \"metadata.json\" names, found none: an earlier step may have written it";
    assert!(data.contains(said), "{data}");
    let line = "signed, add --allow '111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app'\n";
    assert!(data.contains(line), "{data}");
    let workspace = directory.path().to_str().unwrap();
    let list = "r.example/x:1@sha256:0000000000000000000000000000000000000000000000000000000000000000\n";
    let as_action = |list: &str, allow: &str| {
        fs::write(directory.path().join("list.txt"), list).unwrap();
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_WORKSPACE", workspace),
            ("INPUT_SIGNER", "local"),
            ("INPUT_IMAGES-FROM", "list.txt"),
            ("INPUT_ALLOW", allow),
        ];
        let (code, data, words) = call(&directory, &["action"], &variables, "");
        assert_eq!(code, 2, "{words}");
        data + &words
    };
    let said = as_action(list, "");
    assert!(said.contains("expected input allow for what"), "{said}");
    assert!(said.contains("signed, add allow: r.example/x\n"), "{said}");
    assert!(!said.contains("--allow"), "{said}");
    let said = as_action(list, "other.example/**");
    let line = r#"signed, write allow: "other.example/**\nr.example/x""#;
    assert!(said.contains(line), "{said}");
    let many: String = (0..12).map(|n| list.replace("/x:", &format!("/x{n}:"))).collect();
    let said = as_action(&many, "");
    assert!(said.contains("and 2 more"), "{said}");
    let args = [
        "targets",
        "--images-from",
        "metadata.json",
        "--images-format",
        "F17",
    ];
    let (code, _, words) = call(&directory, &args, &[], "");
    assert_eq!(code, 2);
    assert!(words.contains("as goreleaser"), "{words}");
    let args = [
        "targets",
        "--images-from",
        "metadata.json",
        "--images-format",
        "F99",
    ];
    assert_eq!(call(&directory, &args, &[], "").0, 2);
}

#[test]
fn a_configuration_in_ci_lies_in_the_workspace() {
    let (directory, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let outside = other.path().join("cs.yml");
    for file in [outside.clone(), directory.path().join("cs.yml")] {
        fs::write(file, "jobs: 2\n").unwrap();
    }
    let workspace = directory.path().to_str().unwrap();
    let with = |config: &str| {
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_WORKSPACE", workspace),
            ("INPUT_COMMAND", "targets"),
            ("INPUT_IMAGES", "r.example/web:1"),
            ("INPUT_CONFIG", config),
        ];
        call(&directory, &["action"], &variables, "")
    };
    for config in ["/proc/self/environ", outside.to_str().unwrap()] {
        let (code, _, words) = with(config);
        assert_eq!(code, 2, "{config}");
        assert!(words.contains("expected a file below the workspace"), "{words}");
    }
    let (_, _, words) = with("cs.yml");
    assert!(!words.contains("below the workspace"), "{words}");
    let args = [
        "targets",
        "r.example/web:1",
        "--config",
        outside.to_str().unwrap(),
    ];
    let (_, _, words) = call(&directory, &args, &[], "");
    assert!(!words.contains("below the workspace"), "{words}");
}

/// Calls a tool that may not be installed.
fn tool(directory: &TempDir, program: &str, args: &[&str]) -> bool {
    match crate::scratch::tool(directory.path(), program, args) {
        None => false,
        Some(output) => {
            assert!(output.status.success(), "{program}: {output:?}");
            true
        }
    }
}

#[test]
fn what_skopeo_buildah_and_umoci_leave_behind_is_read() {
    let directory = TempDir::new().unwrap();
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    let listed = |args: &[&str]| {
        let args = [&["targets", "--repository", "r.example/web"], args].concat();
        let (code, data, words) = call(&directory, &args, &[], "");
        assert_eq!(code, 0, "{words}");
        data
    };
    assert_eq!(call(&directory, &["demo"], &[], "").0, 0);
    let demo = "oci:countersign-demo:1.0";
    let digest_file = [
        "copy",
        "--quiet",
        "--all",
        "--digestfile",
        "skopeo.digest",
        demo,
        "oci:copy:2",
    ];
    if tool(&directory, "skopeo", &digest_file) {
        let digest = read("skopeo.digest");
        let line = format!("r.example/web@{}\n", digest.trim());
        assert_eq!(listed(&["--images-from", "skopeo.digest"]), line);
        assert_eq!(listed(&["--images-from", "copy"]), line.replace('@', ":2@"));
    }
    let store = [
        "--root",
        "root",
        "--runroot",
        "runroot",
        "--storage-driver",
        "vfs",
    ];
    let buildah = |args: &[&str]| tool(&directory, "buildah", &[&store[..], args].concat());
    if buildah(&["from", "--name", "made", "scratch"]) {
        buildah(&["commit", "--quiet", "--iidfile", "iid", "made", "web:1"]);
        buildah(&[
            "push",
            "--quiet",
            "--digestfile",
            "pushed",
            "web:1",
            "oci:pushed-to:1",
        ]);
        let (pushed, id) = (read("pushed"), read("iid"));
        assert_ne!(pushed.trim(), id.trim(), "an image id is no digest of a manifest");
        assert_eq!(
            listed(&["--images-from", "pushed"]),
            format!("r.example/web@{}\n", pushed.trim())
        );
    }
    if tool(&directory, "umoci", &["init", "--layout", "um"]) {
        tool(&directory, "umoci", &["new", "--image", "um:3"]);
        assert!(listed(&["--images-from", "um"]).starts_with("r.example/web:3@sha256:"));
    }
}

#[test]
fn the_three_outputs_of_build_push_action_are_one_image() {
    let directory = TempDir::new().unwrap();
    let metadata =
        format!(r#"{{"containerimage.digest":"{IDX}","image.name":"r.example/web:1,r.example/web:2"}}"#);
    let outputs = format!("imageid={IDX}\ndigest={IDX}\nmetadata={metadata}\n");
    let args = ["targets", "--format", "json", "--images"];
    for text in [outputs, metadata] {
        let args = [&args[..], &[text.as_str(), "--digest", IDX]].concat();
        let (code, data, words) = call(&directory, &args, &[], "");
        assert_eq!(code, 0, "{words}");
        let data: Value = serde_json::from_str(&data).unwrap();
        let targets = data["targets"].as_array().unwrap();
        assert_eq!(targets.len(), 1, "{data:#}");
        assert_eq!(
            (&targets[0]["digest"], &targets[0]["tags"]),
            (&json!(IDX), &json!(["1", "2"]))
        );
    }
}

#[test]
fn ecrs_own_lists_take_the_region_that_is_given() {
    let directory = TempDir::new().unwrap();
    sample(&directory, "f33-describe.json", "images.json");
    let args = ["targets", "--images-from", "images.json"];
    let (code, data, words) = call(&directory, &args, &[], "");
    assert_eq!((code, data.as_str()), (2, ""), "{words}");
    assert!(words.contains("region"), "{words}");
    let given = [&args[..], &["--region", "eu-north-1"]].concat();
    let (code, data, words) = call(&directory, &given, &[("AWS_REGION", "eu-west-1")], "");
    assert_eq!(code, 0, "{words}");
    assert!(data.contains(".dkr.ecr.eu-north-1.amazonaws.com/"), "{data}");
}

#[test]
fn every_problem_of_a_file_is_told_with_its_line() {
    let directory = TempDir::new().unwrap();
    let told = |file: &str, text: &str| {
        fs::write(directory.path().join(file), text).unwrap();
        let (code, data, words) = call(&directory, &["targets", "--images-from", file], &[], "");
        assert_eq!((code, data.as_str()), (2, ""), "{words}");
        words
    };
    assert_eq!(
        told(
            "list",
            "r.example/Web:1\nr.example/web:1\n web:1\nr.example/web@sha256:12\n"
        ),
        "error: could not read list: 3 problems\n  \
         line 1, column 1: expected a repository in lower case, found \"r.example/Web:1\"\n  \
         line 3, column 2: expected a registry host in front of the repository, found \"web:1\"\n  \
         line 4, column 1: after @: expected a digest (sha256: and 64 lower-case hex digits), found \"sha256:12\"\n\
         hint: line 1: registries know lower-case repositories only; name the repository as it was pushed\n\
         hint: line 3: write the host, as in registry.example.com/team/web:1.4; for an OCI layout on disk write \
         oci:PATH\n"
    );
    let twice = "services:\n  a: {image: r.example/a}\n  a: {image: r.example/b}\n  a: {}\n";
    assert_eq!(
        told("compose.yaml", twice),
        "error: could not read compose.yaml: 2 problems\n  \
         line 3, column 6: the key \"a\" stands twice in one object\n  \
         line 4, column 6: the key \"a\" stands twice in one object\n\
         hint: keep the one that is meant, and take the other away\n"
    );
    fs::create_dir(directory.path().join("results")).unwrap();
    for (file, text) in [("IMAGE_URL", "r.example/Web:1\n"), ("IMAGE_DIGEST", "sha256:12")] {
        fs::write(directory.path().join("results").join(file), text).unwrap();
    }
    let words = call(&directory, &["targets", "--images-from", "results"], &[], "").2;
    assert!(words.contains("\n  IMAGE_DIGEST: expected a digest"), "{words}");
    assert!(
        words.contains("\n  IMAGE_URL: expected a repository in lower case"),
        "{words}"
    );
}
