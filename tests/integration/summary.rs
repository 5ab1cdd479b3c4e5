//! `--vsa`: what a run verified, summed up in one signed document, with the shipped binary; and the gate that checks no
//! more than that.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::faults::{Fault, at_every_change};
use crate::scratch::{BUILD, Layout, NOTARY, PROVENANCE, Ran, Scratch, hex, snapshot};

const DEMO: &str = "oci:demo:1.0";
const SUMMARY: &str = "application/vnd.in-toto.vsa+json";
const PAGE: &str = "https://github.com/countersign/countersign/blob/vsa-v1/docs/verification-summary.md";

impl Scratch {
    fn sum_up(&self, code: i32, more: &[&str]) -> Ran {
        self.sign(code, DEMO, &[&["--vsa", "--color=never"][..], more].concat())
    }

    fn layout(&self) -> Layout {
        Layout::read(&self.path("demo"))
    }

    /// The digest of the one summary on the image, and its Statement.
    fn summary(&self) -> (String, Value) {
        let layout = self.layout();
        let summary = layout.referrer(&layout.image(), SUMMARY);
        layout.referrer(&summary, NOTARY);
        let statement = layout.json(&layout.layer(&summary));
        (summary, statement)
    }

    fn summaries(&self) -> usize {
        let layout = self.layout();
        layout.referrers(&layout.image(), SUMMARY).len()
    }

    fn plan(&self) -> Vec<String> {
        let report = self.report();
        let plan = report["targets"][0]["plan"].as_array().unwrap().iter();
        plan.map(|line| line.as_str().unwrap().to_owned()).collect()
    }

    /// The lines of `docs/verification-summary.md` that do not depend on who gave the policy, and their digest with these.
    fn policy_digest(&self, first: &[String], more: &[String]) -> String {
        let root = self.path("countersign-report/trust/truststore/x509/ca/countersign-local/1.crt");
        let certificate = format!(
            "certificate ca:countersign-local sha256:{}",
            hex(&fs::read(root).unwrap())
        );
        let mut text = "countersign-policy/1\n".to_owned();
        for line in first.iter().chain([&certificate]).chain(more) {
            text += line;
            text += "\n";
        }
        hex(text.as_bytes())
    }

    /// What a derived policy says, as the run left it beside its report.
    fn derived(&self) -> Vec<String> {
        let file = fs::read(self.path("countersign-report/trust/trustpolicy.json")).unwrap();
        let policy: Value = serde_json::from_slice(&file).unwrap();
        let identity = &policy["trustPolicies"][0]["trustedIdentities"][0];
        vec!["self-check".to_owned(), format!("identity {identity}")]
    }
}

fn unsigned() -> Scratch {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    scratch
}

fn digest_of(entry: &Value) -> &str {
    entry["digest"]["sha256"].as_str().unwrap()
}

#[test]
fn what_was_verified_is_summed_up_signed_and_kept_the_next_time() {
    let scratch = unsigned();
    let ran = scratch.sum_up(0, &[]);
    let (summary, statement) = scratch.summary();
    let layout = scratch.layout();
    let image = layout.image();
    let provenance = layout.referrer(&image, PROVENANCE);
    let signatures = [
        layout.referrer(&image, NOTARY),
        layout.referrer(&provenance, NOTARY),
    ];
    // What was judged, without the platforms inside it, and what the verdict rests on: no more and no less.
    assert_eq!(
        statement["subject"],
        json!([{"name": "demo", "digest": {"sha256": image}}])
    );
    let predicate = &statement["predicate"];
    let inputs = predicate["inputAttestations"].as_array().unwrap();
    let mut found: Vec<&str> = inputs.iter().map(digest_of).collect();
    let mut expected = vec![&*provenance, &signatures[0], &signatures[1]];
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    for input in inputs {
        assert_eq!(input["uri"], format!("oci:demo@sha256:{}", digest_of(input)));
    }
    assert_eq!(predicate["verifier"]["id"], format!("{PAGE}#local-key"));
    assert_eq!(predicate["resourceUri"], "oci:demo");
    assert_eq!(predicate["verificationResult"], "PASSED");
    assert_eq!(predicate["verifiedLevels"], json!(["SLSA_BUILD_LEVEL_1"]));
    assert_eq!(predicate["policy"]["uri"], format!("{PAGE}#self-checked"));
    let digest = scratch.policy_digest(&scratch.derived(), &[]);
    assert_eq!(digest_of(&predicate["policy"]), digest);
    // Seen by everyone who reads the report.
    let report = scratch.report();
    let attestations = report["targets"][0]["attestations"].as_array().unwrap();
    let own = attestations
        .iter()
        .find(|one| one["digest"] == format!("sha256:{summary}"))
        .unwrap();
    assert_eq!(
        (&own["verdict"], &own["madeNow"]),
        (&json!("accepted"), &json!(true))
    );
    let tree = fs::read_to_string(scratch.path("countersign-report/summary.md")).unwrap();
    assert!(
        ran.stdout.contains("vsa") && tree.contains("vsa"),
        "{}\n{tree}",
        ran.stdout
    );
    assert!(
        scratch
            .plan()
            .contains(&"attest: no vsa with these claims is there".to_owned())
    );

    let before = snapshot(&scratch.path("demo"));
    scratch.sum_up(0, &[]);
    assert_eq!(snapshot(&scratch.path("demo")), before);
    assert_eq!(scratch.report()["targets"][0]["state"], "kept");
    let kept = scratch.plan();
    assert!(
        kept.iter().any(|line| line.starts_with("keep the vsa ")),
        "{kept:?}"
    );
    // Without the flag it is nobody's business, and stays.
    scratch.sign(0, DEMO, &[]);
    assert_eq!(snapshot(&scratch.path("demo")), before);
}

#[test]
fn another_policy_another_input_or_another_level_replace_our_older_summary() {
    let scratch = unsigned();
    scratch.sum_up(0, &["--provenance=off"]);
    let (first, statement) = scratch.summary();
    let levels = &statement["predicate"]["verifiedLevels"];
    assert_eq!(*levels, json!(["SLSA_BUILD_LEVEL_UNEVALUATED"]));
    let replaced = |older: &str| {
        let (now, statement) = scratch.summary();
        assert_ne!(now, older);
        let layout = scratch.layout();
        assert_eq!(
            layout.referrers(older, NOTARY),
            Vec::<String>::new(),
            "its signature went too"
        );
        (now, statement)
    };
    scratch.sum_up(0, &[]);
    let (second, _) = replaced(&first);
    // The same policy as a file: it proves no more, and is named by its bytes.
    let trust = scratch.path("countersign-report/trust");
    fs::copy(trust.join("trustpolicy.json"), scratch.path("policy.json")).unwrap();
    fs::rename(trust.join("truststore"), scratch.path("roots")).unwrap();
    let given = ["--trust-policy=policy.json", "--trust-store=roots"];
    scratch.sum_up(0, &given);
    let (third, statement) = replaced(&second);
    let file =
        |scratch: &Scratch, name: &str| format!("sha256:{}", hex(&fs::read(scratch.path(name)).unwrap()));
    let policy = |scratch: &Scratch| vec![format!("trust-policy {}", file(scratch, "policy.json"))];
    assert_eq!(
        statement["predicate"]["policy"]["uri"],
        format!("{PAGE}#self-checked")
    );
    let digest = scratch.policy_digest(&policy(&scratch), &[]);
    assert_eq!(digest_of(&statement["predicate"]["policy"]), digest);
    // One that asks for something else, and expectations.
    let text = fs::read_to_string(scratch.path("policy.json")).unwrap();
    fs::write(
        scratch.path("policy.json"),
        text.replace("\"strict\"", "\"permissive\""),
    )
    .unwrap();
    fs::write(scratch.path("expect.yml"), "attestations: [{type: provenance}]").unwrap();
    let strict = ["--expect=expect.yml", "--minimum-build-level=1"];
    scratch.sum_up(0, &[&given[..], &strict].concat());
    let (fourth, statement) = replaced(&third);
    assert_eq!(
        statement["predicate"]["policy"]["uri"],
        format!("{PAGE}#verified")
    );
    let more = [
        format!("expectations {}", file(&scratch, "expect.yml")),
        "minimum-build-level 1".to_owned(),
    ];
    let digest = scratch.policy_digest(&policy(&scratch), &more);
    assert_eq!(digest_of(&statement["predicate"]["policy"]), digest);
    // A signature more is an input more.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    scratch.sum_up(0, &["--resign"]);
    let (_, statement) = replaced(&fourth);
    assert_eq!(
        statement["predicate"]["inputAttestations"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[test]
fn a_run_that_says_no_attaches_none_and_a_plan_stays_a_plan() {
    let scratch = unsigned();
    let before = snapshot(&scratch.path("demo"));
    scratch.sum_up(0, &["--dry-run"]);
    assert_eq!(snapshot(&scratch.path("demo")), before);
    assert!(
        scratch
            .plan()
            .contains(&"attest: no vsa with these claims is there".to_owned())
    );
    fs::write(scratch.path("expect.yml"), "attestations: [{type: spdx}]").unwrap();
    scratch.sum_up(1, &["--expect=expect.yml"]);
    assert_eq!(
        (scratch.findings(), scratch.summaries()),
        (vec!["error CSN020".to_owned()], 0)
    );
    // A note is enough where notes fail the run: here that a key file signs in CI.
    let noted = |fail_on: &str| {
        let run = ["run", "--signer=local", DEMO, "--vsa", fail_on];
        let mut command = scratch.command(&[&run[..], &BUILD].concat());
        command.env("GITLAB_CI", "true").output().unwrap().status.code()
    };
    assert_eq!((noted("--fail-on=note"), scratch.summaries()), (Some(1), 0));
    assert!(
        scratch.plan().iter().any(|line| line.starts_with("no new vsa: ")),
        "{:?}",
        scratch.plan()
    );
    assert_eq!((noted("--fail-on=warning"), scratch.summaries()), (Some(0), 1));
}

#[test]
fn a_summary_says_nothing_of_platforms_that_the_same_run_rejects() {
    let scratch = unsigned();
    fs::write(scratch.path("expect.yml"), "attestations: [{type: provenance}]").unwrap();
    scratch.sum_up(1, &["--recursive=platforms", "--expect=expect.yml"]);
    let report = scratch.report();
    let targets = report["targets"].as_array().unwrap();
    let states: Vec<&Value> = targets.iter().map(|target| &target["state"]).collect();
    assert_eq!(states[0], "signed");
    assert!(
        states.len() > 1 && states[1..].iter().all(|state| **state == "rejected"),
        "{states:?}"
    );
    let (_, statement) = scratch.summary();
    let about: Vec<&str> = statement["subject"]
        .as_array()
        .unwrap()
        .iter()
        .map(digest_of)
        .collect();
    assert_eq!(about, [scratch.layout().image()]);
    // The gate takes it for the image, and for nothing inside it.
    fs::write(scratch.path("gate.yml"), "attestations: [{type: vsa}]").unwrap();
    scratch.verify(0, DEMO, &["--expect=gate.yml"]);
    scratch.verify(1, DEMO, &["--expect=gate.yml", "--recursive=platforms"]);
}

#[test]
fn what_is_told_of_the_image_in_the_end_is_weighed_before_the_summary_is_signed() {
    let scratch = unsigned();
    let bom = r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"web","dataLicense":"CC0-1.0","documentNamespace":"https://example.com/web","creationInfo":{"created":"2026-01-01T00:00:00Z","creators":["Tool: x"]}}"#;
    fs::write(scratch.path("bom.json"), bom).unwrap();
    let mut layout = scratch.layout();
    let image = layout.image();
    let unsigned = layout.attach(
        &image,
        "application/spdx+json",
        "application/spdx+json",
        bom.as_bytes(),
    );
    layout.write(&scratch.path("demo"), None, &scratch.path("demo"));
    scratch.sum_up(1, &["--attest=spdx=bom.json", "--fail-on=warning"]);
    assert_eq!(
        (scratch.findings(), scratch.summaries()),
        (vec!["warning CSN021".to_owned()], 0),
        "{unsigned}"
    );
    scratch.sum_up(1, &["--lift-buildkit", "--fail-on=note"]);
    assert_eq!(
        (scratch.findings(), scratch.summaries()),
        (vec!["note CSN020".to_owned()], 0)
    );
    scratch.sum_up(0, &["--lift-buildkit", "--fail-on=warning"]);
    assert_eq!(scratch.summaries(), 1);
}

#[test]
fn an_older_summary_is_named_where_the_run_says_no() {
    let scratch = unsigned();
    scratch.sum_up(0, &[]);
    let (older, _) = scratch.summary();
    let before = snapshot(&scratch.path("demo"));
    let named = || {
        let (report, plan) = (scratch.report(), scratch.plan());
        assert!(
            plan.iter().any(|line| line.starts_with("no new vsa: "))
                && !plan.iter().any(|line| line.starts_with("keep the vsa")),
            "{plan:?}"
        );
        let findings = report["findings"].as_array().unwrap().iter();
        let mut named = findings.filter(|finding| finding["rule"] == "CSN028");
        let named = named.next().map(|finding| {
            let message = finding["message"].as_str().unwrap();
            assert!(
                message.contains("an older summary still says PASSED")
                    && finding["fix"].as_str().unwrap().contains("max-age"),
                "{finding}"
            );
            (finding["level"].clone(), finding["digest"].clone())
        });
        assert_eq!(snapshot(&scratch.path("demo")), before);
        named
    };
    let digest = json!(format!("sha256:{older}"));
    fs::write(scratch.path("expect.yml"), "attestations: [{type: spdx}]").unwrap();
    scratch.sum_up(1, &["--expect=expect.yml"]);
    assert_eq!(named(), Some((json!("warning"), digest.clone())));
    scratch.sum_up(0, &["--expect=expect.yml", "--dry-run"]);
    assert_eq!(named(), None);
    // Withheld for a note alone.
    scratch.sum_up(1, &["--lift-buildkit", "--fail-on=note"]);
    assert_eq!(named(), Some((json!("warning"), digest)));
    // It says so again, and nothing is to be told.
    scratch.sum_up(0, &[]);
    assert_eq!(scratch.findings(), [""; 0]);
}

#[test]
fn what_cannot_go_together_is_refused_before_anything_is_written() {
    let scratch = unsigned();
    let before = snapshot(&scratch.path("demo"));
    fs::write(
        scratch.path("expect.yml"),
        "attestations: [{type: vsa, required: false}]",
    )
    .unwrap();
    let ran = scratch.sum_up(2, &["--expect=expect.yml"]);
    assert!(
        ran.stdout.contains("the expectations ask for a summary"),
        "{}",
        ran.stdout
    );
    let ran = scratch.sum_up(2, &["--attest=vsa=vsa.json"]);
    assert!(
        ran.stderr.contains("--vsa") && ran.stderr.contains("--attest vsa"),
        "{}",
        ran.stderr
    );
    assert_eq!(snapshot(&scratch.path("demo")), before);
    // `verify` writes nothing, so it sums up nothing.
    scratch.expect(2, &["verify", "--signer=local", "--vsa", DEMO]);
}

#[test]
fn a_summary_by_another_verifier_is_left_alone() {
    let scratch = unsigned();
    scratch.sum_up(0, &[]);
    let (own, statement) = scratch.summary();
    let mut other = statement["predicate"].clone();
    other["verifier"]["id"] = json!("https://example.com/verifier");
    fs::write(scratch.path("vsa.json"), other.to_string()).unwrap();
    // A document of the kind replaces ours, as any document does; what a run sums up does not replace that one.
    scratch.expect(0, &["attest", "--signer=local", "--attest=vsa=vsa.json", DEMO]);
    let (theirs, _) = scratch.summary();
    assert_ne!(theirs, own);
    scratch.sum_up(0, &[]);
    let layout = scratch.layout();
    let both = layout.referrers(&layout.image(), SUMMARY);
    assert!(both.len() == 2 && both.contains(&theirs), "{both:?}");
    assert_eq!(scratch.findings(), ["warning CSN027"]);
    let before = snapshot(&scratch.path("demo"));
    scratch.sum_up(0, &[]);
    assert_eq!(snapshot(&scratch.path("demo")), before);
}

/// The file of a gate that checks the summary alone.
fn gate(digest: &str) -> String {
    format!(
        "attestations:\n  - type: vsa\n    max-age: 1h\n    conditions:\n      \
         - {{ at: /predicate/verificationResult, equals: PASSED }}\n      \
         - {{ at: /predicate/resourceUri, equals: \"oci:demo\" }}\n      \
         - {{ at: /predicate/policy/digest/sha256, equals: \"{digest}\" }}\n      \
         - {{ at: /predicate/verifiedLevels/0, in: [SLSA_BUILD_LEVEL_1, SLSA_BUILD_LEVEL_2] }}\n"
    )
}

#[test]
fn a_later_gate_needs_no_more_than_the_summary() {
    let scratch = unsigned();
    scratch.sum_up(0, &[]);
    let (summary, statement) = scratch.summary();
    let digest = digest_of(&statement["predicate"]["policy"]);
    let judged = |code, file: &str| {
        fs::write(scratch.path("gate.yml"), file).unwrap();
        scratch.verify(code, DEMO, &["--expect=gate.yml", "--color=never"])
    };
    let ran = judged(0, &gate(digest));
    // A met expectation leaves a trace: which, and by what.
    let met = json!([{"type": "vsa", "required": true, "verdict": "met", "attestation": format!("sha256:{summary}")}]);
    assert_eq!(scratch.report()["targets"][0]["expectations"], met);
    let line = format!("expected vsa: met by sha256:{}", &summary[..12]);
    assert!(ran.stdout.contains(&line), "{line}\n{}", ran.stdout);
    let page = fs::read_to_string(scratch.path("countersign-report/summary.md")).unwrap();
    assert!(page.contains("`vsa`: met by"), "{page}");
    judged(1, &gate(&"0".repeat(64)));
    assert_eq!(scratch.findings(), ["error CSN029"]);
    assert_eq!(
        scratch.report()["targets"][0]["expectations"][0]["verdict"],
        "missed"
    );
    judged(0, "attestations: [{type: spdx, required: false}]");
    assert_eq!(
        scratch.report()["targets"][0]["expectations"][0]["verdict"],
        "absent"
    );
    // The summary of another image, listed here with its genuine signature, is none of this one.
    let mut layout = scratch.layout();
    let (own, image) = (layout.referrer(&layout.image(), SUMMARY), layout.image());
    let text = layout.json(&layout.layer(&own)).to_string();
    layout.unlist(&own);
    layout.attach(
        &image,
        SUMMARY,
        "application/vnd.in-toto+json",
        text.replace(&image, &"0".repeat(64)).as_bytes(),
    );
    layout.write(&scratch.path("demo"), None, &scratch.path("demo"));
    judged(1, &gate(digest));
    assert!(
        scratch.findings().contains(&"error CSN023".to_owned()),
        "{:?}",
        scratch.findings()
    );
}

/// Puts a layout back as it was.
fn restore(scratch: &Scratch, before: &[(PathBuf, Vec<u8>)]) {
    fs::remove_dir_all(scratch.path("demo")).unwrap();
    for (path, bytes) in before {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_run_that_dies_while_it_sums_up_is_completed_by_the_next() {
    let scratch = unsigned();
    scratch.sign(0, DEMO, &[]);
    let before = snapshot(&scratch.path("demo"));
    let run = [&["run", "--signer=local", "--vsa", DEMO][..], &BUILD].concat();
    let fresh = || {
        restore(&scratch, &before);
        scratch.command(&run)
    };
    let struck = at_every_change(Fault::Death, fresh, |call, _| {
        let layout = scratch.layout();
        for summary in layout.referrers(&layout.image(), SUMMARY) {
            layout.referrer(&summary, NOTARY);
        }
        scratch.expect(0, &run);
        let (_, statement) = scratch.summary();
        assert_eq!(statement["predicate"]["verificationResult"], "PASSED", "{call}");
        let layout = scratch.layout();
        layout.referrer(&layout.image(), NOTARY);
        layout.referrer(&layout.image(), PROVENANCE);
        let complete = snapshot(&scratch.path("demo"));
        scratch.expect(0, &run);
        assert_eq!(snapshot(&scratch.path("demo")), complete, "{call}");
    });
    assert!(struck.is_none_or(|struck| struck >= 10), "{struck:?}");
}
