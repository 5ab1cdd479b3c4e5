//! What `BuildKit` left unsigned inside an index becomes signed referrers of the platforms, by the shipped binary.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;

use countersign::domain::oci::Digest;
use serde_json::Value;
use tempfile::TempDir;

use crate::judges::keep_statement;
use crate::support::World;
use crate::support::buildkit::{self, SPDX, V1, V02, statement};
use crate::support::registry::{Quirks, Registry};

const NOTARY: &str = "application/vnd.cncf.notary.signature";
const BUILDKIT: &str = "application/vnd.in-toto.buildkit-provenance+json";
const RUN: &str = "https://github.com/octo-org/app/actions/runs/42/attempts/1";

struct Stage {
    world: World,
    registry: Arc<Registry>,
    directory: TempDir,
}

struct Ended {
    code: i32,
    data: String,
    words: String,
    report: Value,
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let registry = world.registry(Quirks::default());
        registry.create("web");
        Self {
            world,
            registry,
            directory: TempDir::new().unwrap(),
        }
    }

    fn image(&self, reference: &str) -> String {
        format!("{}/web{reference}", self.registry.host())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(args)
            .arg("--signer=local")
            .env_clear()
            .env("HOME", self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    fn call(&self, args: &[&str]) -> Ended {
        let file = self.directory.path().join("countersign-report/report.json");
        let _ = fs::remove_file(&file);
        let output = self.command(args).output().unwrap();
        let report = fs::read(file).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
        Ended {
            code: output.status.code().unwrap(),
            data: String::from_utf8(output.stdout).unwrap(),
            words: String::from_utf8(output.stderr).unwrap(),
            report,
        }
    }

    /// A run that lifts, and attaches no provenance of its own.
    fn lift(&self, code: i32, more: &[&str]) -> Ended {
        let image = self.image(":1.4");
        let args = ["run", "--allow=**", "--provenance=off", "--lift-buildkit", &image];
        let ended = self.call(&[&args[..], more].concat());
        assert_eq!(ended.code, code, "{}\n{}", ended.data, ended.words);
        ended
    }

    /// What refers to a manifest, by what it carries.
    fn referrers(&self, of: &Digest, kind: &str) -> Vec<Digest> {
        let manifests = self.registry.manifests("web");
        let carries = |digest: &Digest| {
            let manifest: Value = serde_json::from_slice(&manifests[&digest.to_string()].bytes).unwrap();
            let own = manifest["artifactType"].as_str();
            own.or(manifest["config"]["mediaType"].as_str()) == Some(kind)
        };
        let referrers = self.registry.referrers("web", of).into_iter();
        referrers.filter(carries).collect()
    }

    /// The document of the one attestation of a kind, which is signed once.
    fn document(&self, of: &Digest, kind: &str) -> (Value, Value) {
        let found = self.referrers(of, kind);
        assert_eq!(found.len(), 1, "{kind} on {of}");
        assert_eq!(self.referrers(&found[0], NOTARY).len(), 1, "{kind} on {of}");
        let manifest: Value =
            serde_json::from_slice(&self.registry.manifests("web")[&found[0].to_string()].bytes).unwrap();
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let bytes = &self.registry.blobs("web")[layer];
        if kind == BUILDKIT {
            keep_statement(bytes);
        }
        let document = serde_json::from_slice(bytes).unwrap();
        (manifest, document)
    }

    fn written(&self) -> usize {
        let entries = self.world.ledger().entries();
        let writes = ["PUT", "POST", "DELETE", "PATCH"];
        let is_write =
            |entry: &&crate::support::ledger::Entry| writes.contains(&entry.request.method.as_str());
        entries.iter().filter(is_write).count()
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect()
}

/// The rules that fired, in their order.
fn rules(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap().iter();
    let mut rules: Vec<&str> = findings.map(|one| one["rule"].as_str().unwrap()).collect();
    rules.sort_unstable();
    rules
}

#[test]
fn provenance_and_bills_of_materials_of_both_layouts_are_attached_to_their_platforms_and_signed() {
    let stage = Stage::new();
    let (index, platforms) = buildkit::built(&stage.registry, "1.4", RUN);
    let planned = stage.lift(0, &["--dry-run"]);
    assert_eq!(stage.written(), 0);
    let plans: Vec<&Value> = planned.report["targets"].as_array().unwrap().iter().collect();
    assert_eq!(plans.len(), 3);
    assert!(strings(&plans[0]["plan"])[0].starts_with("sign: "));
    for plan in &plans[1..] {
        let lines = [
            "attest: no spdx with these claims is there",
            "attest: no buildkit-provenance with these claims is there",
        ];
        assert_eq!(strings(&plan["plan"]), lines);
    }

    let ended = stage.lift(0, &[]);
    assert_eq!(stage.referrers(&index, NOTARY).len(), 1);
    for (platform, version, name) in [(&platforms[0], V1, "amd64"), (&platforms[1], V02, "arm64")] {
        assert_eq!(stage.referrers(platform, NOTARY), [], "{name} was not asked for");
        let (manifest, bom) = stage.document(platform, "application/spdx+json");
        assert_eq!(bom, buildkit::spdx(name));
        assert_eq!(manifest["layers"][0]["mediaType"], "application/spdx+json");
        let (manifest, document) = stage.document(platform, BUILDKIT);
        assert_eq!(manifest["annotations"]["in-toto.io/predicate-type"], version);
        // The time of the image's configuration, so that the bytes are the same whenever they are made.
        assert_eq!(
            manifest["annotations"]["org.opencontainers.image.created"],
            "2026-02-03T04:05:06Z"
        );
        assert_eq!(
            document,
            serde_json::json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": version,
                "subject": [{"name": stage.image(""), "digest": {"sha256": platform.hex()}}],
                "predicate": buildkit::provenance(version, RUN)})
        );
    }
    let report = &ended.report;
    assert!(
        ended
            .data
            .contains("1 image signed, attached to 2 images and signed there; 3 images self-checked"),
        "{}",
        ended.data
    );
    assert_eq!(
        (&report["targets"][0]["state"], &report["targets"][1]["state"]),
        (&"signed".into(), &"attested".into())
    );
    assert_eq!(rules(report), ["CSN013"], "{report:#}");
    let targets = report["targets"].as_array().unwrap();
    let digests: Vec<&str> = targets
        .iter()
        .map(|target| target["digest"].as_str().unwrap())
        .collect();
    assert_eq!(
        digests,
        [
            index.to_string(),
            platforms[0].to_string(),
            platforms[1].to_string()
        ]
    );
    assert_eq!(strings(&targets[1]["platforms"]), ["linux/amd64"]);
    let verdicts = targets[1]["attestations"].as_array().unwrap();
    assert!(
        verdicts.len() == 2 && verdicts.iter().all(|one| one["verdict"] == "accepted"),
        "{report:#}"
    );

    stage.world.ledger().clear();
    let again = stage.lift(0, &[]);
    assert_eq!(stage.written(), 0);
    let states = again.report["targets"].as_array().unwrap().iter();
    assert!(
        states.into_iter().all(|target| target["state"] == "kept"),
        "{:#}",
        again.report
    );
}

#[test]
fn what_was_lifted_is_verified_expected_shown_and_downloaded_as_any_other_attestation() {
    let stage = Stage::new();
    let (_, platforms) = buildkit::built(&stage.registry, "1.4", RUN);
    stage.lift(0, &[]);
    let expect = |text: &str| fs::write(stage.directory.path().join("expect.yml"), text).unwrap();
    for (platform, at) in [
        (&platforms[0], "/predicate/runDetails/builder/id"),
        (&platforms[1], "/predicate/builder/id"),
    ] {
        let image = stage.image(&format!("@{platform}"));
        let verify = ["verify", "--expect", "expect.yml", &image];
        let on = format!(
            "attestations:\n  - type: buildkit-provenance\n    conditions: [{{ at: {at}, matches: \"https://github.com/octo-org/app/**\" }}]\n  - type: spdx\n    conditions: [{{ at: /predicate/packages/0/name, equals: musl }}]\n"
        );
        expect(&on);
        let ended = stage.call(&verify);
        // The platform itself is not signed, and nothing else is wrong.
        let findings = ended.report["findings"].as_array().unwrap();
        let rules: Vec<&str> = findings.iter().map(|one| one["rule"].as_str().unwrap()).collect();
        assert_eq!((ended.code, rules), (1, vec!["CSN001"]), "{}", ended.data);
        // It is not the provenance of a run, which somebody vouches for.
        expect("attestations:\n  - type: provenance\n");
        let ended = stage.call(&verify);
        let missing = ended.report["findings"].to_string();
        assert!(missing.contains("CSN020"), "{missing}");
    }
    let signed = stage.lift(0, &["--recursive=platforms"]);
    assert_eq!(signed.report["targets"].as_array().unwrap().len(), 3);
    let image = stage.image(&format!("@{}", platforms[0]));
    expect("attestations:\n  - type: buildkit-provenance\n  - type: spdx\n");
    let ended = stage.call(&["verify", "--expect", "expect.yml", &image]);
    assert_eq!(ended.code, 0, "{}", ended.data);
    let shown = stage.call(&["inspect", &image]);
    assert!(
        shown.data.contains("buildkit-provenance")
            && shown.data.contains(&format!("built by BuildKit for {RUN}")),
        "{}",
        shown.data
    );
    let ended = stage.call(&["download", "--to", "got", &image]);
    assert_eq!(ended.code, 0, "{}", ended.data);
    let files = fs::read_dir(stage.directory.path().join("got")).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(
        names.len() == 2
            && names[0].starts_with("buildkit-provenance-sha256-")
            && names[1].starts_with("spdx-"),
        "{names:?}"
    );
}

/// Expectations are held against everything that is judged, each by what hangs on it: a run's provenance on the index that
/// was named, what was lifted on its platforms.
#[test]
fn what_is_expected_of_an_index_and_of_its_platforms_is_asked_of_each_by_itself() {
    let stage = Stage::new();
    let (index, platforms) = buildkit::built(&stage.registry, "1.4", RUN);
    let named = stage.image(&format!("@{index}"));
    let each = platforms
        .clone()
        .map(|platform| stage.image(&format!("@{platform}")));
    let build = "--builder-id=https://ci.example/b --source=https://git.example/app";
    let run = "run --allow=** --lift-buildkit --recursive=platforms";
    let args = run.split(' ').chain(build.split(' ')).chain([named.as_str()]);
    let ended = stage.call(&args.collect::<Vec<_>>());
    assert_eq!(ended.code, 0, "{}", ended.data);
    let expecting = |text: &str, rest: &[&str]| {
        fs::write(stage.directory.path().join("expect.yml"), text).unwrap();
        stage.call(&[&["verify", "--expect=expect.yml"][..], rest].concat())
    };
    for (text, rest) in [
        ("attestations: [{type: provenance}]", vec![named.as_str()]),
        (
            "attestations: [{type: spdx}, {type: buildkit-provenance}]",
            each.iter().map(String::as_str).collect(),
        ),
    ] {
        let ended = expecting(text, &rest);
        assert_eq!((ended.code, rules(&ended.report)), (0, vec![]), "{}", ended.data);
    }
    // Together they miss on both: nobody says that a document about a platform is one about its index, or the reverse.
    let both = "attestations: [{type: provenance}, {type: spdx}]";
    let ended = expecting(both, &["--recursive=platforms", &named]);
    let findings = ended.report["findings"].as_array().unwrap();
    let missed = findings
        .iter()
        .map(|one| (one["digest"].as_str(), one["rule"].as_str()));
    let missed: Vec<_> = missed
        .map(|(digest, rule)| (digest.unwrap(), rule.unwrap()))
        .collect();
    let [of_index, of_amd, of_arm] =
        [&index, &platforms[0], &platforms[1]].map(std::string::ToString::to_string);
    let all = [of_index, of_amd, of_arm];
    let expected: Vec<_> = all.iter().map(|digest| (digest.as_str(), "CSN020")).collect();
    assert_eq!((ended.code, missed), (1, expected), "{}", ended.data);
}

#[test]
fn our_own_provenance_and_buildkits_stand_side_by_side_and_neither_replaces_the_other() {
    let stage = Stage::new();
    let (index, platforms) = buildkit::built(&stage.registry, "1.4", RUN);
    let (index_image, platform_image) = (
        stage.image(&format!("@{index}")),
        stage.image(&format!("@{}", platforms[0])),
    );
    let run = |lift: bool| {
        let mut args = vec!["run", "--allow=**", &index_image, &platform_image];
        args.extend([
            "--builder-id",
            "https://ci.example/b",
            "--source",
            "https://git.example/app",
        ]);
        args.extend(lift.then_some("--lift-buildkit"));
        let ended = stage.call(&args);
        assert_eq!(ended.code, 0, "{}", ended.data);
        ended
    };
    run(false);
    let ended = run(true);
    let ours = "application/vnd.in-toto.provenance+json";
    for kind in [ours, BUILDKIT, "application/spdx+json"] {
        stage.document(&platforms[0], kind);
    }
    let findings = ended.report["findings"].to_string();
    assert!(!findings.contains("CSN027"), "{findings}");
    stage.world.ledger().clear();
    run(true);
    run(false);
    assert_eq!(stage.written(), 0);
    stage.document(&platforms[0], BUILDKIT);
}

#[test]
fn what_does_not_fit_its_platform_is_refused_and_nothing_is_written() {
    type Wrong = fn(&Registry, &Value, &Value) -> Vec<Value>;
    fn of(entry: &Value) -> String {
        entry["digest"].as_str().unwrap().to_owned()
    }
    let cases: [(&str, Wrong); 6] = [
        ("expected nothing but sha256:", |registry, amd, arm| {
            let about_arm = statement(&of(arm), SPDX, &buildkit::spdx("x"));
            vec![buildkit::attestation(registry, amd, &[(SPDX, about_arm)], false)]
        }),
        (
            "vnd.docker.reference.digest: expected the digest of a platform",
            |registry, amd, _| {
                let good = statement(&of(amd), SPDX, &buildkit::spdx("x"));
                let mut entry = buildkit::attestation(registry, amd, &[(SPDX, good)], false);
                entry["annotations"]["vnd.docker.reference.digest"] =
                    format!("sha256:{}", "0".repeat(64)).into();
                vec![entry]
            },
        ),
        ("subject: expected sha256:", |registry, amd, arm| {
            let good = statement(&of(amd), SPDX, &buildkit::spdx("x"));
            let mut entry = buildkit::attestation(registry, arm, &[(SPDX, good)], true);
            entry["annotations"]["vnd.docker.reference.digest"] = of(amd).into();
            vec![entry]
        }),
        ("as its layer says", |registry, amd, _| {
            let forged = statement(&of(amd), V1, &buildkit::provenance(V1, RUN));
            vec![buildkit::attestation(registry, amd, &[(SPDX, forged)], false)]
        }),
        ("not an in-toto Statement", |registry, amd, _| {
            vec![buildkit::attestation(
                registry,
                amd,
                &[(SPDX, serde_json::json!({"spdxVersion": "SPDX-2.3"}))],
                false,
            )]
        }),
        ("spdxVersion", |registry, amd, _| {
            let wrong = statement(&of(amd), SPDX, &serde_json::json!({"bomFormat": "CycloneDX"}));
            vec![buildkit::attestation(registry, amd, &[(SPDX, wrong)], false)]
        }),
    ];
    for (said, wrong) in cases {
        let stage = Stage::new();
        let (amd, arm) = (
            buildkit::image(&stage.registry, "amd64"),
            buildkit::image(&stage.registry, "arm64"),
        );
        let attestations = wrong(&stage.registry, &amd, &arm);
        let entries: Vec<&Value> = [&amd, &arm].into_iter().chain(&attestations).collect();
        buildkit::index(&stage.registry, "1.4", &entries);
        let ended = stage.lift(1, &[]);
        let failures = ended.report["failures"].to_string();
        assert!(
            failures.contains(said) && failures.contains("could not lift BuildKit's attestation sha256:"),
            "{said}: {failures}"
        );
        assert_eq!(stage.written(), 0, "{said}");
    }
}

#[test]
fn what_cannot_be_vouched_for_is_left_and_named_in_the_plan() {
    let stage = Stage::new();
    let amd = buildkit::image(&stage.registry, "amd64");
    let about = amd["digest"].as_str().unwrap().to_owned();
    // A provenance that claims the builder of a run would be taken for one if we signed it.
    let mut forged = buildkit::provenance(
        V1,
        "https://github.com/octo-org/app/.github/workflows/release.yml@refs/heads/main",
    );
    forged["buildDefinition"]["buildType"] = "https://actions.github.io/buildtypes/workflow/v1".into();
    let statements = [
        (SPDX, statement(&about, SPDX, &buildkit::spdx("image"))),
        (SPDX, statement(&about, SPDX, &buildkit::spdx("stage"))),
        (V1, statement(&about, V1, &forged)),
        (
            "https://example.com/x",
            statement(&about, "https://example.com/x", &serde_json::json!({})),
        ),
    ];
    let attestation = buildkit::attestation(&stage.registry, &amd, &statements, false);
    buildkit::index(&stage.registry, "1.4", &[&amd, &attestation]);
    let ended = stage.lift(0, &[]);
    let plan = strings(&ended.report["targets"][1]["plan"]);
    assert_eq!(
        plan,
        [
            "leave BuildKit's \"https://example.com/x\": only its own provenance and SPDX are lifted",
            "leave BuildKit's \"https://slsa.dev/provenance/v1\": only its own provenance and SPDX are lifted",
            "leave BuildKit's spdx: expected one about the platform, found 2 and nothing that tells which",
        ]
    );
    assert_eq!(stage.registry.referrers("web", &buildkit::digest(&amd)), []);
}

#[test]
fn an_image_without_attestations_of_buildkit_is_signed_and_that_is_said() {
    let stage = Stage::new();
    let amd = buildkit::image(&stage.registry, "amd64");
    buildkit::index(&stage.registry, "1.4", &[&amd]);
    let ended = stage.lift(0, &[]);
    // Named by a tag, and nothing to lift.
    assert_eq!(rules(&ended.report), ["CSN013", "CSN020"]);
    let findings = ended.report["findings"].as_array().unwrap().iter();
    assert!(findings.into_iter().all(|finding| finding["level"] == "note"));
    assert!(ended.report["targets"].as_array().unwrap().len() == 1);
}

#[test]
fn a_document_that_was_given_for_a_platform_comes_before_what_buildkit_says() {
    let stage = Stage::new();
    let (index, platforms) = buildkit::built(&stage.registry, "1.4", RUN);
    fs::write(
        stage.directory.path().join("bom.json"),
        buildkit::spdx("given").to_string(),
    )
    .unwrap();
    let images = [
        stage.image(&format!("@{index}")),
        stage.image(&format!("@{}", platforms[0])),
    ];
    let run = || {
        let args = [
            "run",
            "--allow=**",
            "--provenance=off",
            "--lift-buildkit",
            "--attest=spdx=bom.json",
        ];
        let ended = stage.call(&[&args[..], &[&images[0], &images[1]]].concat());
        assert_eq!(ended.code, 0, "{}", ended.data);
    };
    run();
    let (_, bom) = stage.document(&platforms[0], "application/spdx+json");
    assert_eq!(bom["name"], "given");
    let (_, bom) = stage.document(&platforms[1], "application/spdx+json");
    assert_eq!(bom["name"], "arm64");
    stage.world.ledger().clear();
    run();
    assert_eq!(stage.written(), 0);
}

#[test]
fn the_guide_s_commands_do_what_it_says() {
    let stage = Stage::new();
    let (_, platforms) = buildkit::built(&stage.registry, "1.4", RUN);
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guides/attaching.md");
    let guide = fs::read_to_string(guide).unwrap();
    let block = guide.split("tests/integration/lift.rs runs it").nth(1).unwrap();
    let block = block
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let program = env!("CARGO_BIN_EXE_countersign");
    let output = Command::new("sh")
        .args([
            "-e",
            "-c",
            &block.replace("countersign ", &format!("'{program}' ")),
        ])
        .env_clear()
        .env("HOME", stage.directory.path())
        .env("REGISTRY", stage.registry.host().to_string())
        .env("PLATFORM", platforms[0].to_string())
        .current_dir(stage.directory.path())
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("built by BuildKit"), "{said}");
    let got = fs::read_dir(stage.directory.path().join("attestations")).unwrap();
    assert_eq!(got.count(), 2);
    stage.document(&platforms[1], BUILDKIT);
}

/// An index of one shared platform with a bill of materials of its own by this name, under a tag.
fn sharing(stage: &Stage, tag: &str) -> Digest {
    let amd = buildkit::image(&stage.registry, "amd64");
    let about = amd["digest"].as_str().unwrap().to_owned();
    let bom = statement(&about, SPDX, &buildkit::spdx(tag));
    let attestation = buildkit::attestation(&stage.registry, &amd, &[(SPDX, bom)], false);
    buildkit::index(&stage.registry, tag, &[&amd, &attestation]);
    buildkit::digest(&amd)
}

#[test]
fn what_two_indexes_say_of_one_platform_stands_side_by_side() {
    let stage = Stage::new();
    let platform = sharing(&stage, "1.4");
    assert_eq!(sharing(&stage, "b"), platform);
    let other = stage.image(":b");
    stage.lift(0, &[&other]);
    let first = stage.referrers(&platform, "application/spdx+json");
    assert_eq!(first.len(), 2);
    stage.world.ledger().clear();
    let again = stage.lift(0, &[&other]);
    assert_eq!(stage.written(), 0, "{:#}", again.report);
    assert_eq!(stage.referrers(&platform, "application/spdx+json"), first);
    assert!(rules(&again.report).contains(&"CSN027"), "{:#}", again.report);
}

#[test]
fn a_document_that_a_person_gave_earlier_is_not_replaced_by_what_is_lifted() {
    let stage = Stage::new();
    let (_, platforms) = buildkit::built(&stage.registry, "1.4", RUN);
    let given = buildkit::spdx("given").to_string();
    fs::write(stage.directory.path().join("bom.json"), given).unwrap();
    let image = stage.image(&format!("@{}", platforms[0]));
    let ended = stage.call(&["attest", "--allow=**", "--attest=spdx=bom.json", &image]);
    assert_eq!(ended.code, 0, "{}\n{}", ended.data, ended.words);
    let ended = stage.lift(0, &[]);
    let (_, bom) = stage.document(&platforms[0], "application/spdx+json");
    assert_eq!(bom["name"], "given");
    stage.document(&platforms[0], BUILDKIT);
    let plan = strings(&ended.report["targets"][1]["plan"]).concat();
    assert!(
        plan.contains("leave BuildKit's spdx: expected none of ours on the platform, found "),
        "{plan}"
    );
    stage.world.ledger().clear();
    stage.lift(0, &[]);
    assert_eq!(stage.written(), 0);
}
