//! OCI layouts: as other tools write them, as they should not be, and changed by several at once.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign::base::failure::{Cause, Class};
use countersign::domain::oci::{
    Blob, Descriptor, Digest, ImageManifest, ImageRef, LayoutPath, Manifest, ManifestView, MediaType, Place,
    Subject,
};
use countersign::edge::layout::{Layout, demo_image};
use countersign::seams::{ReadStore, Resolved, StoreError, WriteStore};
use serde_json::{Value, json};

use crate::faults::{self, Fault, skipped};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A layout written by hand, so that everything in it can be wrong.
struct Handmade {
    directory: tempfile::TempDir,
    entries: Vec<Value>,
}

impl Handmade {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("blobs/sha256")).unwrap();
        fs::write(
            directory.path().join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .unwrap();
        let layout = Self {
            directory,
            entries: Vec::new(),
        };
        layout.write();
        layout
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn blob_path(&self, digest: &str) -> PathBuf {
        self.path().join("blobs").join(digest.replace(':', "/"))
    }

    /// Stores bytes; returns a descriptor.
    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes).to_string();
        fs::write(self.blob_path(&digest), bytes).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    fn json(&self, media_type: &str, document: &Value) -> Value {
        self.blob(media_type, document.to_string().as_bytes())
    }

    /// Stores an image manifest whose config is of a type and tells it from others.
    fn image(&self, media_type: &str, config: &str, content: &str) -> Value {
        let config = self.blob(config, format!("{{\"x\":\"{content}\"}}").as_bytes());
        self.json(
            media_type,
            &json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [] }),
        )
    }

    fn index(&self, media_type: &str, manifests: &[&Value]) -> Value {
        self.json(
            media_type,
            &json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests }),
        )
    }

    /// Lists an entry, under a name if there is one.
    fn list(&mut self, entry: &Value, annotation: Option<(&str, &str)>) {
        let mut entry = entry.clone();
        if let Some((key, value)) = annotation {
            entry["annotations"] = json!({ key: value });
        }
        self.entries.push(entry);
        self.write();
    }

    fn tag(&mut self, entry: &Value, tag: &str) {
        self.list(entry, Some((REF_NAME, tag)));
    }

    fn write(&self) {
        let index = json!({ "schemaVersion": 2, "manifests": self.entries });
        fs::write(self.path().join("index.json"), index.to_string()).unwrap();
    }

    fn resolve(&self, name: &str) -> Result<Resolved, StoreError> {
        resolve(self.path(), name)
    }

    /// The digest that a name leads to, or class and text of the error with the layout's path shortened to `L`.
    fn digest(&self, name: &str) -> Result<String, (Class, String)> {
        self.said(self.resolve(name))
            .map(|found| found.subject.digest().to_string())
    }

    fn said<T>(&self, result: Result<T, StoreError>) -> Result<T, (Class, String)> {
        result.map_err(|error| {
            let cause = Cause::of(&error);
            assert!(cause.hint.is_some(), "{cause} has no hint");
            (
                cause.class,
                cause.message.replace(self.path().to_str().unwrap(), "L"),
            )
        })
    }

    fn referrers(&self, of: &Value) -> Result<Vec<String>, (Class, String)> {
        let of: Digest = digest_of(of).parse().unwrap();
        let found = self.said(wait(Layout::new().referrers(&place(self.path()), &of)))?;
        Ok(found
            .into_iter()
            .map(|referrer| referrer.digest.to_string())
            .collect())
    }
}

fn digest_of(entry: &Value) -> String {
    entry["digest"].as_str().unwrap().to_owned()
}

fn place(directory: &Path) -> Place {
    Place::Layout(LayoutPath::new(directory))
}

fn image(directory: &Path, name: &str) -> ImageRef {
    format!("oci:{}{name}", directory.display()).parse().unwrap()
}

fn resolve(directory: &Path, name: &str) -> Result<Resolved, StoreError> {
    wait(Layout::new().resolve(&image(directory, name)))
}

/// What a signature is to a store.
fn referrer(of: &Descriptor, content: &[u8]) -> (Vec<Blob>, Manifest) {
    let blobs = vec![Blob::new(MediaType::JWS, content.to_vec()), Blob::empty()];
    let config = Descriptor {
        media_type: MediaType::NOTARY_SIGNATURE,
        ..blobs[1].descriptor().clone()
    };
    let manifest = Manifest::write(ImageManifest {
        artifact_type: None,
        config: Some(config),
        layers: vec![blobs[0].descriptor().clone()],
        subject: Some(of.clone()),
        annotations: BTreeMap::new(),
    });
    (blobs, manifest)
}

fn attach(layout: &Layout, directory: &Path, name: &str, content: &[u8]) -> Result<Subject, StoreError> {
    wait(async {
        let subject = layout.resolve(&image(directory, name)).await?.subject;
        let (blobs, manifest) = referrer(subject.descriptor(), content);
        for blob in &blobs {
            layout.upload(subject.place(), blob).await?;
        }
        layout.push_referrer(subject.place(), &manifest).await
    })
}

#[test]
fn an_image_is_found_by_tag_by_digest_or_alone() {
    let mut layout = Handmade::new();
    let child = layout.image(OCI, OCI_CONFIG, "child");
    let index = layout.index(INDEX, &[&child]);
    let outer = layout.index(INDEX, &[&index]);
    layout.tag(&outer, "1.0");
    for name in [
        ":1.0".to_owned(),
        String::new(),
        format!("@{}", digest_of(&outer)),
        format!(":9@{}", digest_of(&outer)),
    ] {
        assert_eq!(layout.digest(&name), Ok(digest_of(&outer)), "{name}");
    }
    for nested in [index, child] {
        assert_eq!(
            layout.digest(&format!("@{}", digest_of(&nested))),
            Ok(digest_of(&nested))
        );
    }
}

#[test]
fn docker_media_types_are_images_too() {
    let mut layout = Handmade::new();
    let child = layout.image(DOCKER, DOCKER_CONFIG, "child");
    let list = layout.index(DOCKER_LIST, &[&child]);
    layout.tag(&list, "list");
    layout.tag(&child, "single");
    assert_eq!(
        layout.resolve(":list").unwrap().subject.descriptor().media_type,
        MediaType::DOCKER_LIST
    );
    assert_eq!(
        layout.resolve(":single").unwrap().subject.descriptor().media_type,
        MediaType::DOCKER_MANIFEST
    );
}

#[test]
fn names_of_containerd_and_whole_references_count_after_tags() {
    let mut layout = Handmade::new();
    let (a, b) = (
        layout.image(OCI, OCI_CONFIG, "a"),
        layout.image(OCI, OCI_CONFIG, "b"),
    );
    layout.list(
        &a,
        Some(("io.containerd.image.name", "docker.io/library/web:1.0")),
    );
    assert_eq!(layout.digest(":1.0"), Ok(digest_of(&a)));
    layout.tag(&b, "1.0");
    assert_eq!(layout.digest(":1.0"), Ok(digest_of(&b)));
    layout.tag(&a, "localhost:5000/web:2.0");
    assert_eq!(layout.digest(":2.0"), Ok(digest_of(&a)));
}

#[test]
fn one_tag_on_two_manifests_is_no_name() {
    let mut layout = Handmade::new();
    let (a, b) = (
        layout.image(OCI, OCI_CONFIG, "a"),
        layout.image(OCI, OCI_CONFIG, "b"),
    );
    layout.tag(&a, "1.0");
    layout.tag(&a, "1.0");
    assert_eq!(layout.digest(":1.0"), Ok(digest_of(&a)));
    layout.tag(&b, "1.0");
    let (class, text) = layout.digest(":1.0").unwrap_err();
    assert_eq!(class, Class::Usage);
    assert!(
        text.starts_with("could not find oci:L:1.0: expected one manifest with this tag, found 2: sha256:"),
        "{text}"
    );
}

#[test]
fn what_is_no_image_does_not_count_as_one() {
    let mut layout = Handmade::new();
    let child = layout.image(OCI, OCI_CONFIG, "child");
    let image = layout.index(INDEX, &[&child]);
    layout.tag(&image, "1.0");
    layout.tag(&image, "latest");
    // Platform manifests, as oras lists them; a signature; an artifact that stands alone; a list of referrers.
    layout.list(&child, None);
    let config = layout.blob(OCI_CONFIG, b"{}");
    let signature = json!({ "schemaVersion": 2, "config": config, "layers": [], "subject": image });
    layout.list(&layout.json(OCI, &signature), None);
    layout.tag(
        &layout.image(OCI, "application/vnd.cncf.helm.config.v1+json", "chart"),
        "chart",
    );
    layout.tag(&layout.index(INDEX, &[]), &digest_of(&image).replace(':', "-"));
    layout.list(&layout.blob("application/xml", b"<x/>"), None);
    assert_eq!(layout.digest(""), Ok(digest_of(&image)));
    assert_eq!(layout.digest(":chart").map(|_| ()), Ok(()));
}

#[test]
fn an_artifact_alone_is_what_is_meant() {
    let mut layout = Handmade::new();
    let chart = layout.image(OCI, "application/vnd.cncf.helm.config.v1+json", "chart");
    layout.list(&chart, None);
    assert_eq!(layout.digest(""), Ok(digest_of(&chart)));
}

#[test]
fn two_images_and_no_tag_lists_the_tags() {
    let mut layout = Handmade::new();
    layout.tag(&layout.image(OCI, OCI_CONFIG, "a"), "1.0");
    layout.tag(&layout.image(OCI, OCI_CONFIG, "b"), "2.0\u{1b}[31m");
    let (class, text) = layout.digest("").unwrap_err();
    assert_eq!(class, Class::Usage);
    assert!(
        text.starts_with("could not find oci:L: expected a tag or a digest, since there are 2 images: "),
        "{text}"
    );
    assert!(
        text.contains("\"1.0\"") && text.contains("\"2.0\\u{1b}[31m\""),
        "{text}"
    );
}

#[test]
fn what_is_not_there_is_missing() {
    let mut layout = Handmade::new();
    assert_eq!(
        layout.digest(""),
        Err((
            Class::Missing,
            "could not find oci:L: index.json lists no image".to_owned()
        ))
    );
    assert_eq!(
        layout.digest(":1.0"),
        Err((
            Class::Missing,
            "could not find oci:L:1.0: index.json lists no tag at all".to_owned()
        ))
    );
    layout.tag(&layout.image(OCI, OCI_CONFIG, "a"), "1.0");
    assert_eq!(
        layout.digest(":2.0"),
        Err((
            Class::Missing,
            "could not find oci:L:2.0: index.json lists the tags \"1.0\"".to_owned()
        ))
    );
    let other = Digest::of(b"other");
    assert_eq!(
        layout.digest(&format!("@{other}")),
        Err((
            Class::Missing,
            format!("could not find oci:L@{other}: index.json does not lead to this digest")
        ))
    );
}

#[test]
fn a_directory_that_is_no_layout_is_said_to_be_none() {
    let layout = Handmade::new();
    let marker = layout.path().join("oci-layout");
    let said = |content: &str| {
        fs::write(&marker, content).unwrap();
        layout.digest(":1.0").unwrap_err()
    };
    let (class, text) = said(r#"{"imageLayoutVersion":"2.0.0"}"#);
    assert_eq!(class, Class::Usage);
    assert_eq!(
        text,
        "could not read L/oci-layout: expected imageLayoutVersion \"1.0.0\", found \"2.0.0\""
    );
    assert_eq!(said("").0, Class::Usage);
    assert_eq!(said("{}").0, Class::Usage);
    assert_eq!(said(&" ".repeat(5_000)).0, Class::Unavailable);
    fs::remove_file(&marker).unwrap();
    let expected = "could not read L/oci-layout: expected an OCI image layout, found a directory without one";
    assert_eq!(layout.digest(":1.0"), Err((Class::Usage, expected.to_owned())));
    fs::remove_dir_all(layout.path()).unwrap();
    let expected = "could not read L/oci-layout: expected an OCI image layout, found no such directory";
    assert_eq!(layout.digest(":1.0"), Err((Class::Missing, expected.to_owned())));
    fs::write(layout.path(), "a file").unwrap();
    let expected = "could not read L/oci-layout: expected an OCI image layout, found a file";
    assert_eq!(layout.digest(":1.0"), Err((Class::Usage, expected.to_owned())));
}

#[test]
fn an_index_that_is_cut_or_something_else_is_named_with_the_place() {
    let mut layout = Handmade::new();
    layout.tag(&layout.image(OCI, OCI_CONFIG, "a"), "1.0");
    let path = layout.path().join("index.json");
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let (class, text) = layout.digest(":1.0").unwrap_err();
        assert_eq!(class, Class::Unavailable);
        assert!(
            text.starts_with("could not read L/index.json: expected an OCI image index, line 1, column "),
            "{text}"
        );
    }
    fs::write(&path, "<html>").unwrap();
    let expected = "could not read L/index.json: expected an OCI image index, line 1, column 1: not valid JSON: expected value";
    assert_eq!(
        layout.digest(":1.0"),
        Err((Class::Unavailable, expected.to_owned()))
    );
    fs::write(
        &path,
        r#"{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"sha256:0","size":1}]}"#,
    )
    .unwrap();
    assert!(
        layout
            .digest(":1.0")
            .unwrap_err()
            .1
            .contains("manifests[0].digest, line 1, column ")
    );
    fs::write(&path, vec![b' '; 4 * 1024 * 1024 + 1]).unwrap();
    assert!(
        layout
            .digest(":1.0")
            .unwrap_err()
            .1
            .contains("expected at most 4194304 bytes, found more")
    );
    fs::remove_file(&path).unwrap();
    let expected = "could not read L/index.json: expected a file, found none";
    assert_eq!(layout.digest(":1.0"), Err((Class::Missing, expected.to_owned())));
}

#[test]
fn a_blob_that_is_missing_short_long_or_changed_is_said_with_both_digests() {
    let mut layout = Handmade::new();
    let image = layout.image(OCI, OCI_CONFIG, "a");
    layout.tag(&image, "1.0");
    let (digest, size) = (digest_of(&image), image["size"].as_u64().unwrap());
    let (path, file) = (
        layout.blob_path(&digest),
        format!("L/blobs/{}", digest.replace(':', "/")),
    );
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[3] ^= 1;
    for wrong in [&whole[..10], b"", &flipped, &[whole.clone(), vec![b' ']].concat()] {
        fs::write(&path, wrong).unwrap();
        let expected = format!(
            "could not read {file}: expected {digest} ({size} bytes), found {} ({} bytes)",
            Digest::of(wrong),
            wrong.len()
        );
        assert_eq!(layout.digest(":1.0"), Err((Class::Tampered, expected)));
    }
    fs::write(&path, vec![0; 10_000_001]).unwrap();
    assert!(
        layout
            .digest(":1.0")
            .unwrap_err()
            .1
            .ends_with("found more than 10000000 bytes")
    );
    fs::remove_file(&path).unwrap();
    let expected = format!("could not read {file}: expected a file of {size} bytes, found none");
    assert_eq!(layout.digest(":1.0"), Err((Class::Missing, expected)));
}

#[test]
fn announced_sizes_are_held_against_limits_before_anything_is_read() {
    let mut layout = Handmade::new();
    let mut image = layout.image(OCI, OCI_CONFIG, "a");
    image["size"] = json!(4 * 1024 * 1024 + 1);
    layout.tag(&image, "1.0");
    let (class, text) = layout.digest(":1.0").unwrap_err();
    assert_eq!(class, Class::Unavailable);
    assert!(
        text.ends_with("expected at most 4194304 bytes, found a descriptor that announces 4194305"),
        "{text}"
    );
}

#[test]
fn links_lead_nowhere() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    let link = |target: &str| {
        let mut layout = Handmade::new();
        let image = layout.image(OCI, OCI_CONFIG, "a");
        layout.tag(&image, "1.0");
        let target = layout
            .path()
            .join(target.replace("DIGEST", &digest_of(&image).replace(':', "/")));
        let moved = secret.path().with_extension(target.file_name().unwrap());
        fs::rename(&target, &moved).unwrap();
        symlink(&moved, &target).unwrap();
        let said = layout.digest(":1.0").unwrap_err();
        fs::remove_file(&target).unwrap();
        fs::rename(&moved, &target).unwrap();
        assert_eq!(layout.digest(":1.0"), Ok(digest_of(&image)));
        said
    };
    for (target, kind) in [
        ("blobs/DIGEST", "a regular file"),
        ("blobs/sha256", "a directory"),
        ("blobs", "a directory"),
        ("index.json", "a regular file"),
        ("oci-layout", "a regular file"),
    ] {
        let (class, text) = link(target);
        assert_eq!(class, Class::Usage, "{target}");
        assert!(
            text.ends_with(&format!("expected {kind}, found a symbolic link")),
            "{text}"
        );
    }
}

#[test]
fn indexes_that_nest_too_deep_or_name_themselves_end() {
    let mut layout = Handmade::new();
    let bottom = layout.image(OCI, OCI_CONFIG, "bottom");
    let mut entry = bottom.clone();
    for _ in 0..4 {
        entry = layout.index(INDEX, &[&entry]);
    }
    layout.tag(&entry, "four");
    let by_digest = format!("@{}", digest_of(&bottom));
    assert_eq!(layout.digest(&by_digest), Ok(digest_of(&bottom)));
    let mut layout = Handmade::new();
    layout.image(OCI, OCI_CONFIG, "bottom");
    layout.tag(&layout.index(INDEX, &[&entry_in(&layout, &bottom, 4)]), "five");
    let (class, text) = layout.digest(&by_digest).unwrap_err();
    assert_eq!(class, Class::Unavailable);
    assert!(text.contains("expected at most 4 levels of indexes"), "{text}");
    // Nothing can contain its own digest, so an index that names itself has another one than its name.
    let looped = json!({ "mediaType": INDEX, "digest": Digest::of(b"loop").to_string(), "size": 300 });
    let bytes = format!("{:300}", json!({ "schemaVersion": 2, "manifests": [looped] }));
    fs::write(layout.blob_path(&digest_of(&looped)), bytes).unwrap();
    layout.tag(&looped, "loop");
    assert_eq!(layout.digest(":loop").unwrap_err().0, Class::Tampered);
    assert_eq!(
        layout
            .digest(&format!("@{}", Digest::of(b"other")))
            .unwrap_err()
            .0,
        Class::Tampered
    );
}

fn entry_in(layout: &Handmade, entry: &Value, levels: usize) -> Value {
    (0..levels).fold(entry.clone(), |entry, _| layout.index(INDEX, &[&entry]))
}

#[test]
fn other_kinds_of_content_are_refused_by_name() {
    let mut layout = Handmade::new();
    layout.tag(&layout.blob("application/xml", b"<x/>"), "xml");
    let (class, text) = layout.digest(":xml").unwrap_err();
    assert_eq!(class, Class::Usage);
    assert!(text.ends_with("found \"application/xml\""), "{text}");
    layout.tag(&layout.blob(OCI, b"{}"), "empty");
    let (class, text) = layout.digest(":empty").unwrap_err();
    assert_eq!(class, Class::Unavailable);
    assert!(
        text.contains("not a manifest: line 1, column 1: expected an object with the member \"layers\""),
        "{text}"
    );
}

#[test]
fn referrers_are_judged_by_their_manifests() {
    let mut layout = Handmade::new();
    let (image, other) = (
        layout.image(OCI, OCI_CONFIG, "a"),
        layout.image(OCI, OCI_CONFIG, "b"),
    );
    layout.tag(&image, "1.0");
    layout.tag(&other, "2.0");
    let signature = |subject: &Value, config: &str| {
        let config = layout.blob(config, b"{}");
        layout.json(
            OCI,
            &json!({ "schemaVersion": 2, "config": config, "layers": [], "subject": subject }),
        )
    };
    // Without any type in the list, with a wrong one, escaped, broken, under a name, of another image, listed twice.
    let plain = signature(&image, "application/vnd.cncf.notary.signature");
    let mut typed = signature(&image, "application/vnd.oci.empty.v1+json");
    typed["artifactType"] = json!("application/vnd.oci.empty.v1+json");
    let escaped = json!({ "schemaVersion": 2, "s": 1, "layers": [], "subject": image }).to_string();
    let escaped = layout.blob(
        OCI,
        escaped.replace("\"subject\"", "\"\\u0073ubject\"").as_bytes(),
    );
    let named = layout.index(INDEX, &[]);
    let index = layout.json(
        INDEX,
        &json!({ "schemaVersion": 2, "manifests": [], "subject": image }),
    );
    let foreign = signature(&other, "application/vnd.cncf.notary.signature");
    for entry in [&plain, &typed, &escaped, &foreign, &plain] {
        layout.list(entry, None);
    }
    layout.tag(&index, "named");
    layout.tag(&named, "empty");
    let expected = vec![
        digest_of(&plain),
        digest_of(&typed),
        digest_of(&escaped),
        digest_of(&index),
    ];
    assert_eq!(layout.referrers(&image), Ok(expected));
    assert_eq!(layout.referrers(&other), Ok(vec![digest_of(&foreign)]));
    assert_eq!(layout.referrers(&named), Ok(vec![]));
    let of: Digest = digest_of(&image).parse().unwrap();
    let found = wait(Layout::new().referrers(&place(layout.path()), &of)).unwrap();
    assert_eq!(found[0].artifact_type, Some(MediaType::NOTARY_SIGNATURE));
}

#[test]
fn referrers_under_the_fallback_tag_are_found_too() {
    let mut layout = Handmade::new();
    let image = layout.image(OCI, OCI_CONFIG, "a");
    layout.tag(&image, "1.0");
    let config = layout.blob("application/vnd.cncf.notary.signature", b"{}");
    let signature = json!({ "schemaVersion": 2, "config": config, "layers": [], "subject": image });
    let signature = layout.json(OCI, &signature);
    let list = layout.index(INDEX, &[&signature]);
    layout.tag(&list, &digest_of(&image).replace(':', "-"));
    assert_eq!(layout.referrers(&image), Ok(vec![digest_of(&signature)]));
}

#[test]
fn damage_is_reported_unless_it_is_another_image_s() {
    let mut layout = Handmade::new();
    let (image, other) = (
        layout.image(OCI, OCI_CONFIG, "a"),
        layout.image(OCI, OCI_CONFIG, "b"),
    );
    layout.tag(&image, "1.0");
    layout.tag(&other, "2.0");
    fs::write(layout.blob_path(&digest_of(&other)), "damaged").unwrap();
    assert_eq!(layout.referrers(&image), Ok(vec![]));
    assert_eq!(layout.digest(":1.0"), Ok(digest_of(&image)));
    let config = layout.blob("application/vnd.cncf.notary.signature", b"{}");
    let signature = json!({ "schemaVersion": 2, "config": config, "layers": [], "subject": image });
    let signature = layout.json(OCI, &signature);
    layout.list(&signature, None);
    fs::write(layout.blob_path(&digest_of(&signature)), "damaged").unwrap();
    assert_eq!(layout.referrers(&image).unwrap_err().0, Class::Tampered);
    fs::remove_file(layout.blob_path(&digest_of(&signature))).unwrap();
    assert_eq!(layout.referrers(&image).unwrap_err().0, Class::Missing);
}

#[test]
fn a_layout_of_a_thousand_images_is_searched_once() {
    let mut layout = Handmade::new();
    for number in 0..1_000 {
        let image = layout.image(OCI, OCI_CONFIG, &number.to_string());
        layout
            .entries
            .push(json!({ "annotations": { REF_NAME: format!("v{number}") } }));
        let entry = layout.entries.last_mut().unwrap().as_object_mut().unwrap();
        entry.extend(image.as_object().unwrap().clone());
    }
    layout.write();
    let store = Layout::new();
    let signature = attach(&store, layout.path(), ":v500", b"envelope").unwrap();
    let subject = resolve(layout.path(), ":v500").unwrap().subject;
    let found = wait(store.referrers(subject.place(), subject.digest())).unwrap();
    assert_eq!(found[0].digest, *signature.digest());
    // What was read once is known by its digest; only what is new is read.
    for number in (0..1_000).filter(|number| *number != 500) {
        fs::remove_file(layout.blob_path(&digest_of(&layout.entries[number]))).unwrap();
    }
    attach(&store, layout.path(), ":v500", b"second").unwrap();
    assert_eq!(
        wait(store.referrers(subject.place(), subject.digest()))
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn two_writers_at_once_lose_nothing() {
    const ROUNDS: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layout");
    let demo = demo_image::write(&path).unwrap();
    let write = |writer: usize| {
        for round in 0..ROUNDS {
            attach(
                &Layout::new(),
                &path,
                ":1.0",
                format!("{writer} {round}").as_bytes(),
            )
            .unwrap();
        }
    };
    std::thread::scope(|scope| {
        for writer in 0..2 {
            scope.spawn(move || write(writer));
        }
    });
    let found = wait(Layout::new().referrers(&place(&path), &demo.digest)).unwrap();
    assert_eq!(found.len(), 2 * ROUNDS);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 3);
}

#[test]
fn what_is_there_is_not_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layout");
    demo_image::write(&path).unwrap();
    attach(&Layout::new(), &path, "", b"envelope").unwrap();
    let modified = |path: &Path| fs::metadata(path.join("index.json")).unwrap().modified().unwrap();
    let (before, index) = (modified(&path), fs::read(path.join("index.json")).unwrap());
    attach(&Layout::new(), &path, "", b"envelope").unwrap();
    assert_eq!(
        (modified(&path), fs::read(path.join("index.json")).unwrap()),
        (before, index)
    );
}

#[test]
fn a_damaged_blob_is_mended_by_storing_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layout");
    let demo = demo_image::write(&path).unwrap();
    let blob = Blob::empty();
    let file = path.join("blobs/sha256").join(blob.descriptor().digest.hex());
    fs::write(&file, "[]").unwrap();
    wait(Layout::new().upload(demo.image.place(), &blob)).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"{}");
}

#[test]
fn a_manifest_is_pushed_after_its_blobs_and_with_a_subject() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layout");
    let demo = demo_image::write(&path).unwrap();
    let layout = Layout::new();
    let subject = resolve(&path, ":1.0").unwrap();
    let (_, manifest) = referrer(subject.subject.descriptor(), b"envelope");
    let error = wait(layout.push_referrer(demo.image.place(), &manifest)).unwrap_err();
    assert!(
        Cause::of(&error)
            .message
            .contains("to be stored before its manifest, found none")
    );
    let error = wait(layout.push_referrer(demo.image.place(), &subject.manifest)).unwrap_err();
    assert!(
        Cause::of(&error)
            .message
            .contains("expected a manifest with a subject")
    );
}

#[test]
fn the_demo_image_is_the_same_everywhere_and_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layout");
    let demo = demo_image::write(&path).unwrap();
    assert_eq!(
        demo.digest.to_string(),
        "sha256:e4a807e876dac234858adaa5896644f375c516916774e14a2d9f5e5b9a63fdf9"
    );
    assert!(!demo.reused);
    attach(&Layout::new(), &path, ":1.0", b"envelope").unwrap();
    assert!(demo_image::write(&path).unwrap().reused);
    let ManifestView::Index(index) = resolve(&path, "").unwrap().manifest.view().clone() else {
        panic!()
    };
    let platforms: Vec<String> = index
        .manifests
        .iter()
        .map(|entry| entry.platform.as_ref().unwrap().name().raw().to_owned())
        .collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
}

#[test]
fn the_demo_image_is_completed_but_never_mixed_with_other_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layout");
    let demo = demo_image::write(&path).unwrap();
    fs::remove_file(path.join("oci-layout")).unwrap();
    fs::write(path.join(".countersign-draft"), "half").unwrap();
    assert_eq!(demo_image::write(&path).unwrap(), demo);
    fs::write(path.join("index.json"), "{}").unwrap();
    let error = Cause::of(&demo_image::write(&path).unwrap_err());
    assert_eq!(error.class, Class::Usage);
    assert!(
        error
            .message
            .ends_with("expected an empty directory or the demo image, found \"index.json\""),
        "{error}"
    );
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("notes.txt"), "mine").unwrap();
    assert_eq!(
        Cause::of(&demo_image::write(elsewhere.path()).unwrap_err()).class,
        Class::Usage
    );
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
}

/// The child of the test below, which works in a directory that holds nothing but the demo image.
#[test]
fn attaches_when_run_beside_a_layout() {
    if Path::new("attach-here").exists() {
        attach(&Layout::new(), Path::new("layout"), ":1.0", b"envelope").unwrap();
    }
}

#[test]
fn a_real_process_may_die_or_find_the_disk_full_at_every_system_call() {
    for fault in [Fault::Death, Fault::FullDisk] {
        let directory = tempfile::tempdir().unwrap();
        let layout = directory.path().join("layout");
        fs::write(directory.path().join("attach-here"), "").unwrap();
        let command = || {
            let _ = fs::remove_dir_all(&layout);
            demo_image::write(&layout).unwrap();
            let mut child = Command::new(std::env::current_exe().unwrap());
            let name = "layout::attaches_when_run_beside_a_layout";
            child.args(["--exact", name]).current_dir(directory.path());
            child
        };
        let struck = faults::at_every_change(fault, command, |call, _| {
            let image = resolve(&layout, ":1.0").unwrap().subject;
            let of = place(&layout);
            let found = wait(Layout::new().referrers(&of, image.digest())).unwrap();
            assert!(found.len() <= 1, "{call}");
            attach(&Layout::new(), &layout, ":1.0", b"envelope").unwrap();
            let found = wait(Layout::new().referrers(&of, image.digest())).unwrap();
            assert_eq!(found.len(), 1, "{call}");
        });
        // Three blobs and the index: eight writes, eight syncs, four renames at least.
        assert!(struck.is_none_or(|struck| struck >= 20), "{struck:?}");
    }
}

/// Runs a program of another project; says so where it is not installed.
fn tool(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Err(_) => {
            skipped(&format!(
                "{program} is not installed, so nothing was checked against it"
            ));
            None
        }
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {arguments:?}: {errors}");
            Some(String::from_utf8(output.stdout).unwrap())
        }
    }
}

#[test]
fn skopeo_writes_what_we_read_and_reads_what_we_wrote() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let demo = demo_image::write(&directory.path().join("demo")).unwrap();
    let named = |name: &str| format!("oci:{}:1.0", path(name));
    if tool(
        "skopeo",
        &[
            "copy",
            "--quiet",
            "--all",
            "--preserve-digests",
            &named("demo"),
            &named("copied"),
        ],
    )
    .is_none()
    {
        return;
    }
    assert_eq!(
        resolve(&directory.path().join("copied"), ":1.0")
            .unwrap()
            .subject
            .digest(),
        &demo.digest
    );
    let arm = ["--override-os", "linux", "--override-arch", "arm64"];
    tool(
        "skopeo",
        &[&arm[..], &["copy", "--quiet", &named("demo"), &named("single")]].concat(),
    );
    let single = resolve(&directory.path().join("single"), "").unwrap().subject;
    assert_eq!(single.descriptor().media_type, MediaType::OCI_MANIFEST);
    for name in ["demo", "copied", "single"] {
        let layout = directory.path().join(name);
        let before = resolve(&layout, ":1.0").unwrap();
        attach(&Layout::new(), &layout, ":1.0", b"envelope").unwrap();
        let raw = tool("skopeo", &["inspect", "--raw", &named(name)]).unwrap();
        assert_eq!(raw.trim_end().as_bytes(), before.manifest.bytes(), "{name}");
        tool("skopeo", &[&arm[..], &["inspect", &named(name)]].concat());
        let again = format!("{name}-again");
        tool(
            "skopeo",
            &[
                "copy",
                "--quiet",
                "--all",
                "--preserve-digests",
                &named(name),
                &named(&again),
            ],
        );
        let copied = resolve(&directory.path().join(&again), ":1.0").unwrap();
        assert_eq!(copied.subject.digest(), before.subject.digest(), "{name}");
        // skopeo adds to a layout that holds signatures without losing them.
        tool(
            "skopeo",
            &[
                "copy",
                "--quiet",
                "--all",
                &named("demo"),
                &format!("oci:{}:2.0", path(name)),
            ],
        );
        let referrers = wait(Layout::new().referrers(&place(&layout), before.subject.digest())).unwrap();
        assert_eq!(referrers.len(), 1, "{name}");
    }
}

#[test]
fn umoci_writes_what_we_read_and_reads_what_we_wrote() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let image = format!("{}:1.0", layout.display());
    if tool("umoci", &["init", "--layout", layout.to_str().unwrap()]).is_none() {
        return;
    }
    assert_eq!(
        resolve(&layout, "").unwrap_err().problem.to_string(),
        "index.json lists no image"
    );
    tool("umoci", &["new", "--image", &image]);
    tool("umoci", &["config", "--image", &image, "--author", "someone"]);
    let before = resolve(&layout, ":1.0").unwrap().subject;
    attach(&Layout::new(), &layout, "", b"envelope").unwrap();
    tool("umoci", &["stat", "--image", &image]);
    assert_eq!(
        tool("umoci", &["list", "--layout", layout.to_str().unwrap()]).unwrap(),
        "1.0\n"
    );
    // Its garbage collection follows index.json, so signatures stay.
    tool("umoci", &["gc", "--layout", layout.to_str().unwrap()]);
    tool("umoci", &["tag", "--image", &image, "2.0"]);
    assert_eq!(resolve(&layout, "").unwrap().subject, before);
    let referrers = wait(Layout::new().referrers(&place(&layout), before.digest())).unwrap();
    assert_eq!(referrers.len(), 1);
    let found = wait(Layout::new().manifest(&place(&layout), &referrers[0])).unwrap();
    assert_eq!(found.subject(), Some(before.descriptor()));
}
