//! Bad input: the class, one message, the fix, and nothing half-done called done.

use serde_json::json;

use super::{Ended, Stage};
use crate::support::aws::signer::{Flaw, Profile};
use crate::support::aws::sts::Role;
use crate::support::aws::{ACCOUNT, PROFILE, ROLE};
use crate::support::fault::{Fault, When};

/// The image that everything is about.
fn staged() -> (Stage, String) {
    let stage = Stage::new();
    stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web:1.4", stage.host);
    (stage, image)
}

/// The code, and words that must be in the messages.
fn expect(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.everything());
    for word in words {
        assert!(
            ended.everything().contains(word),
            "{word}: {}",
            ended.everything()
        );
    }
}

#[test]
fn a_role_that_cannot_be_assumed_shows_who_asked() {
    let (stage, image) = staged();
    let roles = [(ROLE.to_owned(), Role::for_subjects(&["repo:other/app:*"]))];
    stage.aws.cloud().state().roles = roles.into();
    let ended = stage.run(&[&image]);
    expect(
        &ended,
        4,
        &["repo:octo-org/app:ref:refs/heads/main", "sts.amazonaws.com", ROLE],
    );
    assert_eq!(stage.signed_and_written(), (0, 0));
}

#[test]
fn a_job_without_the_permission_is_told_the_line() {
    let (stage, image) = staged();
    let store = stage.root.path().to_str().unwrap();
    let mut command = stage.command(&[
        "run",
        "--role-arn",
        ROLE,
        "--signing-profile",
        PROFILE,
        "--trust-store",
        store,
        "--provenance",
        "off",
        &image,
    ]);
    command.env_remove("ACTIONS_ID_TOKEN_REQUEST_URL");
    let ended = stage.finish(&mut command);
    expect(&ended, 4, &["may not have an identity token", "id-token: write"]);
    assert!(stage.world.ledger().is_empty());
}

#[test]
fn a_token_for_another_audience_or_of_the_past_is_refused() {
    let (stage, image) = staged();
    let ended = stage.run_with(&[&image], &["--audience", "somebody-else"]);
    expect(&ended, 4, &["somebody-else", "audience"]);
    stage.aws.cloud().issuer.set_lifetime(-600);
    expect(&stage.run(&[&image]), 4, &["expired"]);
}

#[test]
fn a_token_service_that_answers_nonsense_is_unavailable() {
    let (stage, image) = staged();
    stage
        .world
        .fault("oidc", "GET token", When::Always, Fault::html(200));
    expect(&stage.run(&[&image]), 3, &["token service", "no token"]);
}

#[test]
fn a_token_that_is_given_instead_of_named_is_not_echoed() {
    let (stage, image) = staged();
    let ended = stage.run_with(&[&image], &["--id-token", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"]);
    expect(&ended, 4, &["never the token itself"]);
    assert!(!ended.everything().contains("eyJhbGci"), "{}", ended.everything());
}

#[test]
fn profiles_that_cannot_sign_are_told_apart() {
    let (stage, image) = staged();
    let set = |change: fn(&mut Profile)| {
        let mut profile = Profile::new("release", "OF8IVUsPJq");
        change(&mut profile);
        let profiles = [(format!("{ACCOUNT}/release"), profile)];
        stage.aws.cloud().state().profiles = profiles.into();
    };
    set(|profile| profile.status = "Canceled".to_owned());
    expect(&stage.run(&[&image]), 4, &["anceled"]);
    set(|profile| profile.status = "Revoked".to_owned());
    expect(&stage.run(&[&image]), 4, &["evoked"]);
    set(|profile| profile.platform = "AWSLambda-SHA384-ECDSA".to_owned());
    expect(
        &stage.run(&[&image]),
        2,
        &["of another platform", "Notation-OCI-SHA384-ECDSA"],
    );
    stage.aws.cloud().state().profiles.clear();
    expect(&stage.run(&[&image]), 5, &["release"]);
    assert_eq!(stage.registry.manifests("web").len(), 1, "nothing was pushed");
}

#[test]
fn words_that_cannot_work_are_usage_and_contact_nobody() {
    let (stage, image) = staged();
    let run = |args: &[&str]| {
        let mut all = vec!["run", "--provenance", "off"];
        all.extend(args);
        stage.call(&all)
    };
    let lambda = "arn:aws:lambda:eu-west-1:111122223333:function:f";
    expect(
        &run(&["--signing-profile", lambda, &image]),
        2,
        &["expected an ARN of the service signer"],
    );
    let moon = "arn:aws-moon:signer:eu-west-1:111122223333:/signing-profiles/release";
    expect(&run(&["--signing-profile", moon, &image]), 2, &["aws-moon"]);
    let other = "registry.example.com/web:1";
    expect(
        &run(&["--signing-profile", PROFILE, other]),
        2,
        &[
            "registry.example.com/web",
            "IMAGE",
            ACCOUNT,
            "--allow 'registry.example.com/web'",
        ],
    );
    let outside = ["--signing-profile", PROFILE, "--allow", "*/other/**", &image];
    expect(&run(&outside), 2, &["*/other/**"]);
    expect(
        &run(&["--signing-profile", "release", "--allow", "**", other]),
        2,
        &["no AWS region is known"],
    );
    let china = "arn:aws-cn:signer:cn-north-1:111122223333:/signing-profiles/release";
    let chinese = "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/web:1";
    expect(
        &run(&["--signing-profile", china, chinese]),
        2,
        &["trust-store", "aws-cn"],
    );
    expect(
        &run(&[
            "--signing-profile",
            PROFILE,
            "--role-arn",
            "role/countersign",
            &image,
        ]),
        2,
        &["role-arn", "arn:aws:iam::ACCOUNT:role/NAME"],
    );
    expect(
        &run(&["--signing-profile", PROFILE, "--overrides", "refuse", &image]),
        2,
        &["HTTPS_PROXY", "SSL_CERT_FILE"],
    );
    assert!(stage.world.ledger().is_empty());
}

#[test]
fn a_signer_that_returns_something_else_is_tampered() {
    for flaw in [
        Flaw::OtherDigest,
        Flaw::OtherProfile,
        Flaw::BrokenChain,
        Flaw::ExpiredLeaf,
        Flaw::BadSignature,
    ] {
        let (stage, image) = staged();
        stage.aws.cloud().state().flaw = Some(flaw);
        expect(&stage.run(&[&image]), 6, &[]);
        assert_eq!(stage.registry.manifests("web").len(), 1, "nothing was pushed");
        stage.aws.cloud().state().flaw = None;
        expect(&stage.run(&[&image]), 0, &[]);
    }
}

#[test]
fn what_revocation_says_decides() {
    let (stage, image) = staged();
    expect(&stage.run(&[&image]), 0, &[]);
    let store = stage.root.path().to_str().unwrap().to_owned();
    let verify = || {
        stage.call(&[
            "verify",
            "--role-arn",
            ROLE,
            "--signing-profile",
            PROFILE,
            "--trust-store",
            &store,
            &image,
        ])
    };
    stage.world.fault(
        "signer-data",
        "GetRevocationStatus",
        When::Always,
        Fault::status(503),
    );
    let silent = verify();
    expect(&silent, 3, &[]);
    assert_ne!(silent.report["verdict"], "passed");
    stage.world.no_more_faults();
    let jobs: Vec<String> = stage.aws.cloud().state().jobs.keys().cloned().collect();
    stage.aws.cloud().state().revoked_jobs = jobs.into_iter().collect();
    expect(&verify(), 1, &["revoked"]);
}

#[test]
fn registries_are_believed_in_nothing() {
    let (stage, image) = staged();
    let missing = format!("{}/web:none", stage.host);
    expect(&stage.run(&[&missing]), 5, &["web:none"]);
    let faults: [(&str, Fault, i32, &str); 6] = [
        ("GET manifest", Fault::html(200), 3, ""),
        ("GET manifest", Fault::FlipByte(30), 6, "expected"),
        ("GET referrers", Fault::html(200), 3, ""),
        (
            "PUT manifest",
            Fault::registry_error(403, "DENIED", "not authorized to perform: ecr:PutImage"),
            4,
            "",
        ),
        (
            "GET manifest",
            Fault::huge("application/vnd.oci.image.manifest.v1+json", 400 << 20),
            3,
            "",
        ),
        (
            "GET manifest",
            Fault::redirect(307, "http://169.254.169.254/latest"),
            3,
            "",
        ),
    ];
    for (operation, fault, code, word) in faults {
        stage.world.fault("registry", operation, When::Always, fault);
        let digest = stage.registry.tags("web")["1.4"].clone();
        let ended = stage.run(&[&format!("{}/web@{digest}", stage.host)]);
        expect(&ended, code, &[word]);
        assert_ne!(ended.report["verdict"], json!("passed"), "{operation}");
        stage.world.no_more_faults();
    }
    expect(&stage.run(&[&image]), 0, &[]);
}

#[test]
fn a_tag_that_moves_fails_the_run() {
    let (stage, image) = staged();
    let registry = std::sync::Arc::clone(&stage.registry);
    let moves = Fault::before(move || {
        registry.put_image("web", "1.4", "another image");
    });
    stage.world.fault("signer", "SignPayload", When::Nth(1), moves);
    expect(&stage.run(&[&image]), 1, &["tag-moved"]);
}
