//! The names that are dialled where nothing is overridden.

use countersign::edge::aws::endpoints::Endpoint;
use countersign::edge::net::{self, Addresses, Network};

use super::*;

/// Everything that would be dialled without an override, by the names that were to be resolved.
async fn dialled(region: &str, change: impl Fn(&mut Settings), ask: impl AsyncFn(&Room)) -> Vec<String> {
    let stage = Stage::new();
    let region: Region = region.parse().unwrap();
    let role = format!("arn:{}:iam::{ACCOUNT}:role/countersign", region.partition());
    stage
        .aws
        .cloud()
        .state()
        .roles
        .insert(role.clone(), Role::for_subjects(&["*"]));
    let mut settings = stage.settings();
    settings.roles.chain = vec![role.parse().unwrap()];
    settings.region = region;
    settings.endpoints = Endpoints {
        sts: settings.endpoints.sts,
        ..Endpoints::default()
    };
    settings.patience.operation = Duration::from_millis(200);
    change(&mut settings);
    ask(&Room::new(settings).unwrap()).await;
    let mut names = stage.dialled.0.lock().unwrap().clone();
    names.dedup();
    names
}

#[tokio::test]
async fn every_registry_leads_to_the_api_of_its_region_and_kind() {
    for (registry, region, api) in [
        (
            "dkr.ecr.us-west-2.amazonaws.com",
            "eu-west-1",
            "api.ecr.us-west-2.amazonaws.com",
        ),
        ("dkr-ecr.us-west-2.on.aws", "us-west-2", "ecr.us-west-2.api.aws"),
        (
            "dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "us-gov-west-1",
            "api.ecr-fips.us-gov-west-1.amazonaws.com",
        ),
        (
            "dkr-ecr-fips.us-west-2.on.aws",
            "us-west-2",
            "ecr-fips.us-west-2.api.aws",
        ),
        (
            "dkr.ecr.cn-north-1.amazonaws.com.cn",
            "cn-north-1",
            "api.ecr.cn-north-1.amazonaws.com.cn",
        ),
        (
            "dkr.ecr.eusc-de-east-1.amazonaws.eu",
            "eusc-de-east-1",
            "api.ecr.eusc-de-east-1.amazonaws.eu",
        ),
        (
            "dkr.ecr.us-iso-east-1.c2s.ic.gov",
            "us-iso-east-1",
            "api.ecr.us-iso-east-1.c2s.ic.gov",
        ),
    ] {
        let host: RegistryHost = format!("{ACCOUNT}.{registry}").parse().unwrap();
        let found = dialled(
            region,
            |_| (),
            async |room| {
                assert!(room.logins().login(&host).await.is_err());
            },
        )
        .await;
        assert_eq!(found, [api], "{registry}");
    }
}

#[tokio::test]
async fn signer_and_its_data_plane_are_dialled_by_their_own_names() {
    let sign = async |room: &Room, profile: &str| {
        let signer = room
            .signing_profile(&profile.parse().unwrap(), Vec::new())
            .await
            .unwrap();
        let error = signer.sign(&payload(&[])).await.unwrap_err();
        assert_eq!(error.class, Class::Unavailable);
        let question = RevocationQuestion::AwsSigner {
            profile_version: format!("{}/OF8IVUsPJq", signer.profile()),
            job: "arn:aws:signer:us-west-2:111122223333:/signing-jobs/1".to_owned(),
            signed_at: Timestamp::from_unix(1_800_000_000),
            certificate_hashes: vec!["00".repeat(96)],
        };
        let answer = room.revocation().answer(&question).await;
        assert!(matches!(answer, RevocationAnswer::Unknown(_)));
    };
    let profile = "arn:aws:signer:us-west-2:111122223333:/signing-profiles/release";
    let found = dialled("eu-west-1", |_| (), async |room| sign(room, profile).await).await;
    assert_eq!(
        found,
        [
            "signer.us-west-2.amazonaws.com",
            "data-signer.us-west-2.amazonaws.com"
        ]
    );
    let fips = |settings: &mut Settings| settings.endpoints.fips = true;
    let found = dialled("us-west-2", fips, async |room| sign(room, profile).await).await;
    assert_eq!(
        found,
        [
            "signer-fips.us-west-2.amazonaws.com",
            "data-signer-fips.us-west-2.amazonaws.com"
        ]
    );
    let dual = |settings: &mut Settings| settings.endpoints.dual_stack = true;
    let found = dialled("us-west-2", dual, async |room| sign(room, profile).await).await;
    assert_eq!(
        found,
        ["signer.us-west-2.api.aws", "data-signer.us-west-2.api.aws"]
    );
    let gov = "arn:aws-us-gov:signer:us-gov-west-1:111122223333:/signing-profiles/release";
    let found = dialled("us-gov-west-1", |_| (), async |room| sign(room, gov).await).await;
    assert_eq!(
        found,
        [
            "signer.us-gov-west-1.amazonaws.com",
            "data-signer.us-gov-west-1.amazonaws.com"
        ]
    );
}

#[tokio::test]
async fn the_real_names_work_through_a_proxy_with_a_root_of_its_own() {
    let stage = Stage {
        aws: World::new().aws(),
        ..Stage::new()
    };
    let aws = stage.world.aws_by_name();
    let environment = aws.environment();
    let addresses = Addresses::default();
    let network = Network {
        roots: vec![aws.tls_root().unwrap()],
        https_proxy: Some(environment["HTTPS_PROXY"].clone()),
        ..Network::default()
    };
    let http = net::client(&network, &addresses).unwrap();
    let token = aws
        .cloud()
        .issuer
        .token(aws.issuer(), "sts.amazonaws.com", aws.cloud().now(), 1);
    let mut settings = stage.settings();
    settings.http = http;
    settings.names = Names::new(&addresses);
    settings.endpoints = Endpoints::default();
    settings.base = Base::Token(IdToken::new(move || {
        std::future::ready(Ok(Secret::new(token.clone())))
    }));
    let room = Room::new(settings).unwrap();
    let roots = vec![Certificate::from_der(aws.cloud().authority.root()).unwrap()];
    let signer = room
        .signing_profile(&PROFILE.parse().unwrap(), roots)
        .await
        .unwrap();
    let payload = payload(&[]);
    let signature = signer.sign(&payload).await.unwrap();
    let sealed = SealedEnvelope::seal(signature.envelope, &payload, &signer.expected()).unwrap();
    assert_eq!(
        room.revocation().answer(&question(&sealed)).await,
        RevocationAnswer::Good
    );
    assert!(password(&room.logins(), REGISTRIES[0]).await.starts_with("AWS:"));
    assert_eq!(
        aws.proxy().unwrap().dialled(),
        [
            "sts.eu-west-1.amazonaws.com:443",
            "signer.eu-west-1.amazonaws.com:443",
            "data-signer.eu-west-1.amazonaws.com:443",
            "api.ecr.eu-west-1.amazonaws.com:443"
        ]
    );
    stage.close();
}

#[tokio::test]
async fn a_service_may_be_reached_at_a_private_endpoint() {
    let stage = Stage::new();
    let mut settings = stage.settings();
    let sts = settings
        .endpoints
        .sts
        .clone()
        .unwrap()
        .to_string()
        .replace("127.0.0.1", "localhost");
    settings.endpoints.sts = Some(Endpoint::parse("STS", &sts).unwrap());
    let addresses = Addresses::default();
    settings.http = net::client(&Network::default(), &addresses).unwrap();
    settings.names = Names::new(&addresses);
    assert!(Room::new(settings).unwrap().caller().await.is_ok());
    stage.close();
}
