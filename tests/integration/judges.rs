//! The small world before judges that nobody here wrote.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use crate::support::World;
use crate::support::aws::sts::Role;
use crate::support::aws::{Aws, Bucket, Cloud, ROLE};
use crate::support::fault::{Fault, When};
use crate::support::registry::Quirks;

/// Says something that the test harness must not swallow.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Lets the world refuse what it is asked, at the calls at which the script expects it.
fn refuse_in_the_end(world: &World, aws: &Aws) {
    let cloud = || Arc::clone(aws.cloud());
    let role = Role::for_role(ROLE, Some("the-word"));
    let second = "arn:aws:iam::111122223333:role/second".to_owned();
    cloud().state().roles.insert(second, role);
    let before =
        |service: &str, operation: &str, call: usize, act: fn(&Cloud, &'static str), what: &'static str| {
            let cloud = cloud();
            let fault = Fault::before(move || act(&cloud, what));
            world.fault(service, operation, When::Nth(call), fault);
        };
    let deny = |cloud: &Cloud, action| {
        cloud.state().denied.insert(str::to_owned(action));
    };
    let exhaust = |cloud: &Cloud, operation| {
        cloud.state().denied.clear();
        cloud.state().quotas.insert(operation, Bucket::new(0.0, 0.0));
    };
    before(
        "oidc",
        "GET token",
        5,
        |cloud, _| cloud.issuer.set_lifetime(-600),
        "",
    );
    before("signer", "SignPayload", 5, deny, "signer:SignPayload");
    before("signer", "SignPayload", 6, exhaust, "SignPayload");
    before(
        "signer-data",
        "GetRevocationStatus",
        5,
        deny,
        "signer:GetRevocationStatus",
    );
    before(
        "signer-data",
        "GetRevocationStatus",
        6,
        exhaust,
        "GetRevocationStatus",
    );
    before(
        "ecr",
        "GetAuthorizationToken",
        2,
        deny,
        "ecr:GetAuthorizationToken",
    );
}

/// botocore signs requests to AWS and parses its answers by AWS's own service models.
#[test]
fn botocore_accepts_every_answer() {
    let python = |arguments: &[&str]| {
        let mut command = Command::new("python3");
        command.args(arguments);
        command
    };
    if !python(&["-c", "import boto3"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        say("NOT CHECKED: botocore (install python3 and boto3 to let it judge the small world)");
        return;
    }
    let world = World::new();
    let aws = world.aws();
    refuse_in_the_end(&world, &aws);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/aws.py");
    let output = python(&[script])
        .envs(aws.environment())
        .env_remove("AWS_PROFILE")
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.trim_end().ends_with("37 answers held"), "{stdout}");
}

/// oras, built once from its own module; nothing where it cannot be had.
fn oras() -> Option<std::path::PathBuf> {
    let program = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("oras");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/oras");
    let mut go = Command::new("go");
    go.arg("build").arg("-o").arg(&program);
    let built = go.arg("oras.land/oras/cmd/oras").current_dir(source).output();
    if built.is_ok_and(|output| output.status.success()) {
        return Some(program);
    }
    let required = std::env::var_os("COUNTERSIGN_INTEROP").is_some_and(|value| value == "required");
    assert!(!required, "oras could not be built");
    say("NOT CHECKED: oras (Go and its module proxy are needed to let it read what we push)");
    None
}

/// Who hangs on whom.
type Edges = BTreeSet<(String, String)>;

fn of_inspect(node: &Value, edges: &mut Edges) {
    for child in node["referrers"].as_array().unwrap() {
        let digest = |node: &Value| node["digest"].as_str().unwrap().to_owned();
        edges.insert((digest(node), digest(child)));
        of_inspect(child, edges);
    }
}

fn of_oras(oras: &Path, repository: &str, digest: &str, edges: &mut Edges) {
    let mut command = Command::new(oras);
    command.args(["discover", "--plain-http", "--format", "json"]);
    command.args(["--username", "ann", "--password", "secret"]);
    let output = command.arg(format!("{repository}@{digest}")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for child in found["manifests"].as_array().into_iter().flatten() {
        let child = child["digest"].as_str().unwrap();
        edges.insert((digest.to_owned(), child.to_owned()));
        of_oras(oras, repository, child, edges);
    }
}

/// The tree of an image is the same whoever asks, with the referrers API and without.
#[test]
fn oras_shows_the_tree_that_inspect_shows() {
    let Some(oras) = oras() else { return };
    for quirks in [Quirks::default(), Quirks::ecr(), Quirks::distribution()] {
        let world = World::new();
        let registry = world.registry(quirks);
        registry.create("web");
        registry.accept("ann:secret");
        let digest = registry.put_image("web", "1.4", "an image").to_string();
        let repository = format!("{}/web", registry.host());
        let home = tempfile::tempdir().unwrap();
        let call = |command: &str, more: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
                .args([command, "--signer", "local", "--registry-username", "ann"])
                .args(["--registry-password-from", "PASSWORD"])
                .args(more)
                .arg(format!("{repository}@{digest}"))
                .env_clear()
                .env("HOME", home.path())
                .env("PASSWORD", "secret")
                .current_dir(home.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        let source = [
            "--builder-id",
            "https://example.com/b",
            "--source",
            "https://example.com/s",
        ];
        call("run", &[&source[..], &["--allow", "**"]].concat());
        let report: Value = serde_json::from_slice(&call("inspect", &["--format", "json"])).unwrap();
        let (mut ours, mut theirs) = (Edges::new(), Edges::new());
        of_inspect(&report["targets"][0]["referrers"], &mut ours);
        of_oras(&oras, &repository, &digest, &mut theirs);
        assert_eq!(ours, theirs);
        assert_eq!(ours.len(), 3, "a signature, a provenance, and a signature on it");
    }
}
