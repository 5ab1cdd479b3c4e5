//! The small world before judges that nobody here wrote.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use crate::go;
use crate::scratch::{NOTARY, PROVENANCE};
use crate::support::World;
use crate::support::aws::sts::Role;
use crate::support::aws::{Aws, Bucket, Cloud, ROLE};
use crate::support::fault::{Fault, When};
use crate::support::registry::Quirks;

/// A bill of materials.
const BOM: &str = r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"web","dataLicense":"CC0-1.0","documentNamespace":"https://example.com/web","creationInfo":{"created":"2026-01-01T00:00:00Z","creators":["Tool: x"]}}"#;

/// Says something that the test harness must not swallow.
pub(crate) fn say(text: &str) {
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
    before("codebuild", "BatchGetBuilds", 2, deny, "codebuild:BatchGetBuilds");
    before("codebuild", "BatchGetBuilds", 3, exhaust, "BatchGetBuilds");
}

/// Leaves a Statement for the in-toto Attestation Framework's own package (`tests/interop/statements.py`).
pub(crate) fn keep_statement(bytes: &[u8]) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("statements");
    std::fs::create_dir_all(&directory).unwrap();
    let name = format!("{}.json", crate::scratch::hex(bytes));
    std::fs::write(directory.join(name), bytes).unwrap();
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
    assert!(stdout.trim_end().ends_with("41 answers held"), "{stdout}");
}

/// oras; nothing where it cannot be had.
fn oras() -> Option<PathBuf> {
    Some(go::programs("oras", &["oras.land/oras/cmd/oras"])?.join("oras"))
}

/// Who hangs on whom, and as what.
type Edges = BTreeSet<(String, String, String)>;

fn text(node: &Value, member: &str) -> String {
    node[member].as_str().unwrap().to_owned()
}

fn of_inspect(node: &Value, edges: &mut Edges) {
    for child in node["referrers"].as_array().unwrap() {
        let kind = match text(child, "kind").as_str() {
            "signature" => NOTARY,
            "provenance" => PROVENANCE,
            "spdx" => "application/spdx+json",
            other => panic!("{other}"),
        };
        edges.insert((text(node, "digest"), text(child, "digest"), kind.to_owned()));
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
        let below = text(child, "digest");
        edges.insert((digest.to_owned(), below.clone(), text(child, "artifactType")));
        of_oras(oras, repository, &below, edges);
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
        std::fs::write(home.path().join("bom.json"), BOM).unwrap();
        let attached = ["--allow", "**", "--attest", "spdx=bom.json"];
        call("run", &[&source[..], &attached].concat());
        let report: Value = serde_json::from_slice(&call("inspect", &["--format", "json"])).unwrap();
        let (mut ours, mut theirs) = (Edges::new(), Edges::new());
        of_inspect(&report["targets"][0]["referrers"], &mut ours);
        of_oras(&oras, &repository, &digest, &mut theirs);
        assert_eq!(ours, theirs);
        let types = ours.iter().map(|(_, _, kind)| kind.as_str());
        let count = |wanted: &str| types.clone().filter(|kind| *kind == wanted).count();
        // On the image a signature and two attestations, on each of these a signature.
        assert_eq!((ours.len(), count(NOTARY)), (5, 3), "{ours:#?}");
        assert_eq!(
            (count(PROVENANCE), count("application/spdx+json")),
            (1, 1),
            "{ours:#?}"
        );
    }
}
