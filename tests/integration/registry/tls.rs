//! TLS: our own roots, no way back to plain text, and refusal of who cannot be trusted.

use std::sync::Arc;

use countersign::base::failure::{Cause, Class};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::support::World;
use crate::support::fault::{Fault, When};
use crate::support::registry::{Auth, Quirks};

/// A certificate for `localhost` that is its own root, and the server that shows it.
fn identity() -> (Vec<u8>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (made.cert.pem().into_bytes(), Arc::new(config))
}

fn store_with(roots: Vec<Vec<u8>>) -> Registry<Static> {
    let addresses = Addresses::default();
    let network = Network {
        roots,
        ..Network::default()
    };
    let client = client(&network, &addresses).unwrap();
    let options = Options {
        plain_loopback: false,
        timeout: Duration::from_secs(5),
        ..quick()
    };
    Registry::new(
        client,
        addresses,
        options,
        password(),
        Rc::new(Recorder::default()),
    )
}

#[tokio::test]
async fn a_root_that_was_given_is_trusted_and_another_is_not() {
    let (root, identity) = identity();
    let world = World::new();
    let registry = world.registry_tls(Quirks::ecr().with_auth(Auth::Bearer), &identity);
    registry.accept(LOGIN);
    let digest = registry.put_image(REPOSITORY, "v1", "layer");
    let trusting = store_with(vec![root]);
    let found = trusting.resolve(&tagged(&registry, "v1")).await.unwrap();
    assert_eq!(found.subject.digest(), &digest);
    let layer = Descriptor::of(MediaType::OCI_LAYER, b"layer");
    assert_eq!(
        trusting.blob(&place(&registry), &layer, 10).await.unwrap(),
        b"layer"
    );
    assert_eq!(world.ledger().count("storage", "GET object"), 1);
    world.ledger().clear();
    let cause = Cause::of(
        &store_with(Vec::new())
            .resolve(&tagged(&registry, "v1"))
            .await
            .unwrap_err(),
    );
    assert_eq!(cause.class, Class::Unavailable);
    assert!(cause.message.contains("UnknownIssuer"), "{}", cause.message);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn nothing_leads_from_tls_to_plain_text() {
    let (root, identity) = identity();
    let world = World::new();
    let plain = world.registry(Quirks::default().named("plain"));
    let registry = world.registry_tls(Quirks::default(), &identity);
    registry.put_image(REPOSITORY, "v1", "layer");
    let store = store_with(vec![root.clone()]);
    for target in [format!("{}/x", plain.base()), "//user:pw@localhost/x".to_owned()] {
        world.no_more_faults();
        world.fault(
            "registry",
            "GET manifest",
            When::Always,
            Fault::redirect(307, &target),
        );
        let cause = Cause::of(&store.resolve(&tagged(&registry, "v1")).await.unwrap_err());
        assert_eq!(cause.class, Class::Unavailable, "{cause:?}");
        assert!(
            cause.message.contains("leaves TLS") || cause.message.contains("holds a login"),
            "{}",
            cause.message
        );
    }
    world.no_more_faults();
    world.fault(
        "registry",
        "POST upload",
        When::Always,
        Fault::header("location", &format!("{}/x", plain.base())),
    );
    let cause = Cause::of(
        &store
            .upload(&place(&registry), &statement("one"))
            .await
            .unwrap_err(),
    );
    assert_eq!(cause.class, Class::Unavailable);
    let realm = Quirks {
        realm: Some(format!("{}/token", plain.base())),
        ..Quirks::default().with_auth(Auth::Bearer)
    };
    let bearer = world.registry_tls(realm, &identity);
    let cause = Cause::of(&store.resolve(&tagged(&bearer, "v1")).await.unwrap_err());
    assert_eq!(cause.class, Class::Unavailable);
    assert!(cause.message.contains("leaves TLS"), "{}", cause.message);
    assert!(
        world
            .ledger()
            .entries()
            .iter()
            .all(|entry| entry.service != "plain")
    );
}

#[tokio::test]
async fn a_plain_server_where_tls_was_meant_is_unavailable() {
    let world = World::new();
    let registry = world.registry(Quirks::default());
    let cause = Cause::of(
        &store_with(Vec::new())
            .resolve(&tagged(&registry, "v1"))
            .await
            .unwrap_err(),
    );
    assert_eq!(cause.class, Class::Unavailable);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn over_http_2_one_connection_serves_all() {
    let (root, identity) = identity();
    let world = World::new();
    let registry = world.registry_tls(Quirks::default(), &identity);
    registry.put_image(REPOSITORY, "v1", "layer");
    let store = store_with(vec![root]);
    let at = place(&registry);
    store.warm(&registry.host()).await;
    world.set_latency(Duration::from_millis(50));
    let image = tagged(&registry, "v1");
    let all = futures_util::future::join_all((0..20).map(|_| store.resolve(&image))).await;
    assert!(all.iter().all(Result::is_ok));
    let subject = store.resolve(&image).await.unwrap().subject;
    attach(&store, &at, &subject, "one").await.unwrap();
    assert_eq!(store.referrers(&at, subject.digest()).await.unwrap().len(), 1);
    let entries = world.ledger().entries();
    let peers: std::collections::HashSet<_> = entries.iter().map(|entry| entry.request.peer).collect();
    assert_eq!(peers.len(), 1);
    for fault in [Fault::TruncateAfter(5), Fault::Reset, Fault::status(503)] {
        world.no_more_faults();
        world.fault("registry", "GET manifest", When::Nth(1), fault);
        store.resolve(&image).await.unwrap();
    }
}
