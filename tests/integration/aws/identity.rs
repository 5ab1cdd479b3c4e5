//! Who we are: tokens, roles, ambient credentials.

use super::*;

#[tokio::test]
async fn a_role_that_does_not_trust_the_token_is_explained() {
    let stage = Stage::new();
    stage
        .aws
        .cloud()
        .issuer
        .set_claim("sub", json!("repo:octo-org@1/app@2:ref:refs/heads/main"));
    let cause = told(&stage.room().caller().await.unwrap_err());
    assert_told(
        &cause,
        Class::Refused,
        "could not assume the role arn:aws:iam::111122223333:role/countersign with a token of sub \
         \"repo:octo-org@1/app@2:ref:refs/heads/main\", aud \"sts.amazonaws.com\", iss \"http://127.0.0.1:",
        "carries the numbers of owner and repository",
    );
    assert!(
        cause
            .message
            .contains("403 \"AccessDenied\": \"Not authorized to perform sts:AssumeRoleWithWebIdentity\"")
    );
    assert_eq!(
        stage.count("sts", "AssumeRoleWithWebIdentity"),
        2,
        "once more, since IAM takes a moment"
    );
    stage.close();
}

#[tokio::test]
async fn each_wrong_token_is_told_apart() {
    let stage = Stage::new();
    let issuer = &stage.aws.cloud().issuer;
    let wrong_audience = Settings {
        base: Base::Token(stage.token("somebody-else")),
        ..stage.settings()
    };
    let error = Room::new(wrong_audience).unwrap().caller().await.unwrap_err();
    assert_told(
        &told(&error),
        Class::Refused,
        "aud \"somebody-else\"",
        "input audience sets it",
    );
    assert_eq!(stage.count("sts", "AssumeRoleWithWebIdentity"), 1);

    issuer.set_lifetime(-30);
    let error = stage.room().caller().await.unwrap_err();
    assert_told(
        &told(&error),
        Class::Refused,
        "Token expired",
        "the token ran out at 20",
    );
    assert_eq!(
        stage.count("sts", "AssumeRoleWithWebIdentity"),
        3,
        "one fresh token is tried"
    );
    issuer.set_lifetime(300);

    issuer.set_claim("iss", json!("https://elsewhere.example"));
    let error = stage.room().caller().await.unwrap_err();
    assert_told(
        &told(&error),
        Class::Refused,
        "No OpenIDConnect provider found",
        "create an IAM identity provider",
    );

    let forged = Settings {
        base: Base::Token(IdToken::new(|| async {
            Ok(Secret::new(format!("eyJhbGciOiJub25lIn0.e30.{CANARY}")))
        })),
        ..stage.settings()
    };
    let error = Room::new(forged).unwrap().caller().await.unwrap_err();
    assert_told(&told(&error), Class::Refused, "InvalidIdentityToken", "");
    stage.close();
}

#[tokio::test]
async fn a_host_without_a_token_says_so_in_its_own_words() {
    let stage = Stage::new();
    let cause = Cause {
        class: Class::Refused,
        message: "this job may not have an identity token".to_owned(),
        hint: Some("permissions: { id-token: write }".to_owned()),
    };
    let without = {
        let cause = cause.clone();
        IdToken::new(move || std::future::ready(Err(cause.clone())))
    };
    let settings = Settings {
        base: Base::Token(without),
        ..stage.settings()
    };
    let room = Room::new(settings).unwrap();
    let error = room.caller().await.unwrap_err();
    assert_eq!(error, IdentityError::Token(cause));
    let profile = room
        .signing_profile(&PROFILE.parse().unwrap(), stage.roots())
        .await
        .unwrap();
    let error = profile.sign(&payload(&[])).await.unwrap_err();
    assert_told(
        &told(&error),
        Class::Refused,
        "this job may not have an identity token",
        "permissions: { id-token: write }",
    );
    assert!(stage.world.ledger().is_empty());
    stage.close();
}

#[tokio::test]
async fn a_role_is_asked_for_again_with_a_fresh_token_each_time() {
    let key = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";
    for (status, code, message) in [
        (400, "InvalidIdentityToken", key),
        (400, "IDPCommunicationError", "IDP did not answer"),
        (400, "Throttling", "Rate exceeded"),
        (503, "ServiceUnavailable", "later"),
        (400, "ExpiredToken", "Token expired"),
    ] {
        let stage = Stage::new();
        let body = error_body(&AwsError::new(status, code, message), "1");
        let answer = Response::new(status).with("content-type", "text/xml").body(body);
        let calls = if code == "ExpiredToken" { 1 } else { 3 };
        stage.world.fault(
            "sts",
            "AssumeRoleWithWebIdentity",
            When::First(calls),
            Fault::Answer(answer),
        );
        assert!(stage.room().caller().await.is_ok(), "{code}");
        assert_eq!(stage.count("oidc", "GET token"), calls + 1, "{code}");
        stage.close();
    }
}

#[tokio::test]
async fn an_sts_that_is_not_well_is_unavailable() {
    for (fault, message, calls) in [
        (
            Fault::html(200),
            "expected an answer of the service, found status 200 with \"text/html",
            1,
        ),
        (Fault::html(403), "found status 403 with \"<!DOCTYPE html>", 1),
        (Fault::html(502), "found status 502", 4),
        (Fault::status(500), "found status 500", 4),
        (
            Fault::Answer(Response::new(200)),
            "the answer has a good status and no body",
            4,
        ),
        (Fault::TruncateAfter(40), "no answer", 4),
        (Fault::Reset, "no answer", 4),
        (Fault::Stall, "no answer in time", 4),
        (Fault::StallAfter(40), "no answer in time", 4),
        (
            Fault::huge("text/xml", 400 << 20),
            "the answer is larger than 2 MiB",
            4,
        ),
    ] {
        let stage = Stage::new();
        stage
            .world
            .fault("sts", "AssumeRoleWithWebIdentity", When::Always, fault);
        let error = stage.room().caller().await.unwrap_err();
        assert_told(&told(&error), Class::Unavailable, message, "");
        assert_eq!(
            stage.count("sts", "AssumeRoleWithWebIdentity"),
            calls,
            "{message}"
        );
        stage.close();
    }
}

#[tokio::test]
async fn accounts_that_are_not_allowed_are_refused_without_a_request() {
    let stage = Stage::new();
    let only = |account: &str| Settings {
        allowed_accounts: vec![account.to_owned()],
        ..stage.settings()
    };
    let error = Room::new(only("999999999999"))
        .unwrap()
        .caller()
        .await
        .unwrap_err();
    assert_told(
        &told(&error),
        Class::Refused,
        "the credentials are of account \"111122223333\", expected one of 999999999999",
        "allowed-account-ids",
    );
    assert!(stage.world.ledger().is_empty());
    assert!(Room::new(only(ACCOUNT)).unwrap().caller().await.is_ok());
    assert_eq!(stage.world.ledger().len(), 2, "a role needs no further request");
    stage.close();
}

#[tokio::test]
async fn a_role_leads_to_the_next_with_the_word_its_owner_asks_for() {
    let stage = Stage::new();
    let second = "arn:aws:iam::444455556666:role/deploy";
    let role = Role::for_role(ROLE, Some("word"));
    stage.aws.cloud().state().roles.insert(second.to_owned(), role);
    let with = |word: Option<&str>| {
        let mut settings = stage.settings();
        settings.roles.chain.push(second.parse().unwrap());
        settings.roles.external_id = word.map(str::to_owned);
        settings.allowed_accounts = vec!["444455556666".to_owned()];
        Room::new(settings).unwrap()
    };
    let caller = with(Some("word")).caller().await.unwrap();
    assert_eq!(caller.account, "444455556666");
    assert_eq!(
        caller.arn.unwrap().raw(),
        "arn:aws:sts::444455556666:assumed-role/deploy/octo-org-app-42"
    );
    let error = with(None).caller().await.unwrap_err();
    assert_told(
        &told(&error),
        Class::Refused,
        "could not assume the role arn:aws:iam::444455556666:role/deploy: STS AssumeRole",
        "the role's trust policy must allow sts:AssumeRole",
    );
    stage.close();
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let stage = Stage::new();
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = stage.settings();
        change(&mut settings);
        told(&Room::new(settings).unwrap_err())
    };
    let cause = refused(&|settings| settings.roles.chain.clear());
    assert_told(&cause, Class::Usage, "no role to assume", "give role-arn");
    let cause = refused(&|settings| settings.roles.external_id = Some("x".to_owned()));
    assert_told(&cause, Class::Usage, "an external id is sent only", "role-chain");
    let cause = refused(&|settings| settings.region = "cn-north-1".parse().unwrap());
    assert_told(
        &cause,
        Class::Usage,
        "of another partition than the region's (aws-cn)",
        "never cross",
    );
    let cause = refused(&|settings| {
        settings
            .roles
            .chain
            .push("arn:aws:iam::444455556666:role/deploy".parse().unwrap());
        settings.roles.duration = SessionDuration::LONGEST;
    });
    assert_told(&cause, Class::Usage, "at most 3600 seconds", "");
    stage.close();
}

#[tokio::test]
async fn a_machine_without_credentials_is_not_kept_waiting() {
    let stage = Stage::new();
    let mut settings = stage.settings();
    settings.roles.chain.clear();
    settings.base = Base::Ambient {
        instance_metadata: false,
    };
    settings.allowed_accounts = vec!["999999999999".to_owned()];
    let began = Instant::now();
    let error = Room::new(settings).unwrap().caller().await.unwrap_err();
    assert_eq!(told(&error).class, Class::Refused);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    stage.close();
}

#[tokio::test]
async fn one_role_serves_all_clients_of_a_run() {
    let stage = Stage::new();
    let room = stage.room();
    let host: RegistryHost = "111122223333.dkr.ecr.eu-west-1.amazonaws.com".parse().unwrap();
    let logins = room.logins();
    let profile = room
        .signing_profile(&PROFILE.parse().unwrap(), stage.roots())
        .await
        .unwrap();
    let payload = payload(&[]);
    let (login, first, second) = tokio::join!(
        logins.login(&host),
        profile.sign(&payload),
        profile.sign(&payload)
    );
    assert!(login.is_ok() && first.is_ok() && second.is_ok());
    assert_eq!(stage.count("sts", "AssumeRoleWithWebIdentity"), 1);
    stage.close();
}

#[tokio::test]
async fn credentials_are_renewed_before_they_run_out() {
    let stage = Stage::new();
    let room = stage.room();
    room.caller().await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(12)).await;
    tokio::time::resume();
    room.caller().await.unwrap();
    assert_eq!(stage.count("sts", "AssumeRoleWithWebIdentity"), 1);
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(2)).await;
    tokio::time::resume();
    room.caller().await.unwrap();
    assert_eq!(stage.count("sts", "AssumeRoleWithWebIdentity"), 2);
    stage.close();
}

#[tokio::test]
async fn every_signed_request_is_checked() {
    let stage = Stage::new();
    let room = stage.room();
    room.caller().await.unwrap();
    for known in stage.aws.cloud().state().credentials.values_mut() {
        known.secret = "another".to_owned();
    }
    let profile = room
        .signing_profile(&PROFILE.parse().unwrap(), stage.roots())
        .await
        .unwrap();
    let error = profile.sign(&payload(&[])).await.unwrap_err();
    assert_told(&told(&error), Class::Refused, "InvalidSignatureException", "");
    stage.close();
}

/// Where a child of the tests finds what it is to do; see [`ambient`].
const CHILD: &str = "COUNTERSIGN_TEST_AMBIENT";

/// Runs [`an_ambient_child`] in a process of its own, since only there the environment is ours to set.
fn ambient(stage: &Stage, roles: &str, variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "aws::identity::an_ambient_child", "--nocapture"]);
    for name in ["AWS_PROFILE", "AWS_REGION", "HOME"] {
        child.env_remove(name);
    }
    let nothing = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"].map(|name| (name, "/dev/null"));
    child
        .envs(stage.aws.environment())
        .envs(nothing)
        .envs(variables.iter().copied())
        .env(CHILD, roles);
    let output = child.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn an_ambient_child() {
    let Some(roles) = std::env::var_os(CHILD) else {
        return;
    };
    let stage = Stage::new();
    let lookup = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let mut settings = stage.settings();
    settings.endpoints = Endpoints::from_environment(lookup).unwrap();
    settings.base = Base::Ambient {
        instance_metadata: false,
    };
    settings.roles.chain = roles
        .to_str()
        .unwrap()
        .split(' ')
        .filter_map(|role| role.parse().ok())
        .collect();
    let room = Room::new(settings).unwrap();
    match room.caller().await {
        Ok(caller) => println!("CALLER {} {}", caller.account, caller.arn.unwrap().raw()),
        Err(error) => println!("ERROR {:?}", told(&error)),
    }
    stage.close();
}

#[test]
fn ambient_credentials_are_found_where_the_sdks_look() {
    let stage = Stage::new();
    let user = Known {
        secret: format!("{CANARY}/user"),
        session: None,
        expires: i64::MAX,
        arn: format!("arn:aws:iam::{ACCOUNT}:user/me"),
    };
    stage
        .aws
        .cloud()
        .state()
        .credentials
        .insert("AKIAUSER".to_owned(), user.clone());
    let expected = format!("CALLER {ACCOUNT} arn:aws:iam::{ACCOUNT}:user/me");
    let secret = user.secret.as_str();

    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIAUSER"),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ];
    let said = ambient(&stage, "", &keys);
    assert!(said.contains(&expected), "{said}");
    assert_eq!(stage.world.ledger().operations(), ["sts: GetCallerIdentity"]);

    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "[default]\naws_access_key_id = AKIAUSER\naws_secret_access_key = {secret}\n"
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    let said = ambient(&stage, "", &[("AWS_SHARED_CREDENTIALS_FILE", path)]);
    assert!(said.contains(&expected), "{said}");

    let mut file = tempfile::NamedTempFile::new().unwrap();
    let cloud = stage.aws.cloud();
    let token = cloud
        .issuer
        .token(stage.aws.issuer(), "sts.amazonaws.com", cloud.now(), 1);
    write!(file, "{token}").unwrap();
    let path = file.path().to_str().unwrap();
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ROLE_SESSION_NAME", "irsa"),
    ];
    let said = ambient(&stage, "", &variables);
    let session = format!("CALLER {ACCOUNT} arn:aws:sts::{ACCOUNT}:assumed-role/countersign/irsa");
    assert!(said.contains(&session), "{said}");

    let metadata = stage.world.serve(Arc::new(Container(format!(
        r#"{{"AccessKeyId":"AKIAUSER","SecretAccessKey":"{secret}","Token":"","Expiration":"2099-01-01T00:00:00Z"}}"#
    ))));
    let url = format!("http://{metadata}/credentials");
    let said = ambient(&stage, "", &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
    assert!(said.contains(&expected), "{said}");

    let second = "arn:aws:iam::444455556666:role/deploy";
    let mut role = Role::for_role("arn:aws:iam::111122223333:role/me", None);
    role.roles = vec![format!("arn:aws:iam::{ACCOUNT}:role/me")];
    stage.aws.cloud().state().roles.insert(second.to_owned(), role);
    let said = ambient(&stage, second, &keys);
    assert!(
        said.contains("CALLER 444455556666 arn:aws:sts::444455556666:assumed-role/deploy/"),
        "{said}"
    );

    let began = Instant::now();
    let said = ambient(&stage, "", &[]);
    assert!(
        said.contains("could not find AWS credentials (asked: environment, profile files"),
        "{said}"
    );
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    stage.close();
}

/// The credentials endpoint of a container.
struct Container(String);

impl Service for Container {
    fn name(&self) -> &'static str {
        "container"
    }

    fn operation(&self, _: &Request) -> &'static str {
        "GET credentials"
    }

    fn answer(&self, _: &Request) -> Response {
        Response::new(200)
            .with("content-type", "application/json")
            .body(self.0.as_str())
    }
}
