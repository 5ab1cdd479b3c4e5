//! What services say is text from outside: a registry's, STS's and AWS Signer's messages, and an image's own
//! annotations, are shown and never obeyed.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{Ended, Stage};
use crate::hosts::{corpus, parsed};
use crate::support::fault::{Fault, When};
use crate::support::http::Response;
use countersign::domain::oci::{Digest, MediaType};
use countersign::domain::report::Output;

/// Each of the operations whose words reach the log, and the form in which its service refuses.
fn refusals(text: &str) -> [(&'static str, &'static str, Response); 5] {
    let aws = |status: u16, code: &str| {
        Response::json(status, &json!({ "message": text, "Message": text, "code": code }))
            .with("x-amzn-errortype", "AccessDeniedException")
    };
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace(|c: char| c.is_control() && c != '\n', " ");
    let xml = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{escaped}</Message></Error></ErrorResponse>"
    );
    [
        ("sts", "AssumeRoleWithWebIdentity", Response::text(403, &xml)),
        ("ecr", "GetAuthorizationToken", aws(400, "AccessDeniedException")),
        ("signer", "SignPayload", aws(403, "AccessDeniedException")),
        (
            "registry",
            "GET manifest",
            Response::registry_error(403, "DENIED", text),
        ),
        (
            "registry",
            "PUT manifest",
            Response::registry_error(400, text, text),
        ),
    ]
}

/// A run on GitHub, with files for its outputs and its summary.
fn run(stage: &Stage, image: &str) -> Ended {
    let mut command = stage.run_command(&[image], "https://example.com/source", &["-v"]);
    for name in ["output", "summary"] {
        fs::write(stage.path(name), "").unwrap();
    }
    command
        .env("GITHUB_OUTPUT", stage.path("output"))
        .env("GITHUB_STEP_SUMMARY", stage.path("summary"));
    stage.finish(&mut command)
}

/// Nothing is a command, a colour, a forged output or markup of somebody else's.
fn harmless(stage: &Stage, ended: &Ended, context: &str) {
    let streams = format!("{}\n{}", ended.data, ended.words);
    assert!(!streams.contains("##["), "{context}: {streams}");
    let ours = ["error", "warning", "notice", "group", "endgroup"];
    for line in streams.split(['\n', '\r']) {
        let Some(command) = line.trim_start().strip_prefix("::") else {
            continue;
        };
        let name = command.split([' ', ':']).next().unwrap();
        assert!(ours.contains(&name), "{context}: {line}");
        // Ours have a title.
        assert!(!line.trim_start().starts_with("::error::"), "{context}: {line}");
    }
    let obeyed = ['\u{7}', '\u{0}', '\r', '\u{202e}', '\u{2066}', '\u{2028}'];
    assert!(!streams.contains(obeyed), "{context}: {streams}");
    assert!(
        !streams.contains("\u{1b}[2J") && !streams.contains("\u{1b}]"),
        "{context}"
    );
    assert!(streams.lines().all(|line| line.len() < 16_384), "{context}");
    let names: Vec<_> = parsed(&fs::read_to_string(stage.path("output")).unwrap())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let known: Vec<_> = Output::ALL
        .iter()
        .map(|output| output.name().to_owned())
        .collect();
    assert_eq!(names, known, "{context}");
    let summary = fs::read_to_string(stage.path("summary")).unwrap();
    assert!(
        !summary.contains("##[") && summary.len() < 1024 * 1024,
        "{context}"
    );
    let outside: String = summary.split('`').step_by(2).collect();
    for markup in ["<script", "<img", "](javascript", "<!--"] {
        assert!(!outside.contains(markup), "{context}: {summary}");
    }
    assert!(!stage.path("forged").exists() && !Path::new("forged").exists());
}

#[test]
fn what_services_say_is_shown_and_not_obeyed() {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    let texts = corpus();
    for text in &texts {
        for (service, operation, answer) in refusals(text) {
            let context = format!(
                "{service} {operation}: {:?}",
                text.chars().take(60).collect::<String>()
            );
            stage.world.no_more_faults();
            stage
                .world
                .fault(service, operation, When::Always, Fault::Answer(answer));
            let ended = run(&stage, &image);
            assert!(
                [3, 4].contains(&ended.code),
                "{context}: {} {}",
                ended.code,
                ended.everything()
            );
            harmless(&stage, &ended, &context);
            assert_ne!(ended.report["verdict"], "passed", "{context}");
        }
    }
}

#[test]
fn what_an_image_says_of_itself_is_shown_and_not_obeyed() {
    let stage = Stage::new();
    let config = json!({ "architecture": "amd64", "os": "linux", "config": {}, "rootfs": { "type": "layers", "diff_ids": [] } });
    let config = config.to_string().into_bytes();
    stage.registry.put_blob("web", &config);
    stage.registry.put_blob("web", b"a layer");
    for text in corpus() {
        let text: String = text.chars().take(50_000).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": { "mediaType": MediaType::OCI_CONFIG, "digest": Digest::of(&config), "size": config.len() },
            "layers": [{ "mediaType": MediaType::OCI_LAYER, "digest": Digest::of(b"a layer"), "size": 7 }],
            "annotations": {
                "org.opencontainers.image.created": text,
                "org.opencontainers.image.revision": text,
                "org.opencontainers.image.source": text,
                text.as_str(): "key",
            },
        });
        let bytes = manifest.to_string();
        let digest = stage
            .registry
            .put_manifest("web", None, &MediaType::OCI_MANIFEST, bytes.as_bytes());
        let context = format!("annotation {:?}", text.chars().take(60).collect::<String>());
        let ended = run(&stage, &format!("{}/web@{digest}", stage.host));
        assert_eq!(ended.code, 0, "{context}: {}", ended.everything());
        harmless(&stage, &ended, &context);
    }
}
