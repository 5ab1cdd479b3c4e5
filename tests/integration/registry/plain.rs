//! What works when nothing goes wrong, and in how many requests.

use countersign::base::failure::{Class, Classified as _};

use super::*;
use crate::support::World;
use crate::support::fault::{Fault, When};
use crate::support::registry::Quirks;

#[tokio::test]
async fn an_image_is_found_by_tag_and_by_digest_and_hashed() {
    let world = World::new();
    let registry = world.registry(Quirks::default());
    let digest = registry.put_image(REPOSITORY, "v1", "layer");
    let (store, _) = store(quick(), Anonymous);
    for image in [tagged(&registry, "v1"), by_digest(&registry, &digest)] {
        let found = store.resolve(&image).await.unwrap();
        assert_eq!(found.subject.digest(), &digest);
        assert_eq!(found.subject.place(), &place(&registry));
    }
    let missing = store.resolve(&tagged(&registry, "v2")).await.unwrap_err();
    assert_eq!(missing.class(), Class::Missing);
    assert_eq!(
        format!("{missing}: {}", missing.problem),
        format!(
            "could not resolve {}/{REPOSITORY}:v2: the registry answered 404 MANIFEST_UNKNOWN (\"manifest unknown\")",
            registry.host()
        )
    );
}

#[tokio::test]
async fn referrers_are_stored_listed_and_read_back_in_few_requests() {
    let world = World::new();
    let registry = world.registry(Quirks::ecr());
    registry.accept(LOGIN);
    registry.put_image(REPOSITORY, "v1", "layer");
    let (store, recorder) = store(quick(), Ecr);
    let at = place(&registry);
    let subject = store.resolve(&tagged(&registry, "v1")).await.unwrap().subject;
    assert_eq!(store.referrers(&at, subject.digest()).await.unwrap(), []);
    let one = attach(&store, &at, &subject, "one").await.unwrap();
    let two = attach(&store, &at, &subject, "two").await.unwrap();
    let listed = store.referrers(&at, subject.digest()).await.unwrap();
    assert_eq!(digests(&listed), [one, two]);
    let manifest = store.manifest(&at, &listed[0]).await.unwrap();
    let countersign::domain::oci::ManifestView::Image(image) = manifest.view() else {
        panic!("an index")
    };
    assert_eq!(store.blob(&at, &image.layers[0], 100).await.unwrap(), b"one");
    let counts: Vec<(String, usize)> = world.ledger().counts().into_iter().collect();
    let expected = [
        ("registry: GET blob", 1),
        ("registry: GET manifest", 2),
        ("registry: GET referrers", 2),
        ("registry: POST upload", 3),
        ("registry: PUT blob", 3),
        ("registry: PUT manifest", 2),
        ("storage: GET object", 1),
    ];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
    assert_eq!(recorder.requests(), world.ledger().len());
}

#[tokio::test]
async fn pages_are_followed_and_duplicates_dropped() {
    let world = World::new();
    let registry = world.registry(Quirks {
        page_size: Some(2),
        ..Quirks::default()
    });
    registry.put_image(REPOSITORY, "v1", "layer");
    let (store, _) = store(quick(), Anonymous);
    let at = place(&registry);
    let subject = store.resolve(&tagged(&registry, "v1")).await.unwrap().subject;
    let mut pushed = Vec::new();
    for n in 0..5 {
        pushed.push(attach(&store, &at, &subject, &n.to_string()).await.unwrap());
    }
    world.ledger().clear();
    assert_eq!(
        digests(&store.referrers(&at, subject.digest()).await.unwrap()),
        pushed
    );
    assert_eq!(world.ledger().count("registry", "GET referrers"), 3);
    // The second page repeats what the first one said.
    let repeated = pushed[0].to_string();
    world.fault(
        "registry",
        "GET referrers",
        When::Nth(2),
        Fault::edit(move |response| {
            let mut page: serde_json::Value = serde_json::from_slice(response.bytes()).unwrap();
            page["manifests"][0]["digest"] = json!(repeated);
            *response = response.clone().body(page.to_string());
        }),
    );
    let listed = digests(&store.referrers(&at, subject.digest()).await.unwrap());
    assert_eq!(listed, [&pushed[..2], &pushed[3..]].concat());
}

#[tokio::test]
async fn a_blob_is_sent_once_however_many_need_it_at_once() {
    let world = World::new();
    let registry = world.registry(Quirks::default());
    registry.put_image(REPOSITORY, "v1", "layer");
    let (store, _) = store(quick(), Anonymous);
    let at = place(&registry);
    let empty = Blob::empty();
    let all = (0..8).map(|_| store.upload(&at, &empty));
    assert!(
        futures_util::future::join_all(all)
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(
        world.ledger().operations(),
        ["registry: POST upload", "registry: PUT blob"]
    );
}

#[tokio::test]
async fn a_blob_that_a_manifest_names_is_not_sent_again() {
    let world = World::new();
    let registry = world.registry(Quirks::default());
    registry.put_image(REPOSITORY, "v1", "layer");
    let (first, _) = store(quick(), Anonymous);
    let at = place(&registry);
    let subject = first.resolve(&tagged(&registry, "v1")).await.unwrap().subject;
    attach(&first, &at, &subject, "one").await.unwrap();
    let (second, _) = store(quick(), Anonymous);
    let listed = second.referrers(&at, subject.digest()).await.unwrap();
    second.manifest(&at, &listed[0]).await.unwrap();
    world.ledger().clear();
    attach(&second, &at, &subject, "two").await.unwrap();
    assert_eq!(world.ledger().count("registry", "POST upload"), 1);
}

#[tokio::test]
async fn a_large_blob_is_asked_for_before_it_is_sent() {
    let world = World::new();
    let registry = world.registry(Quirks::default());
    let large = statement(&"x".repeat(300_000));
    let at = place(&registry);
    let (first, _) = store(quick(), Anonymous);
    first.upload(&at, &large).await.unwrap();
    let (second, _) = store(quick(), Anonymous);
    world.ledger().clear();
    second.upload(&at, &large).await.unwrap();
    assert_eq!(world.ledger().operations(), ["registry: HEAD blob"]);
}

#[tokio::test]
async fn sessions_opened_ahead_save_a_wave_and_a_stale_one_is_replaced() {
    let world = World::new();
    let registry = world.registry(Quirks::default());
    registry.put_image(REPOSITORY, "v1", "layer");
    let (store, _) = store(quick(), Anonymous);
    let at = place(&registry);
    store.prepare(&at, 2).await;
    store.upload(&at, &statement("one")).await.unwrap();
    assert_eq!(world.ledger().count("registry", "POST upload"), 2);
    let gone = Fault::registry_error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    world.fault("registry", "PUT blob", When::Nth(1), gone);
    store.upload(&at, &statement("two")).await.unwrap();
    assert_eq!(world.ledger().count("registry", "POST upload"), 3);
    assert_eq!(
        registry.blobs(REPOSITORY)[&Digest::of(b"two").to_string()],
        b"two"
    );
}

#[tokio::test]
async fn locations_may_be_paths_alone() {
    let world = World::new();
    let registry = world.registry(Quirks {
        relative_location: true,
        ..Quirks::default()
    });
    let (store, _) = store(quick(), Anonymous);
    store.upload(&place(&registry), &statement("one")).await.unwrap();
    assert_eq!(registry.blobs(REPOSITORY).len(), 1);
}

#[tokio::test]
async fn types_reported_wrongly_are_passed_on_unjudged() {
    let world = World::new();
    let registry = world.registry(Quirks {
        config_as_artifact_type: true,
        ..Quirks::default()
    });
    registry.put_image(REPOSITORY, "v1", "layer");
    let (store, _) = store(quick(), Anonymous);
    let at = place(&registry);
    let subject = store.resolve(&tagged(&registry, "v1")).await.unwrap().subject;
    let pushed = attach(&store, &at, &subject, "one").await.unwrap();
    let listed = store.referrers(&at, subject.digest()).await.unwrap();
    assert_eq!(digests(&listed), [pushed]);
    assert_eq!(listed[0].artifact_type, Some(MediaType::EMPTY));
    let manifest = store.manifest(&at, &listed[0]).await.unwrap();
    assert_eq!(
        manifest.artifact_type().unwrap().as_str(),
        "application/vnd.example+json"
    );
}

#[tokio::test]
async fn nothing_without_a_subject_and_nothing_on_disk_is_stored() {
    let (store, recorder) = store(quick(), Anonymous);
    let at: Place = Place::Repository("127.0.0.1:9/a".parse().unwrap());
    let manifest = Manifest::parse(br#"{"manifests":[]}"#.to_vec(), &MediaType::OCI_INDEX).unwrap();
    assert_eq!(
        store.push_referrer(&at, &manifest).await.unwrap_err().class(),
        Class::Usage
    );
    let layout: ImageRef = "oci:somewhere".parse().unwrap();
    assert_eq!(store.resolve(&layout).await.unwrap_err().class(), Class::Usage);
    let bare: ImageRef = "127.0.0.1:9/a".parse().unwrap();
    assert_eq!(store.resolve(&bare).await.unwrap_err().class(), Class::Usage);
    assert_eq!(recorder.requests(), 0);
}

#[tokio::test]
async fn many_images_overlap() {
    let world = World::new();
    let registry = world.registry(Quirks::default());
    let images: Vec<ImageRef> = (0..40)
        .map(|n| {
            registry.put_image(REPOSITORY, &format!("v{n}"), &n.to_string());
            tagged(&registry, &format!("v{n}"))
        })
        .collect();
    let (store, _) = store(
        Options {
            timeout: Duration::from_secs(10),
            ..quick()
        },
        Anonymous,
    );
    store.warm(&registry.host()).await;
    world.set_latency(Duration::from_millis(300));
    let began = std::time::Instant::now();
    let found = futures_util::future::join_all(images.iter().map(|image| store.resolve(image))).await;
    assert!(found.iter().all(Result::is_ok));
    let waves = world.ledger().waves().into_iter().skip(1).max().unwrap();
    assert!(waves <= 2, "{waves} waves in {:?}", began.elapsed());
}

#[tokio::test]
async fn manifests_are_pushed_at_the_pace_of_a_quota() {
    let world = World::new();
    let registry = world.registry(Quirks {
        manifest_quota: Some((20.0, 5.0)),
        ..Quirks::default()
    });
    registry.put_image(REPOSITORY, "v1", "layer");
    let pace = |_: &RegistryHost| {
        Some(countersign::edge::pace::Pace {
            per_second: 20.0,
            burst: 5.0,
        })
    };
    let (store, recorder) = store(
        Options {
            manifest_pace: pace,
            ..quick()
        },
        Anonymous,
    );
    let at = place(&registry);
    let subject = store.resolve(&tagged(&registry, "v1")).await.unwrap().subject;
    let texts: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    let began = std::time::Instant::now();
    let pushed = texts.iter().map(|text| attach(&store, &at, &subject, text));
    let pushed = futures_util::future::join_all(pushed).await;
    assert!(pushed.iter().all(Result::is_ok), "{pushed:?}");
    assert!(
        began.elapsed() >= Duration::from_millis(240),
        "{:?}",
        began.elapsed()
    );
    assert!(recorder.retries() <= 1, "{} retries", recorder.retries());
}

#[tokio::test]
async fn the_registry_s_part_of_a_run_on_amazon_ecr_takes_few_requests_and_waves() {
    let world = World::new();
    let registry = world.registry(Quirks::ecr());
    registry.accept(LOGIN);
    let digest = registry.put_image(REPOSITORY, "v1", "layer");
    let (store, _) = store(
        Options {
            timeout: Duration::from_secs(10),
            ..quick()
        },
        Ecr,
    );
    let at = place(&registry);
    let image = by_digest(&registry, &digest);
    world.set_latency(Duration::from_millis(150));
    let (found, listed) =
        futures_util::future::join(store.resolve(&image), store.referrers(&at, &digest)).await;
    let subject = found.unwrap().subject;
    assert_eq!(listed.unwrap(), []);
    // While somebody signs, the sessions for what follows are opened.
    store.prepare(&at, 4).await;
    let (text, empty) = (statement("statement"), Blob::empty());
    let (one, two) = (statement("envelope one"), statement("envelope two"));
    let uploads = [&text, &one, &two, &empty].map(|blob| store.upload(&at, blob));
    assert!(
        futures_util::future::join_all(uploads)
            .await
            .iter()
            .all(Result::is_ok)
    );
    let attestation = artifact(subject.descriptor(), "application/vnd.example+json", &text);
    let on_image = artifact(subject.descriptor(), "application/vnd.example.signature", &one);
    let on_attestation = artifact(
        &attestation.descriptor(),
        "application/vnd.example.signature",
        &two,
    );
    let pushes = [&on_image, &on_attestation].map(|manifest| store.push_referrer(&at, manifest));
    assert!(
        futures_util::future::join_all(pushes)
            .await
            .iter()
            .all(Result::is_ok)
    );
    store.push_referrer(&at, &attestation).await.unwrap();
    // Read back: both lists and the three manifests by their known digests, then the three blobs.
    let attestation_digest = attestation.digest().clone();
    let lists = [&digest, &attestation_digest].map(|of| store.referrers(&at, of));
    let expected = [&attestation, &on_image, &on_attestation].map(Manifest::descriptor);
    let manifests = expected.each_ref().map(|manifest| store.manifest(&at, manifest));
    let (lists, manifests) = futures_util::future::join(
        futures_util::future::join_all(lists),
        futures_util::future::join_all(manifests),
    )
    .await;
    assert_eq!(
        lists
            .into_iter()
            .map(|list| list.unwrap().len())
            .collect::<Vec<_>>(),
        [2, 1]
    );
    assert!(manifests.iter().all(Result::is_ok));
    let blobs = [&text, &one, &two].map(|blob| store.blob(&at, blob.descriptor(), 1_000));
    assert!(
        futures_util::future::join_all(blobs)
            .await
            .iter()
            .all(Result::is_ok)
    );
    let counts: Vec<(String, usize)> = world.ledger().counts().into_iter().collect();
    let expected = [
        ("registry: GET blob", 3),
        ("registry: GET manifest", 4),
        ("registry: GET referrers", 3),
        ("registry: POST upload", 4),
        ("registry: PUT blob", 4),
        ("registry: PUT manifest", 3),
        ("storage: GET object", 3),
    ];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
    // Look; open sessions; send; two manifests; one; lists and manifests; blobs; their storage.
    assert_eq!(
        world.ledger().waves().into_iter().max(),
        Some(8),
        "{:?}",
        world.ledger().operations()
    );
}
