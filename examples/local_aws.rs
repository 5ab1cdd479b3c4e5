//! AWS on this machine: boots the small world of the tests and runs `countersign ARGS…` in it, or any program.
//!
//! ```text
//! cargo run --release --example local_aws -- run 111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1.4 \
//!     --builder-id https://example.com/builder --source https://example.com/source
//! cargo run --release --example local_aws -- exec \
//!     skopeo inspect --raw --creds AWS:look-around docker://111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1.4
//! ```
//!
//! There are STS, the ECR API, AWS Signer with its data plane, and an ECR registry with one image, all under their
//! real names behind a proxy that leads nowhere else: nothing leaves this machine. Role, signing profile, identity
//! token and trust store are given as variables, so that only the image has to be named; flags win over them.

use std::env;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use support::World;
use support::aws::{ACCOUNT, Aws, PROFILE, ROLE};

#[path = "../tests/support/mod.rs"]
pub mod support;

/// A login for other programs; countersign gets its own from the ECR API.
const LOGIN: &str = "AWS:look-around";

/// Seconds that the identity token lives: a person may look around with `exec sh`.
const TOKEN_SECONDS: i64 = 8 * 3_600;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let world = World::new();
    let aws = world.aws_by_name();
    let (host, registry) = aws.registry(&world, ACCOUNT);
    registry.create("web");
    registry.accept(LOGIN);
    let digest = registry.put_image("web", "1.4", "the image of the example");
    say(&format!(
        "in here: {host}/web:1.4 ({digest})\n         role {ROLE}\n         signing profile {PROFILE}\n         registry login {LOGIN}\n"
    ));

    let mut command = match program(&arguments) {
        Ok(command) => command,
        Err(error) => {
            say(&format!("error: {error}\n"));
            return ExitCode::from(2);
        }
    };
    let root = aws.signing_root();
    command
        .envs(variables(&aws))
        .env("COUNTERSIGN_TRUST_STORE", root.path())
        .envs(
            aws.environment()
                .get("SSL_CERT_FILE")
                .map(|file| ("AWS_CA_BUNDLE", file)),
        );
    for name in [
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "AWS_PROFILE",
        "SSL_CERT_DIR",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
    ] {
        command.env_remove(name);
    }
    let status = match command.status() {
        Ok(status) => status,
        Err(error) => {
            say(&format!(
                "error: could not start {}: {error}\n",
                command.get_program().display()
            ));
            return ExitCode::from(2);
        }
    };
    say("requests:\n");
    for (operation, count) in world.ledger().counts() {
        say(&format!("  {count:>4}  {operation}\n"));
    }
    ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(70),
    )
}

/// `exec CMD…`, or countersign itself.
fn program(arguments: &[OsString]) -> Result<Command, String> {
    if arguments.first().is_some_and(|first| first == "exec") {
        let name = arguments.get(1).ok_or("expected a program after exec")?;
        let mut command = Command::new(name);
        command.args(arguments.iter().skip(2));
        // So that `exec sh` finds countersign, where it is built.
        let found = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(beside().into_iter().chain(env::split_paths(&found)));
        return Ok(match path {
            Ok(path) => {
                command.env("PATH", path);
                command
            }
            Err(_) => command,
        });
    }
    let mut command = Command::new(countersign()?);
    command.args(arguments);
    Ok(command)
}

/// The folder in which programs are built.
fn beside() -> Option<PathBuf> {
    let own = env::current_exe().ok()?;
    own.parent()?.parent().map(Path::to_owned)
}

/// The program beside this example; cargo, where it started this example, first makes sure that it is there and new.
fn countersign() -> Result<PathBuf, String> {
    let folder = beside().ok_or("this example lies nowhere")?;
    if let Some(cargo) = env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--bin", "countersign", "--manifest-path"]);
        build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        if !build.status().is_ok_and(|status| status.success()) {
            return Err("could not build countersign".to_owned());
        }
    }
    let program = folder.join(format!("countersign{}", env::consts::EXE_SUFFIX));
    program.is_file().then_some(program).ok_or_else(|| {
        "there is no countersign beside this example; run cargo build --bin countersign".to_owned()
    })
}

fn variables(aws: &Aws) -> Vec<(&'static str, String)> {
    let cloud = aws.cloud();
    cloud.issuer.set_lifetime(TOKEN_SECONDS);
    let token = cloud
        .issuer
        .token(aws.issuer(), "sts.amazonaws.com", cloud.now(), cloud.next());
    let mut variables: Vec<_> = aws.environment().into_iter().collect();
    variables.retain(|(name, _)| !name.starts_with("ACTIONS_"));
    variables.extend([
        ("AWS_ID_TOKEN", token),
        ("COUNTERSIGN_ROLE_ARN", ROLE.to_owned()),
        ("COUNTERSIGN_SIGNING_PROFILE", PROFILE.to_owned()),
    ]);
    variables
}

/// Words go to standard error: standard output belongs to the program.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
