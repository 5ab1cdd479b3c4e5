//! Measures the program from outside: size, time and memory of what people run.
//!
//! ```text
//! cargo build --release
//! cargo run --release --example measure [-- PROGRAM]
//! ```
//!
//! PROGRAM is the program to measure; without it, the one that the release build left behind. Numbers are printed and
//! never judged: they belong to the machine they were taken on. docs/guides/measuring.md says what they mean.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign::domain::oci::Digest;
use serde_json::{Value, json};

type Failed = Box<dyn Error>;

/// Runs of each command; the median is told.
const ROUNDS: usize = 15;

/// Images of the large layout.
const MANY: usize = 1_000;

/// What a command cost.
struct Cost {
    /// Median time from start to end.
    time: Duration,
    /// Largest resident set seen, in KiB, where GNU time is installed.
    resident_kib: Option<u64>,
}

/// The program under measurement, with a home of its own.
struct Program {
    path: PathBuf,
    home: tempfile::TempDir,
}

impl Program {
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("NO_COLOR", "1");
        command.current_dir(self.home.path()).stdin(Stdio::null());
        command
    }

    /// Runs once and is silent, unless it fails.
    fn run(&self, args: &[&str]) -> Result<Duration, Failed> {
        let started = Instant::now();
        let output = self.command(&self.path).args(args).output()?;
        let time = started.elapsed();
        if output.status.success() {
            return Ok(time);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("{args:?}: {}: {said}", output.status).into())
    }

    /// The peak of resident memory over one run.
    fn resident_kib(&self, args: &[&str]) -> Result<Option<u64>, Failed> {
        let report = self.home.path().join("time.txt");
        let time = self
            .command("/usr/bin/time")
            .args(["-f", "%M", "-o"])
            .arg(&report)
            .arg(&self.path)
            .args(args)
            .output();
        if time.is_err() {
            return Ok(None);
        }
        let text = fs::read_to_string(report)?;
        Ok(text.lines().last().and_then(|line| line.parse().ok()))
    }

    /// The median over [`ROUNDS`] runs, each after `prepare`.
    fn cost(&self, args: &[&str], prepare: impl Fn() -> Result<(), Failed>) -> Result<Cost, Failed> {
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            prepare()?;
            times.push(self.run(args)?);
        }
        times.sort_unstable();
        prepare()?;
        let time = times.get(ROUNDS / 2).copied().unwrap_or_default();
        Ok(Cost {
            time,
            resident_kib: self.resident_kib(args)?,
        })
    }
}

fn main() -> Result<(), Failed> {
    let path = std::env::args_os()
        .nth(1)
        .map_or_else(built, |path| Ok(PathBuf::from(path)))?;
    let path = fs::canonicalize(&path)
        .map_err(|error| format!("{}: {error}; run `cargo build --release`", path.display()))?;
    let program = Program {
        path,
        home: tempfile::tempdir()?,
    };
    tell(&format!(
        "{}: {} bytes",
        program.path.display(),
        fs::metadata(&program.path)?.len()
    ))?;
    tell(&format!(
        "median of {ROUNDS} runs, and the peak of resident memory of one more"
    ))?;

    row("--version", &program.cost(&["--version"], || Ok(()))?)?;

    program.run(&["demo", "demo"])?;
    let index = program.home.path().join("demo/index.json");
    let unsigned = without_referrers(&index)?;
    let reset = || Ok(fs::write(&index, &unsigned)?);
    let demo = sign("oci:demo");
    row("run, demo layout", &program.cost(&demo, reset)?)?;
    row("run again, nothing to do", &program.cost(&demo, || Ok(()))?)?;
    row(
        "verify, demo layout",
        &program.cost(&["verify", "--signer", "local", "oci:demo"], || Ok(()))?,
    )?;

    for (name, images) in [("one", 1), ("many", MANY)] {
        let index = write_layout(&program.home.path().join(name), images)?;
        let unsigned = fs::read(&index)?;
        let target = format!("oci:{name}:image-{}", images / 2);
        let reset = || Ok(fs::write(&index, &unsigned)?);
        row(
            &format!("run, one image of {images}"),
            &program.cost(&sign(&target), reset)?,
        )?;
    }
    Ok(())
}

/// The program that `cargo build --release` leaves beside the examples.
fn built() -> Result<PathBuf, Failed> {
    let example = std::env::current_exe()?;
    let target = example
        .parent()
        .and_then(Path::parent)
        .ok_or("expected to be an example of cargo's")?;
    Ok(target.join("countersign"))
}

/// The arguments that sign an image with a key of our own.
fn sign(target: &str) -> Vec<&str> {
    let builder = "https://builder.example.com/v1";
    let source = "https://git.example.com/team/web";
    vec![
        "run",
        "--signer",
        "local",
        "--builder-id",
        builder,
        "--source",
        source,
        target,
    ]
}

/// The index of a layout as it was before anything referred to its images.
fn without_referrers(index: &Path) -> Result<Vec<u8>, Failed> {
    let mut document: Value = serde_json::from_slice(&fs::read(index)?)?;
    let entries = document
        .get_mut("manifests")
        .and_then(Value::as_array_mut)
        .ok_or("an index without manifests")?;
    entries.retain(|entry| {
        entry
            .pointer("/annotations/org.opencontainers.image.ref.name")
            .is_some()
    });
    Ok(serde_json::to_vec(&document)?)
}

/// Writes a layout of small images, tagged `image-0` and so on; returns its index file.
fn write_layout(root: &Path, images: usize) -> Result<PathBuf, Failed> {
    let blobs = root.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let store = |media_type: &str, bytes: &[u8]| -> Result<Value, Failed> {
        let digest = Digest::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes)?;
        Ok(json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()}))
    };
    let mut entries = Vec::with_capacity(images);
    for number in 0..images {
        let layer = store(
            "application/vnd.oci.image.layer.v1.tar",
            number.to_string().repeat(512).as_bytes(),
        )?;
        let config = json!({"architecture": "amd64", "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [layer.get("digest")]}});
        let config = store(
            "application/vnd.oci.image.config.v1+json",
            config.to_string().as_bytes(),
        )?;
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest =
            json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]});
        let mut entry = store(media_type, manifest.to_string().as_bytes())?;
        if let Some(entry) = entry.as_object_mut() {
            let name = format!("image-{number}");
            entry.insert(
                "annotations".to_owned(),
                json!({"org.opencontainers.image.ref.name": name}),
            );
        }
        entries.push(entry);
    }
    fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let index = root.join("index.json");
    fs::write(
        &index,
        json!({"schemaVersion": 2, "manifests": entries}).to_string(),
    )?;
    Ok(index)
}

fn row(what: &str, cost: &Cost) -> Result<(), Failed> {
    let milliseconds = cost.time.as_secs_f64() * 1_000.0;
    let memory = cost.resident_kib.map_or_else(
        || "memory unknown (GNU time is not installed)".to_owned(),
        |kib| format!("{:6.1} MB", kib_to_mb(kib)),
    );
    tell(&format!("{what:<28} {milliseconds:8.1} ms   {memory}"))
}

/// Megabytes of a million bytes, as the guide counts them.
fn kib_to_mb(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) * 1_024.0 / 1_000_000.0
}

fn tell(line: &str) -> Result<(), Failed> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
