//! What lifting costs on AWS and ECR, and that nothing secret gets into what is lifted.

use super::counts::told;
use super::{LATENCY, Stage};
use crate::support::buildkit;

#[test]
fn two_platforms_are_lifted_side_by_side_and_kept_the_next_time() {
    let stage = Stage::new();
    let (index, _) = buildkit::built(&stage.registry, "1.4", "https://ci.example/7");
    let image = format!("{}/web@{index}", stage.host);
    let flags = ["--provenance", "off", "--lift-buildkit"];
    stage.world.set_latency(LATENCY);
    let plain = stage.run_with(&[&image], &flags[..2]);
    assert_eq!(plain.code, 0, "{}", plain.everything());
    stage.world.ledger().clear();
    let first = stage.run_with(&[&image], &flags);
    assert_eq!(first.code, 0, "{}", first.everything());
    let (lines, requests, waves) = told(&stage);
    println!("{lines}");
    // Four documents, each signed once.
    assert_eq!(stage.asked("SignPayload"), 4, "{lines}");
    assert!(requests <= 80, "{requests} requests\n{lines}");
    assert!(waves <= 18, "{waves} waves\n{lines}");

    stage.world.ledger().clear();
    let second = stage.run_with(&[&image], &flags);
    assert_eq!(second.code, 0, "{}", second.everything());
    let (lines, requests, _) = told(&stage);
    println!("{lines}");
    assert!(requests <= 42, "{requests} requests\n{lines}");
    assert_eq!(stage.signed_and_written(), (0, 0), "{lines}");
}
