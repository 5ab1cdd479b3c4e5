//! Reports made by hand, and what every renderer makes of them.

use std::collections::BTreeMap;

use super::*;
use crate::base::failure::{Cause, Class};
use crate::base::foreign::{Foreign, obeyed};
use crate::base::time::Timestamp;
use crate::domain::oci::Digest;
use crate::domain::plan::Step;

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

fn validations(authenticity: &'static str) -> Vec<ValidationReport> {
    let one = |validation, result, reason: Option<&str>| ValidationReport {
        validation,
        action: if validation == "revocation" {
            "skip"
        } else {
            "enforce"
        },
        result,
        reason: reason.map(str::to_owned),
    };
    vec![
        one("integrity", "passed", None),
        one(
            "authenticity",
            authenticity,
            (authenticity == "failed").then_some("no trusted identity matches"),
        ),
        one("authenticTimestamp", "passed", None),
        one("expiry", "passed", None),
        one("revocation", "skipped", Some("the policy skips it")),
    ]
}

fn signature(of: &str, made_now: bool) -> SignatureReport {
    SignatureReport {
        digest: digest(of),
        identity: Some(Foreign::new("CN=demo signer,O=countersign")),
        verdict: "accepted",
        reason: None,
        made_now,
        signed_at: Some(Timestamp::from_unix(1_700_000_000)),
        expires_at: None,
        validations: validations("passed"),
    }
}

fn provenance(made_now: bool) -> AttestationReport {
    AttestationReport {
        digest: digest("provenance"),
        artifact_type: Some(Foreign::new("application/vnd.in-toto.provenance+json")),
        predicate_type: Some(Foreign::new("https://slsa.dev/provenance/v1")),
        kind: Some("provenance"),
        verdict: "accepted",
        reason: None,
        made_now,
        file: None,
        facts: vec![
            ("builder", Foreign::new("https://ci.example.com/builders/release")),
            ("source", Foreign::new("https://git.example.com/team/web")),
        ],
        signatures: vec![signature("signature of the provenance", made_now)],
    }
}

fn node(kind: &str, of: &str, size: u64, standing: Standing, children: Vec<TreeNode>) -> TreeNode {
    TreeNode {
        kind: Foreign::new(kind),
        digest: digest(of),
        size,
        note: None,
        standing,
        children,
    }
}

fn tree(standing: Standing) -> TreeNode {
    let signed = |of: &str| TreeNode {
        note: Some(Foreign::new("CN=demo signer,O=countersign")),
        ..node("signature", of, 728, standing, vec![])
    };
    let provenance = node(
        "provenance",
        "provenance",
        912,
        standing,
        vec![signed("signature of the provenance")],
    );
    let sbom = node("application/spdx+json", "sbom", 10_400, Standing::Listed, vec![]);
    node(
        "image index",
        "image",
        1_072,
        standing,
        vec![signed("signature"), provenance, sbom],
    )
}

fn target(state: TargetState, made_now: bool) -> TargetReport {
    TargetReport {
        image: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/web:1.4".to_owned(),
        repository: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/web".to_owned(),
        digest: Some(digest("image")),
        platforms: vec![Foreign::new("linux/amd64"), Foreign::new("linux/arm64/v8")],
        platform: None,
        state,
        plan: vec![],
        signatures: vec![signature("signature", made_now)],
        attestations: vec![provenance(made_now)],
        expectations: Vec::new(),
        binding: None,
        attested_only: false,
        tree: Some(tree(Standing::Verified)),
    }
}

fn report(targets: Vec<TargetReport>) -> RunReport {
    RunReport {
        command: "run",
        verdict: Verdict::Passed,
        checked: Some(Checked::SelfChecked),
        exit: 0,
        started: Timestamp::from_unix(1_700_000_000),
        finished: Timestamp::from_unix(1_700_000_003),
        signer: Some(Foreign::new("local key, CN=demo signer,O=countersign")),
        targets,
        findings: vec![],
        failures: vec![],
        build: None,
        requests: BTreeMap::from([(
            "layout",
            BTreeMap::from([("read manifest", 4), ("write blob", 6)]),
        )]),
    }
}

fn settled(mut report: RunReport) -> RunReport {
    report.settle(FailOn::Error);
    report
}

/// Everything was signed and attested now, of a build that the host's token vouches for.
fn good() -> RunReport {
    settled(RunReport {
        build: Some(BuildReport {
            builder: "https://github.com/octo-org/app/.github/workflows/release.yml@refs/heads/main"
                .to_owned(),
            build_type: "https://actions.github.io/buildtypes/workflow/v1".to_owned(),
            claims_verified: true,
            issuer: Some("https://token.actions.githubusercontent.com".to_owned()),
            record: None,
            because: None,
            claims: vec!["repository", "ref", "sha"],
            variables: vec![],
            level: 2,
            reasons: vec!["the job's own steps could have used the signing role".to_owned()],
        }),
        ..report(vec![TargetReport {
            expectations: vec![
                ExpectationReport {
                    about: Foreign::new("provenance"),
                    required: true,
                    verdict: "met",
                    met_by: Some(Digest::of(b"provenance")),
                },
                ExpectationReport {
                    about: Foreign::new("https://example.com/`review`|/v1"),
                    required: false,
                    verdict: "absent",
                    met_by: None,
                },
            ],
            binding: Some(BindingReport {
                tie: "labels",
                found: vec![],
            }),
            ..target(TargetState::Signed, true)
        }])
    })
}

/// A repeated run: everything was there.
fn kept() -> RunReport {
    let mut target = target(TargetState::Kept, false);
    target.plan = vec![
        format!(
            "keep the signature {}: it is by this signer and good",
            digest("signature")
        ),
        "keep the provenance: it states the same build".to_owned(),
    ];
    settled(RunReport {
        requests: BTreeMap::new(),
        ..report(vec![target])
    })
}

/// A verification by a given policy that says no, beside a target that is good.
fn rejected() -> RunReport {
    let refused = SignatureReport {
        verdict: "rejected",
        reason: Some("no trusted identity matches".to_owned()),
        validations: validations("failed"),
        ..signature("signature", false)
    };
    let bad = TargetReport {
        image: "registry.example.com/team/api@".to_owned() + &digest("api").to_string(),
        repository: "registry.example.com/team/api".to_owned(),
        digest: Some(digest("api")),
        platforms: vec![],
        platform: None,
        state: TargetState::Rejected,
        plan: vec![],
        signatures: vec![refused],
        attestations: vec![],
        expectations: Vec::new(),
        binding: None,
        attested_only: false,
        tree: Some(node(
            "image",
            "api",
            529,
            Standing::Rejected,
            vec![TreeNode {
                note: Some(Foreign::new("no trusted identity matches")),
                ..node("signature", "signature", 728, Standing::Rejected, vec![])
            }],
        )),
    };
    let finding = Finding {
        target: Some(1),
        digest: Some(digest("api")),
        expected: Some("x509.subject: C=DE, O=countersign, CN=release signer".to_owned()),
        found: Some(Foreign::new("CN=demo signer,O=countersign")),
        ..Finding::new(
            Rule::SignatureUntrustedIdentity,
            "no signature of the image is by a trusted identity",
        )
    };
    let note = Finding {
        target: Some(0),
        named_at: Some("images.txt:1".to_owned()),
        ..Finding::new(
            Rule::ReferenceNotDigest,
            "the image is named by the tag 1.4 alone",
        )
    };
    settled(RunReport {
        command: "verify",
        checked: Some(Checked::Verified {
            policy: Foreign::new("release-policy.json"),
            digest: digest("policy"),
        }),
        signer: None,
        findings: vec![note, finding],
        ..report(vec![target(TargetState::Verified, false), bad])
    })
}

/// The signer was not reachable for one image; another one was not begun.
fn failed() -> RunReport {
    let unfinished = |state, digest| TargetReport {
        digest,
        signatures: vec![],
        attestations: vec![],
        expectations: Vec::new(),
        binding: None,
        tree: None,
        platforms: vec![],
        ..target(state, false)
    };
    let failure = Failure {
        target: Some(0),
        step: Step::Sign,
        cause: Cause {
            class: Class::Unavailable,
            message: "could not sign with release: the service answered 503 four times".to_owned(),
            hint: Some("run again; nothing was pushed".to_owned()),
        },
        done: vec!["the signature of sha256:ab of another image".to_owned()],
    };
    settled(RunReport {
        checked: None,
        failures: vec![failure],
        ..report(vec![
            unfinished(TargetState::Failed, Some(digest("image"))),
            unfinished(TargetState::NotStarted, None),
        ])
    })
}

/// A dry run.
fn planned() -> RunReport {
    let mut target = target(TargetState::Planned, false);
    target.signatures.clear();
    target.attestations.clear();
    target.tree = None;
    target.plan = vec![
        format!("sign {}: no signature by this signer is there", digest("image")),
        "attest https://slsa.dev/provenance/v1: none by this signer is there".to_owned(),
        "verify by the policy derived from the signer".to_owned(),
    ];
    settled(RunReport {
        verdict: Verdict::Planned,
        checked: None,
        ..report(vec![target])
    })
}

/// What an attacker would put where a text may stand.
const HOSTILE: &[&str] = &[
    "::error file=x::pwned\n::set-output name=verdict::passed\r\n##[add-mask]x ##[command]y",
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{1b}[8m",
    "[click](https://evil.example) ![i](https://evil.example/i.png) <https://evil.example> https://evil.example www.evil.example",
    "| a | b |\n|---|---|\n# heading\n```\n</details> - [ ] task ~~x~~ `code` \\| $math$ :smile: #1 @octocat a@b.example",
    "<script>alert(1)</script><img src=x onerror=y>&lt;<!-- x --><b>",
    "abc\u{202e}gpj.exe\u{2066}x\u{200b}y\u{feff}z\u{e0041}",
    "nul\0byte ]]> <![CDATA[ \u{fffe}\u{ffff} {0} {{1}}",
    "'; rm -rf / #$(id)`id`",
];

/// A report with one text wherever a text may stand.
fn filled_with(text: &str) -> RunReport {
    let foreign = Foreign::new(text);
    let mut report = rejected();
    for target in &mut report.targets {
        text.clone_into(&mut target.image);
        target.repository = format!("registry.example.com/{text}");
        target.plan = vec![text.to_owned()];
        target.platforms = vec![foreign.clone(); 20];
        for signature in &mut target.signatures {
            signature.identity = Some(foreign.clone());
            signature.reason = Some(text.to_owned());
        }
        for attestation in &mut target.attestations {
            attestation.artifact_type = Some(foreign.clone());
            attestation.reason = Some(text.to_owned());
            attestation.facts = vec![("builder", foreign.clone())];
        }
        for node in target.tree.iter_mut().flat_map(|tree| tree.children.iter_mut()) {
            node.kind = foreign.clone();
            node.note = Some(foreign.clone());
        }
    }
    for finding in &mut report.findings {
        text.clone_into(&mut finding.message);
        finding.found = Some(foreign.clone());
        finding.platform = Some(foreign.clone());
        for part in [&mut finding.expected, &mut finding.fix, &mut finding.named_at] {
            *part = Some(text.to_owned());
        }
    }
    report.failures = failed().failures;
    for failure in &mut report.failures {
        text.clone_into(&mut failure.cause.message);
        failure.cause.hint = Some(text.to_owned());
        failure.done = vec![text.to_owned()];
    }
    report.signer = Some(foreign.clone());
    report.checked = Some(Checked::Verified {
        policy: foreign,
        digest: digest("policy"),
    });
    report
}

fn paths(text: &str) -> Paths {
    let path = Some(text.to_owned());
    Paths {
        report: path.clone(),
        sarif: path.clone(),
        summary: path.clone(),
        trust: path,
    }
}

/// The report in every form, with the form's name.
fn every_form(report: &RunReport, paths: &Paths) -> Vec<(&'static str, String)> {
    let outputs = outputs(report, paths);
    let value_lines: String = outputs.iter().map(|(_, value)| value.clone() + "\n").collect();
    vec![
        ("json", json::render(report)),
        ("sarif", sarif::render(report, None)),
        ("summary", summary::render(report, paths)),
        ("text", text::render(report, text::Style::default())),
        ("junit", junit::render(report)),
        ("codequality", codequality::render(report, None)),
        ("dotenv", dotenv::render(&outputs, dotenv::Quoting::Literal).0),
        ("outputs", value_lines),
    ]
}

fn samples() -> [(&'static str, RunReport); 5] {
    [
        ("good", good()),
        ("kept", kept()),
        ("rejected", rejected()),
        ("failed", failed()),
        ("planned", planned()),
    ]
}

/// The version of the day, which is not what these tests are about.
fn redacted(text: &str) -> String {
    text.replace(&format!("/v{}/", env!("CARGO_PKG_VERSION")), "/vX.Y.Z/")
        .replace(&format!("\"{}\"", env!("CARGO_PKG_VERSION")), "\"X.Y.Z\"")
}

#[test]
fn every_form_of_every_sample_is_as_reviewed() {
    for (name, report) in samples() {
        for (form, text) in every_form(&report, &Paths::default()) {
            insta::assert_snapshot!(format!("{name}_{form}"), redacted(&text));
        }
    }
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    for (_, report) in samples() {
        let paths = paths("out");
        assert_eq!(every_form(&report, &paths), every_form(&report.clone(), &paths));
    }
}

#[test]
fn the_text_names_a_findings_platform() {
    let mut report = rejected();
    for finding in &mut report.findings {
        finding.platform = Some(Foreign::new("linux/arm64"));
    }
    let text = text::render(
        &report,
        text::Style {
            color: false,
            width: 80,
        },
    );
    let named = text.matches("\n  platform: linux/arm64\n").count();
    assert_eq!(named, report.findings.len(), "{text}");
}

#[test]
fn colours_are_the_styles_own() {
    let style = text::Style {
        color: true,
        width: 80,
    };
    let colored = text::render(&rejected(), style);
    let plain = text::render(
        &rejected(),
        text::Style {
            color: false,
            width: 80,
        },
    );
    assert!(!plain.contains('\u{1b}'));
    let mut stripped = colored.clone();
    for code in ["0", "1", "2", "31", "32", "33"] {
        stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_ne!(colored, plain);
    assert_eq!(stripped, plain);
}

#[test]
fn no_row_of_the_table_is_wider_than_the_terminal() {
    let text = text::render(
        &good(),
        text::Style {
            color: false,
            width: 110,
        },
    );
    for line in text.lines().take(2) {
        assert!(line.chars().count() <= 110, "{line}");
    }
}

#[test]
fn nothing_hostile_survives_in_any_form() {
    for hostile in HOSTILE {
        for (form, text) in every_form(&filled_with(hostile), &paths(hostile)) {
            let context = || format!("{form} of {hostile:?}\n{text}");
            for line in text.lines() {
                assert!(!line.trim_start().starts_with("::"), "{}", context());
            }
            assert!(!text.contains("##["), "{}", context());
            assert!(!text.chars().any(|c| obeyed(c) && c != '\n'), "{}", context());
        }
    }
}

#[test]
fn hostile_text_leaves_markdown_only_inside_code() {
    for hostile in HOSTILE {
        let text = summary::render(&filled_with(hostile), &paths(hostile));
        let (mut fenced, mut borders) = (false, 0);
        for line in text.lines() {
            if line.starts_with("```") {
                fenced = !fenced;
                continue;
            }
            if fenced {
                continue;
            }
            assert_eq!(line.matches('`').count() % 2, 0, "{line}");
            let ours = [format!(
                "{}/blob/v{}/docs/rules/",
                env!("CARGO_PKG_REPOSITORY"),
                env!("CARGO_PKG_VERSION")
            )];
            let outside: String = line
                .split('`')
                .step_by(2)
                .collect::<String>()
                .replace(&ours[0], "");
            for mark in [
                "evil", "octocat", "@", "<", "$", "://", "www.", "~~", "![", ":smile:", "script",
            ] {
                assert!(!outside.contains(mark), "{mark} in {line}");
            }
            let found = line.matches('|').count();
            // The first row of a table is its head, which is ours.
            borders = if borders == 0 || found == 0 {
                found
            } else {
                borders
            };
            assert_eq!(found, borders, "{line}");
        }
        assert!(!fenced);
    }
}

#[test]
fn hostile_text_makes_no_xml_and_no_variable() {
    let elements = [
        "?xml",
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "error",
        "system-out",
        "skipped",
    ];
    for hostile in HOSTILE {
        let report = filled_with(hostile);
        let xml = junit::render(&report);
        for tag in xml.split('<').skip(1) {
            let name = tag.trim_start_matches('/').split([' ', '>', '/']).next().unwrap();
            assert!(elements.contains(&name), "{name} of {hostile:?}");
        }
        let outputs = outputs(&report, &paths(hostile));
        for quoting in [dotenv::Quoting::Literal, dotenv::Quoting::Shell] {
            for line in dotenv::render(&outputs, quoting).0.lines() {
                let name = line.split('=').next().unwrap();
                assert!(
                    Output::ALL.iter().any(|output| output.variable() == name),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn a_megabyte_in_one_line_stays_small() {
    let text = "x".repeat(1 << 20);
    for (form, text) in every_form(&filled_with(&text), &paths(&text)) {
        assert!(text.len() < 300_000, "{form}: {}", text.len());
    }
}

#[test]
fn a_summary_is_cut_below_what_hosts_show() {
    let mut report = rejected();
    let finding = report.findings[1].clone();
    report.findings = vec![finding; 20_000];
    let text = summary::render(&report, &Paths::default());
    assert!(text.len() < 1 << 20);
    assert!(text.contains("**Cut here:**"), "{}", &text[text.len() - 300..]);
    assert!(text.starts_with("## ❌ countersign: rejected"));
}

#[test]
fn sarif_keeps_the_gravest_and_says_what_it_left_out() {
    let mut report = rejected();
    let (note, error) = (report.findings[0].clone(), report.findings[1].clone());
    report.findings = [vec![note; 5_000], vec![error; 3]].concat();
    let sarif: serde_json::Value = serde_json::from_str(&sarif::render(&report, None)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 5_000);
    assert_eq!(
        results.iter().filter(|result| result["level"] == "error").count(),
        3
    );
    let notification = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"][0];
    assert!(
        notification["message"]["text"]
            .as_str()
            .unwrap()
            .starts_with("3 further findings")
    );
}

#[test]
fn fingerprints_outlive_builds_and_tell_repositories_apart() {
    let fingerprints = |report: &RunReport| -> Vec<String> {
        let sarif: serde_json::Value = serde_json::from_str(&sarif::render(report, None)).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap().clone();
        results
            .iter()
            .map(|result| {
                result["partialFingerprints"]["primaryLocationLineHash"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    let first = rejected();
    let mut second = rejected();
    for target in &mut second.targets {
        target.digest = Some(digest("the next build"));
        target.image = target.image.replace("1.4", "1.5");
        target.repository = target.repository.replace("111122223333", "444455556666");
    }
    for finding in &mut second.findings {
        finding.digest = Some(digest("the next build"));
        finding.message.push_str(" now");
    }
    assert_eq!(fingerprints(&first), fingerprints(&second));
    second.targets[1].repository.push('x');
    assert_ne!(fingerprints(&first), fingerprints(&second));
    let twice = RunReport {
        findings: vec![first.findings[1].clone(); 2],
        ..first
    };
    let ends: Vec<_> = fingerprints(&twice)
        .iter()
        .map(|text| text[16..].to_owned())
        .collect();
    assert_eq!(ends, [":1", ":2"]);
}

#[test]
fn a_pinned_place_is_shown_and_its_line_hash_left_to_the_host() {
    let place: Location = "docker/Dockerfile:7".parse().unwrap();
    let sarif: serde_json::Value = serde_json::from_str(&sarif::render(&rejected(), Some(&place))).unwrap();
    for result in sarif["runs"][0]["results"].as_array().unwrap() {
        let physical = &result["locations"][0]["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], "docker/Dockerfile");
        assert_eq!(physical["region"]["startLine"], 7);
        assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_null());
        assert!(result["partialFingerprints"]["countersign/v1"].is_string());
    }
}

#[test]
fn findings_raise_a_code_and_never_lower_one() {
    let with = |level: Level| {
        let mut report = good();
        report.findings = vec![Finding {
            level,
            ..Finding::new(Rule::TagMutable, "x")
        }];
        report
    };
    let code = |level, fail_on| exit_code(&with(level), fail_on);
    for (fail_on, codes) in [
        (FailOn::Error, [0, 0, 1]),
        (FailOn::Warning, [0, 1, 1]),
        (FailOn::Note, [1, 1, 1]),
        (FailOn::None, [0, 0, 0]),
    ] {
        assert_eq!(
            [Level::Note, Level::Warning, Level::Error].map(|level| code(level, fail_on)),
            codes
        );
        assert_eq!(exit_code(&rejected(), fail_on), 1);
        assert_eq!(exit_code(&failed(), fail_on), 3);
        let stopped = RunReport {
            exit: 143,
            ..failed()
        };
        assert_eq!(exit_code(&stopped, fail_on), 143);
        let internal = RunReport { exit: 70, ..good() };
        assert_eq!(exit_code(&internal, fail_on), 70);
    }
}

#[test]
fn the_worst_class_decides_and_the_verdict_follows() {
    let mut report = failed();
    report.targets[1].state = TargetState::Rejected;
    let report = settled(report);
    assert_eq!((report.exit, report.verdict), (1, Verdict::Rejected));
    let mut report = failed();
    report.exit = 0;
    report.failures[0].cause.class = Class::Tampered;
    let report = settled(report);
    assert_eq!((report.exit, report.verdict), (6, Verdict::Rejected));
    assert_eq!(settled(failed()).verdict, Verdict::Failed);
    assert_eq!(planned().verdict, Verdict::Planned);
    let mut report = planned();
    report.findings = vec![Finding::new(Rule::TagDigestMismatch, "x")];
    assert_eq!(settled(report).verdict, Verdict::Rejected);
    for word in FailOn::ALL {
        assert_eq!(word.name().parse::<FailOn>(), Ok(word));
    }
    assert!("errors".parse::<FailOn>().is_err());
}

#[test]
fn the_headline_claims_no_more_than_the_report_holds() {
    let headline = |report: RunReport| settled(report).headline();
    assert_eq!(headline(good()), "1 image signed and self-checked");
    assert_eq!(
        headline(kept()),
        "1 image self-checked; everything was there already, nothing was written"
    );
    assert_eq!(headline(rejected()), "1 of 2 images rejected");
    assert_eq!(headline(failed()), "2 of 2 images were not finished");
    assert_eq!(
        headline(planned()),
        "a plan for 1 image; nothing was signed, pushed or changed"
    );
    let mut skipped = planned();
    skipped.verdict = Verdict::SkippedUntrusted;
    assert!(headline(skipped).starts_with("the event is not trusted; nothing was signed"));
    let mut caught = good();
    caught.findings = vec![Finding::new(Rule::TagDigestMismatch, "x")];
    assert_eq!(headline(caught), "a finding about 1 image fails the run");
    let mut tampered = failed();
    tampered.exit = 0;
    tampered.failures[0].cause.class = Class::Tampered;
    assert_eq!(headline(tampered), "something is not what it claims to be");
    let unread = RunReport {
        targets: vec![],
        ..failed()
    };
    assert_eq!(headline(unread), "stopped before any image was looked at");
    let unjudged = RunReport {
        checked: None,
        ..good()
    };
    assert_eq!(headline(unjudged), "1 image done; nothing had to be judged");
}

#[test]
fn verified_is_said_only_of_a_given_policy() {
    let mut report = rejected();
    report.targets.pop();
    report.findings.clear();
    report.exit = 0;
    report.checked = Some(Checked::SelfChecked);
    for (form, text) in every_form(&settled(report), &Paths::default()) {
        let text = text
            .replace("countersign verify", "")
            .replace("notation verify", "");
        let claims = text.replace("countersign/verify", "").to_lowercase();
        assert!(!claims.contains("verified"), "{form}: {text}");
    }
}

#[test]
fn what_was_refused_is_in_no_output() {
    let refused = digest("api").to_string();
    for (output, value) in outputs(&rejected(), &Paths::default()) {
        assert!(!value.contains(&refused), "{output:?}: {value}");
    }
}

/// Every form of the samples, and of the hostile ones.
fn all_reports() -> Vec<RunReport> {
    let samples = samples().into_iter().map(|(_, report)| report);
    samples
        .chain(HOSTILE.iter().map(|text| filled_with(text)))
        .collect()
}

fn parsed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// Forbids what a schema does not name, so that every member we write has to be documented.
fn closed(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(members) => {
            if members.contains_key("properties") {
                members.insert("additionalProperties".to_owned(), false.into());
            }
            members.values_mut().for_each(closed);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(closed),
        _ => {}
    }
}

fn assert_valid(validator: &jsonschema::Validator, text: &str) {
    let faults: Vec<_> = validator
        .iter_errors(&parsed(text))
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}\n{text}");
}

#[test]
fn reports_follow_the_published_schema_and_it_names_every_member() {
    let published = parsed(include_str!("../../../docs/schemas/report-1.json"));
    let mut strict = published.clone();
    closed(&mut strict);
    assert!(!jsonschema::is_valid(
        &published,
        &parsed(r#"{"schema":"countersign-report/2"}"#)
    ));
    let [published, strict] = [published, strict].map(|schema| jsonschema::validator_for(&schema).unwrap());
    for report in all_reports() {
        let text = json::render(&report);
        assert_valid(&published, &text);
        assert_valid(&strict, &text);
    }
}

#[test]
fn sarif_follows_the_standards_schema() {
    let schema = parsed(include_str!("../../../tests/vectors/sarif/sarif-2.1.0.json"));
    let schema = jsonschema::validator_for(&schema).unwrap();
    let place: Location = "Dockerfile:3".parse().unwrap();
    for report in all_reports() {
        assert_valid(&schema, &sarif::render(&report, None));
        assert_valid(&schema, &sarif::render(&report, Some(&place)));
    }
    let stopped = RunReport {
        exit: 130,
        ..failed()
    };
    assert_valid(&schema, &sarif::render(&stopped, None));
}

#[test]
fn sarif_indices_point_at_their_rules_and_nothing_is_empty() {
    fn check(value: &serde_json::Value, path: &str) {
        match value {
            serde_json::Value::String(text) => assert!(!text.is_empty(), "{path}"),
            serde_json::Value::Array(items) => items.iter().for_each(|item| check(item, path)),
            serde_json::Value::Object(members) => {
                members
                    .iter()
                    .for_each(|(name, member)| check(member, &format!("{path}.{name}")));
            }
            _ => {}
        }
    }
    for report in all_reports() {
        let sarif = parsed(&sarif::render(&report, None));
        check(&sarif, "");
        let run = &sarif["runs"][0];
        let driver = &run["tool"]["driver"];
        for result in run["results"].as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(driver["rules"][index]["id"], result["ruleId"]);
            assert!(result.get("guid").is_none());
        }
        let notifications = run["invocations"][0].get("toolExecutionNotifications");
        for notification in notifications
            .and_then(|list| list.as_array())
            .into_iter()
            .flatten()
        {
            let descriptor = &notification["descriptor"];
            let index = usize::try_from(descriptor["index"].as_u64().unwrap()).unwrap();
            assert_eq!(driver["notifications"][index]["id"], descriptor["id"]);
        }
        assert_eq!(
            run["invocations"][0]["executionSuccessful"],
            report.failures.is_empty()
        );
    }
}
