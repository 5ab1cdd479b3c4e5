//! The shipped binary on AWS and ECR: everything under its real name, behind a proxy that leads nowhere else.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};

use crate::support::World;
use crate::support::aws::{ACCOUNT, Aws, CANARY, PROFILE, ROLE};
use crate::support::registry::{Quirks, Registry};

mod again;
mod attestation_first;
mod bad_input;
mod claims;
mod completed;
mod counts;
mod expected;
mod faults;
mod happy;
mod hostile;
mod identities;
mod lift;
mod recorded;
mod registries;
mod servers;
mod stopped;
mod summed;

/// A world with AWS and one ECR registry, and a directory to run in.
struct Stage {
    world: World,
    aws: Aws,
    host: String,
    registry: Arc<Registry>,
    root: NamedTempFile,
    directory: TempDir,
}

/// What one call said and how it ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    data: String,
    words: String,
    report: serde_json::Value,
}

impl Ended {
    /// The messages of the report's failures and findings, and what was said.
    fn everything(&self) -> String {
        format!("{}\n{}\n{}", self.data, self.words, self.report)
    }
}

impl Stage {
    fn new() -> Self {
        Self::with(|quirks| quirks)
    }

    /// The same with the registry's switches set otherwise.
    fn with(change: impl FnOnce(Quirks) -> Quirks) -> Self {
        let world = World::new();
        let aws = world.aws_by_name();
        Self::of(world, aws, change)
    }

    /// A job of another GitHub, whose tokens this one issues.
    fn of_issuer(issuer: &str) -> Self {
        let world = World::new();
        let aws = world.aws_trusting(issuer);
        Self::of(world, aws, |quirks| quirks)
    }

    fn of(world: World, aws: Aws, change: impl FnOnce(Quirks) -> Quirks) -> Self {
        let (host, registry) = aws.registry_with(&world, ACCOUNT, change);
        registry.create("web");
        let root = aws.signing_root();
        Self {
            world,
            aws,
            host,
            registry,
            root,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A job on GitHub that may have a token.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(args)
            .env_clear()
            .envs(self.aws.environment())
            .envs([
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_REPOSITORY", "octo-org/app"),
                ("GITHUB_RUN_ID", "42"),
            ])
            .env("HOME", self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    fn finish(&self, command: &mut Command) -> Ended {
        let file = self.path("countersign-report/report.json");
        let _ = fs::remove_file(&file);
        let output = command.output().unwrap();
        let report = fs::read(&file).map_or(serde_json::Value::Null, |bytes| {
            serde_json::from_slice(&bytes).unwrap()
        });
        let ended = Ended {
            code: output.status.code().unwrap(),
            data: String::from_utf8(output.stdout).unwrap(),
            words: String::from_utf8(output.stderr).unwrap(),
            report,
        };
        self.assert_no_canary(&ended);
        self.assert_nobody_else_was_dialled();
        ended
    }

    /// The same job on a host that says nothing of itself but these variables, with the network as it is here.
    fn elsewhere(&self, args: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = self.command(args);
        for name in [
            "GITHUB_ACTIONS",
            "GITHUB_REPOSITORY",
            "GITHUB_RUN_ID",
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        ] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied());
        command
    }

    /// The arguments of a run without a role: profile, trust, provenance.
    fn signing<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let store = self.root.path().to_str().unwrap();
        let mut args = vec!["run", "--signing-profile", PROFILE, "--trust-store", store];
        args.extend(["--builder-id", "https://example.com/builder"]);
        args.extend(["--source", "https://example.com/source"]);
        args.extend(more);
        args
    }

    /// `verify` with role and profile.
    fn verify(&self, more: &[&str]) -> Ended {
        let store = self.root.path().to_str().unwrap();
        let mut args = vec!["verify", "--role-arn", ROLE, "--signing-profile", PROFILE];
        args.extend(["--trust-store", store]);
        args.extend(more);
        self.call(&args)
    }

    /// How often an operation was asked, by any service.
    fn asked(&self, operation: &str) -> usize {
        let entries = self.world.ledger().entries();
        entries
            .iter()
            .filter(|entry| entry.operation == operation)
            .count()
    }

    fn call(&self, args: &[&str]) -> Ended {
        self.finish(&mut self.command(args))
    }

    /// `run` with role and profile, and what provenance needs.
    fn run(&self, images: &[&str]) -> Ended {
        self.run_with(images, &[])
    }

    fn run_with(&self, images: &[&str], more: &[&str]) -> Ended {
        self.finish(&mut self.run_command(images, "https://example.com/source", more))
    }

    /// The same about another source, not started yet.
    fn run_command(&self, images: &[&str], source: &str, more: &[&str]) -> Command {
        let store = self.root.path().to_str().unwrap().to_owned();
        let mut args = vec![
            "run",
            "--role-arn",
            ROLE,
            "--signing-profile",
            PROFILE,
            "--trust-store",
            &store,
            "--builder-id",
            "https://example.com/builder",
            "--source",
            source,
        ];
        args.extend(more);
        args.extend(images);
        self.command(&args)
    }

    /// `run` as a workflow has it: what the provenance says is the host's to say.
    fn run_by_host(&self, image: &str, variables: &[(&str, &str)], more: &[&str]) -> Ended {
        let store = self.root.path().to_str().unwrap().to_owned();
        let mut command = self.command(&["run", "--trust-store", &store, "--signing-profile", PROFILE]);
        command.args(["--role-arn", ROLE]).args(more).arg(image);
        command.envs([
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY_ID", "123456"),
            ("GITHUB_REPOSITORY_OWNER_ID", "654321"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            (
                "GITHUB_WORKFLOW_REF",
                "octo-org/app/.github/workflows/release.yml@refs/heads/main",
            ),
        ]);
        command.envs(variables.iter().copied());
        self.finish(&mut command)
    }

    /// Nothing that the world hands out in secret is seen anywhere.
    fn assert_no_canary(&self, ended: &Ended) {
        assert!(!ended.everything().contains(CANARY), "{ended:?}");
        let mut directories = vec![self.directory.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else {
                    let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
                    assert!(!text.contains(CANARY), "{}", entry.path().display());
                }
            }
        }
    }

    fn assert_nobody_else_was_dialled(&self) {
        let proxy = self.aws.proxy().unwrap();
        let known = ["amazonaws.com:443", "githubusercontent.com:443"];
        for name in proxy.dialled() {
            let ours = known.iter().any(|known| name.ends_with(known)) || proxy.leads(&name);
            assert!(ours, "{name}");
        }
    }

    /// How often something was signed, and how often something was written.
    fn signed_and_written(&self) -> (usize, usize) {
        let entries = self.world.ledger().entries();
        let signed = entries.iter().filter(|entry| entry.operation == "SignPayload");
        let writes = ["PUT", "POST", "DELETE", "PATCH"];
        let written = entries
            .iter()
            .filter(|entry| entry.service == "registry" && writes.contains(&entry.request.method.as_str()));
        (signed.count(), written.count())
    }
}

/// Latency that makes waves visible above the noise of scheduling, on a busy machine too.
const LATENCY: Duration = Duration::from_millis(200);
