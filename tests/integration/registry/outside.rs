//! Judges nobody here wrote, where they are installed: Debian's `docker-registry` behaves as the emulator does in the
//! calls they share, skopeo works with the emulator, and oci-client reads what we push to both.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use countersign::base::failure::{Cause, Class};
use countersign::domain::oci::ManifestView;
use oci_client::secrets::RegistryAuth;

use super::*;
use crate::support::World;
use crate::support::registry::Quirks;

/// Whether a program is installed; says so where it is not, so that nobody takes the test for run.
#[expect(clippy::print_stderr, reason = "a test that did not run says so")]
fn installed(program: &str) -> bool {
    let paths = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    let found = paths.iter().any(|path| path.join(program).is_file());
    if !found {
        eprintln!("{program} is not installed: not run");
    }
    found
}

/// A running `docker-registry`, killed when dropped.
struct Debian {
    child: Child,
    host: RegistryHost,
}

impl Drop for Debian {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Debian {
    fn start(directory: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage:\n  filesystem: {{ \
             rootdirectory: {} }}\n  delete: {{ enabled: true }}\nhttp: {{ addr: '127.0.0.1:{port}' }}\n",
            directory.join("store").display()
        );
        let file = directory.join("config.yml");
        std::fs::write(&file, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let host = format!("127.0.0.1:{port}").parse().unwrap();
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Self { child, host }
    }
}

/// Does everything once and writes down what came of it, digests and classes only.
async fn journey(host: &RegistryHost) -> Vec<String> {
    let (store, recorder) = store(
        Options {
            timeout: Duration::from_secs(10),
            ..quick()
        },
        Anonymous,
    );
    let at: Place = Place::Repository(format!("{host}/{REPOSITORY}").parse().unwrap());
    let class = |result: Result<String, StoreError>| match result {
        Ok(text) => text,
        Err(error) => Cause::of(&error).class.to_string(),
    };
    let absent = Manifest::parse(
        br#"{"schemaVersion":2,"manifests":[],"annotations":{"early":"yes"}}"#.to_vec(),
        &MediaType::OCI_INDEX,
    )
    .unwrap();
    let absent = Subject::of(at.clone(), &absent);
    let mut log = Vec::new();
    let image: ImageRef = format!("{at}:v1").parse().unwrap();
    log.push(class(
        store
            .resolve(&image)
            .await
            .map(|found| found.subject.digest().to_string()),
    ));
    for text in ["one", "two", "two"] {
        log.push(class(
            attach(&store, &at, &absent, text)
                .await
                .map(|digest| digest.to_string()),
        ));
    }
    let listed = store.referrers(&at, absent.digest()).await.unwrap();
    for entry in &listed {
        log.push(format!("{} {:?}", entry.digest, entry.artifact_type));
        let manifest = store.manifest(&at, entry).await.unwrap();
        log.push(manifest.digest().to_string());
        let by_digest: ImageRef = format!("{at}@{}", entry.digest).parse().unwrap();
        log.push(class(
            store
                .resolve(&by_digest)
                .await
                .map(|found| found.subject.digest().to_string()),
        ));
    }
    let blob = Descriptor::of(MediaType::IN_TOTO, b"two");
    log.push(class(
        store
            .blob(&at, &blob, 10)
            .await
            .map(|bytes| String::from_utf8(bytes).unwrap()),
    ));
    let nothing = Descriptor::of(MediaType::IN_TOTO, b"not there");
    log.push(class(store.blob(&at, &nothing, 10).await.map(|_| String::new())));
    log.push(class(
        store
            .manifest(&at, &absent.descriptor().clone())
            .await
            .map(|_| String::new()),
    ));
    // A manifest whose layer is not stored.
    let lonely = artifact(
        absent.descriptor(),
        "application/vnd.example+json",
        &statement("never uploaded"),
    );
    log.push(class(
        store.push_referrer(&at, &lonely).await.map(|_| String::new()),
    ));
    log.push(format!(
        "{:?}",
        recorder
            .0
            .borrow()
            .iter()
            .map(|event| match event {
                Event::Request { operation, .. } => *operation,
                _ => "retry",
            })
            .collect::<Vec<_>>()
    ));
    log
}

#[tokio::test]
async fn docker_registry_behaves_as_the_emulator() {
    if !installed("docker-registry") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let debian = Debian::start(directory.path());
    let world = World::new();
    let registry = world.registry(Quirks::distribution());
    let real = journey(&debian.host).await;
    assert_eq!(journey(&registry.host()).await, real);
    assert_eq!(real[0], Class::Missing.to_string());
}

#[tokio::test]
async fn skopeo_copies_from_the_emulator_and_back() {
    if !installed("skopeo") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let layout = format!("oci:{}:v1", directory.path().join("layout").display());
    for quirks in [
        Quirks::default(),
        Quirks::ecr(),
        Quirks::distribution(),
        Quirks {
            relative_location: true,
            ..Quirks::default()
        },
    ] {
        let world = World::new();
        let auth = quirks.auth;
        let registry = world.registry(quirks);
        registry.accept(LOGIN);
        let digest = registry.put_image(REPOSITORY, "v1", "layer");
        let from = format!("docker://{}", tagged(&registry, "v1"));
        let to = format!("docker://{}", tagged(&registry, "v2"));
        skopeo(
            &["--src-tls-verify=false", "--src-creds", LOGIN, &from, &layout],
            directory.path(),
        );
        skopeo(
            &["--dest-tls-verify=false", "--dest-creds", LOGIN, &layout, &to],
            directory.path(),
        );
        assert_eq!(registry.tags(REPOSITORY)["v2"], digest.to_string(), "{auth:?}");
    }
}

fn skopeo(arguments: &[&str], home: &Path) {
    let output = Command::new("skopeo")
        .args(["--insecure-policy", "copy", "--preserve-digests"])
        .args(arguments)
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Pulls a referrer that we pushed, and its blobs, with oci-client; both clients see the same bytes and lists.
async fn pulled_by_oci_client(host: &RegistryHost, lists: bool) {
    let login = Static::new("AWS", &Secret::new("canary-password".to_owned()));
    let (store, _) = store(quick(), login);
    let at: Place = Place::Repository(format!("{host}/{REPOSITORY}").parse().unwrap());
    let subject = Manifest::parse(
        br#"{"schemaVersion":2,"manifests":[]}"#.to_vec(),
        &MediaType::OCI_INDEX,
    )
    .unwrap();
    let subject = Subject::of(at.clone(), &subject);
    let pushed = attach(&store, &at, &subject, "a statement").await.unwrap();
    let listed = store.referrers(&at, subject.digest()).await.unwrap();
    assert_eq!(digests(&listed), std::slice::from_ref(&pushed));
    let ours = store.manifest(&at, listed.first().unwrap()).await.unwrap();

    let config = oci_client::client::ClientConfig {
        protocol: oci_client::client::ClientProtocol::Http,
        ..Default::default()
    };
    let client = oci_client::Client::new(config);
    let auth = RegistryAuth::Basic("AWS".to_owned(), "canary-password".to_owned());
    let named: oci_client::Reference = format!("{at}@{pushed}").parse().unwrap();
    let (theirs, digest) = client
        .pull_manifest_raw(&named, &auth, &[MediaType::OCI_MANIFEST.as_str()])
        .await
        .unwrap();
    assert_eq!((theirs.as_ref(), digest), (ours.bytes(), pushed.to_string()));
    let ManifestView::Image(image) = ours.view() else {
        panic!("{ours:?}");
    };
    for blob in image.layers.iter().chain(&image.config) {
        let wanted = oci_client::manifest::OciDescriptor {
            media_type: blob.media_type.to_string(),
            digest: blob.digest.to_string(),
            size: i64::try_from(blob.size).unwrap(),
            ..Default::default()
        };
        let mut bytes = Vec::new();
        client.pull_blob(&named, &wanted, &mut bytes).await.unwrap();
        assert_eq!(store.blob(&at, blob, 1_000).await.unwrap(), bytes);
    }
    if lists {
        let of: oci_client::Reference = format!("{at}@{}", subject.digest()).parse().unwrap();
        let found = client.pull_referrers(&of, None).await.unwrap().manifests;
        let found: Vec<&str> = found.iter().map(|entry| entry.digest.as_str()).collect();
        assert_eq!(found, [pushed.to_string()]);
    }
}

#[tokio::test]
async fn oci_client_reads_what_we_push() {
    for quirks in [Quirks::default(), Quirks::ecr(), Quirks::distribution()] {
        let world = World::new();
        let lists = quirks.referrers_api;
        let registry = world.registry(quirks);
        registry.create(REPOSITORY);
        registry.accept(LOGIN);
        pulled_by_oci_client(&registry.host(), lists).await;
    }
    if installed("docker-registry") {
        let directory = tempfile::tempdir().unwrap();
        let debian = Debian::start(directory.path());
        pulled_by_oci_client(&debian.host, false).await;
    }
}
