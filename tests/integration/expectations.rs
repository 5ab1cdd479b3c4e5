//! What `--expect` demands of attestations, with the shipped binary: met, missed in every way, and files that are none.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::scratch::{BUILD, Layout, NOTARY, PROVENANCE, Ran, Scratch};

const DEMO: &str = "oci:demo:1.0";
const SPDX: &str = "application/spdx+json";
const STATEMENT: &str = "application/vnd.in-toto+json";

fn of_provenance(rest: &str) -> String {
    format!("attestations:\n  - type: provenance\n{rest}")
}

/// The demo image, signed and attested by the local key.
fn signed() -> Scratch {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    scratch.sign(0, DEMO, &[]);
    scratch
}

impl Scratch {
    fn expecting(&self, code: i32, file: &str) -> Ran {
        fs::write(self.path("expect.yml"), file).unwrap();
        self.verify(code, DEMO, &["--expect=expect.yml", "--color=never"])
    }

    /// The findings of the last report: rule, expected, found.
    fn missed(&self) -> Vec<(String, String, String)> {
        let report = self.report();
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let findings = report["findings"].as_array().unwrap().iter();
        findings
            .map(|one| (text(&one["rule"]), text(&one["expected"]), text(&one["found"])))
            .collect()
    }

    /// Hangs a document on the image; signs it where somebody is named.
    fn attach(&self, kind: &str, layer: &str, document: &[u8], signer: Option<&str>) -> String {
        let mut layout = Layout::read(&self.path("demo"));
        let digest = layout.attach(&layout.image(), kind, layer, document);
        layout.write(&self.path("demo"), None, &self.path("demo"));
        if let Some(signer) = signer {
            let image = format!("oci:demo@sha256:{digest}");
            self.expect_as(signer, 0, &["run", "--signer=local", "--provenance=off", &image]);
        }
        digest
    }

    /// Puts everything that a layout once held back into it, beside what it holds now.
    fn put_back(&self, before: &[(PathBuf, Vec<u8>)]) {
        let file = self.path("demo/index.json");
        let mut now: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        for (path, bytes) in before.iter().filter(|(path, _)| !path.exists()) {
            fs::write(path, bytes).unwrap();
        }
        let (_, then) = before.iter().find(|(path, _)| *path == file).unwrap();
        let then: Value = serde_json::from_slice(then).unwrap();
        let listed = now["manifests"].as_array_mut().unwrap();
        for entry in then["manifests"].as_array().unwrap() {
            if !listed.iter().any(|known| known["digest"] == entry["digest"]) {
                listed.push(entry.clone());
            }
        }
        fs::write(&file, now.to_string()).unwrap();
    }

    fn verdict(&self, digest: &str) -> Value {
        let report = self.report();
        let all = report["targets"][0]["attestations"].as_array().unwrap().clone();
        let named = format!("sha256:{digest}");
        let one = all.iter().find(|one| one["digest"] == *named);
        one.map_or(Value::Null, |one| one["verdict"].clone())
    }
}

#[test]
fn expectations_that_are_met_end_in_zero_in_either_form() {
    let scratch = signed();
    scratch.expecting(
        0,
        &of_provenance(
            "    builder: https://ci.example.com/*\n    source: https://git.example.com/team/app\n    \
             commit: 0123456789abcdef0123456789abcdef01234567\n    max-age: 1h\n    minimum-build-level: 1\n    \
             conditions:\n      - { at: /predicate/buildDefinition/externalParameters/source, matches: \"https://**@*\" }\n",
        ),
    );
    assert_eq!(scratch.findings(), [""; 0]);
    scratch.expecting(0, r#"{"attestations": [{"type": "https://slsa.dev/provenance/v1", "builder": "https://ci.example.com/builder"}]}"#);
}

#[test]
fn every_way_to_miss_has_its_rule_and_says_what_was_expected_and_found() {
    let scratch = signed();
    let app = "https://git.example.com/team/app@0123456789abcdef0123456789abcdef01234567";
    for (line, rule, expected, found) in [
        (
            "builder: https://ci.example.com/other",
            "CSN030",
            "https://ci.example.com/other",
            "https://ci.example.com/builder",
        ),
        (
            "source: https://git.example.com/team/web",
            "CSN031",
            "https://git.example.com/team/web",
            app,
        ),
        ("ref: refs/heads/main", "CSN031", "refs/heads/main", "-"),
        ("workflow: release.yml", "CSN029", "release.yml", "-"),
        ("minimum-build-level: 2", "CSN032", "build level 2", "1"),
        (
            "conditions: [{at: /predicate/runDetails/builder/id, in: [a, b]}]",
            "CSN029",
            "one of \"a\", \"b\"",
            "https://ci.example.com/builder",
        ),
        (
            "conditions: [{at: /predicate/none, at-least: 1}]",
            "CSN029",
            "a number of at least 1",
            "-",
        ),
    ] {
        let ran = scratch.expecting(1, &of_provenance(&format!("    {line}\n")));
        let (rule, expected, found) = (rule.to_owned(), expected.to_owned(), found.to_owned());
        assert!(ran.stdout.contains(&format!("error {rule}")), "{}", ran.stdout);
        assert_eq!(scratch.missed(), [(rule, expected, found)], "{line}");
        // What it was held against, and how anybody can do that again, is said of a rejection too.
        let held = "Held against a policy derived from the signer itself";
        let summary = fs::read_to_string(scratch.path("countersign-report/summary.md")).unwrap();
        assert!(
            summary.contains(held) && summary.contains("### Check by hand"),
            "{summary}"
        );
        assert!(
            !summary.contains("Self-checked") && !summary.contains("Verified"),
            "{summary}"
        );
        assert!(ran.stdout.contains(held), "{}", ran.stdout);
        assert_eq!(scratch.report()["checked"], "self-checked");
    }
    assert_eq!(scratch.report()["targets"][0]["state"], "rejected");
    let sarif = fs::read_to_string(scratch.path("countersign-report/results.sarif")).unwrap();
    assert!(sarif.contains("CSN029"), "{sarif}");
    scratch.expecting(1, "attestations: [{type: cyclonedx}]");
    assert_eq!(scratch.findings(), ["error CSN020"]);
    scratch.expecting(0, "attestations: [{type: cyclonedx, required: false}]");
}

#[test]
fn a_build_level_is_demanded_without_a_file_and_beside_one() {
    let scratch = signed();
    let verify = |code, more: &[&str]| {
        scratch.verify(code, DEMO, more);
        scratch.missed()
    };
    assert_eq!(verify(0, &["--minimum-build-level=1"]), []);
    let too_low = ("CSN032".to_owned(), "build level 2".to_owned(), "1".to_owned());
    assert_eq!(verify(1, &["--minimum-build-level=2"]), [too_low]);
    fs::write(scratch.path("expect.yml"), "attestations: [{type: spdx}]").unwrap();
    let both = verify(1, &["--minimum-build-level=2", "--expect=expect.yml"]);
    let rules: Vec<&str> = both.iter().map(|(rule, _, _)| rule.as_str()).collect();
    assert_eq!(rules, ["CSN020", "CSN032"]);
    let ran = scratch.verify(2, DEMO, &["--minimum-build-level=4"]);
    assert!(
        ran.stderr.contains("expected a SLSA build level, 1 to 3"),
        "{}",
        ran.stderr
    );

    let bare = Scratch::new();
    bare.unsigned("demo");
    bare.expect(0, &["run", "--signer=local", "--provenance=off", DEMO]);
    bare.verify(0, DEMO, &[]);
    bare.verify(1, DEMO, &["--minimum-build-level=1"]);
    assert_eq!(bare.findings(), ["error CSN020"]);
}

#[test]
fn an_age_is_the_signature_s() {
    let scratch = signed();
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    scratch.expecting(1, &of_provenance("    max-age: 1s\n"));
    assert_eq!(scratch.findings(), ["error CSN028"]);
}

#[test]
fn what_strangers_hang_there_is_listed_until_an_expectation_names_its_type() {
    let scratch = signed();
    let spdx = br#"{"spdxVersion":"SPDX-2.3","name":"web","packages":[{"name":"a"}]}"#;
    let digest = scratch.attach(SPDX, SPDX, spdx, None);
    scratch.verify(0, DEMO, &[]);
    assert_eq!(
        (scratch.findings(), scratch.verdict(&digest)),
        (vec![], json!("listed"))
    );
    // Named, it counts: nobody signed it, and it is not what is required.
    scratch.expecting(1, "attestations: [{type: spdx}]");
    assert_eq!(scratch.findings(), ["error CSN021", "error CSN020"]);
    assert_eq!(scratch.verdict(&digest), "rejected");
    // Signed by somebody else it is no better.
    let image = format!("oci:demo@sha256:{digest}");
    scratch.expect_as("their", 0, &["run", "--signer=local", "--provenance=off", &image]);
    scratch.verify(0, DEMO, &[]);
    assert_eq!(
        (scratch.findings(), scratch.verdict(&digest)),
        (vec![], json!("listed"))
    );
    scratch.expecting(1, "attestations: [{type: spdx}]");
    assert_eq!(scratch.findings(), ["error CSN025", "error CSN020"]);
    // Signed by us it is accepted, and its members can be asked for as those of a predicate.
    scratch.expect(0, &["run", "--signer=local", "--provenance=off", &image]);
    scratch.verify(0, DEMO, &[]);
    assert_eq!(scratch.verdict(&digest), "accepted");
    for at in ["/predicate/spdxVersion", "/spdxVersion"] {
        scratch.expecting(
            0,
            &format!("attestations: [{{type: spdx, conditions: [{{at: {at}, equals: SPDX-2.3}}]}}]"),
        );
    }
    scratch.expecting(
        1,
        "attestations: [{type: spdx, conditions: [{at: /predicate/packages/0/name, equals: b}]}]",
    );
    assert_eq!(
        scratch.missed(),
        [("CSN029".to_owned(), "\"b\"".to_owned(), "a".to_owned())]
    );
}

#[test]
fn documents_that_are_none_have_a_rule_each() {
    let scratch = signed();
    let image = Layout::read(&scratch.path("demo")).image();
    let statement = |subject: &str, kind: &str| {
        json!({"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": subject}}],
            "predicateType": kind, "predicate": {"x": 1}})
        .to_string()
    };
    let type_ = "https://example.com/review/v1";
    let other = statement(&"0".repeat(64), type_);
    let large = vec![b' '; 10_000_001];
    let announced = statement(&image, "https://slsa.dev/verification_summary/v1");
    let rows: [(&str, &str, &[u8], &str); 5] = [
        (SPDX, SPDX, b"not JSON", "CSN022"),
        (SPDX, SPDX, br#"{"bomFormat":"CycloneDX"}"#, "CSN022"),
        (SPDX, SPDX, &large, "CSN026"),
        ("application/vnd.example", STATEMENT, other.as_bytes(), "CSN023"),
        (
            "application/vnd.in-toto.vulns+json",
            STATEMENT,
            announced.as_bytes(),
            "CSN024",
        ),
    ];
    for (kind, layer, document, rule) in rows {
        let before = crate::scratch::snapshot(&scratch.path("demo"));
        scratch.attach(kind, layer, document, Some("state"));
        // Ours, and bad, though nobody expects it: a remark. Expected: a no.
        scratch.verify(0, DEMO, &[]);
        let remarks = match kind {
            // Nothing tells such a type apart from anybody's artifact unless it is looked for.
            "application/vnd.example" => vec![],
            _ => vec![format!("warning {rule}")],
        };
        assert_eq!(scratch.findings(), remarks, "{rule}");
        scratch.expecting(1, &format!("attestations: [{{type: spdx}}, {{type: '{type_}'}}]"));
        assert!(
            scratch.findings().iter().any(|found| found.ends_with(rule)),
            "{rule}: {:?}",
            scratch.findings()
        );
        fs::remove_dir_all(scratch.path("demo")).unwrap();
        for (path, bytes) in before {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

#[test]
fn two_of_one_kind_by_one_signer_are_told_and_one_has_to_meet_everything() {
    let scratch = signed();
    let before = crate::scratch::snapshot(&scratch.path("demo"));
    // Times are whole seconds: within one second the two attestations would be the same bytes.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let other = [
        "run",
        "--signer=local",
        DEMO,
        "--builder-id=https://ci.example.com/second",
    ];
    let source = ["--source=https://git.example.com/team/second", "--resign"];
    scratch.expect(0, &[&other[..], &source].concat());
    // The run replaces its own older one; somebody put it back.
    scratch.put_back(&before);
    let layout = Layout::read(&scratch.path("demo"));
    assert_eq!(layout.referrers(&layout.image(), PROVENANCE).len(), 2);
    scratch.verify(0, DEMO, &[]);
    // The image's own older signature came back too.
    assert_eq!(scratch.findings(), ["note CSN041", "warning CSN027"]);
    scratch.expecting(
        1,
        &of_provenance(
            "    builder: https://ci.example.com/builder\n    source: https://git.example.com/team/second\n",
        ),
    );
    let findings = scratch.findings();
    assert!(findings.contains(&"warning CSN027".to_owned()), "{findings:?}");
    assert!(
        findings
            .iter()
            .any(|found| found.contains("CSN030") || found.contains("CSN031")),
        "{findings:?}"
    );
    scratch.expecting(
        0,
        &of_provenance(
            "    builder: https://ci.example.com/second\n    source: https://git.example.com/team/second\n",
        ),
    );
}

#[test]
fn a_provenance_that_lost_its_signature_meets_nothing() {
    let scratch = signed();
    let mut layout = Layout::read(&scratch.path("demo"));
    let attestation = layout.referrer(&layout.image(), PROVENANCE);
    layout.unlist(&layout.referrer(&attestation, NOTARY));
    fs::write(scratch.path("demo/index.json"), layout.index.to_string()).unwrap();
    scratch.expecting(1, &of_provenance(""));
    assert_eq!(scratch.findings(), ["error CSN021", "error CSN020"]);
}

#[test]
fn where_a_policy_says_to_skip_nothing_is_met() {
    let scratch = signed();
    let policy = json!({"version": "1.0", "trustPolicies": [{"name": "no", "registryScopes": ["r.example/web"],
        "signatureVerification": {"level": "skip"}}]});
    fs::write(scratch.path("skip.json"), policy.to_string()).unwrap();
    let verify = [
        "verify",
        DEMO,
        "--repository=r.example/web",
        "--trust-policy=skip.json",
    ];
    scratch.expect(0, &verify);
    fs::write(scratch.path("expect.yml"), of_provenance("")).unwrap();
    scratch.expect(1, &[&verify[..], &["--expect=expect.yml"]].concat());
    assert_eq!(scratch.findings(), ["error CSN020"]);
}

#[test]
fn a_run_holds_what_it_made_against_the_same_file() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    fs::write(
        scratch.path("expect.yml"),
        of_provenance("    builder: https://ci.example.com/builder\n"),
    )
    .unwrap();
    scratch.sign(0, DEMO, &["--expect=expect.yml"]);
    fs::write(
        scratch.path("expect.yml"),
        of_provenance("    builder: https://ci.example.com/other\n"),
    )
    .unwrap();
    let ran = scratch.sign(1, DEMO, &["--expect=expect.yml"]);
    assert_eq!(scratch.findings(), ["error CSN030"], "{}", ran.stdout);
    assert_eq!(BUILD[1], "https://ci.example.com/builder");
}

#[test]
fn a_file_that_is_none_is_a_usage_error_with_line_and_column() {
    let scratch = signed();
    for (file, told) in [
        (
            "attestations:\n  - type: provenance\n    bilder: x\n    max-age: 30d\n",
            "line 3, column 13: expected only the members",
        ),
        (
            "attestations:\n  - type: provenance\n    bilder: x\n    max-age: 30d\n",
            "line 4, column 14: expected a number and a unit",
        ),
        (
            "attestations: [{type: a, type: b}]",
            "the key \"type\" stands twice",
        ),
        ("{\"attestations\": [}", "line 1, column 19: not valid JSON"),
    ] {
        let ran = scratch.expecting(2, file);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("expect.yml") && said.contains(told), "{said}");
    }
    let ran = scratch.verify(2, DEMO, &["--expect=absent.yml"]);
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("absent.yml"));
}

/// A run that attests something else deletes its older provenance only where what is expected holds without it, so that
/// a later `verify` sees what the run saw.
#[test]
fn a_run_is_not_met_by_what_it_deletes() {
    let scratch = signed();
    let other = ["--source=https://git.example.com/team/other"];
    let older = of_provenance("    source: https://git.example.com/team/app\n");
    let resign = |code: i32, expected: &str| {
        fs::write(scratch.path("expect.yml"), expected).unwrap();
        let ran = scratch.expect(
            code,
            &[
                "run",
                "--signer=local",
                DEMO,
                BUILD[0],
                BUILD[1],
                other[0],
                "--expect=expect.yml",
            ],
        );
        let count = scratch.report()["targets"][0]["attestations"]
            .as_array()
            .unwrap()
            .len();
        (ran, count)
    };
    let (ran, count) = resign(0, &older);
    assert_eq!(count, 2, "{}", ran.stdout);
    scratch.expecting(0, &older);

    let newer = of_provenance("    source: https://git.example.com/team/other\n");
    let (ran, count) = resign(0, &newer);
    assert_eq!(count, 1, "{}", ran.stdout);
    scratch.expecting(0, &newer);
    scratch.expecting(1, &older);
}

/// Another builder's word takes nobody's place.
#[test]
fn a_run_keeps_the_provenance_of_another_builder() {
    let scratch = signed();
    let other = [
        "run",
        "--signer=local",
        DEMO,
        "--builder-id=https://laptop.example.com",
        BUILD[2],
        BUILD[3],
    ];
    scratch.expect(0, &other);
    scratch.expecting(0, &of_provenance("    builder: https://ci.example.com/*\n"));
    scratch.expecting(0, &of_provenance("    builder: https://laptop.example.com\n"));
}

#[test]
fn more_than_forty_referrers_beside_an_image_are_told_and_one_less_is_not() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    scratch.expect(0, &["run", "--signer=local", "--provenance=off", DEMO]);
    let mut layout = Layout::read(&scratch.path("demo"));
    let image = layout.image();
    let junk = |layout: &mut Layout, n: usize| {
        let kind = "application/vnd.example.junk";
        layout.attach(&image, kind, kind, n.to_string().as_bytes());
        layout.write(&scratch.path("demo"), None, &scratch.path("demo"));
    };
    // With the signature they are forty.
    (1..40).for_each(|n| junk(&mut layout, n));
    scratch.verify(0, DEMO, &[]);
    assert_eq!(scratch.findings(), [""; 0]);
    junk(&mut layout, 40);
    let ran = scratch.verify(0, DEMO, &["--color=never"]);
    assert_eq!(scratch.findings(), ["warning CSN040"]);
    assert!(ran.stdout.contains("41 referrers hang on"), "{}", ran.stdout);
    assert_eq!(scratch.report()["targets"][0]["state"], "self-checked");
    scratch.verify(1, DEMO, &["--fail-on=warning"]);
}

#[test]
fn a_thousand_pieces_of_junk_listed_first_hide_nothing_that_was_expected() {
    let scratch = signed();
    let mut layout = Layout::read(&scratch.path("demo"));
    let (image, ours) = (layout.image(), layout.entries().clone());
    for n in 0..1_000 {
        let junk = json!({ "n": n }).to_string();
        layout.attach(
            &image,
            "application/vnd.example.junk",
            "application/json",
            junk.as_bytes(),
        );
    }
    let listed = layout.index["manifests"].as_array_mut().unwrap();
    listed.rotate_left(ours.len());
    layout.write(&scratch.path("demo"), None, &scratch.path("demo"));
    // So many are an error of their own, unless findings decide nothing.
    let met = of_provenance("    builder: https://ci.example.com/builder\n");
    scratch.expecting(1, &met);
    assert_eq!(scratch.findings(), ["error CSN040"]);
    let expecting = |code, file: &str| {
        fs::write(scratch.path("expect.yml"), file).unwrap();
        let options = ["--expect=expect.yml", "--color=never", "--fail-on=none"];
        scratch.verify(code, DEMO, &options)
    };
    expecting(0, &met);
    assert_eq!(
        scratch.report()["targets"][0]["expectations"][0]["verdict"],
        "met"
    );
    // What was not read may be what is missing: nobody says no.
    let ran = expecting(3, "attestations: [{type: 'https://example.com/review/v1'}]");
    assert!(
        ran.stdout.contains("among those that were read; 2 more were not"),
        "{}",
        ran.stdout
    );
    assert_eq!(scratch.report()["targets"][0]["state"], "failed");
    // Nor does anybody say that none is there, where one that is would have to meet the rest.
    let optional = "attestations: [{type: 'https://example.com/review/v1', required: false, max-age: 1h}]";
    let ran = expecting(3, optional);
    assert!(
        ran.stdout.contains("among those that were read; 2 more were not"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        scratch.report()["targets"][0]["expectations"][0]["verdict"],
        "missed"
    );
}
