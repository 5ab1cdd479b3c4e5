//! Logging in: as few requests as can be, one renewal, no storms, and no login where it must not go.

use std::cell::Cell;
use std::fmt::Write as _;

use base64::Engine as _;
use countersign::base::failure::{Cause, Class};
use countersign::edge::registry::{Chain, DockerConfig};

use super::*;
use crate::support::World;
use crate::support::fault::{Fault, When};
use crate::support::registry::{Auth, Quirks};

fn boot(quirks: Quirks) -> (World, std::sync::Arc<emulator::Registry>) {
    let world = World::new();
    let registry = world.registry(quirks);
    registry.accept(LOGIN);
    registry.put_image(REPOSITORY, "v1", "layer");
    (world, registry)
}

fn bearer() -> Quirks {
    Quirks::default().with_auth(Auth::Bearer)
}

#[tokio::test]
async fn a_login_known_to_be_basic_costs_no_request() {
    let (world, registry) = boot(Quirks::ecr());
    let (store, _) = store(quick(), Ecr);
    store.resolve(&tagged(&registry, "v1")).await.unwrap();
    assert_eq!(world.ledger().operations(), ["registry: GET manifest"]);
}

#[tokio::test]
async fn basic_and_bearer_are_learnt_from_the_first_challenge() {
    for (auth, expected) in [
        (Auth::Basic, vec!["GET manifest", "GET manifest"]),
        (Auth::Bearer, vec!["GET manifest", "GET token", "GET manifest"]),
    ] {
        let (world, registry) = boot(Quirks::default().with_auth(auth));
        let (store, _) = store(quick(), password());
        store.resolve(&tagged(&registry, "v1")).await.unwrap();
        let expected: Vec<String> = expected.iter().map(|name| format!("registry: {name}")).collect();
        assert_eq!(world.ledger().operations(), expected, "{auth:?}");
        world.ledger().clear();
        store.resolve(&tagged(&registry, "v1")).await.unwrap();
        assert_eq!(
            world.ledger().operations(),
            ["registry: GET manifest"],
            "{auth:?}"
        );
    }
}

#[tokio::test]
async fn sixteen_at_once_fetch_one_token_and_are_challenged_once() {
    let (world, registry) = boot(bearer());
    world.set_latency(Duration::from_millis(10));
    let (store, _) = store(quick(), password());
    let image = tagged(&registry, "v1");
    let all = futures_util::future::join_all((0..16).map(|_| store.resolve(&image))).await;
    assert!(all.iter().all(Result::is_ok));
    let counts = world.ledger().counts();
    assert_eq!(counts["registry: GET token"], 1);
    assert_eq!(counts["registry: GET manifest"], 17);
}

#[tokio::test]
async fn warming_takes_the_challenge_ahead() {
    let (world, registry) = boot(bearer());
    let (store, _) = store(quick(), password());
    store.warm(&registry.host()).await;
    store.resolve(&tagged(&registry, "v1")).await.unwrap();
    assert_eq!(
        world.ledger().operations(),
        [
            "registry: GET base",
            "registry: GET token",
            "registry: GET manifest"
        ]
    );
    let peers: std::collections::HashSet<_> = world
        .ledger()
        .entries()
        .iter()
        .map(|entry| entry.request.peer)
        .collect();
    assert_eq!(peers.len(), 1, "one connection served them all");
}

#[tokio::test]
async fn writing_needs_another_token_and_reading_takes_that_one_too() {
    let (world, registry) = boot(bearer());
    let (store, _) = store(quick(), password());
    let at = place(&registry);
    let subject = store.resolve(&tagged(&registry, "v1")).await.unwrap().subject;
    attach(&store, &at, &subject, "one").await.unwrap();
    store.referrers(&at, subject.digest()).await.unwrap();
    let scopes: Vec<String> = world
        .ledger()
        .of("registry", "GET token")
        .iter()
        .map(|entry| entry.request.parameter("scope").unwrap())
        .collect();
    assert_eq!(
        scopes,
        ["repository:team/web:pull", "repository:team/web:pull,push"]
    );
    assert!(
        world
            .ledger()
            .entries()
            .iter()
            .filter(|entry| entry.status == 401)
            .count()
            == 1
    );
}

#[tokio::test]
async fn a_token_that_is_no_longer_taken_is_renewed_once() {
    let (world, registry) = boot(bearer());
    let (store, _) = store(quick(), password());
    store.resolve(&tagged(&registry, "v1")).await.unwrap();
    registry.revoke_tokens();
    world.ledger().clear();
    let image = tagged(&registry, "v1");
    let all = futures_util::future::join_all((0..8).map(|_| store.resolve(&image))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(world.ledger().count("registry", "GET token"), 1);
    // The token that comes is never good: one renewal, then refused.
    world.ledger().clear();
    let revoking = std::sync::Arc::clone(&registry);
    world.fault(
        "registry",
        "GET manifest",
        When::Always,
        Fault::before(move || revoking.revoke_tokens()),
    );
    let cause = Cause::of(&store.resolve(&image).await.unwrap_err());
    assert_eq!(cause.class, Class::Refused);
    assert_eq!(world.ledger().count("registry", "GET manifest"), 2);
}

#[tokio::test]
async fn tokens_are_used_until_shortly_before_their_end() {
    let (world, registry) = boot(Quirks {
        token_seconds: Some(1),
        ..bearer()
    });
    let (store, _) = store(quick(), password());
    for _ in 0..3 {
        store.resolve(&tagged(&registry, "v1")).await.unwrap();
    }
    assert_eq!(world.ledger().count("registry", "GET token"), 1);
    tokio::time::sleep(Duration::from_millis(600)).await;
    store.resolve(&tagged(&registry, "v1")).await.unwrap();
    assert_eq!(world.ledger().count("registry", "GET token"), 2);
    assert_eq!(
        world
            .ledger()
            .entries()
            .iter()
            .filter(|entry| entry.status == 401)
            .count(),
        1
    );
}

/// A login that is good only after it was asked for anew.
struct Renewing(Cell<usize>);

impl Logins for Renewing {
    async fn login(&self, _: &RegistryHost) -> Result<Login, LoginError> {
        let text = if self.0.get() == 0 {
            "AWS:old-canary"
        } else {
            LOGIN
        };
        Ok(Login::Basic(Secret::new(text.to_owned())))
    }

    fn forget(&self, _: &RegistryHost) {
        self.0.set(self.0.get() + 1);
    }
}

#[tokio::test]
async fn an_expired_login_is_asked_for_anew_once() {
    let (world, registry) = boot(Quirks::ecr());
    registry.expire("AWS:old-canary");
    let (store, _) = store(quick(), Renewing(Cell::new(0)));
    let image = tagged(&registry, "v1");
    let all = futures_util::future::join_all((0..4).map(|_| store.resolve(&image))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(world.ledger().count("registry", "GET manifest"), 8);
    registry.expire(LOGIN);
    let cause = Cause::of(&store.resolve(&tagged(&registry, "v1")).await.unwrap_err());
    assert_eq!(cause.class, Class::Refused);
    assert!(cause.message.contains("expired"), "{}", cause.message);
    assert_eq!(
        world.ledger().count("registry", "GET manifest"),
        9,
        "the same login is not sent twice"
    );
}

#[tokio::test]
async fn wrong_and_missing_logins_are_refused_without_storms() {
    for auth in [Auth::Basic, Auth::Bearer] {
        let (world, registry) = boot(Quirks::default().with_auth(auth));
        let wrong = Static::new("AWS", &Secret::new("wrong-canary".to_owned()));
        let (with_wrong, _) = store(quick(), wrong);
        let cause = Cause::of(&with_wrong.resolve(&tagged(&registry, "v1")).await.unwrap_err());
        assert_eq!(cause.class, Class::Refused, "{auth:?}: {cause:?}");
        assert!(
            !cause.message.contains("canary") && cause.hint.is_some(),
            "{cause:?}"
        );
        assert!(world.ledger().len() <= 3, "{:?}", world.ledger().operations());
        let (with_none, _) = store(quick(), Anonymous);
        let cause = Cause::of(&with_none.resolve(&tagged(&registry, "v1")).await.unwrap_err());
        assert_eq!(cause.class, Class::Refused, "{auth:?}: {cause:?}");
        assert!(cause.hint.unwrap().contains("registry-username"), "{auth:?}");
    }
}

#[tokio::test]
async fn a_storm_of_401_ends_in_few_requests() {
    let storms = [
        "",
        "Basic realm=\"x\"",
        "Bearer realm=\"REALM\",service=\"s\"",
        "Negotiate",
        "Bearer realm=\"ftp://x/\"",
        "Bearer",
    ];
    for challenge in storms {
        let (world, registry) = boot(Quirks::default());
        let challenge = challenge.replace("REALM", &format!("{}/token", registry.base()));
        let answer = crate::support::http::Response::registry_error(401, "UNAUTHORIZED", "no");
        let answer = answer.with("www-authenticate", &challenge);
        world.fault("registry", "GET manifest", When::Always, Fault::Answer(answer));
        let (store, _) = store(quick(), password());
        let error = store.resolve(&tagged(&registry, "v1")).await.unwrap_err();
        let class = Cause::of(&error).class;
        assert!(
            class == Class::Refused || class == Class::Unavailable,
            "{challenge}: {error:?}"
        );
        assert!(
            world.ledger().len() <= 5,
            "{challenge}: {:?}",
            world.ledger().operations()
        );
    }
}

#[tokio::test]
async fn token_services_fail_as_what_they_are() {
    use crate::support::http::Response;
    for (fault, class) in [
        (Fault::status(503), Class::Unavailable),
        (Fault::Reset, Class::Unavailable),
        (Fault::html(200), Class::Unavailable),
        (Fault::huge("application/json", 100 << 20), Class::Unavailable),
        (
            Fault::Answer(Response::json(200, &json!({"token": ""}))),
            Class::Unavailable,
        ),
        (
            Fault::Answer(Response::json(200, &json!({"token": "a\r\nb: c"}))),
            Class::Unavailable,
        ),
        (
            Fault::Answer(Response::json(200, &json!({"token": 5}))),
            Class::Unavailable,
        ),
        (Fault::Answer(Response::json(200, &json!([]))), Class::Unavailable),
        (Fault::registry_error(403, "DENIED", "no"), Class::Refused),
        (
            Fault::registry_error(401, "UNAUTHORIZED", "incorrect username or password"),
            Class::Refused,
        ),
        (Fault::redirect(302, "http://127.0.0.1:1/"), Class::Unavailable),
    ] {
        let (world, registry) = boot(bearer());
        world.fault("registry", "GET token", When::Always, fault);
        let (store, _) = store(quick(), password());
        let cause = Cause::of(&store.resolve(&tagged(&registry, "v1")).await.unwrap_err());
        assert_eq!(cause.class, class, "{cause:?}");
        assert!(!cause.message.contains("canary"), "{cause:?}");
    }
}

#[tokio::test]
async fn both_names_of_the_token_and_no_lifetime_are_taken() {
    let (world, registry) = boot(Quirks {
        token_seconds: None,
        ..bearer()
    });
    world.fault(
        "registry",
        "GET token",
        When::Always,
        Fault::edit(|response| {
            let text = String::from_utf8(response.bytes().to_vec()).unwrap();
            *response = response
                .clone()
                .body(text.replace("\"token\"", "\"access_token\""));
        }),
    );
    let (store, _) = store(quick(), password());
    store.resolve(&tagged(&registry, "v1")).await.unwrap();
}

#[tokio::test]
async fn a_stranger_may_read_where_strangers_may() {
    let (world, registry) = boot(Quirks {
        anonymous_pull: true,
        ..bearer()
    });
    let (store, _) = store(quick(), password());
    let at = place(&registry);
    let subject = store.resolve(&tagged(&registry, "v1")).await.unwrap().subject;
    assert_eq!(world.ledger().len(), 1);
    attach(&store, &at, &subject, "one").await.unwrap();
    assert_eq!(registry.referrers(REPOSITORY, subject.digest()).len(), 1);
}

#[tokio::test]
async fn docker_config_and_its_helpers() {
    let (_world, registry) = boot(Quirks::default().with_auth(Auth::Basic));
    let host = registry.host();
    let auth = base64::prelude::BASE64_STANDARD.encode(LOGIN);
    let config = json!({"auths": {host.as_str(): {"auth": auth}}}).to_string();
    let (with_config, _) = store(
        quick(),
        Chain(Anonymous, DockerConfig::parse(config.as_bytes()).unwrap()),
    );
    with_config.resolve(&tagged(&registry, "v1")).await.unwrap();
    let helper = json!({"credHelpers": {host.as_str(): "ecr-login"}}).to_string();
    let (with_helper, _) = store(quick(), DockerConfig::parse(helper.as_bytes()).unwrap());
    let cause = Cause::of(&with_helper.resolve(&tagged(&registry, "v1")).await.unwrap_err());
    assert_eq!(cause.class, Class::Refused);
    assert!(cause.message.contains("ecr-login") && cause.hint.unwrap().contains("no credential helpers"));
}

#[tokio::test]
async fn a_realm_elsewhere_must_speak_tls() {
    for (realm, words) in [
        ("http://auth.invalid/token", "leads nowhere"),
        ("http://192.0.2.1/token", "expected an https address"),
        ("/token", "expected an https address"),
        ("https://user:secret@127.0.0.1/token", "holds a login"),
    ] {
        let (world, registry) = boot(Quirks {
            realm: Some(realm.to_owned()),
            ..bearer()
        });
        let (store, _) = store(quick(), password());
        let cause = Cause::of(&store.resolve(&tagged(&registry, "v1")).await.unwrap_err());
        assert_eq!(cause.class, Class::Unavailable, "{realm}: {cause:?}");
        assert!(cause.message.contains(words), "{realm}: {}", cause.message);
        assert_eq!(world.ledger().len(), 1);
    }
}

#[tokio::test]
async fn no_login_follows_a_redirect_or_an_upload_to_another_host() {
    let (world, registry) = boot(Quirks::ecr());
    let other = world.registry(Quirks::default().named("other"));
    let (store, _) = store(quick(), Ecr);
    for target in [registry.base(), other.base()] {
        world.no_more_faults();
        let target = format!("{target}/v2/{REPOSITORY}/manifests/elsewhere");
        world.fault(
            "registry",
            "GET manifest",
            When::Nth(1),
            Fault::redirect(302, &target),
        );
        world.ledger().clear();
        store.resolve(&tagged(&registry, "v1")).await.unwrap_err();
        let entries = world.ledger().entries();
        let with_login: Vec<bool> = entries
            .iter()
            .map(|entry| entry.request.headers.contains_key("authorization"))
            .collect();
        assert_eq!(with_login, [true, false], "{target}");
    }
    world.no_more_faults();
    let session = format!("{}/v2/{REPOSITORY}/blobs/uploads/unknown", other.base());
    world.fault(
        "registry",
        "POST upload",
        When::Nth(1),
        Fault::header("location", &session),
    );
    store.upload(&place(&registry), &statement("one")).await.unwrap();
    let sent = world.ledger().of("other", "PUT blob");
    assert_eq!(sent.len(), 1);
    assert!(!sent[0].request.headers.contains_key("authorization"));
    assert!(
        registry
            .blobs(REPOSITORY)
            .contains_key(&Digest::of(b"one").to_string()),
        "sent again at home"
    );
}

#[tokio::test]
async fn no_secret_is_in_any_error_or_event() {
    let (world, registry) = boot(bearer());
    let (store, recorder) = store(quick(), password());
    store.resolve(&tagged(&registry, "v1")).await.unwrap();
    let mut seen = String::new();
    for fault in [
        Fault::Reset,
        Fault::status(500),
        Fault::registry_error(403, "DENIED", "no"),
        Fault::TruncateAfter(1),
    ] {
        world.no_more_faults();
        world.fault("registry", "GET manifest", When::Always, fault);
        let error = store.resolve(&tagged(&registry, "v1")).await.unwrap_err();
        let _ = write!(seen, "{error:?} {error} {:?}", Cause::of(&error));
    }
    let _ = write!(seen, "{:?}", recorder.0.borrow());
    assert!(!seen.contains("canary"), "{seen}");
}
