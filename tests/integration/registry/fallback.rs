//! Registries without the referrers API: the list under a tag, its readers and its writers.

use std::sync::Arc;

use countersign::base::failure::{Cause, Class};
use serde_json::Value;

use super::*;
use crate::support::World;
use crate::support::fault::{Fault, When};
use crate::support::registry::Quirks;

struct Stage {
    world: World,
    registry: Arc<emulator::Registry>,
    store: Registry<Anonymous>,
    subject: Subject,
    at: Place,
}

async fn stage(quirks: Quirks) -> Stage {
    let world = World::new();
    let registry = world.registry(quirks);
    registry.put_image(REPOSITORY, "v1", "layer");
    let (store, _) = store(quick(), Anonymous);
    let subject = store.resolve(&tagged(&registry, "v1")).await.unwrap().subject;
    world.ledger().clear();
    Stage {
        at: place(&registry),
        world,
        registry,
        store,
        subject,
    }
}

fn tag_of(subject: &Subject) -> String {
    format!("sha256-{}", subject.digest().hex())
}

impl Stage {
    async fn listed(&self) -> Vec<Descriptor> {
        self.store
            .referrers(&self.at, self.subject.digest())
            .await
            .unwrap()
    }

    async fn attach(&self, text: &str) -> Result<Digest, StoreError> {
        attach(&self.store, &self.at, &self.subject, text).await
    }

    /// Puts an index under the fallback tag, as another tool would.
    fn put_list(&self, entries: &serde_json::Value) {
        let list = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": entries});
        let tag = tag_of(&self.subject);
        self.registry.put_manifest(
            REPOSITORY,
            Some(&tag),
            &MediaType::OCI_INDEX,
            list.to_string().as_bytes(),
        );
    }
}

#[tokio::test]
async fn the_list_is_kept_under_a_tag_with_types_and_annotations() {
    let stage = stage(Quirks::distribution()).await;
    assert_eq!(stage.listed().await, []);
    assert_eq!(
        stage.world.ledger().operations(),
        ["registry: GET referrers", "registry: GET manifest"]
    );
    let one = stage.attach("one").await.unwrap();
    let two = stage.attach("two").await.unwrap();
    let listed = stage.listed().await;
    assert_eq!(digests(&listed), [one, two]);
    assert_eq!(
        listed[0].artifact_type.as_ref().unwrap().as_str(),
        "application/vnd.example+json"
    );
    assert_eq!(
        listed[0].annotations["org.opencontainers.image.created"].raw(),
        "2026-01-01T00:00:00Z"
    );
    assert!(
        stage
            .registry
            .tags(REPOSITORY)
            .contains_key(&tag_of(&stage.subject))
    );
    assert_eq!(
        stage.world.ledger().count("registry", "GET referrers"),
        1,
        "asked once per repository"
    );
}

#[tokio::test]
async fn the_list_may_precede_its_subject() {
    let stage = stage(Quirks::distribution()).await;
    let absent = Manifest::parse(
        br#"{"manifests":[],"annotations":{"n":"1"}}"#.to_vec(),
        &MediaType::OCI_INDEX,
    )
    .unwrap();
    let absent = Subject::of(stage.at.clone(), &absent);
    let pushed = attach(&stage.store, &stage.at, &absent, "early").await.unwrap();
    let listed = stage.store.referrers(&stage.at, absent.digest()).await.unwrap();
    assert_eq!(digests(&listed), [pushed]);
}

#[tokio::test]
async fn native_is_only_who_says_so_twice() {
    for (oci_subject, referrers_api, keeps_tag) in [
        (true, true, false),
        (true, false, true),
        (false, true, true),
        (false, false, true),
    ] {
        let stage = stage(Quirks {
            referrers_api,
            oci_subject,
            ..Quirks::default()
        })
        .await;
        let pushed = stage.attach("one").await.unwrap();
        let has_tag = stage
            .registry
            .tags(REPOSITORY)
            .contains_key(&tag_of(&stage.subject));
        assert_eq!(has_tag, keeps_tag, "header {oci_subject}, API {referrers_api}");
        assert_eq!(digests(&stage.listed().await), [pushed]);
    }
}

#[tokio::test]
async fn writers_in_one_process_take_turns() {
    let stage = stage(Quirks::distribution()).await;
    let texts: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let pushed = futures_util::future::join_all(texts.iter().map(|text| stage.attach(text))).await;
    let mut expected: Vec<Digest> = pushed.into_iter().map(Result::unwrap).collect();
    let mut listed = digests(&stage.listed().await);
    expected.sort();
    listed.sort();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_push_that_is_repeated_changes_nothing() {
    let stage = stage(Quirks::distribution()).await;
    stage.attach("one").await.unwrap();
    let before = stage.registry.manifests(REPOSITORY).len();
    stage.attach("one").await.unwrap();
    assert_eq!(stage.listed().await.len(), 1);
    assert_eq!(stage.registry.manifests(REPOSITORY).len(), before);
}

#[tokio::test]
async fn entries_of_others_stay_as_they_are() {
    let stage = stage(Quirks::distribution()).await;
    let foreign = stage
        .registry
        .put_manifest(REPOSITORY, None, &MediaType::OCI_MANIFEST, b"{}");
    let note = "x".repeat(3_000);
    let entry = json!({"mediaType": MediaType::OCI_MANIFEST, "digest": foreign, "size": 2, "urls": ["https://a.example"], "annotations": {"note": note}});
    stage.put_list(&json!([entry, entry]));
    let own = stage.attach("one").await.unwrap();
    assert_eq!(digests(&stage.listed().await), [foreign, own]);
    let tag = &stage.registry.tags(REPOSITORY)[&tag_of(&stage.subject)];
    let list: serde_json::Value =
        serde_json::from_slice(&stage.registry.manifests(REPOSITORY)[tag].bytes).unwrap();
    assert_eq!(list["manifests"][0], entry);
    assert_eq!(list["manifests"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_lost_race_is_run_again_and_three_lost_ones_are_said() {
    // Another tool writes its own list right after ours.
    // The first read comes before the write, the second after it.
    for (lost, class) in [(When::Nth(2), None), (When::From(2), Some(Class::Unavailable))] {
        let stage = stage(Quirks::distribution()).await;
        let registry = std::sync::Arc::clone(&stage.registry);
        let tag = tag_of(&stage.subject);
        let list =
            json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": []}).to_string();
        let overwrite = Fault::before(move || {
            registry.put_manifest(REPOSITORY, Some(&tag), &MediaType::OCI_INDEX, list.as_bytes());
        });
        stage.world.fault("registry", "GET manifest", lost, overwrite);
        let result = stage.attach("one").await;
        match class {
            None => assert_eq!(digests(&stage.listed().await), [result.unwrap()]),
            Some(class) => {
                let cause = Cause::of(&result.unwrap_err());
                assert_eq!(cause.class, class);
                assert!(
                    cause.message.contains(&tag_of(&stage.subject)),
                    "{}",
                    cause.message
                );
                // The referrer itself and three times the list.
                assert_eq!(stage.world.ledger().count("registry", "PUT manifest"), 4);
            }
        }
    }
}

#[tokio::test]
async fn an_entity_tag_guards_the_write() {
    let stage = stage(Quirks::distribution()).await;
    stage.attach("one").await.unwrap();
    stage.world.fault(
        "registry",
        "GET manifest",
        When::Always,
        Fault::header("etag", "\"v7\""),
    );
    stage
        .world
        .fault("registry", "PUT manifest", When::Nth(2), Fault::status(412));
    stage.world.ledger().clear();
    stage.attach("two").await.unwrap();
    let puts = stage.world.ledger().of("registry", "PUT manifest");
    let guards: Vec<&str> = puts
        .iter()
        .map(|entry| entry.request.header("if-match"))
        .collect();
    assert_eq!(guards, ["", "\"v7\"", "\"v7\""]);
    assert_eq!(stage.listed().await.len(), 2);
}

/// Two jobs attach to one image at once: both have read the list when the other one writes it.
#[tokio::test]
async fn two_writers_lose_nothing_where_conditions_hold() {
    for former in [0, 1] {
        let stage = stage(Quirks {
            etags: true,
            ..Quirks::distribution()
        })
        .await;
        for number in 0..former {
            stage.attach(&format!("former {number}")).await.unwrap();
        }
        let (registry, tag) = (Arc::clone(&stage.registry), tag_of(&stage.subject));
        let theirs = registry.put_image(REPOSITORY, "theirs", "theirs");
        let digest = theirs.clone();
        let size = registry.manifests(REPOSITORY)[&theirs.to_string()].bytes.len();
        let other = Fault::before(move || {
            let mut list: Value = registry.tags(REPOSITORY).get(&tag).map_or_else(
                || json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": []}),
                |digest| serde_json::from_slice(&registry.manifests(REPOSITORY)[digest].bytes).unwrap(),
            );
            let entry = json!({"mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": size});
            list["manifests"].as_array_mut().unwrap().push(entry);
            registry.put_manifest(
                REPOSITORY,
                Some(&tag),
                &MediaType::OCI_INDEX,
                list.to_string().as_bytes(),
            );
        });
        stage.world.ledger().clear();
        stage.world.fault("registry", "PUT manifest", When::Nth(2), other);
        let ours = stage.attach("ours").await.unwrap();
        let listed = digests(&stage.listed().await);
        assert_eq!(listed.len(), former + 2, "{former}");
        assert!(listed.contains(&ours) && listed.contains(&theirs));
        let puts = stage.world.ledger().of("registry", "PUT manifest");
        let first = if former == 0 { "if-none-match" } else { "if-match" };
        let sent: Vec<bool> = puts
            .iter()
            .map(|put| put.request.headers.contains_key(first))
            .collect();
        // The referrer itself, the list that is refused, the list that is taken.
        assert_eq!(sent[..2], [false, true]);
        assert!(puts[2].request.headers.contains_key("if-match"));
        assert_eq!(
            puts.iter().map(|put| put.status).collect::<Vec<_>>(),
            [201, 412, 201]
        );
    }
}

#[tokio::test]
async fn only_absence_leads_to_the_tag() {
    for (fault, class) in [
        (Fault::registry_error(403, "DENIED", "no"), Class::Refused),
        (Fault::registry_error(401, "UNAUTHORIZED", "no"), Class::Refused),
        (Fault::registry_error(404, "NAME_UNKNOWN", "no"), Class::Missing),
        (Fault::status(500), Class::Unavailable),
        (
            Fault::registry_error(429, "TOOMANYREQUESTS", "no"),
            Class::Unavailable,
        ),
        (
            Fault::registry_error(400, "ThrottlingException", "no"),
            Class::Unavailable,
        ),
    ] {
        for operation in ["GET referrers", "GET manifest"] {
            let stage = stage(Quirks::distribution()).await;
            stage
                .world
                .fault("registry", operation, When::Always, fault.clone());
            let error = stage
                .store
                .referrers(&stage.at, stage.subject.digest())
                .await
                .unwrap_err();
            assert_eq!(Cause::of(&error).class, class, "{operation}: {error:?}");
        }
    }
    // Without the API some answer with another document.
    let stage = stage(Quirks::default()).await;
    let other = crate::support::http::Response::json(200, &json!({"message": "hello"}));
    stage
        .world
        .fault("registry", "GET referrers", When::Always, Fault::Answer(other));
    assert_eq!(stage.listed().await, []);
    assert_eq!(stage.world.ledger().count("registry", "GET manifest"), 1);
}

#[tokio::test]
async fn a_tag_that_leads_to_the_subject_is_no_list() {
    let stage = stage(Quirks {
        fallback_tag_is_subject: true,
        ..Quirks::distribution()
    })
    .await;
    assert_eq!(stage.listed().await, []);
    let pushed = stage.attach("one").await.unwrap();
    assert_eq!(digests(&stage.listed().await), [pushed]);
}

#[tokio::test]
async fn a_list_that_names_the_subject_does_not_list_it() {
    let stage = stage(Quirks::distribution()).await;
    let subject = stage.subject.descriptor();
    stage.put_list(
        &json!([{"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size}]),
    );
    assert_eq!(stage.listed().await, []);
}

#[tokio::test]
async fn a_tag_that_was_overwritten_is_not_no_referrers() {
    let stage = stage(Quirks::distribution()).await;
    let tag = tag_of(&stage.subject);
    stage.registry.put_image(REPOSITORY, &tag, "another image");
    let cause = Cause::of(
        &stage
            .store
            .referrers(&stage.at, stage.subject.digest())
            .await
            .unwrap_err(),
    );
    assert_eq!(cause.class, Class::Unavailable);
    assert!(
        cause.message.contains(&tag) && cause.hint.unwrap().contains("overwrote"),
        "{}",
        cause.message
    );
    // Nor is it overwritten once more.
    stage.attach("one").await.unwrap_err();
    assert_eq!(stage.world.ledger().count("registry", "PUT manifest"), 1);
    // Nonsense is not nothing either.
    stage.registry.put_manifest(
        REPOSITORY,
        Some(&tag),
        &MediaType::OCI_INDEX,
        b"{\"manifests\":[{}]}",
    );
    let error = stage
        .store
        .referrers(&stage.at, stage.subject.digest())
        .await
        .unwrap_err();
    assert_eq!(Cause::of(&error).class, Class::Unavailable);
}

#[tokio::test]
async fn immutable_tags_are_explained() {
    let stage = stage(Quirks {
        immutable_tags: true,
        ..Quirks::distribution()
    })
    .await;
    stage.attach("one").await.unwrap();
    let cause = Cause::of(&stage.attach("two").await.unwrap_err());
    assert_eq!(cause.class, Class::Refused);
    assert!(cause.hint.unwrap().contains("sha256-*"));
}
