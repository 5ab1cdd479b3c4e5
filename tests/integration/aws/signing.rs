//! AWS Signer signs, refuses, is not well, or lies.

use super::*;

#[tokio::test]
async fn an_image_is_signed_with_five_requests() {
    let stage = Stage::new();
    let room = stage.room();
    let profile = room
        .signing_profile(&PROFILE.parse().unwrap(), stage.roots())
        .await
        .unwrap();
    let payload = payload(&[("build", "42")]);
    let signature = profile.sign(&payload).await.unwrap();
    let keys: Vec<&String> = signature.annotations.keys().collect();
    assert_eq!(
        keys,
        [
            "com.amazonaws.signer.signingJob",
            "com.amazonaws.signer.signingProfileVersion"
        ]
    );
    let sealed = SealedEnvelope::seal(signature.envelope, &payload, &profile.expected()).unwrap();
    let answer = room.revocation().answer(&question(&sealed)).await;
    assert_eq!(answer, RevocationAnswer::Good);
    let caller = room.caller().await.unwrap();
    assert_eq!(caller.account, ACCOUNT);
    assert_eq!(
        stage.world.ledger().operations(),
        [
            "oidc: GET token",
            "sts: AssumeRoleWithWebIdentity",
            "signer: SignPayload",
            "signer-data: GetRevocationStatus"
        ]
    );
    let told: Vec<(&str, &str)> = stage
        .events
        .lock()
        .unwrap()
        .iter()
        .map(|event| match event {
            Event::Request { service, operation } => (*service, *operation),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            ("sts", "AssumeRoleWithWebIdentity"),
            ("signer", "SignPayload"),
            ("signer-data", "GetRevocationStatus")
        ]
    );
    let all = format!("{room:?} {profile:?} {:?}", room.logins());
    assert!(!all.contains(CANARY), "{all}");
    stage.close();
}

#[tokio::test]
async fn a_profile_is_found_by_name_and_by_version() {
    let stage = Stage::new();
    assert_eq!(stage.profile("release").await.profile().to_string(), PROFILE);
    assert!(
        stage.world.ledger().is_empty(),
        "a role says its account by itself"
    );
    let version = format!("{PROFILE}/OF8IVUsPJq");
    assert!(stage.profile(&version).await.sign(&payload(&[])).await.is_ok());
    let gone = format!("{PROFILE}/OldVersion");
    let error = stage.profile(&gone).await.sign(&payload(&[])).await.unwrap_err();
    assert_told(
        &told(&error),
        Class::Tampered,
        "expected a signature by arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release/OldVersion, found one by",
        "give the profile's ARN",
    );
    stage.close();
}

#[tokio::test]
async fn a_profile_out_of_reach_is_refused_before_anybody_is_asked() {
    let stage = Stage::new();
    for (name, message) in [
        (
            "arn:aws-cn:signer:cn-north-1:111122223333:/signing-profiles/release",
            "the signing profile is of the partition aws-cn, the credentials are of aws",
        ),
        (
            "arn:aws-iso:signer:us-iso-east-1:111122223333:/signing-profiles/release",
            "there is no AWS Signer in the partition aws-iso",
        ),
        (
            "arn:aws:signer:us-gov-west-1:111122223333:/signing-profiles/release",
            "the region us-gov-west-1 belongs to the partition aws-us-gov, not to \"aws\"",
        ),
    ] {
        let error = stage
            .room()
            .signing_profile(&name.parse().unwrap(), Vec::new())
            .await
            .unwrap_err();
        assert_told(&told(&error), Class::Usage, message, "");
    }
    assert!(stage.world.ledger().is_empty());
    stage.close();
}

#[tokio::test]
async fn each_reason_not_to_sign_has_its_class_and_way_out() {
    type Change = fn(&Stage);
    fn edit(stage: &Stage, change: fn(&mut Profile)) {
        let cloud = stage.aws.cloud();
        let mut known = cloud.state();
        change(known.profiles.get_mut("111122223333/release").unwrap());
    }
    let cases: [(&str, Change, Class, &str, &str); 7] = [
        (
            "missing",
            |stage| stage.aws.cloud().state().profiles.clear(),
            Class::Missing,
            "there is no such signing profile",
            "region, account and name",
        ),
        (
            "canceled",
            |stage| edit(stage, |profile| profile.status = "Canceled".to_owned()),
            Class::Refused,
            "the signing profile is canceled",
            "make a profile of another name",
        ),
        (
            "revoked",
            |stage| edit(stage, |profile| profile.status = "Revoked".to_owned()),
            Class::Refused,
            "the signing profile is revoked",
            "make a profile of another name",
        ),
        (
            "other platform",
            |stage| {
                edit(stage, |profile| {
                    profile.platform = "AWSLambda-SHA384-ECDSA".to_owned();
                });
            },
            Class::Usage,
            "of another platform than Notation-OCI-SHA384-ECDSA",
            "--platform-id Notation-OCI-SHA384-ECDSA",
        ),
        (
            "denied",
            |stage| {
                stage
                    .aws
                    .cloud()
                    .state()
                    .denied
                    .insert("signer:SignPayload".to_owned());
            },
            Class::Refused,
            "403 \"AccessDeniedException\"",
            "the role needs signer:SignPayload on arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release",
        ),
        (
            "throttled",
            |stage| {
                let answer = Response::json(429, &json!({ "message": "Rate exceeded" }))
                    .with("x-amzn-errortype", "TooManyRequestsException");
                stage
                    .world
                    .fault("signer", "SignPayload", When::Always, Fault::Answer(answer));
            },
            Class::Unavailable,
            "429 \"TooManyRequestsException\": \"Rate exceeded\"",
            "10 SignPayload a second",
        ),
        (
            "another account's",
            |stage| edit(stage, |profile| profile.owner = "444455556666".to_owned()),
            Class::Refused,
            "403 \"AccessDeniedException\"",
            "the role needs signer:SignPayload",
        ),
    ];
    for (name, change, class, message, hint) in cases {
        let stage = Stage::new();
        change(&stage);
        let error = stage.sign().await.unwrap_err();
        let cause = told(&error);
        assert_told(&cause, class, message, hint);
        assert!(
            cause
                .message
                .starts_with(&format!("could not sign with {PROFILE}: ")),
            "{name}: {cause:?}"
        );
        stage.close();
    }
}

#[tokio::test]
async fn a_shared_profile_needs_its_owners_word() {
    let stage = Stage::new();
    let theirs = "arn:aws:signer:eu-west-1:444455556666:/signing-profiles/shared";
    let mut profile = Profile::new("shared", "AAAAAAAAAA");
    profile.owner = "444455556666".to_owned();
    stage
        .aws
        .cloud()
        .state()
        .profiles
        .insert("444455556666/shared".to_owned(), profile.clone());
    let error = stage.profile(theirs).await.sign(&payload(&[])).await.unwrap_err();
    assert_told(
        &told(&error),
        Class::Refused,
        "resource-based policy",
        "whose owner must allow it too",
    );
    profile.shared_with.push(ACCOUNT.to_owned());
    stage
        .aws
        .cloud()
        .state()
        .profiles
        .insert("444455556666/shared".to_owned(), profile);
    let signer = stage.profile(theirs).await;
    let payload = payload(&[]);
    let signature = signer.sign(&payload).await.unwrap();
    assert!(SealedEnvelope::seal(signature.envelope, &payload, &signer.expected()).is_ok());
    stage.close();
}

#[tokio::test]
async fn a_signer_that_is_not_well_is_asked_again_and_then_unavailable() {
    let throttle = Response::json(429, &json!({ "message": "Rate exceeded" }))
        .with("x-amzn-errortype", "TooManyRequestsException")
        .with("x-amz-retry-after", "5");
    let once = [
        Fault::Answer(throttle),
        Fault::status(500),
        Fault::Answer(Response::new(503)),
        Fault::Reset,
        Fault::LoseAnswer,
        Fault::Stall,
    ];
    for fault in once {
        let stage = Stage::new();
        stage.world.fault("signer", "SignPayload", When::Nth(1), fault);
        assert!(stage.sign().await.is_ok());
        assert_eq!(stage.count("signer", "SignPayload"), 2);
        stage.close();
    }
    let always = [
        (Fault::html(200), "found status 200 with \"text/html", 1),
        (Fault::html(403), "found status 403 with \"<!DOCTYPE html>", 1),
        (Fault::html(404), "found status 404 with \"<!DOCTYPE html>", 1),
        (
            Fault::redirect(307, "http://169.254.169.254/"),
            "found status 307",
            1,
        ),
        (Fault::status(500), "found status 500", 8),
        (
            Fault::Answer(Response::json(200, &json!({}))),
            "the answer holds no signature",
            1,
        ),
        (
            Fault::Answer(Response::json(200, &json!({ "signature": "%" }))),
            "found status 200 with",
            1,
        ),
        (Fault::huge("application/json", 400 << 20), "larger than 2 MiB", 1),
    ];
    for (fault, message, calls) in always {
        let stage = Stage::new();
        stage.world.fault("signer", "SignPayload", When::Always, fault);
        let error = stage.sign().await.unwrap_err();
        assert_told(&told(&error), Class::Unavailable, message, "");
        assert_eq!(stage.count("signer", "SignPayload"), calls, "{message}");
        stage.close();
    }
}

#[tokio::test]
async fn what_a_signer_returns_is_not_believed() {
    let flaws = [
        (Flaw::OtherDigest, "signed something else"),
        (Flaw::ExtraPayloadMember, "added to the payload"),
        (Flaw::ExtraMetadata, "found \"promoted\""),
        (Flaw::ExtraDescriptorMember, "added to the payload"),
        (Flaw::OtherProfile, "signingProfileVersion"),
        (Flaw::OtherRoot, "known roots"),
        (Flaw::BrokenChain, "does not verify"),
        (Flaw::UnknownCritical, "critical attribute"),
        (Flaw::Alias, "critical attribute"),
        (Flaw::BadSignature, "does not verify"),
        (Flaw::OtherScheme, "signing scheme"),
        (Flaw::NotAnEnvelope, "does not verify"),
        (Flaw::ExpiredLeaf, "outside its validity"),
    ];
    let stage = Stage::new();
    let signer = stage.profile(PROFILE).await;
    let payload = payload(&[("build", "42")]);
    for (flaw, message) in flaws {
        stage.aws.cloud().state().flaw = Some(flaw);
        let signature = signer.sign(&payload).await.unwrap();
        let sealed = SealedEnvelope::seal(signature.envelope, &payload, &signer.expected());
        let Err(error) = sealed else {
            panic!("{flaw:?} was sealed");
        };
        assert_told(&told(&error), Class::Tampered, message, "nothing was pushed");
    }
    stage.close();
}

#[tokio::test]
async fn a_payload_that_is_too_long_reaches_nobody() {
    let stage = Stage::new();
    let long = "x".repeat(4_096);
    let error = stage
        .profile(PROFILE)
        .await
        .sign(&payload(&[("note", &long)]))
        .await
        .unwrap_err();
    assert_told(
        &told(&error),
        Class::Usage,
        "expected a payload of 1 to 4096 bytes, found 4",
        "shorten what metadata puts into the payload",
    );
    assert!(stage.world.ledger().is_empty());
    stage.close();
}

#[tokio::test]
async fn the_quota_is_kept_to_and_shared() {
    let stage = Stage::new();
    stage.aws.with_quotas();
    let signer = stage.profile(PROFILE).await;
    let payload = payload(&[]);
    let began = Instant::now();
    let all = futures_util::future::join_all((0..25).map(|_| signer.sign(&payload))).await;
    assert!(
        all.iter().all(Result::is_ok),
        "{:?}",
        all.iter().find(|one| one.is_err())
    );
    assert!(
        began.elapsed() >= Duration::from_millis(1_600),
        "{:?}",
        began.elapsed()
    );
    // The pace grows until something is throttled, which ends that: a handful is asked again, and nothing fails.
    let asked = stage.count("signer", "SignPayload");
    assert!((25..=35).contains(&asked), "{asked} requests for 25 signatures");
    stage.close();
}
