//! A world to measure in, and one run of the program in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::{NamedTempFile, TempDir};

use super::support::World;
use super::support::aws::{ACCOUNT, Aws, PROFILE, REGION, ROLE};
use super::support::registry::{Quirks, Registry};

/// Where GNU time is; it tells the peak of a child's memory without counting ours.
const GNU_TIME: &str = "/usr/bin/time";

/// How much an account allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotas {
    /// As much as anybody wants.
    None,
    /// What AWS grants by default: ten SignPayload and ten manifest PUTs a second.
    Real,
}

/// AWS and an ECR registry with images in it, and a directory to run in.
pub(crate) struct Stage {
    pub(crate) world: World,
    aws: Aws,
    host: String,
    registry: Arc<Registry>,
    root: NamedTempFile,
    directory: TempDir,
}

/// What one run cost.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    /// From start to end.
    pub(crate) wall: Duration,
    /// Peak of resident memory, in KiB.
    pub(crate) resident_kib: u64,
    /// Requests that the world answered.
    pub(crate) requests: usize,
    /// How many of them had to wait for one another; only told where there is latency.
    pub(crate) waves: usize,
    /// Failures and findings of the report, with the exit code; empty when all went well.
    pub(crate) complaint: String,
}

impl Stage {
    /// An empty registry, with or without quotas.
    pub(crate) fn new(quotas: Quotas) -> Self {
        let world = World::new();
        let aws = world.aws_by_name();
        let manifests = match quotas {
            Quotas::None => None,
            Quotas::Real => {
                aws.with_quotas();
                Some((10.0, 10.0))
            }
        };
        let host = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com");
        let quirks = Quirks {
            blobs_elsewhere: false,
            manifest_quota: manifests,
            ..Quirks::ecr()
        };
        let registry = aws.ecr(&world, &host, quirks);
        registry.create("web");
        Self {
            root: aws.signing_root(),
            directory: tempfile::tempdir().unwrap(),
            world,
            aws,
            host,
            registry,
        }
    }

    /// Puts that many images into the registry; returns their names by digest.
    pub(crate) fn images(&self, count: usize) -> Vec<String> {
        let name = |number: usize| {
            let digest = self
                .registry
                .put_image("web", &format!("t{number}"), &format!("image {number}"));
            format!("{}/web@{digest}", self.host)
        };
        (0..count).map(name).collect()
    }

    /// The program with the environment of a job on GitHub.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.aws.environment())
            .envs([
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_REPOSITORY", "octo-org/app"),
                ("GITHUB_RUN_ID", "42"),
            ])
            .env("HOME", self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The arguments of a run over these images.
    pub(crate) fn run_arguments(&self, images: &[String]) -> Vec<String> {
        let root = self.root.path().display().to_string();
        let fixed = [
            "run",
            "--role-arn",
            ROLE,
            "--signing-profile",
            PROFILE,
            "--trust-store",
            &root,
            "--builder-id",
            "https://example.com/builder",
            "--source",
            "https://example.com/source",
        ];
        let fixed = fixed.into_iter().map(str::to_owned);
        fixed.chain(images.iter().cloned()).collect()
    }

    /// The arguments of a verification of these images.
    pub(crate) fn verify_arguments(&self, images: &[String]) -> Vec<String> {
        let mut arguments = self.run_arguments(images);
        arguments.splice(0..1, ["verify".to_owned()]);
        arguments.retain(|argument| !argument.contains("://example.com/"));
        arguments.retain(|argument| argument != "--builder-id" && argument != "--source");
        arguments
    }

    /// Runs once and tells what it cost; the ledger holds this run's requests afterwards.
    pub(crate) fn run(&self, arguments: &[String], latency: Duration) -> Cost {
        self.world.ledger().clear();
        self.world.set_latency(latency);
        let report = self.path("countersign-report/report.json");
        let _ = fs::remove_file(&report);
        let told = self.path("resident");
        let gnu_time = Path::new(GNU_TIME).exists();
        let mut command = if gnu_time {
            let mut command = self.command(Path::new(GNU_TIME));
            command.args(["-f", "%M", "-o"]).arg(&told).arg(program());
            command
        } else {
            self.command(program())
        };
        let began = Instant::now();
        let mut child = command.args(arguments).spawn().unwrap();
        let watched = if gnu_time { None } else { Some(watch(child.id())) };
        let ended = child.wait().unwrap();
        let wall = began.elapsed();
        let resident_kib = match watched {
            Some(watched) => watched.join().unwrap(),
            None => last_number(&told),
        };
        let waves = if latency.is_zero() {
            0
        } else {
            self.world.ledger().waves().into_iter().max().unwrap_or(0)
        };
        Cost {
            wall,
            resident_kib,
            requests: self.world.ledger().len(),
            waves,
            complaint: complaint(ended.code(), &report),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// The program that is measured: the one cargo built for this bench, or the one that is named.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    PROGRAM.get_or_init(|| {
        let named = std::env::var_os("COUNTERSIGN_PROGRAM").map(PathBuf::from);
        named.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_countersign")))
    })
}

/// Watches the peak of a process's memory while it lives, where there is nobody better to ask.
fn watch(process: u32) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(line) = line else { break };
            let kib = line.trim().trim_end_matches(" kB").parse().unwrap_or(0);
            peak = kib.max(peak);
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    })
}

/// The number on the last line of a file.
fn last_number(file: &Path) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .last()
        .and_then(|line| line.trim().parse().ok())
        .unwrap_or(0)
}

/// What went wrong: nothing if the code is 0 and the report names no failure.
fn complaint(code: Option<i32>, report: &Path) -> String {
    let text = fs::read(report).unwrap_or_default();
    let report: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let failures = report["failures"].as_array().map_or(0, Vec::len);
    if code == Some(0) && failures == 0 {
        return String::new();
    }
    let first = report["failures"].get(0).unwrap_or(&report["findings"]);
    format!("exit {code:?}, {failures} failures: {first}")
}
