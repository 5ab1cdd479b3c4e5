//! Proxies: used where they are given, for whom they are given, and for nobody else.

use countersign::base::failure::{Cause, Class};

use super::*;
use crate::support::World;
use crate::support::registry::Quirks;

fn store_behind(network: &Network, plain: &[&str]) -> Registry<Anonymous> {
    let addresses = Addresses::default();
    let client = client(network, &addresses).unwrap();
    let options = Options {
        plain_http: plain.iter().map(|host| host.parse().unwrap()).collect(),
        ..quick()
    };
    Registry::new(
        client,
        addresses,
        options,
        Anonymous,
        Rc::new(Recorder::default()),
    )
}

#[tokio::test]
async fn names_that_only_the_proxy_knows_are_reached_through_it() {
    let world = World::new();
    let proxy = world.registry(Quirks::default().named("proxy"));
    let digest = proxy.put_image(REPOSITORY, "v1", "layer");
    let network = Network {
        http_proxy: Some(proxy.base()),
        https_proxy: Some(proxy.host().to_string()),
        no_proxy: Some("127.0.0.1,localhost".to_owned()),
        ..Network::default()
    };
    let store = store_behind(&network, &["registry.invalid"]);
    let image: ImageRef = format!("registry.invalid/{REPOSITORY}:v1").parse().unwrap();
    assert_eq!(store.resolve(&image).await.unwrap().subject.digest(), &digest);
    let seen = world.ledger().of("proxy", "GET manifest");
    assert_eq!(seen[0].request.header("host"), "registry.invalid");
    // TLS asks for a tunnel, which this proxy does not dig.
    let image: ImageRef = format!("other.invalid/{REPOSITORY}:v1").parse().unwrap();
    let cause = Cause::of(&store.resolve(&image).await.unwrap_err());
    assert_eq!(cause.class, Class::Unavailable);
    let tunnels = world.ledger().of("proxy", "unknown");
    assert!(tunnels.iter().all(|entry| entry.request.method == "CONNECT") && !tunnels.is_empty());
}

#[tokio::test]
async fn this_machine_and_nothing_else_is_dialled() {
    let world = World::new();
    let trap = world.registry(Quirks::default().named("trap"));
    let registry = world.registry(Quirks::distribution());
    registry.put_image(REPOSITORY, "v1", "layer");
    // Whatever is not on this machine would go into the trap.
    let network = Network {
        http_proxy: Some(trap.base()),
        https_proxy: Some(trap.base()),
        no_proxy: Some("127.0.0.1".to_owned()),
        ..Network::default()
    };
    let store = store_behind(&network, &[]);
    let at = place(&registry);
    store.warm(&registry.host()).await;
    let subject = store.resolve(&tagged(&registry, "v1")).await.unwrap().subject;
    attach(&store, &at, &subject, "one").await.unwrap();
    assert_eq!(store.referrers(&at, subject.digest()).await.unwrap().len(), 1);
    assert!(
        world
            .ledger()
            .entries()
            .iter()
            .all(|entry| entry.service == "registry")
    );
}
