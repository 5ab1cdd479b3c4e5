//! The image: the Dockerfile's final stages as they are, built by buildah and run by podman as CI hosts run them.
//!
//! Only the stage `build` is replaced, by a build context that holds a program built here: the static one that
//! `COUNTERSIGN_STATIC` names, else the one under test, to which the loader and libraries that it needs are mounted.
//! Where root, buildah, podman or runc is missing nothing is checked, and that is said; `COUNTERSIGN_IMAGE=required`
//! makes it a failure.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::hosts::{commands, parsed};

/// Bytes that the layers of `scratch` may have, compressed.
const MOST: u64 = 9_000_000;

/// Images in a store of their own.
struct Images {
    root: TempDir,
}

/// None where images cannot be built and run here.
fn images() -> Option<Images> {
    let runs = |program: &str| {
        let version = Command::new(program).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let root = tempfile::tempdir().unwrap();
    let mut lacking: Vec<&str> = ["buildah", "podman", "runc"]
        .into_iter()
        .filter(|program| !runs(program))
        .collect();
    if fs::metadata(root.path()).unwrap().uid() != 0 {
        lacking.push("root");
    }
    if lacking.is_empty() {
        return Some(Images { root });
    }
    let lacking = lacking.join(", ");
    let required = std::env::var_os("COUNTERSIGN_IMAGE").is_some_and(|word| word == "required");
    assert!(!required, "the image cannot be built and run without {lacking}");
    let _ = writeln!(
        std::io::stderr(),
        "NOT CHECKED: the image is not built and run (without {lacking})"
    );
    None
}

fn done(output: Output) -> Output {
    assert!(output.status.success(), "{output:?}");
    output
}

/// The static program, where there is one.
fn static_program() -> Option<PathBuf> {
    std::env::var_os("COUNTERSIGN_STATIC").map(PathBuf::from)
}

/// The files that the loader needs for a program that is not static.
fn libraries() -> Vec<String> {
    if static_program().is_some() {
        return Vec::new();
    }
    let needed = done(
        Command::new("ldd")
            .arg(env!("CARGO_BIN_EXE_countersign"))
            .output()
            .unwrap(),
    );
    let needed = String::from_utf8(needed.stdout).unwrap();
    let paths = needed.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(str::to_owned).collect()
}

impl Images {
    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(["--root", &self.text("store"), "--runroot", &self.text("state")])
            .args(["--storage-driver", "vfs"])
            .stdin(Stdio::null());
        command
    }

    /// Builds one of the two final stages.
    fn build(&self, target: &str, more: &[&str]) -> String {
        let context = self.path("context");
        fs::create_dir_all(&context).unwrap();
        let program = static_program().unwrap_or_else(|| env!("CARGO_BIN_EXE_countersign").into());
        fs::copy(program, context.join("countersign")).unwrap();
        let tag = format!("localhost/countersign:{target}");
        let mut command = self.tool("buildah");
        command
            .args(["bud", "--quiet", "--target", target, "--tag", &tag])
            .args(["--build-context", &format!("build={}", context.display())])
            .args(more)
            .arg("--file")
            .arg(crate::generated::in_repository("Dockerfile"))
            .arg(&context);
        done(command.output().unwrap());
        tag
    }

    /// `docker run` as the runner of GitHub calls it (`actions/runner`, `DockerCommandManager.cs`), with what podman
    /// and runc need besides on a machine without systemd.
    fn run(&self, mounts: &[(&str, &str)], variables: &[(&str, &str)]) -> Command {
        let mut command = self.tool("podman");
        command
            .args(["--runtime", "runc", "--cgroup-manager=cgroupfs", "run", "--rm"])
            .args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"])
            .arg("--network=none");
        for library in libraries() {
            command.arg(format!("--volume={library}:{library}:ro"));
        }
        for (here, there) in mounts {
            command.arg(format!("--volume={}:{there}", self.text(here)));
        }
        for (name, value) in variables {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        command
    }

    /// The container of an action, in a workspace and with command files that belong to the runner's user.
    fn action(&self, image: &str, inputs: &[(&str, &str)]) -> Command {
        let mut variables = vec![
            ("GITHUB_ACTIONS", "true"),
            ("CI", "true"),
            ("HOME", "/github/home"),
            ("GITHUB_WORKSPACE", "/github/workspace"),
            ("GITHUB_REPOSITORY", "octo-org/web"),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_OUTPUT", "/github/file_commands/output"),
            ("GITHUB_STEP_SUMMARY", "/github/file_commands/summary"),
        ];
        variables.extend(inputs);
        let mounts = [
            ("home", "/github/home"),
            ("workspace", "/github/workspace"),
            ("commands", "/github/file_commands"),
        ];
        let mut command = self.run(&mounts, &variables);
        command.args([
            "--workdir=/github/workspace",
            "--entrypoint=/countersign",
            image,
            "action",
        ]);
        command
    }

    /// The runner's directories, owned by its user.
    fn runner(&self) {
        for name in ["home", "workspace", "commands"] {
            fs::create_dir(self.path(name)).unwrap();
        }
        for name in ["commands/output", "commands/summary"] {
            fs::write(self.path(name), "").unwrap();
        }
        self.belongs_to_the_runner("workspace");
        self.belongs_to_the_runner("commands");
    }

    fn belongs_to_the_runner(&self, name: &str) {
        for place in below(&self.path(name)) {
            chown(place, Some(1001), Some(118)).unwrap();
        }
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

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The bytes that a layout holds for a descriptor.
fn blob(layout: &Path, descriptor: &serde_json::Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().unwrap();
    layout.join("blobs").join(digest.replace(':', "/"))
}

#[test]
fn the_action_s_image_is_one_small_program_for_root() {
    let Some(images) = images() else { return };
    let image = images.build("action", &[]);
    let layout = images.path("layout");
    let to = format!("oci:{}:action", layout.display());
    done(
        images
            .tool("buildah")
            .args(["push", "--quiet", &image, &to])
            .output()
            .unwrap(),
    );
    let manifest = json(&blob(&layout, &json(&layout.join("index.json"))["manifests"][0]));
    let config = json(&blob(&layout, &manifest["config"]))["config"].clone();
    assert_eq!(config["Entrypoint"], serde_json::json!(["/countersign"]));
    assert_eq!(config["Cmd"], serde_json::json!(["action"]));
    for none in ["User", "WorkingDir"] {
        let found = config[none].as_str().unwrap_or_default();
        assert!(found.is_empty() || found == "/", "{none}: {found}");
    }
    let layers = manifest["layers"].as_array().unwrap();
    let mut files = Vec::new();
    for layer in layers {
        let listed = done(
            Command::new("tar")
                .arg("tzf")
                .arg(blob(&layout, layer))
                .output()
                .unwrap(),
        );
        let listed = String::from_utf8(listed.stdout).unwrap();
        files.extend(
            listed
                .lines()
                .filter(|name| !name.ends_with('/'))
                .map(str::to_owned),
        );
    }
    assert_eq!(files, ["countersign"]);
    let bytes: u64 = layers.iter().map(|layer| layer["size"].as_u64().unwrap()).sum();
    if static_program().is_some() {
        let _ = writeln!(
            std::io::stderr(),
            "image: {bytes} bytes compressed, of at most {MOST}"
        );
        assert!(bytes <= MOST, "{bytes}");
    }
    // No shell to be started by anyone.
    let mut shell = images.run(&[], &[]);
    let shell = shell
        .args(["--entrypoint=/bin/sh", &image, "-c", "exit 0"])
        .output()
        .unwrap();
    assert_eq!(shell.status.code(), Some(127), "{shell:?}");
}

#[test]
fn the_action_signs_as_a_runner_starts_it_and_gives_its_files_back() {
    let Some(images) = images() else { return };
    let image = images.build("action", &[]);
    images.runner();
    let demo = images
        .action(&image, &[("INPUT_COMMAND", "demo")])
        .output()
        .unwrap();
    done(demo);
    fs::write(images.path("commands/output"), "").unwrap();
    let inputs = [
        ("INPUT_SIGNER", "local"),
        (
            "INPUT_IMAGES",
            "oci:/home/runner/work/web/web/countersign-demo:1.0",
        ),
        ("INPUT_RESIGN", "true"),
        ("INPUT_PROVENANCE", "off"),
        ("INPUT_OUTPUT-DIR", "reports"),
    ];
    let ended = done(images.action(&image, &inputs).output().unwrap());
    let said = commands(&ended);
    assert!(said.iter().any(|name| name == "group"), "{said:?}");
    let outputs = parsed(&fs::read_to_string(images.path("commands/output")).unwrap());
    let output = |name: &str| outputs.iter().find(|(found, _)| found == name).unwrap().1.clone();
    assert_eq!(output("verdict"), "passed");
    assert_eq!(output("report-path"), "reports/report.json");
    let summary = fs::read_to_string(images.path("commands/summary")).unwrap();
    assert!(summary.contains("countersign: passed"), "{summary}");
    for place in below(&images.path("workspace")) {
        let found = fs::metadata(&place).unwrap();
        assert_eq!((found.uid(), found.gid()), (1001, 118), "{}", place.display());
    }
}

/// Waits until something is there.
fn wait_for(what: &str, there: impl Fn() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    done(
        Command::new("kill")
            .args([&format!("-{name}"), &id])
            .output()
            .unwrap(),
    );
}

#[test]
fn the_first_process_of_a_container_stops_when_it_is_told_to() {
    let Some(images) = images() else { return };
    let image = images.build("action", &[]);
    images.runner();
    done(
        images
            .action(&image, &[("INPUT_COMMAND", "demo")])
            .output()
            .unwrap(),
    );
    let index = images.path("workspace/countersign-demo/index.json");
    let before = fs::read(&index).unwrap();
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        // Somebody else writes to the layout for as long as it takes.
        let held = File::open(images.path("workspace/countersign-demo/oci-layout")).unwrap();
        held.lock().unwrap();
        let reports = format!("stopped-{name}");
        let inputs = [
            ("INPUT_SIGNER", "local"),
            ("INPUT_IMAGES", "oci:countersign-demo:1.0"),
            ("INPUT_RESIGN", "true"),
            ("INPUT_PROVENANCE", "off"),
            ("INPUT_OUTPUT-DIR", &reports),
        ];
        let mut child = images
            .action(&image, &inputs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The directory is made when the handlers stand, before the first image.
        wait_for("the run begins", || {
            images.path("workspace").join(&reports).is_dir()
        });
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{name}");
        let report = json(&images.path("workspace").join(&reports).join("report.json"));
        assert_eq!(report["exit"], code);
        assert_eq!(fs::read(&index).unwrap(), before, "{name}");
        drop(held);
    }
}

#[test]
fn the_image_with_a_shell_starts_jobs_of_hosts_that_need_one() {
    let Some(images) = images() else { return };
    // Stands in for Alpine, which is a registry away: a shell and grep, and the search path that Alpine has.
    let Some(busybox) = ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .find(|path| Path::new(path).exists())
    else {
        let _ = writeln!(
            std::io::stderr(),
            "NOT CHECKED: the image with a shell (busybox is not installed)"
        );
        return;
    };
    let base = images.path("base");
    fs::create_dir_all(base.join("bin")).unwrap();
    fs::copy(busybox, base.join("bin/busybox")).unwrap();
    for name in ["sh", "grep"] {
        symlink("busybox", base.join("bin").join(name)).unwrap();
    }
    let file = images.path("base.Dockerfile");
    fs::write(
        &file,
        "FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n",
    )
    .unwrap();
    let mut build = images.tool("buildah");
    build
        .args(["bud", "--quiet", "--tag", "localhost/base", "--file"])
        .arg(file)
        .arg(base);
    done(build.output().unwrap());
    let image = images.build(
        "shell",
        &["--build-context", "alpine:3.22=docker-image://localhost/base"],
    );
    images.runner();
    let job = |script: &str| {
        let variables = [
            ("GITLAB_CI", "true"),
            ("HOME", "/home"),
            ("COUNTERSIGN_SIGNER", "local"),
            ("COUNTERSIGN_PROVENANCE", "off"),
        ];
        let mut command = images.run(&[("workspace", "/builds/web"), ("home", "/home")], &variables);
        command.args([
            "--workdir=/builds/web",
            "--entrypoint=[\"\"]",
            &image,
            "sh",
            "-ec",
            script,
        ]);
        done(command.output().unwrap())
    };
    let version = job("countersign --version | grep countersign");
    assert!(version.stdout.starts_with(b"countersign "), "{version:?}");
    job(
        "countersign demo && countersign run oci:countersign-demo:1.0 && grep -x VERDICT=passed countersign-report/countersign.env",
    );
}
