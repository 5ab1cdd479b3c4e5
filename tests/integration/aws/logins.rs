//! Logins to ECR.

use super::*;

#[tokio::test]
async fn one_token_serves_every_registry_of_a_region() {
    let stage = Stage::new();
    let logins = stage.room().logins();
    let asked = REGISTRIES
        .iter()
        .cycle()
        .take(10)
        .map(|host| password(&logins, host));
    let first = futures_util::future::join_all(asked).await;
    assert!(
        first
            .iter()
            .all(|login| login.starts_with("AWS:") && *login == first[0])
    );
    assert_eq!(stage.count("ecr", "GetAuthorizationToken"), 1);

    logins.forget(&REGISTRIES[0].parse().unwrap());
    let renewed = password(&logins, REGISTRIES[0]).await;
    assert_ne!(renewed, first[0]);
    logins.forget(&REGISTRIES[1].parse().unwrap());
    assert_eq!(
        password(&logins, REGISTRIES[1]).await,
        renewed,
        "the token is new already"
    );
    assert_eq!(stage.count("ecr", "GetAuthorizationToken"), 2);

    let other: RegistryHost = "ghcr.io".parse().unwrap();
    assert!(matches!(logins.login(&other).await, Ok(Login::Anonymous)));
    stage.close();
}

#[tokio::test]
async fn a_login_that_is_denied_names_the_permission() {
    let stage = Stage::new();
    stage
        .aws
        .cloud()
        .state()
        .denied
        .insert("ecr:GetAuthorizationToken".to_owned());
    let host: RegistryHost = REGISTRIES[0].parse().unwrap();
    let error = stage.room().logins().login(&host).await.unwrap_err();
    assert_told(
        &told(&error),
        Class::Refused,
        "no login for 111122223333.dkr.ecr.eu-west-1.amazonaws.com: Amazon ECR GetAuthorizationToken",
        "the role needs ecr:GetAuthorizationToken",
    );
    stage.close();
}

#[tokio::test]
async fn an_ecr_that_is_not_well_is_unavailable() {
    for (fault, message) in [
        (Fault::html(200), "status 200 with \"text/html"),
        (Fault::status(500), "status 500"),
        (
            Fault::Answer(Response::json(200, &json!({ "authorizationData": [] }))),
            "the answer holds no token",
        ),
        (
            Fault::Answer(Response::json(
                200,
                &json!({ "authorizationData": [{ "authorizationToken": "QVdT" }] }),
            )),
            "the answer holds no token of a name and a password",
        ),
    ] {
        let stage = Stage::new();
        stage
            .world
            .fault("ecr", "GetAuthorizationToken", When::Always, fault);
        let host: RegistryHost = REGISTRIES[0].parse().unwrap();
        let error = stage.room().logins().login(&host).await.unwrap_err();
        assert_told(&told(&error), Class::Unavailable, message, "");
        stage.close();
    }
}
