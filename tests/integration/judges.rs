//! The small world before judges that nobody here wrote.

use std::io::Write as _;
use std::process::Command;

use crate::support::World;

/// Says something that the test harness must not swallow.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
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
    assert!(stdout.trim_end().ends_with("23 answers held"), "{stdout}");
}
