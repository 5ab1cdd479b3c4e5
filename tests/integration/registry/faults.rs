//! Every operation against every fault: the class of the error, how often it was asked, and what is left behind.

use countersign::base::failure::{Cause, Class};

use super::*;
use crate::support::World;
use crate::support::fault::{Fault, When};
use crate::support::registry::Quirks;

/// What a caller can ask of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Resolve,
    Manifest,
    Referrers,
    Blob,
    Upload,
    Push,
}

use Act::{Blob as ReadBlob, Manifest as ReadManifest, Push, Referrers, Resolve, Upload};

/// A world with an image, a referrer and a blob, and a store that has talked to nobody.
struct Stage {
    world: World,
    registry: std::sync::Arc<emulator::Registry>,
    store: Registry<Anonymous>,
    recorder: Rc<Recorder>,
    subject: Descriptor,
    referrer: Descriptor,
    layer: Descriptor,
}

impl Stage {
    fn new() -> Self {
        Self::with(Quirks::default(), quick())
    }

    fn with(quirks: Quirks, options: Options) -> Self {
        let world = World::new();
        let registry = world.registry(quirks);
        registry.put_image(REPOSITORY, "v1", "layer");
        let stored = registry.manifests(REPOSITORY).into_values().next().unwrap();
        let subject = Descriptor::of(MediaType::OCI_MANIFEST, &stored.bytes);
        let layer = statement("statement");
        let referrer = artifact(&subject, "application/vnd.example+json", &layer);
        registry.put_blob(REPOSITORY, layer.bytes());
        registry.put_blob(REPOSITORY, b"{}");
        registry.put_manifest(REPOSITORY, None, referrer.media_type(), referrer.bytes());
        let (store, recorder) = store(options, Anonymous);
        Self {
            world,
            registry,
            store,
            recorder,
            subject,
            referrer: referrer.descriptor(),
            layer: layer.descriptor().clone(),
        }
    }

    async fn run(&self, act: Act) -> Result<(), StoreError> {
        let at = place(&self.registry);
        match act {
            Resolve => {
                let found = self.store.resolve(&tagged(&self.registry, "v1")).await?;
                assert_eq!(found.subject.digest(), &self.subject.digest);
            }
            ReadManifest => {
                let found = self.store.manifest(&at, &self.referrer).await?;
                assert_eq!(found.digest(), &self.referrer.digest);
            }
            Referrers => {
                let found = self.store.referrers(&at, &self.subject.digest).await?;
                assert_eq!(digests(&found), std::slice::from_ref(&self.referrer.digest));
            }
            ReadBlob => assert_eq!(self.store.blob(&at, &self.layer, 100).await?, b"statement"),
            Upload => self.store.upload(&at, &statement("new")).await?,
            Push => {
                let manifest = self.new_referrer();
                let pushed = self.store.push_referrer(&at, &manifest).await?;
                assert_eq!(pushed.digest(), manifest.digest());
            }
        }
        Ok(())
    }

    fn new_referrer(&self) -> Manifest {
        artifact(
            &self.subject,
            "application/vnd.other+json",
            &statement("statement"),
        )
    }

    /// Whether what `act` would have stored is there.
    fn left(&self, act: Act) -> bool {
        match act {
            Upload => {
                let digest = Digest::of(b"new").to_string();
                self.registry.blobs(REPOSITORY).contains_key(&digest)
            }
            Push => {
                let digest = self.new_referrer().digest().to_string();
                self.registry.manifests(REPOSITORY).contains_key(&digest)
            }
            _ => false,
        }
    }
}

/// The wire operation in which each act can be hit, the first of them first.
fn operations(act: Act) -> &'static [&'static str] {
    match act {
        Resolve | ReadManifest => &["GET manifest"],
        Referrers => &["GET referrers"],
        ReadBlob => &["GET blob"],
        Upload => &["POST upload", "PUT blob"],
        Push => &["PUT manifest"],
    }
}

const ACTS: [Act; 6] = [Resolve, ReadManifest, Referrers, ReadBlob, Upload, Push];
const READS: [Act; 4] = [Resolve, ReadManifest, Referrers, ReadBlob];

/// What is expected of one fault in one operation.
struct Cell {
    name: &'static str,
    when: When,
    fault: fn() -> Fault,
    /// The class, or nothing where the act succeeds all the same.
    class: Option<Class>,
    /// How often the operation is asked.
    asked: usize,
    /// Words that the message holds.
    words: &'static str,
}

fn cell(
    name: &'static str,
    when: When,
    fault: fn() -> Fault,
    class: Option<Class>,
    asked: usize,
    words: &'static str,
) -> Cell {
    Cell {
        name,
        when,
        fault,
        class,
        asked,
        words,
    }
}

/// Runs an act on a fresh stage and compares.
async fn hold(act: Act, operation: &str, cell: &Cell) {
    let stalls = cell.name.contains("stall");
    let stage = Stage::with(Quirks::default(), if stalls { hasty() } else { quick() });
    stage
        .world
        .fault("registry", operation, cell.when, (cell.fault)());
    let result = stage.run(act).await;
    let at = format!("{act:?}, {operation}, {}: {result:?}", cell.name);
    let asked = stage.world.ledger().count("registry", operation);
    match (&result, cell.class) {
        (Ok(()), None) => {}
        (Err(error), Some(class)) => {
            let cause = Cause::of(error);
            assert_eq!(cause.class, class, "{at}");
            assert!(cause.message.contains(cell.words), "{at}: {}", cause.message);
            assert!(
                cause
                    .message
                    .contains(&format!("{}/{REPOSITORY}", stage.registry.host())),
                "{at}"
            );
            assert!(!stage.left(act), "{at}: left behind");
        }
        _ => panic!("{at}"),
    }
    assert_eq!(asked, cell.asked, "{at}: {:?}", stage.world.ledger().operations());
    // Whatever happened, running it again without the fault completes it.
    stage.world.no_more_faults();
    stage
        .run(act)
        .await
        .unwrap_or_else(|error| panic!("{at}: and again: {error:?}"));
}

#[tokio::test]
async fn faults_of_every_operation() {
    use Class::{Missing, Refused, Unavailable};
    use When::{Always, First};
    let cells = [
        cell("500", Always, || Fault::status(500), Some(Unavailable), 3, "500"),
        cell("503 twice", First(2), || Fault::status(503), None, 3, ""),
        cell("408", First(1), || Fault::status(408), None, 2, ""),
        cell(
            "429",
            Always,
            || Fault::registry_error(429, "TOOMANYREQUESTS", "slow down"),
            Some(Unavailable),
            3,
            "429 TOOMANYREQUESTS (\"slow down\"), 3 times",
        ),
        cell(
            "400 throttling",
            First(1),
            || Fault::registry_error(400, "ThrottlingException", "Rate exceeded"),
            None,
            2,
            "",
        ),
        cell(
            "patience",
            Always,
            || Fault::throttle("3600"),
            Some(Unavailable),
            1,
            "429",
        ),
        cell("reset once", First(1), || Fault::Reset, None, 2, ""),
        cell(
            "reset",
            Always,
            || Fault::Reset,
            Some(Unavailable),
            3,
            "connection",
        ),
        cell("stall once", First(1), || Fault::Stall, None, 2, ""),
        cell(
            "403",
            Always,
            || Fault::registry_error(403, "DENIED", "no"),
            Some(Refused),
            1,
            "403 DENIED (\"no\")",
        ),
        cell(
            "404 name",
            Always,
            || Fault::registry_error(404, "NAME_UNKNOWN", "no such repository"),
            Some(Missing),
            1,
            "NAME_UNKNOWN",
        ),
        cell(
            "page 502",
            Always,
            || Fault::html(502),
            Some(Unavailable),
            3,
            "web page",
        ),
        cell(
            "loop",
            Always,
            || Fault::redirect(301, ""),
            Some(Unavailable),
            1,
            "",
        ),
    ];
    for cell in &cells {
        for act in ACTS {
            for operation in operations(act) {
                hold(act, operation, cell).await;
            }
        }
    }
}

#[tokio::test]
async fn faults_of_reading() {
    use Class::Unavailable;
    use When::{Always, First, Nth};
    let cells = [
        cell(
            "truncated once",
            First(1),
            || Fault::TruncateAfter(5),
            None,
            2,
            "",
        ),
        cell(
            "truncated",
            Always,
            || Fault::TruncateAfter(5),
            Some(Unavailable),
            3,
            "broke off",
        ),
        cell(
            "stalled body",
            Always,
            || Fault::StallAfter(5),
            Some(Unavailable),
            3,
            "no whole answer within 400 ms",
        ),
        cell(
            "delay",
            Nth(1),
            || Fault::Delay(Duration::from_millis(50)),
            None,
            1,
            "",
        ),
        cell("page 200", Always, || Fault::html(200), Some(Unavailable), 1, ""),
        cell(
            "metadata",
            Always,
            || Fault::redirect(307, "http://registry.invalid/x"),
            Some(Unavailable),
            1,
            "leads nowhere",
        ),
        cell(
            "file",
            Always,
            || Fault::redirect(302, "file:///etc/passwd"),
            Some(Unavailable),
            1,
            "no address",
        ),
    ];
    for cell in &cells {
        for act in READS {
            for operation in operations(act) {
                hold(act, operation, cell).await;
            }
        }
    }
}

#[tokio::test]
async fn bytes_that_lie_are_tampered_and_not_asked_for_again() {
    let other = Digest::of(b"other").to_string();
    let header = move || Fault::header("docker-content-digest", &other);
    for (act, fault) in [
        (ReadManifest, Fault::FlipByte(30)),
        (ReadBlob, Fault::FlipByte(0)),
        (
            ReadBlob,
            Fault::edit(|response| *response = response.clone().body("statemen")),
        ),
        (
            ReadBlob,
            Fault::edit(|response| *response = response.clone().body("statement+")),
        ),
        (ReadBlob, Fault::huge("application/octet-stream", 400 << 20)),
        (
            ReadManifest,
            Fault::huge("application/vnd.oci.image.manifest.v1+json", 400 << 20),
        ),
        (ReadManifest, header()),
        (Resolve, header()),
        (Resolve, Fault::FlipByte(30)),
        (Push, header()),
    ] {
        let stage = Stage::new();
        let operation = operations(act)[0];
        stage.world.fault("registry", operation, When::Always, fault);
        let error = stage.run(act).await.unwrap_err();
        assert_eq!(Cause::of(&error).class, Class::Tampered, "{act:?}: {error:?}");
        assert_eq!(stage.world.ledger().count("registry", operation), 1, "{act:?}");
        assert_eq!(stage.recorder.retries(), 0);
    }
}

#[tokio::test]
async fn a_digest_that_was_asked_for_is_what_comes() {
    let stage = Stage::new();
    let image = by_digest(&stage.registry, &stage.subject.digest);
    let other = stage.new_referrer();
    stage.world.fault(
        "registry",
        "GET manifest",
        When::Nth(1),
        Fault::edit(move |response| {
            *response = response.clone().body(other.bytes());
            response.remove("docker-content-digest");
        }),
    );
    let error = stage.store.resolve(&image).await.unwrap_err();
    let cause = Cause::of(&error);
    assert_eq!(cause.class, Class::Tampered);
    assert!(
        cause
            .message
            .contains(&format!("expected {}", stage.subject.digest)),
        "{}",
        cause.message
    );
    assert!(
        cause
            .message
            .contains(&format!("found {}", stage.new_referrer().digest())),
        "{}",
        cause.message
    );
}

#[tokio::test]
async fn endless_answers_end() {
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    let index = "application/vnd.oci.image.index.v1+json";
    for (act, kind) in [(Resolve, manifest), (Referrers, index)] {
        let stage = Stage::new();
        stage.world.fault(
            "registry",
            operations(act)[0],
            When::Always,
            Fault::huge(kind, 400 << 20),
        );
        let cause = Cause::of(&stage.run(act).await.unwrap_err());
        assert_eq!(cause.class, Class::Unavailable, "{act:?}");
        assert!(
            cause.message.contains("larger than the 4194304 bytes"),
            "{}",
            cause.message
        );
    }
    // Pages that never end, and pages that lead back.
    for (link, words) in [
        (None, "more than 20 pages"),
        (Some("?page=1"), "in circles"),
        (Some("https://elsewhere.example/v2/"), "not the registry's own"),
        (Some("/v2/other/referrers/sha256:0"), "not the registry's own"),
    ] {
        let stage = Stage::new();
        let pages = std::sync::atomic::AtomicUsize::new(0);
        stage.world.fault(
            "registry",
            "GET referrers",
            When::Always,
            Fault::edit(move |response| {
                let page = pages.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let target = link.map_or_else(|| format!("?page={page}"), str::to_owned);
                response.set("link", &format!("<{target}>; rel=\"next\""));
            }),
        );
        let cause = Cause::of(&stage.run(Referrers).await.unwrap_err());
        assert_eq!(cause.class, Class::Unavailable);
        assert!(cause.message.contains(words), "{}", cause.message);
        assert!(stage.world.ledger().len() <= 20);
    }
}

#[tokio::test]
async fn lost_answers_of_writes_store_nothing_twice() {
    for (act, operation) in [
        (Upload, "POST upload"),
        (Upload, "PUT blob"),
        (Push, "PUT manifest"),
    ] {
        let stage = Stage::new();
        stage
            .world
            .fault("registry", operation, When::Nth(1), Fault::LoseAnswer);
        let before = stage.registry.manifests(REPOSITORY).len();
        stage
            .run(act)
            .await
            .unwrap_or_else(|error| panic!("{operation}: {error:?}"));
        assert!(stage.left(act), "{operation}");
        let expected = before + usize::from(act == Push);
        assert_eq!(stage.registry.manifests(REPOSITORY).len(), expected);
    }
}

#[tokio::test]
async fn the_wait_that_is_asked_for_is_kept() {
    let stage = Stage::new();
    stage
        .world
        .fault("registry", "GET manifest", When::Nth(1), Fault::throttle("1"));
    let began = std::time::Instant::now();
    stage.run(Resolve).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    let waits: Vec<u64> = stage
        .recorder
        .0
        .borrow()
        .iter()
        .filter_map(|event| match event {
            Event::Retry {
                service: "registry",
                operation: "GET manifest",
                attempt: 2,
                wait_ms,
            } => Some(*wait_ms),
            _ => None,
        })
        .collect();
    assert_eq!(waits, [1000]);
}

#[tokio::test]
async fn the_quirks_of_amazon_ecr_are_explained() {
    let stage = Stage::with(
        Quirks {
            strict_media_types: true,
            ..Quirks::default()
        },
        quick(),
    );
    let text = String::from_utf8(stage.new_referrer().bytes().to_vec()).unwrap();
    let text = text.replace(
        "application/vnd.oci.empty.v1+json",
        "application/vnd.example.v1+json",
    );
    let manifest = Manifest::parse(text.into_bytes(), &MediaType::OCI_MANIFEST).unwrap();
    let at = place(&stage.registry);
    stage.store.push_referrer(&at, &manifest).await.unwrap();
    let refused = Fault::registry_error(
        405,
        "UNSUPPORTED",
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'",
    );
    stage
        .world
        .fault("registry", "PUT manifest", When::Always, refused);
    let cause = Cause::of(&stage.run(Push).await.unwrap_err());
    assert_eq!(cause.class, Class::Refused);
    assert!(cause.hint.unwrap().contains(";version="));
}

#[tokio::test]
async fn a_referrer_whose_subject_must_be_there_first_is_missing_its_subject() {
    let stage = Stage::with(
        Quirks {
            subject_must_exist: true,
            ..Quirks::default()
        },
        quick(),
    );
    let absent = Descriptor::of(MediaType::OCI_MANIFEST, b"not stored");
    let manifest = artifact(&absent, "application/vnd.example+json", &statement("statement"));
    let error = stage
        .store
        .push_referrer(&place(&stage.registry), &manifest)
        .await
        .unwrap_err();
    assert_eq!(Cause::of(&error).class, Class::Missing);
}

#[tokio::test]
async fn a_blob_that_is_gone_is_sent_again() {
    let stage = Stage::new();
    stage.run(Upload).await.unwrap();
    let gone = Fault::registry_error(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
    stage.world.fault("registry", "PUT manifest", When::Nth(1), gone);
    let error = stage.run(Push).await.unwrap_err();
    assert_eq!(Cause::of(&error).class, Class::Unavailable);
    stage.run(Upload).await.unwrap();
    assert_eq!(stage.world.ledger().count("registry", "PUT blob"), 2);
    stage.run(Push).await.unwrap();
}

#[tokio::test]
async fn content_that_is_too_large_is_not_even_asked_for() {
    let stage = Stage::new();
    let at = place(&stage.registry);
    let blob = Descriptor {
        size: 101,
        ..stage.layer.clone()
    };
    assert_eq!(
        Cause::of(&stage.store.blob(&at, &blob, 100).await.unwrap_err()).class,
        Class::Unavailable
    );
    let manifest = Descriptor {
        size: 5 << 20,
        ..stage.referrer.clone()
    };
    assert_eq!(
        Cause::of(&stage.store.manifest(&at, &manifest).await.unwrap_err()).class,
        Class::Unavailable
    );
    assert!(stage.world.ledger().is_empty());
}

#[tokio::test]
async fn a_storage_behind_a_redirect_never_sees_a_login() {
    let world = World::new();
    let registry = world.registry(Quirks::ecr());
    registry.accept(LOGIN);
    let digest = registry.put_blob(REPOSITORY, b"bytes");
    let (store, _) = store(quick(), Ecr);
    let blob = Descriptor {
        digest,
        ..Descriptor::of(MediaType::JWS, b"bytes")
    };
    assert_eq!(store.blob(&place(&registry), &blob, 10).await.unwrap(), b"bytes");
    let seen = world.ledger().of("storage", "GET object");
    assert_eq!(seen.len(), 1);
    assert!(!seen[0].request.headers.contains_key("authorization"));
    for (status, class) in [
        (403, Class::Refused),
        (404, Class::Unavailable),
        (503, Class::Unavailable),
    ] {
        world.no_more_faults();
        world.fault("storage", "GET object", When::Always, Fault::status(status));
        let error = store.blob(&place(&registry), &blob, 10).await.unwrap_err();
        assert_eq!(Cause::of(&error).class, class, "{status}: {error:?}");
    }
    world.no_more_faults();
    world.fault("storage", "GET object", When::Always, Fault::FlipByte(1));
    let error = store.blob(&place(&registry), &blob, 10).await.unwrap_err();
    assert_eq!(Cause::of(&error).class, Class::Tampered);
}

#[tokio::test]
async fn a_silent_registry_is_waited_for_together() {
    let stage = Stage::with(Quirks::default(), hasty());
    stage
        .world
        .fault("registry", "GET manifest", When::Always, Fault::Stall);
    let image = tagged(&stage.registry, "v1");
    let began = std::time::Instant::now();
    let all = futures_util::future::join_all((0..10).map(|_| stage.store.resolve(&image))).await;
    assert!(all.iter().all(Result::is_err));
    // The first alone, then the others at once: twice three attempts of 400 ms, and not ten times.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let (store, _) = store(quick(), Anonymous);
    let image: ImageRef = "127.0.0.1:1/team/web:v1".parse().unwrap();
    let cause = Cause::of(&store.resolve(&image).await.unwrap_err());
    assert_eq!(cause.class, Class::Unavailable);
    assert!(cause.message.contains("could not connect"), "{}", cause.message);
    let image: ImageRef = "registry.invalid/team/web:v1".parse().unwrap();
    let cause = Cause::of(&store.resolve(&image).await.unwrap_err());
    assert_eq!(cause.class, Class::Unavailable);
}
