//! A release: what a version is called, everywhere the same, and the release workflow's own commands carried out.
//!
//! Each `run:` block of the workflow is taken out of it and run by bash in the order of its jobs, in a clone with a
//! remote of its own. Only `docker` and `gh` are stand-ins: a registry of tags and digests, and a list of releases.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign::base::limits::Bounds;
use countersign::base::tree::Cursor;
use countersign::base::yaml;

use crate::generated::in_repository;

/// This version, which a clone is released as.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The repository of the images.
const IMAGE: &str = "ghcr.io/countersign/countersign";

/// Knows `login`, `build`, `push`, `create`, `cp` and `buildx imagetools`, as the workflow uses them.
const DOCKER: &str = r#"#!/usr/bin/env bash
set -euo pipefail
tags="$WORLD/tags"
file() { printf '%s/%s' "$tags" "${1//\//%}"; }
digest() { printf 'sha256:%s' "$(printf '%s' "$1" | sha256sum | cut -c1-64)"; }
case "$1 ${2-}" in
  "login ghcr.io") [ "$(cat)" = token ] ;;
  "build --target") [ -f Dockerfile ] && [ "${*: -1}" = . ] && grep -q " AS $3\$" Dockerfile ;;
  "push "*) digest "$2 $GITHUB_SHA" > "$(file "$2")" ;;
  "create "*) cat "$(file "$2")" > "$WORLD/created"; echo id ;;
  "cp id:/countersign") printf '#!/bin/sh\necho "countersign %s"\n' "$VERSION" > "$3"; chmod +x "$3" ;;
  "buildx imagetools")
    if [ "$3" = inspect ]; then
      # What begins with `{{.Manifest` would be answered with the whole table.
      [ "$5 $6" = "--format {{json .Manifest.Digest}}" ] && printf '"%s"\n' "$(cat "$(file "$4")")"
      exit
    fi
    shift 3
    names=() sources=()
    while [ $# -gt 0 ]; do
      case "$1" in
        --tag) names+=("$2"); shift ;;
        --tag=*) names+=("${1#--tag=}") ;;
        *) sources+=("$1") ;;
      esac
      shift
    done
    # One index is named again as it is; several manifests become one.
    made="${sources[0]#*@}"
    if [ "${#sources[@]}" -gt 1 ]; then made="$(digest "$(for one in "${sources[@]}"; do cat "$(file "$one")"; done)")"; fi
    for name in "${names[@]}"; do printf '%s' "$made" > "$(file "$name")"; done ;;
  *) echo "unexpected: docker $*" >&2; exit 64 ;;
esac
"#;

/// Knows `auth setup-git` and `release view` and `create`.
const GH: &str = r#"#!/usr/bin/env bash
set -euo pipefail
[ "$GH_TOKEN" = token ]
case "$1 $2" in
  "auth setup-git") ;;
  "release view") cat "$WORLD/releases/$3" ;;
  "release create") git ls-remote --exit-code origin "refs/tags/$3" >&2; printf '%s\n' "$@" > "$WORLD/releases/$3" ;;
  *) echo "unexpected: gh $*" >&2; exit 64 ;;
esac
"#;

/// A clone of what is released, its remote, a registry and a list of releases.
struct World {
    root: tempfile::TempDir,
    version: String,
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

impl World {
    fn new() -> Self {
        let world = Self {
            root: tempfile::tempdir().unwrap(),
            version: VERSION.to_owned(),
        };
        for directory in ["bin", "tags", "releases", "clone"] {
            fs::create_dir(world.path(directory)).unwrap();
        }
        script(&world.path("bin/docker"), DOCKER);
        script(&world.path("bin/gh"), GH);
        fs::create_dir(world.path("clone/.ci")).unwrap();
        for file in ["Cargo.toml", "Dockerfile", "action.yml", "CHANGELOG.md"] {
            fs::copy(in_repository(file), world.path("clone").join(file)).unwrap();
        }
        for file in [
            "size",
            "pin-action",
            "release-names",
            "release-notes",
            "release-tags",
        ] {
            fs::copy(
                in_repository(".ci").join(file),
                world.path("clone/.ci").join(file),
            )
            .unwrap();
        }
        // What is checked out may be a release already.
        let action = fs::read_to_string(world.path("clone/action.yml")).unwrap();
        let named = |line: &str| {
            let image = line.starts_with("  image: ").then_some("  image: Dockerfile");
            image.unwrap_or(line).to_owned() + "\n"
        };
        fs::write(
            world.path("clone/action.yml"),
            action.lines().map(named).collect::<String>(),
        )
        .unwrap();
        world.git(&["init", "--quiet", "--bare", "../remote"]);
        world.git(&["init", "--quiet", "--initial-branch=main"]);
        world.git(&["remote", "add", "origin", "../remote"]);
        world.git(&["add", "--all"]);
        world.git(&["commit", "--quiet", "--message", "before"]);
        world.git(&["push", "--quiet", "origin", "main"]);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args([
            "-c",
            "user.name=somebody",
            "-c",
            "user.email=somebody@example.com",
        ]);
        done(git.args(args).current_dir(self.path("clone")).output().unwrap())
    }

    /// As a runner does: the branch as it is at the remote.
    fn check_out(&self) {
        self.git(&["checkout", "--quiet", "--force", "-B", "main", "origin/main"]);
    }

    /// What a person does: the version and its section of the changelog, on main.
    fn prepare(&mut self, version: &str) {
        self.check_out();
        let manifest = fs::read_to_string(self.path("clone/Cargo.toml")).unwrap();
        let manifest = manifest.replacen(
            &format!("version = \"{}\"", self.version),
            &format!("version = \"{version}\""),
            1,
        );
        version.clone_into(&mut self.version);
        fs::write(self.path("clone/Cargo.toml"), manifest).unwrap();
        let changes = fs::read_to_string(self.path("clone/CHANGELOG.md")).unwrap();
        let heading =
            format!("## [Unreleased]\n\n## [{version}] - 2026-11-24\n\n- What is new in {version}.\n");
        let changes = changes.replacen("## [Unreleased]\n", &heading, 1);
        fs::write(self.path("clone/CHANGELOG.md"), changes).unwrap();
        self.git(&["commit", "--quiet", "--all", "--message", version]);
        self.git(&["push", "--quiet", "origin", "main"]);
    }

    /// Runs the workflow's jobs of one name as a runner does, each in the same clean checkout; false where a step fails.
    fn job(&self, name: &str, outputs: &mut BTreeMap<String, String>) -> bool {
        let text = fs::read_to_string(in_repository(".github/workflows/release.yml")).unwrap();
        let workflow = yaml::read(text.as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
        let job = workflow.cursor().pointer(&format!("/jobs/{name}")).unwrap();
        let matrix = job.pointer("/strategy/matrix/include");
        let arches: Vec<String> = match &matrix {
            Some(rows) => rows
                .array()
                .unwrap()
                .iter()
                .map(|row| word(row, "/arch"))
                .collect(),
            None => vec![String::new()],
        };
        arches.into_iter().all(|arch| {
            outputs.insert("matrix.arch".to_owned(), arch);
            self.check_out();
            let mut environment = variables(&workflow.cursor(), outputs);
            environment.extend(variables(&job, outputs));
            let steps = job.pointer("/steps").unwrap();
            steps.array().unwrap().iter().all(|step| {
                let mut environment = environment.clone();
                environment.extend(variables(step, outputs));
                self.step(step, &environment, outputs)
            })
        })
    }

    /// One step: its commands, or what stands for the actions that hand files on.
    fn step(
        &self,
        step: &Cursor<'_>,
        environment: &BTreeMap<String, String>,
        outputs: &mut BTreeMap<String, String>,
    ) -> bool {
        let clone = self.path("clone");
        let Some(run) = step.pointer("/run") else {
            let action = word(step, "/uses");
            if action.starts_with("actions/download-artifact@") {
                let files = clone.join(word(step, "/with/path"));
                fs::create_dir_all(&files).unwrap();
                for file in ["countersign-linux-amd64", "countersign-linux-arm64"] {
                    fs::copy(clone.join(file), files.join(file)).unwrap();
                }
                fs::write(files.join("trustpolicy.json"), "{}").unwrap();
            }
            return true;
        };
        let run = run.string().unwrap().to_owned();
        // Text that others can choose reaches a script as a variable only.
        assert!(!run.contains("${{"), "{run}");
        let said = self.path("output");
        fs::write(&said, "").unwrap();
        let path = format!(
            "{}:{}",
            self.path("bin").display(),
            std::env::var_os("PATH").unwrap().to_str().unwrap()
        );
        let ended = Command::new("bash")
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", &run])
            .current_dir(&clone)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.root.path())
            .env("WORLD", self.root.path())
            .env("GITHUB_SHA", self.git(&["rev-parse", "origin/main"]).trim())
            .env("GITHUB_REF", "refs/heads/main")
            .env("GITHUB_OUTPUT", &said)
            .envs(environment)
            .output()
            .unwrap();
        if !ended.status.success() {
            eprintln(&ended);
            return false;
        }
        let said = fs::read_to_string(&said).unwrap();
        let lines = said.lines().filter_map(|line| line.split_once('='));
        outputs.extend(lines.map(|(name, value)| (format!("needs.index.outputs.{name}"), value.to_owned())));
        true
    }

    /// All of the workflow.
    fn release(&self) -> bool {
        let mut outputs = BTreeMap::from([
            ("inputs.version".to_owned(), self.version.clone()),
            ("github.actor".to_owned(), "somebody".to_owned()),
            ("github.token".to_owned(), "token".to_owned()),
        ]);
        ["build", "index", "release"]
            .iter()
            .all(|job| self.job(job, &mut outputs))
    }

    /// The digest that a tag of the image names.
    fn image(&self, tag: &str) -> Option<String> {
        let name = format!("{IMAGE}:{tag}").replace('/', "%");
        fs::read_to_string(self.path("tags").join(name)).ok()
    }

    /// The commit that a tag of the remote names.
    fn tag(&self, name: &str) -> Option<String> {
        let listed = self.git(&["ls-remote", "origin", &format!("refs/tags/{name}")]);
        listed.split_whitespace().next().map(str::to_owned)
    }
}

/// Shows what a step said, for the case that the test fails.
fn eprintln(ended: &Output) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{ended:?}");
}

fn word(at: &Cursor<'_>, pointer: &str) -> String {
    at.pointer(pointer).unwrap().string().unwrap().to_owned()
}

/// The variables that an `env` sets, expressions looked up.
fn variables(at: &Cursor<'_>, known: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let Some(env) = at.pointer("/env") else {
        return BTreeMap::new();
    };
    let env = env.object().unwrap();
    env.members()
        .map(|(name, value)| {
            let value = value.string().unwrap();
            let expression = value
                .strip_prefix("${{ ")
                .and_then(|rest| rest.strip_suffix(" }}"));
            let value = expression.map_or(Some(value), |expression| {
                known.get(expression).map(String::as_str)
            });
            (
                name.to_owned(),
                value
                    .unwrap_or_else(|| panic!("{name}: nothing is known of it"))
                    .to_owned(),
            )
        })
        .collect()
}

#[test]
fn a_version_becomes_tags_of_images_and_of_the_repository() {
    let mut world = World::new();
    // Without a section in the changelog there is nothing to release.
    assert!(!world.release());
    assert_eq!(world.image(VERSION), None);

    world.prepare(VERSION);
    assert!(world.release());
    let [minor, major] = [
        VERSION.rsplit_once('.').unwrap().0,
        VERSION.split_once('.').unwrap().0,
    ];
    let digest = world.image(VERSION).unwrap();
    let with_shell = world.image(&format!("{VERSION}-shell")).unwrap();
    assert_ne!(digest, with_shell);
    for name in [minor, major] {
        assert_eq!(world.image(name).as_ref(), Some(&digest), "{name}");
        assert_eq!(
            world.image(&format!("{name}-shell")).as_ref(),
            Some(&with_shell),
            "{name}"
        );
    }
    let tag = world.tag(&format!("v{VERSION}")).unwrap();
    assert_eq!(world.tag(&format!("v{major}")), Some(tag.clone()));
    assert_eq!(world.tag(minor), None);
    // The commit that is tagged differs from main in one line, which names this image.
    world.git(&["fetch", "--quiet", "--tags", "origin"]);
    let changed = world.git(&["diff", "--unified=0", "origin/main", &tag]);
    let changed: Vec<&str> = changed
        .lines()
        .filter(|line| line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---"))
        .collect();
    assert_eq!(
        changed,
        [
            "-  image: Dockerfile".to_owned(),
            format!("+  image: docker://{IMAGE}@{digest}")
        ]
    );
    let released = fs::read_to_string(world.path("releases").join(format!("v{VERSION}"))).unwrap();
    for file in [
        "countersign-linux-amd64",
        "countersign-linux-arm64",
        "trustpolicy.json",
        "SHA256SUMS",
    ] {
        assert!(
            released.lines().any(|line| line == format!("files/{file}")),
            "{released}"
        );
    }
    assert!(!released.contains("--prerelease"));
    let types = world.tag("buildtypes-v1").unwrap();

    // A job that is repeated finds its own work done, and makes nothing else of it.
    assert!(world.release());
    assert_eq!(world.tag(&format!("v{VERSION}")), Some(tag.clone()));

    // The next version moves what moves, and nothing else.
    let later = format!("{major}.99.3");
    world.prepare(&later);
    assert!(world.release());
    let next = world.tag(&format!("v{later}")).unwrap();
    assert_eq!(world.tag(&format!("v{major}")), Some(next.clone()));
    assert_eq!(world.tag(&format!("v{VERSION}")), Some(tag));
    assert_eq!(world.image(VERSION), Some(digest));
    assert_eq!(world.image(major), world.image(&later));
    assert_eq!(
        world.image(&format!("{major}-shell")),
        world.image(&format!("{later}-shell"))
    );
    assert_eq!(world.tag("buildtypes-v1"), Some(types));

    // One to try out moves nothing.
    world.prepare("777.0.0-rc.1");
    assert!(world.release());
    assert_eq!(world.tag(&format!("v{major}")), Some(next));
    assert_eq!(world.tag("v777"), None);
    assert_eq!((world.image("777"), world.image("777.0")), (None, None));
    assert!(world.image("777.0.0-rc.1-shell").is_some());
    let released = fs::read_to_string(world.path("releases/v777.0.0-rc.1")).unwrap();
    assert!(released.contains("--prerelease"), "{released}");
}

#[test]
fn names_come_after_what_they_name_is_signed() {
    let text = fs::read_to_string(in_repository(".github/workflows/release.yml")).unwrap();
    let workflow = yaml::read(text.as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
    assert_eq!(word(&workflow.cursor(), "/jobs/sign/needs"), "index");
    let needs = workflow.cursor().pointer("/jobs/release/needs").unwrap();
    let needs: Vec<String> = needs
        .array()
        .unwrap()
        .iter()
        .map(|job| job.string().unwrap().to_owned())
        .collect();
    assert_eq!(needs, ["index", "sign"]);
    let before = text.split_once("\n  release:\n").unwrap().0;
    for script in [".ci/release-tags", ".ci/release-names git", "git push"] {
        assert!(!before.contains(script), "{script}");
    }
}

/// What a version's names are, by the script that the workflow asks.
fn names(kind: &str) -> Vec<String> {
    let script = Command::new(in_repository(".ci/release-names"))
        .args([kind, VERSION])
        .output()
        .unwrap();
    done(script).lines().map(str::to_owned).collect()
}

/// The text that follows each mention of something, as far as a name goes.
fn mentions<'a>(text: &'a str, of: &str) -> Vec<&'a str> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
    let rest = text.split(of).skip(1);
    rest.map(|rest| rest.split(ends).next().unwrap_or("").trim_end_matches(['.', ':']))
        .collect()
}

#[test]
fn every_page_and_example_uses_names_that_this_version_gets() {
    let (git, mut images) = (names("git"), names("image"));
    images.extend(names("shell"));
    let listed = Command::new("git")
        .args(["ls-files", "*.md", "*.yml", "action.yml", "Dockerfile"])
        .current_dir(in_repository(""))
        .output()
        .unwrap();
    let mut seen = 0;
    for path in done(listed)
        .lines()
        .filter(|path| !path.starts_with("tests/vectors"))
    {
        let text = fs::read_to_string(in_repository(path)).unwrap();
        // A GitLab component has the versions of the project that it was copied to.
        let text = text.replace("security/countersign/countersign@", "");
        let repository = [
            "countersign/countersign@",
            "workflows/sign.yml@",
            "countersign/releases/download/",
        ];
        for name in repository.iter().flat_map(|what| mentions(&text, what)) {
            let digest = name.starts_with("sha256:") || name.is_empty();
            assert!(digest || git.iter().any(|tag| tag == name), "{path}: {name}");
            seen += 1;
        }
        for name in mentions(&text, "ghcr.io/countersign/countersign:") {
            assert!(images.iter().any(|tag| tag == name), "{path}: {name}");
            seen += 1;
        }
    }
    assert!(seen >= 15, "{seen}");
}
