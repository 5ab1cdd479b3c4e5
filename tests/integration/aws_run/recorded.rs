//! CodeBuild's own record of a build: what is believed of it, what is said without it, and what a push after its beginning
//! ties.

use serde_json::{Value, json};

use super::claims::{COMMIT, failure, good_labels, image, labelled, rules, statement};
use super::{Ended, LATENCY, Stage};
use crate::support::aws::codebuild::{BEGAN, BUILD, arn, record};
use crate::support::aws::{CANARY, PROFILE, REGION};
use crate::support::fault::{Fault, When};

const PROJECT: &str = "arn:aws:codebuild:eu-west-1:111122223333:project/web";

/// A build of CodeBuild with its role's credentials, these variables, and what the host says of it.
fn build(stage: &Stage, variables: &[(&str, &str)], more: &[&str]) -> Ended {
    let (key, known) = stage.aws.session("codebuild");
    let (build, session) = (arn(BUILD), known.session.clone().unwrap());
    let store = stage.root.path().to_str().unwrap().to_owned();
    let usual = [
        ("AWS_ACCESS_KEY_ID", key.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &known.secret),
        ("AWS_SESSION_TOKEN", &session),
        ("AWS_REGION", REGION),
        ("CODEBUILD_BUILD_ARN", &build),
        ("CODEBUILD_BUILD_SUCCEEDING", "1"),
        ("CODEBUILD_INITIATOR", "GitHub-Hookshot/1a2b3c4"),
        ("CODEBUILD_SOURCE_REPO_URL", "https://github.com/octo-org/web.git"),
        ("CODEBUILD_SOURCE_VERSION", "main"),
        ("CODEBUILD_RESOLVED_SOURCE_VERSION", COMMIT),
        ("CODEBUILD_START_TIME", "1785578400123"),
    ];
    let args = ["run", "--trust-store", &store, "--signing-profile", PROFILE];
    let mut command = stage.elsewhere(&[&args, more].concat(), &usual);
    command.envs(variables.iter().copied());
    stage.finish(&mut command)
}

fn asked(stage: &Stage) -> usize {
    stage.world.ledger().count("codebuild", "BatchGetBuilds")
}

/// The finding of a rule.
fn finding<'a>(ended: &'a Ended, rule: &str) -> Option<&'a Value> {
    let findings = ended.report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["rule"] == rule)
}

#[test]
fn every_field_comes_from_the_record_and_its_variables_from_nowhere() {
    let stage = Stage::new();
    let ended = build(
        &stage,
        &[("CODEBUILD_BATCH_BUILD_IDENTIFIER", "linux")],
        &[&image(&stage)],
    );
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let report = &ended.report["build"];
    assert_eq!(report["record"], arn(BUILD));
    assert_eq!(
        (&report["claimsVerified"], &report["because"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(report["variables"], json!(["CODEBUILD_BATCH_BUILD_IDENTIFIER"]));
    assert_eq!(report["level"]["supported"], 1);
    let reason = report["level"]["reasons"][0].as_str().unwrap();
    assert!(
        reason.contains("which build's record was read is the job's word"),
        "{reason}"
    );
    assert!(
        !rules(&ended.report).contains(&"CSN034"),
        "{}",
        ended.everything()
    );
    assert!(
        !rules(&ended.report).contains(&"CSN036"),
        "{}",
        ended.everything()
    );
    let predicate = &statement(&stage)["predicate"];
    assert_eq!(predicate["runDetails"]["builder"]["id"], PROJECT);
    assert_eq!(
        predicate["buildDefinition"]["externalParameters"],
        json!({ "project": PROJECT, "source": "https://github.com/octo-org/web.git", "sourceVersion": "main" })
    );
    assert_eq!(
        predicate["buildDefinition"]["internalParameters"]["image"],
        "aws/codebuild/standard:7.0"
    );
    assert_eq!(
        predicate["runDetails"]["metadata"]["startedOn"],
        "2026-08-01T10:00:00Z"
    );
    assert!(!predicate.to_string().contains("PASSWORD"));
    assert_eq!(
        ended.report["requests"]["codebuild"],
        json!({ "BatchGetBuilds": 1 })
    );
    assert_eq!(asked(&stage), 1);

    // The same build again writes nothing.
    stage.world.ledger().clear();
    let ended = build(&stage, &[], &[&format!("{}/web:1.4", stage.host)]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let (signed, _) = stage.signed_and_written();
    assert_eq!(signed, 0, "{}", ended.everything());
}

#[test]
fn variables_that_contradict_the_record_are_told_and_not_believed() {
    let stage = Stage::new();
    let planted = [
        ("CODEBUILD_RESOLVED_SOURCE_VERSION", "f".repeat(40)),
        ("CODEBUILD_SOURCE_REPO_URL", "https://evil.example/web".to_owned()),
    ];
    let planted = planted.each_ref().map(|(name, value)| (*name, value.as_str()));
    let ended = build(&stage, &planted, &[&image(&stage)]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let told = rules(&ended.report).into_iter().filter(|rule| *rule == "CSN036");
    assert_eq!(told.count(), 2, "{}", ended.everything());
    let words = finding(&ended, "CSN036").unwrap()["message"].as_str().unwrap();
    assert!(
        words.ends_with("than the service's own record of the build"),
        "{words}"
    );
    let statement = statement(&stage).to_string();
    assert!(
        !statement.contains("ffffffff") && !statement.contains("evil"),
        "{statement}"
    );
}

#[test]
fn without_the_permission_the_environment_speaks_and_the_permission_is_named() {
    let stage = Stage::new();
    let denied = "codebuild:BatchGetBuilds";
    stage.aws.cloud().state().denied.insert(denied.to_owned());
    let ended = build(&stage, &[], &[&image(&stage)]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(asked(&stage), 1, "a denial is not asked again");
    let finding = finding(&ended, "CSN034").unwrap();
    let wanted = format!("for which the role needs codebuild:BatchGetBuilds on \"{PROJECT}\"");
    assert!(
        finding["expected"].as_str().unwrap().ends_with(&wanted),
        "{finding}"
    );
    let because = ended.report["build"]["because"].as_str().unwrap();
    assert!(
        because.starts_with("the role may not do codebuild:BatchGetBuilds on"),
        "{because}"
    );
    let builder = &statement(&stage)["predicate"]["runDetails"]["builder"]["id"];
    assert!(
        builder.as_str().unwrap().ends_with("/codebuild.md#environment"),
        "{builder}"
    );
    // Whose word the beginning is, the time of a push proves nothing by.
    assert_eq!(ended.report["targets"][0]["binding"]["tie"], "none");
    assert_eq!(stage.world.ledger().count("ecr", "DescribeImages"), 0);
}

#[test]
fn a_service_that_does_not_answer_well_leaves_it_unknown() {
    for fault in [
        Fault::status(503),
        Fault::Reset,
        Fault::html(200),
        Fault::huge("application/x-amz-json-1.1", 3_000_000),
        Fault::edit(|response| {
            *response = crate::support::http::Response::json(200, &json!({ "buildsNotFound": [] }));
        }),
        Fault::Answer(
            crate::support::http::Response::json(
                400,
                &json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }),
            )
            .with("content-type", "application/x-amz-json-1.1"),
        ),
    ] {
        let stage = Stage::new();
        stage
            .world
            .fault("codebuild", "BatchGetBuilds", When::Always, fault);
        let ended = build(&stage, &[], &[&image(&stage)]);
        assert_eq!(ended.code, 0, "{}", ended.everything());
        assert!(rules(&ended.report).contains(&"CSN034"), "{}", ended.everything());
        let because = ended.report["build"]["because"].as_str().unwrap();
        assert!(because.starts_with("AWS CodeBuild BatchGetBuilds"), "{because}");
        assert!((1..=3).contains(&asked(&stage)), "{because}");
    }
    let stage = Stage::new();
    stage
        .world
        .fault("codebuild", "BatchGetBuilds", When::First(2), Fault::status(500));
    let ended = build(&stage, &[], &[&image(&stage)]);
    assert_eq!(
        ended.report["build"]["record"],
        arn(BUILD),
        "{}",
        ended.everything()
    );
}

#[test]
fn a_build_that_the_service_does_not_know_is_the_environments_word_and_one_that_is_over_is_an_error() {
    let stage = Stage::new();
    let image = image(&stage);
    let other = arn("web:none");
    let ended = build(&stage, &[("CODEBUILD_BUILD_ARN", &other)], &[&image]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let because = ended.report["build"]["because"].as_str().unwrap();
    assert!(
        because.starts_with("CodeBuild knows no build \"web:none\""),
        "{because}"
    );

    let stage = Stage::new();
    let image = super::claims::image(&stage);
    let mut over = record("web:over");
    over["buildStatus"] = json!("SUCCEEDED");
    stage
        .aws
        .cloud()
        .state()
        .builds
        .insert("web:over".to_owned(), over);
    let ended = build(&stage, &[("CODEBUILD_BUILD_ARN", &arn("web:over"))], &[&image]);
    assert_eq!(ended.code, 4, "{}", ended.everything());
    assert!(
        failure(&ended.report).contains("expected one that is running")
            || failure(&ended.report).contains("\"SUCCEEDED\""),
        "{}",
        ended.everything()
    );
    assert_eq!(stage.signed_and_written(), (0, 0));
}

#[test]
fn nobody_asks_where_a_person_describes_the_build_or_nothing_is_attested() {
    let typed = ["--builder-id=https://b.example/1", "--source=https://g.example/r"];
    for more in [&typed[..], &["--provenance=off"]] {
        let stage = Stage::new();
        let ended = build(&stage, &[], &[&[image(&stage).as_str()], more].concat());
        assert_eq!(ended.code, 0, "{}", ended.everything());
        assert_eq!(asked(&stage), 0);
    }
}

#[test]
fn no_level_that_needs_a_token_is_reached_by_a_record() {
    let stage = Stage::new();
    let ended = build(&stage, &[], &["--minimum-build-level=2", &image(&stage)]);
    assert_eq!(ended.code, 1, "{}", ended.everything());
    assert!(failure(&ended.report).starts_with("minimum-build-level: "));
    assert_eq!(stage.signed_and_written(), (0, 0));
}

#[test]
fn the_record_is_asked_for_once_and_meanwhile() {
    let stage = Stage::new();
    let image = image(&stage);
    labelled(&stage, &good_labels(), Some("labelled"));
    let other = format!("{}/web:labelled", stage.host);
    stage.world.set_latency(3 * LATENCY);
    let with = build(&stage, &[], &[&image, &other]);
    assert_eq!((with.code, asked(&stage)), (0, 1), "{}", with.everything());
    let waves = stage.world.ledger().waves();
    let entries = stage.world.ledger().entries();
    let at = entries
        .iter()
        .position(|entry| entry.operation == "BatchGetBuilds")
        .unwrap();
    let alone = |(wave, entry): (&usize, &crate::support::ledger::Entry)| {
        *wave == waves[at] && entry.operation != "BatchGetBuilds"
    };
    assert!(
        waves.iter().zip(&entries).any(alone),
        "something else runs in its wave"
    );
}

#[test]
fn a_push_after_the_build_began_ties_the_image_to_it() {
    let stage = Stage::new();
    let image = image(&stage);
    let ended = build(&stage, &[], &["--require-binding", &image]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["targets"][0]["binding"]["tie"], "pushed");
    assert!(finding(&ended, "CSN035").is_none());
    assert_eq!(stage.world.ledger().count("ecr", "DescribeImages"), 1);

    for (pushed, permitted, words) in [
        (
            BEGAN - 60.0,
            true,
            "not after the build began at 2026-08-01T10:00:00Z",
        ),
        (
            BEGAN + 60.0,
            false,
            "the registry does not say when the image was pushed",
        ),
    ] {
        let stage = Stage::new();
        let image = super::claims::image(&stage);
        let digest = image.split('@').nth(1).unwrap().to_owned();
        stage.aws.cloud().state().pushed.insert(digest, pushed);
        if !permitted {
            stage
                .aws
                .cloud()
                .state()
                .denied
                .insert("ecr:DescribeImages".to_owned());
        }
        let ended = build(&stage, &[], &["--require-binding", &image]);
        assert_eq!(ended.code, 1, "{}", ended.everything());
        assert!(failure(&ended.report).contains(words), "{}", ended.everything());
        assert_eq!(stage.signed_and_written(), (0, 0));
        let ended = build(&stage, &[], &[&image]);
        assert_eq!(ended.code, 0, "{}", ended.everything());
        assert_eq!(ended.report["targets"][0]["binding"]["tie"], "none");
        assert!(finding(&ended, "CSN035").is_some());
    }
}

#[test]
fn labels_tie_first_and_no_time_is_asked_for() {
    let stage = Stage::new();
    let labels = json!({ "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.source": "https://github.com/octo-org/web" });
    labelled(&stage, &labels, Some("labelled"));
    let ended = build(&stage, &[], &[&format!("{}/web:labelled", stage.host)]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["targets"][0]["binding"]["tie"], "labels");
    assert_eq!(stage.world.ledger().count("ecr", "DescribeImages"), 0);
}

#[test]
fn nothing_of_the_records_secrets_is_seen() {
    let stage = Stage::new();
    assert!(record(BUILD).to_string().contains(CANARY));
    let ended = build(&stage, &[], &["-v", &image(&stage)]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert!(!ended.everything().contains(CANARY));
}
