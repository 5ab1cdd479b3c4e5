//! Servers other than github.com: one of one's own, and ghe.com. Their own issuers are asked, and nobody else's.

use serde_json::{Value, json};

use super::Stage;
use super::claims::{COMMIT, failure, image, rules, statement};

const SERVER: &str = "https://ghes.example";
const SERVERS_ISSUER: &str = "https://ghes.example/_services/token";
const RESIDENCY: &str = "https://octo.ghe.com";
const RESIDENCYS_ISSUER: &str = "https://token.actions.octo.ghe.com";

/// What a job on another GitHub has: its address, and what names its issuer.
fn server(address: &str) -> [(&str, &str); 1] {
    [("GITHUB_SERVER_URL", address)]
}

/// Everything that a Statement says of where it was built is below this address.
fn assert_built_at(statement: &Value, address: &str) {
    let (home, reference) = (format!("{address}/octo-org/app"), "refs/heads/main");
    let workflow = format!("{home}/.github/workflows/release.yml@{reference}");
    let definition = &statement["predicate"]["buildDefinition"];
    let run = &statement["predicate"]["runDetails"];
    assert_eq!(run["builder"]["id"], workflow);
    assert_eq!(
        run["metadata"]["invocationId"],
        format!("{home}/actions/runs/42/attempts/1")
    );
    assert_eq!(definition["externalParameters"]["workflow"]["repository"], home);
    assert_eq!(
        definition["resolvedDependencies"],
        json!([{ "uri": format!("git+{home}@{reference}"), "digest": { "gitCommit": COMMIT } }])
    );
    assert!(
        !statement.to_string().contains("https://github.com/"),
        "{statement}"
    );
}

#[test]
fn a_server_of_ones_own_vouches_once_its_issuer_is_named() {
    let stage = Stage::of_issuer(SERVERS_ISSUER);
    let named = format!("--token-issuer={SERVERS_ISSUER}");
    let ended = stage.run_by_host(&image(&stage), &server(SERVER), &[&named]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let build = &ended.report["build"];
    assert_eq!(
        (&build["claimsVerified"], &build["issuer"]),
        (&json!(true), &json!(SERVERS_ISSUER))
    );
    assert_eq!(build["level"]["supported"], 2);
    let found = rules(&ended.report);
    assert!(
        !found.contains(&"CSN034") && !found.contains(&"CSN036"),
        "{found:?}"
    );
    assert_built_at(&statement(&stage), SERVER);
    // Whoever deploys asks for that builder and that source.
    let expect = json!({ "attestations": [{ "type": "provenance", "source": format!("{SERVER}/octo-org/app"),
        "builder": format!("{SERVER}/octo-org/app/.github/workflows/release.yml@**") }] });
    std::fs::write(stage.path("expect.json"), expect.to_string()).unwrap();
    let image = format!("{}/web:1.4", stage.host);
    let ended = stage.verify(&["--expect=expect.json", &image]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let other = expect.to_string().replace(SERVER, "https://github.com");
    std::fs::write(stage.path("expect.json"), other).unwrap();
    let ended = stage.verify(&["--expect=expect.json", &image]);
    assert_eq!(ended.code, 1, "{}", ended.everything());
    let found = rules(&ended.report);
    assert!(
        found.contains(&"CSN030") && found.contains(&"CSN031"),
        "{found:?}"
    );
}

#[test]
fn a_name_under_ghe_com_is_known_without_being_named() {
    let named = format!("--token-issuer={RESIDENCYS_ISSUER}");
    for more in [&[][..], &[named.as_str()]] {
        let stage = Stage::of_issuer(RESIDENCYS_ISSUER);
        let ended = stage.run_by_host(&image(&stage), &server(RESIDENCY), more);
        assert_eq!(ended.code, 0, "{}", ended.everything());
        let build = &ended.report["build"];
        let expected = (&json!(true), &json!(RESIDENCYS_ISSUER));
        assert_eq!((&build["claimsVerified"], &build["issuer"]), expected);
        assert_eq!(build["level"]["supported"], 2);
        assert_built_at(&statement(&stage), RESIDENCY);
    }
}

/// The token, the variable and the input each name a GitHub; where they do not agree nothing is signed, whichever of
/// them is the odd one.
#[test]
fn a_token_by_another_issuer_than_the_expected_one_is_refused() {
    let named = format!("--token-issuer={SERVERS_ISSUER}");
    let github = "https://token.actions.githubusercontent.com";
    for (issuer, claimed, address, more, expected, found) in [
        // A token of github.com on a server, and the other way round.
        (
            SERVERS_ISSUER,
            Some(github),
            SERVER,
            &[named.as_str()][..],
            SERVERS_ISSUER,
            github,
        ),
        (
            github,
            Some(SERVERS_ISSUER),
            "https://github.com",
            &[],
            github,
            SERVERS_ISSUER,
        ),
        // An enterprise's name stands behind the address of github.com alone.
        (
            SERVERS_ISSUER,
            Some("https://ghes.example/_services/token/octo"),
            SERVER,
            &[&named],
            SERVERS_ISSUER,
            "https://ghes.example/_services/token/octo",
        ),
        // Another tenant of ghe.com.
        (
            RESIDENCYS_ISSUER,
            Some("https://token.actions.other.ghe.com"),
            RESIDENCY,
            &[],
            RESIDENCYS_ISSUER,
            "https://token.actions.other.ghe.com",
        ),
    ] {
        let stage = Stage::of_issuer(issuer);
        if let Some(claimed) = claimed {
            stage.aws.cloud().issuer.set_claim("iss", json!(claimed));
        }
        let ended = stage.run_by_host(&image(&stage), &server(address), more);
        assert_eq!(ended.code, 4, "{}", ended.everything());
        let words = format!("iss: expected {expected}, found \"{found}\"");
        assert!(failure(&ended.report).contains(&words), "{}", ended.everything());
        assert_eq!(stage.signed_and_written(), (0, 0), "{address}");
    }
}

/// Of a variable that a step can set, only the names that are GitHub's own lead to an issuer.
#[test]
fn a_servers_variable_alone_leads_to_no_issuer() {
    let stage = Stage::of_issuer(SERVERS_ISSUER);
    let ended = stage.run_by_host(&image(&stage), &server(SERVER), &[]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    let build = &ended.report["build"];
    assert_eq!(
        (&build["claimsVerified"], &build["level"]["supported"]),
        (&json!(false), &json!(1))
    );
    let because = build["because"].as_str().unwrap();
    assert!(because.contains("token-issuer names it"), "{because}");
    assert!(rules(&ended.report).contains(&"CSN034"));
    assert_eq!(stage.asked("GET configuration") + stage.asked("GET keys"), 0);
    // What is named speaks for its own address, and a variable that says another is told and not believed.
    let stage = Stage::of_issuer(SERVERS_ISSUER);
    let named = format!("--token-issuer={SERVERS_ISSUER}");
    let ended = stage.run_by_host(&image(&stage), &server("https://github.com"), &[&named]);
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert!(rules(&ended.report).contains(&"CSN036"), "{}", ended.everything());
    assert_built_at(&statement(&stage), SERVER);
}

/// When a push was committed is in the payload of its event, and every attestation carries that time: another job of the
/// same commit, whose signatures are of another second, makes the same bytes.
#[test]
fn the_commits_time_in_the_events_payload_makes_the_same_bytes() {
    let attached = |payload: Option<&str>, variables: &[(&str, &str)]| {
        let stage = Stage::new();
        let event = stage.path("event.json");
        if let Some(payload) = payload {
            std::fs::write(&event, payload).unwrap();
        }
        let mut all = vec![("GITHUB_EVENT_PATH", event.to_str().unwrap())];
        all.extend(variables);
        let ended = stage.run_by_host(&image(&stage), &all, &[]);
        assert_eq!(ended.code, 0, "{}", ended.everything());
        let manifests = stage.registry.manifests("web").into_values();
        let mut provenance = manifests.filter_map(|stored| {
            let manifest: Value = serde_json::from_slice(&stored.bytes).unwrap();
            let is = manifest["artifactType"] == "application/vnd.in-toto.provenance+json";
            is.then(|| {
                (
                    manifest["annotations"]["org.opencontainers.image.created"].clone(),
                    stored.bytes,
                )
            })
        });
        provenance.next().unwrap()
    };
    let payload = json!({ "ref": "refs/heads/main", "head_commit": { "id": COMMIT,
        "timestamp": "2026-03-04T05:06:07+02:00" } })
    .to_string();
    let (created, bytes) = attached(Some(&payload), &[]);
    assert_eq!(created, "2026-03-04T03:06:07Z");
    assert_eq!(attached(Some(&payload), &[]).1, bytes);
    // Who says a time by hand is asked first.
    let (created, other) = attached(Some(&payload), &[("SOURCE_DATE_EPOCH", "1700000000")]);
    assert_eq!(created, "2023-11-14T22:13:20Z");
    assert_ne!(other, bytes);
    // A payload that says none, or cannot be read, is none: the time is that of the signature.
    for payload in [
        None,
        Some("{}"),
        Some(r#"{"head_commit":null}"#),
        Some(r#"{"head_commit":{"timestamp":"noon"}}"#),
    ] {
        let (created, _) = attached(payload, &[]);
        let created = created.as_str().unwrap();
        assert!(
            created.len() == 20 && !created.starts_with("2026-03-04"),
            "{created}"
        );
    }
}
