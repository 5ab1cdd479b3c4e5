//! What a run costs: every request, and in which wave it was sent.

use super::{LATENCY, Stage};

/// Every request with its wave, for whoever reads the output of a test that fails.
fn told(stage: &Stage) -> (String, usize, usize) {
    let waves = stage.world.ledger().waves();
    let entries = stage.world.ledger().entries();
    let lines = entries.iter().zip(&waves).map(|(entry, wave)| {
        let request = &entry.request;
        format!(
            "{wave:>3}  {} {} ({} {})\n",
            entry.service, entry.operation, request.method, request.path
        )
    });
    let last = waves.iter().copied().max().unwrap_or(0);
    (lines.collect(), entries.len(), last)
}

#[test]
fn one_image_named_by_digest_costs_what_the_documents_say() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    stage.world.set_latency(LATENCY);
    let first = stage.run(&[&image]);
    assert_eq!(first.code, 0, "{}", first.everything());
    let (lines, requests, waves) = told(&stage);
    println!("{lines}");
    assert!(requests <= 29, "{requests} requests\n{lines}");
    assert!(waves <= 11, "{waves} waves\n{lines}");

    stage.world.ledger().clear();
    let second = stage.run(&[&image]);
    assert_eq!(second.code, 0, "{}", second.everything());
    let (lines, requests, _) = told(&stage);
    println!("{lines}");
    assert!(requests <= 15, "{requests} requests\n{lines}");
    assert_eq!(stage.signed_and_written(), (0, 0), "{lines}");
}
