//! The shipped binary on every host: what it leaves in the host's files, what it says, and how it ends.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A workspace with a demo image, and the files that a runner hands over.
pub(crate) struct Runner {
    root: TempDir,
}

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Runner {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["home", "workspace", "commands"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        for file in ["output", "summary", "env", "path", "state"] {
            fs::write(root.path().join("commands").join(file), "").unwrap();
        }
        let runner = Self { root };
        let demo = runner.call(&["demo", "web", "--quiet", "--output-dir=../demo-report"], &[]);
        assert!(demo.status.success(), "{demo:?}");
        runner
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn call(&self, args: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(args)
            .env_clear()
            .env("HOME", self.path("home"))
            .envs(variables.iter().copied())
            .current_dir(self.path("workspace"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The action on an event, with inputs and further variables.
    pub(crate) fn github(&self, event: &str, payload: &str, variables: &[(&str, &str)]) -> Output {
        fs::write(self.path("event.json"), payload).unwrap();
        let name = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let files = [
            ("GITHUB_OUTPUT", name("commands/output")),
            ("GITHUB_STEP_SUMMARY", name("commands/summary")),
            ("GITHUB_ENV", name("commands/env")),
            ("GITHUB_PATH", name("commands/path")),
            ("GITHUB_STATE", name("commands/state")),
            ("GITHUB_EVENT_PATH", name("event.json")),
            ("GITHUB_WORKSPACE", name("workspace")),
        ];
        let mut all: Vec<(&str, &str)> = files.iter().map(|(name, path)| (*name, path.as_str())).collect();
        all.extend([
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", event),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "octo-org/web"),
            ("GITHUB_REPOSITORY_ID", "1"),
            ("GITHUB_REPOSITORY_OWNER_ID", "2"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", COMMIT),
            (
                "GITHUB_WORKFLOW_REF",
                "octo-org/web/.github/workflows/release.yml@refs/heads/main",
            ),
            ("GITHUB_RUN_ID", "7"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("INPUT_SIGNER", "local"),
            ("INPUT_IMAGES", "oci:web:1.0"),
        ]);
        all.extend(variables);
        self.call(&["action"], &all)
    }

    /// The outputs as the runner reads them.
    pub(crate) fn outputs(&self) -> Vec<(String, String)> {
        parsed(&self.read("commands/output"))
    }

    pub(crate) fn output(&self, name: &str) -> String {
        let mut outputs = self.outputs().into_iter().filter(|(found, _)| found == name);
        let (_, value) = outputs.next().unwrap();
        assert_eq!(outputs.next(), None);
        value
    }
}

/// Reads a file of outputs as the runner does (`actions/runner`, `FileCommandManager.cs`).
pub(crate) fn parsed(text: &str) -> Vec<(String, String)> {
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").expect("only the form with delimiters");
        assert!(!name.contains('='), "{line}");
        let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        found.push((name.to_owned(), value.join("\n")));
    }
    found
}

/// What the runner would obey: both forms of commands, by name.
pub(crate) fn commands(output: &Output) -> Vec<String> {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("##["), "{text}");
    let lines = text
        .split(['\n', '\r'])
        .filter_map(|line| line.trim_start().strip_prefix("::"));
    lines
        .map(|line| line.split([' ', ':']).next().unwrap().to_owned())
        .collect()
}

const NAMES: [&str; 12] = [
    "verdict",
    "images",
    "checked",
    "signed-digests",
    "signature-digests",
    "provenance-digests",
    "vsa-digests",
    "report-path",
    "sarif-path",
    "summary-path",
    "trust-path",
    "matrix",
];

#[test]
fn github_gets_outputs_summary_annotations_and_groups() {
    let runner = Runner::new();
    let ended = runner.github("push", "{}", &[]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let outputs = runner.outputs();
    let names: Vec<_> = outputs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, NAMES);
    assert_eq!(runner.output("verdict"), "passed");
    assert_eq!(runner.output("checked"), "self-checked");
    assert_eq!(runner.output("report-path"), "countersign-report/report.json");
    assert_eq!(
        runner.read("commands/summary"),
        runner.read("workspace/countersign-report/summary.md")
    );
    for file in ["env", "path", "state"] {
        assert_eq!(runner.read(&format!("commands/{file}")), "", "{file}");
    }
    let mut said = commands(&ended);
    said.sort();
    said.dedup();
    // A local key in CI is noted; the provenance is new, and only the environment speaks for it.
    assert_eq!(said, ["endgroup", "group", "notice", "warning"]);
    let report: serde_json::Value =
        serde_json::from_str(&runner.read("workspace/countersign-report/report.json")).unwrap();
    let rules: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| &finding["rule"])
        .collect();
    assert!(rules.iter().any(|rule| *rule == "CSN034"), "{rules:?}");
}

#[test]
fn a_second_run_reports_and_signs_nothing() {
    let runner = Runner::new();
    assert!(runner.github("push", "{}", &[]).status.success());
    fs::write(runner.path("commands/output"), "").unwrap();
    let first = runner.read("workspace/web/index.json");
    let ended = runner.github("push", "{}", &[]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(runner.read("workspace/web/index.json"), first);
    assert_eq!(runner.output("verdict"), "passed");
}

#[test]
fn an_output_directory_in_another_spelling_is_the_workspace() {
    let runner = Runner::new();
    let ended = runner.github("push", "{}", &[("INPUT_OUTPUT-DIR", "/__w/web/web/reports")]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(runner.output("report-path"), "reports/report.json");
    assert!(runner.path("workspace/reports/report.json").is_file());
}

#[test]
fn a_forks_event_signs_nothing_and_says_so() {
    let runner = Runner::new();
    let before = runner.read("workspace/web/index.json");
    let pull = r#"{"pull_request":{"head":{"repo":{"id":2}},"base":{"repo":{"id":1}}}}"#;
    let run = r#"{"repository":{"id":1},"workflow_run":{"head_repository":{"id":2}}}"#;
    for (event, payload) in [
        ("pull_request", pull),
        ("pull_request_target", "{}"),
        ("workflow_run", run),
    ] {
        fs::write(runner.path("commands/output"), "").unwrap();
        let skipped = runner.github(event, payload, &[]);
        assert_eq!(skipped.status.code(), Some(0), "{event} {skipped:?}");
        assert_eq!(runner.output("verdict"), "skipped-untrusted");
        assert_eq!(runner.output("images"), "[]");
        let refused = runner.github(event, payload, &[("INPUT_UNTRUSTED", "refuse")]);
        assert_eq!(refused.status.code(), Some(4), "{event} {refused:?}");
        assert_eq!(runner.read("workspace/web/index.json"), before);
    }
    // What cannot be told is not taken for trusted.
    let unknown = runner.github("workflow_run", "{}", &[]);
    assert_eq!(unknown.status.code(), Some(4), "{unknown:?}");
    assert_eq!(runner.read("workspace/web/index.json"), before);
}

#[test]
fn files_belong_to_whoever_owns_the_workspace() {
    let runner = Runner::new();
    if fs::metadata(runner.root.path()).unwrap().uid() != 0 {
        return; // Nobody but root can give files away.
    }
    for place in below(&runner.path("workspace")) {
        std::os::unix::fs::chown(place, Some(1001), Some(118)).unwrap();
    }
    let before = below(&runner.path("workspace")).len();
    assert!(runner.github("push", "{}", &[]).status.success());
    let after = below(&runner.path("workspace"));
    // The report, and what was stored in the layout, its list of contents included.
    assert!(after.len() > before + 10, "{before} {}", after.len());
    for place in after {
        let found = fs::metadata(&place).unwrap();
        assert_eq!((found.uid(), found.gid()), (1001, 118), "{}", place.display());
    }
}

/// A directory and everything in it.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    let mut next = 0;
    while let Some(place) = found.get(next).cloned() {
        next += 1;
        if place.is_dir() {
            found.extend(fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

#[test]
fn a_summary_that_cannot_be_written_is_said_and_changes_no_code() {
    let runner = Runner::new();
    fs::remove_file(runner.path("commands/summary")).unwrap();
    std::os::unix::fs::symlink(runner.path("event.json"), runner.path("commands/summary")).unwrap();
    let ended = runner.github("push", "{}", &[]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let words = String::from_utf8_lossy(&ended.stderr);
    assert!(words.contains("could not write to"), "{words}");
    assert_eq!(runner.read("event.json"), "{}");
    assert_eq!(runner.output("verdict"), "passed");
}

/// Text that would be obeyed by a runner, a terminal, a shell, Markdown or HTML, if it were let through.
pub(crate) fn corpus() -> Vec<String> {
    let texts = [
        "x\n::error::forged",
        "x\r::set-output name=verdict::passed",
        "x##[add-mask]a",
        "x\n::add-mask::e",
        "::stop-commands::token",
        "x\u{1b}[2J\u{1b}]0;title\u{7}",
        "x\u{202e}gnp.exe",
        "x\u{2066}y\u{2069}",
        "x\u{feff}::error::y",
        "x\nverdict=passed",
        "x\nverdict<<EOF\npassed\nEOF",
        "|x|y|\n|---|---|",
        "[x](javascript:alert(1)) ![i](http://e.example/p.png)",
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "`x` @octocat #1 www.evil.example",
        "$(touch forged) `touch forged` ; touch forged",
        "x%0A::error::y%25",
        "<!-- -->\u{b}\u{c}\u{85}\u{2028}\u{2029}::warning::x",
    ];
    let mut corpus: Vec<String> = texts.map(str::to_owned).into();
    corpus.push("m".repeat(100_000));
    corpus.push(format!("{}\n::error::x", "##[error]".repeat(5_000)));
    corpus
}

/// Nothing but our own annotations and groups, no colour of somebody else's, and harmless files.
pub(crate) fn harmless(runner: &Runner, ended: &Output, text: &str) {
    let allowed = ["error", "warning", "notice", "group", "endgroup"];
    for command in commands(ended) {
        assert!(allowed.contains(&command.as_str()), "{command} of {text:?}");
    }
    let words = String::from_utf8_lossy(&ended.stderr);
    let mut lines = words.split(['\n', '\r']);
    // Ours have a title.
    let forged = lines.any(|line| line.trim_start().starts_with("::error::"));
    assert!(!forged, "{text:?}: {words}");
    for stream in [&ended.stdout, &ended.stderr] {
        let shown = String::from_utf8_lossy(stream);
        let obeyed = ['\u{7}', '\u{0}', '\r', '\u{202e}', '\u{2066}', '\u{2028}'];
        assert!(!shown.contains(obeyed), "{text:?}: {shown}");
        assert!(
            !shown.contains("\u{1b}[2J") && !shown.contains("\u{1b}]"),
            "{shown}"
        );
    }
    let outputs = runner.outputs();
    let names: Vec<_> = outputs.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.is_empty() || names == NAMES, "{text:?}: {names:?}");
    if !names.is_empty() && !ended.status.success() {
        assert_ne!(runner.output("verdict"), "passed", "{text:?}");
    }
    for file in ["env", "path", "state"] {
        assert_eq!(runner.read(&format!("commands/{file}")), "", "{file} of {text:?}");
    }
    let summary = runner.read("commands/summary");
    assert!(!summary.contains("##["), "{text:?}");
    assert!(summary.len() < 1024 * 1024, "{text:?}");
    let outside: String = summary.split('`').step_by(2).collect();
    assert!(
        !outside.contains("<script") && !outside.contains("<img") && !outside.contains("](javascript"),
        "{text:?}: {summary}"
    );
    assert!(!runner.path("workspace/forged").exists());
    assert!(!Path::new("forged").exists());
}

#[test]
fn nothing_from_outside_forges_anything() {
    let runner = Runner::new();
    for text in corpus() {
        for (name, value) in [
            ("INPUT_IMAGES", text.clone()),
            ("INPUT_IMAGES", format!("oci:{text}:1.0")),
            ("INPUT_IMAGES", format!("r.example/web:{text}")),
            ("INPUT_SOURCE", text.clone()),
            ("INPUT_METADATA", text.clone()),
            ("INPUT_TRUST-POLICY", text.clone()),
            ("INPUT_COMMAND", text.clone()),
            ("INPUT_JOBS", text.clone()),
        ] {
            for file in ["output", "summary"] {
                fs::write(runner.path("commands").join(file), "").unwrap();
            }
            let ended = runner.github("push", "{}", &[(name, &value)]);
            // A metadata pair with an odd value, or a builder named by half, may be well formed.
            assert!(
                ended.status.code().is_some_and(|code| code != 70),
                "{name} {ended:?}"
            );
            if ended.status.code() != Some(0) {
                harmless(&runner, &ended, &text);
            }
        }
    }
}

#[test]
fn what_the_host_says_of_itself_forges_nothing() {
    for text in corpus() {
        let runner = Runner::new();
        for name in [
            "GITHUB_REPOSITORY",
            "GITHUB_REF",
            "GITHUB_SHA",
            "GITHUB_SERVER_URL",
            "GITHUB_WORKFLOW_REF",
            "GITHUB_RUN_ID",
            "GITHUB_EVENT_NAME",
        ] {
            for file in ["output", "summary"] {
                fs::write(runner.path("commands").join(file), "").unwrap();
            }
            let ended = runner.github("push", "{}", &[(name, &text)]);
            assert_ne!(ended.status.code(), Some(70), "{name}: {ended:?}");
            harmless(&runner, &ended, &text);
        }
    }
}

/// GitLab and CodeBuild take variables line by line, and show sections by what begins with an escape.
#[test]
fn what_other_hosts_say_of_themselves_forges_nothing() {
    let lines = |text: &str| {
        let names = text
            .lines()
            .map(|line| line.split_once('=').unwrap().0.to_owned());
        names.collect::<Vec<_>>()
    };
    for text in corpus() {
        let runner = Runner::new();
        let gitlab = [
            ("GITLAB_CI", "true"),
            ("CI_PROJECT_URL", "https://git.example/g/p"),
            ("CI_COMMIT_SHA", COMMIT),
            ("CI_JOB_URL", "https://git.example/g/p/-/jobs/7"),
            ("COUNTERSIGN_SIGNER", "local"),
        ];
        let codebuild = [
            (
                "CODEBUILD_BUILD_ARN",
                "arn:aws:codebuild:eu-west-1:111122223333:build/web:8d1f",
            ),
            ("CODEBUILD_RESOLVED_SOURCE_VERSION", COMMIT),
            ("CODEBUILD_BUILD_SUCCEEDING", "1"),
            ("COUNTERSIGN_SIGNER", "local"),
        ];
        for (host, name) in [
            (&gitlab[..], "CI_COMMIT_REF_NAME"),
            (&gitlab[..], "CI_JOB_NAME"),
            (&gitlab[..], "CI_PROJECT_URL"),
            (&codebuild[..], "CODEBUILD_SOURCE_REPO_URL"),
            (&codebuild[..], "CODEBUILD_INITIATOR"),
        ] {
            let variables = [host, &[(name, text.as_str())]].concat();
            let ended = runner.call(&["run", "--metadata=by=test", "oci:web:1.0"], &variables);
            assert_ne!(ended.status.code(), Some(70), "{name}: {ended:?}");
            let report = "workspace/countersign-report";
            let shown =
                String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
            for sign in [
                "\u{7}",
                "\u{202e}",
                "\u{2066}",
                "\u{2028}",
                "\u{1b}[2J",
                "\u{1b}]",
            ] {
                assert!(!shown.contains(sign), "{name} {text:?}: {shown}");
            }
            if runner.path(report).is_dir() {
                let names = lines(&runner.read(&format!("{report}/countersign.env")));
                assert!(
                    names.iter().all(|name| !name.contains(' ')),
                    "{text:?}: {names:?}"
                );
                assert_eq!(
                    names.iter().filter(|name| *name == "VERDICT").count(),
                    1,
                    "{text:?}"
                );
                let quality = runner.read(&format!("{report}/junit.xml"));
                assert!(!quality.contains("<script"), "{text:?}");
            }
        }
    }
}

#[test]
fn a_hostile_payload_is_no_reason_to_sign() {
    let runner = Runner::new();
    let before = runner.read("workspace/web/index.json");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let twice =
        r#"{"repository":{"id":1},"repository":{"id":2},"workflow_run":{"head_repository":{"id":2}}}"#;
    for payload in ["", "null", "\u{0}", "{\"workflow_run\":", deep.as_str(), twice] {
        let ended = runner.github("workflow_run", payload, &[]);
        assert_eq!(ended.status.code(), Some(4), "{ended:?}");
        assert_eq!(runner.read("workspace/web/index.json"), before);
    }
}

#[test]
fn gitlab_gets_variables_reports_and_sections() {
    let runner = Runner::new();
    let variables = [
        ("GITLAB_CI", "true"),
        ("CI_PROJECT_URL", "https://git.example/g/p"),
        ("CI_COMMIT_REF_NAME", "main"),
        ("CI_COMMIT_SHA", COMMIT),
        ("CI_JOB_NAME", "sign"),
        ("CI_JOB_URL", "https://git.example/g/p/-/jobs/7"),
        ("COUNTERSIGN_SIGNER", "local"),
    ];
    let ended = runner.call(&["run", "oci:web:1.0"], &variables);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let dotenv = runner.read("workspace/countersign-report/countersign.env");
    assert!(dotenv.lines().any(|line| line == "VERDICT=passed"), "{dotenv}");
    let junit = runner.read("workspace/countersign-report/junit.xml");
    assert!(
        junit.starts_with("<?xml") && junit.contains("<testsuite"),
        "{junit}"
    );
    let quality = runner.read("workspace/countersign-report/codequality.json");
    let quality: serde_json::Value = serde_json::from_str(&quality).unwrap();
    for item in quality.as_array().unwrap() {
        for member in ["description", "check_name", "fingerprint", "severity", "location"] {
            assert!(!item[member].is_null(), "{member}");
        }
    }
    let words = String::from_utf8(ended.stderr).unwrap();
    assert!(words.contains("\u{1b}[0Ksection_start:"), "{words:?}");
    assert!(
        words.contains(":countersign_0[collapsed=true]\r\u{1b}[0Koci:web:1.0\n"),
        "{words:?}"
    );
    assert!(words.contains("\u{1b}[0Ksection_end:"), "{words:?}");
}

#[test]
fn codebuild_signs_only_what_succeeded() {
    let runner = Runner::new();
    let before = runner.read("workspace/web/index.json");
    let at = |succeeding| {
        let variables = [
            (
                "CODEBUILD_BUILD_ARN",
                "arn:aws:codebuild:eu-west-1:111122223333:build/web:8d1f",
            ),
            ("CODEBUILD_SOURCE_REPO_URL", "https://github.com/octo-org/web"),
            ("CODEBUILD_RESOLVED_SOURCE_VERSION", COMMIT),
            ("CODEBUILD_BUILD_SUCCEEDING", succeeding),
            ("COUNTERSIGN_SIGNER", "local"),
        ];
        runner.call(&["run", "oci:web:1.0"], &variables)
    };
    let refused = at("0");
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    assert_eq!(runner.read("workspace/web/index.json"), before);
    let signed = at("1");
    assert_eq!(signed.status.code(), Some(0), "{signed:?}");
    // A shell takes the variables as they are.
    let script = ". countersign-report/countersign.env; printf %s \"$VERDICT$SIGNED_DIGESTS\"";
    let shell = Command::new("sh")
        .args(["-ec", script])
        .current_dir(runner.path("workspace"))
        .output()
        .unwrap();
    let said = String::from_utf8(shell.stdout).unwrap();
    assert!(said.starts_with("passed[\"sha256:"), "{said}");
    assert!(runner.path("workspace/countersign-report/junit.xml").is_file());
    assert!(
        !runner
            .path("workspace/countersign-report/codequality.json")
            .exists()
    );
}

/// The provenance that a run left in the layout, and its report.
fn attested(runner: &Runner, variables: &[(&str, &str)]) -> (serde_json::Value, serde_json::Value) {
    let mut all = vec![("COUNTERSIGN_SIGNER", "local")];
    all.extend(variables);
    let ended = runner.call(&["run", "oci:web:1.0"], &all);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let downloaded = runner.call(&["download", "oci:web:1.0", "--to=got"], &all);
    assert!(downloaded.status.success(), "{downloaded:?}");
    let files = fs::read_dir(runner.path("workspace/got")).unwrap();
    let read = files.map(|file| fs::read(file.unwrap().path()).unwrap());
    let statements = read.filter_map(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    let ours = statements.filter(|statement| {
        let builder = &statement["predicate"]["runDetails"]["builder"]["id"];
        builder.as_str().is_some_and(|id| id.ends_with("#environment"))
    });
    let ours: Vec<_> = ours.collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert!(runner.path("workspace/countersign-report/junit.xml").is_file());
    let outputs = runner.read("workspace/countersign-report/countersign.env");
    assert!(outputs.contains("VERDICT="), "{outputs}");
    let report = runner.read("workspace/countersign-report/report.json");
    (
        ours[0]["predicate"].clone(),
        serde_json::from_str(&report).unwrap(),
    )
}

/// Whether the report says that nobody vouches for the build, and why.
fn assert_unvouched(report: &serde_json::Value, because: &str) {
    assert_eq!(report["build"]["because"], because, "{report}");
    assert_eq!(report["build"]["level"]["supported"], 1);
    let findings = report["findings"].as_array().unwrap();
    let told = findings
        .iter()
        .find(|finding| finding["rule"] == "CSN034")
        .unwrap();
    assert!(
        told["expected"]
            .as_str()
            .unwrap()
            .contains("builder-id and source"),
        "{told}"
    );
}

#[test]
fn bitbucket_is_told_by_its_variables_and_says_that_nobody_vouches() {
    let runner = Runner::new();
    let (predicate, report) = attested(
        &runner,
        &[
            ("BITBUCKET_PIPELINE_UUID", "{1f0c}"),
            ("BITBUCKET_STEP_UUID", "{2a1d}"),
            (
                "BITBUCKET_GIT_HTTP_ORIGIN",
                "https://u:hush@bitbucket.org/octo/web",
            ),
            ("BITBUCKET_REPO_FULL_NAME", "octo/web"),
            ("BITBUCKET_TAG", "v1"),
            ("BITBUCKET_COMMIT", COMMIT),
            ("BITBUCKET_BUILD_NUMBER", "7"),
            ("BITBUCKET_STEP_OIDC_TOKEN", "eyJoIjoxfQ.e30.c2ln"),
        ],
    );
    assert_unvouched(&report, "this host's identity token names neither commit nor ref");
    let definition = &predicate["buildDefinition"];
    assert_eq!(
        definition["externalParameters"],
        serde_json::json!({ "source": "https://bitbucket.org/octo/web", "tag": "v1" })
    );
    assert_eq!(definition["internalParameters"]["stepUuid"], "{2a1d}");
    assert_eq!(
        definition["resolvedDependencies"][0]["digest"]["gitCommit"],
        COMMIT
    );
    let invocation = &predicate["runDetails"]["metadata"]["invocationId"];
    assert_eq!(invocation, "https://bitbucket.org/octo/web/pipelines/results/7");
    assert!(!report.to_string().contains("eyJoIjoxfQ") && !predicate.to_string().contains("hush"));
}

#[test]
fn jenkins_is_told_by_its_variables_and_says_that_nobody_vouches() {
    let runner = Runner::new();
    let jenkins = [
        ("JENKINS_URL", "https://ci.example/"),
        ("BUILD_TAG", "jenkins-team-web-7"),
        ("BUILD_URL", "https://ci.example/job/team/job/web/7/"),
        ("JOB_NAME", "team/web"),
        ("NODE_NAME", "linux-1"),
        ("GIT_URL", "git@github.com:octo/web.git"),
        ("GIT_COMMIT", COMMIT),
        ("GIT_BRANCH", "origin/main"),
    ];
    let (predicate, report) = attested(&runner, &jenkins);
    assert_unvouched(&report, "this host gives no identity token");
    assert_eq!(
        predicate["buildDefinition"]["externalParameters"],
        serde_json::json!({ "jenkins": "https://ci.example", "job": "team/web", "branch": "origin/main",
            "source": "ssh://github.com/octo/web.git" })
    );
    assert_eq!(
        predicate["buildDefinition"]["resolvedDependencies"][0]["uri"],
        format!("git+ssh://github.com/octo/web.git@{COMMIT}")
    );
    // Without a commit the host does not say enough, and a person has to.
    let lacking: Vec<_> = jenkins
        .into_iter()
        .filter(|(name, _)| *name != "GIT_COMMIT")
        .collect();
    let ended = runner.call(&["run", "--signer=local", "oci:web:1.0"], &lacking);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let words = String::from_utf8(ended.stdout).unwrap();
    assert!(
        words.contains("this host's variables do not say enough of the build"),
        "{words}"
    );
}
