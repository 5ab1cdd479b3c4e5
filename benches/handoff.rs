//! What build tools leave behind, from bytes to images: a large `GoReleaser` file and a list as long as is allowed.
//!
//! `cargo bench --bench handoff`; docs/guides/measuring.md holds measured numbers.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

use std::hint::black_box;

use countersign::domain::handoff::{self, Companions, Given, Hint, TARGETS};
use countersign::domain::oci::Digest;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};

/// Size of the large file, in bytes: what a release of many programs for many platforms comes to.
const LARGE: usize = 5_000_000;

/// Archives and packages beside each image, as in a real file, where images are the smaller part.
const OTHERS: usize = 12;

/// An `artifacts.json` of `GoReleaser` with at least [`LARGE`] bytes, and how many images are in it.
fn goreleaser() -> (Vec<u8>, usize) {
    let mut artifacts: Vec<Value> = Vec::new();
    let (mut size, mut images) = (2, 0);
    while size < LARGE {
        let mut add = |artifact: Value| {
            size += artifact.to_string().len() + 1;
            artifacts.push(artifact);
        };
        for other in 0..OTHERS {
            add(archive(images, other));
        }
        // Only so many images are taken in the end; what is beyond was never pushed.
        add(image(images, images < TARGETS));
        images += 1;
    }
    (
        Value::Array(artifacts).to_string().into_bytes(),
        images.min(TARGETS),
    )
}

fn archive(image: usize, number: usize) -> Value {
    let name = format!("tool-{image}_{number}_linux_amd64.tar.gz");
    json!({
        "name": name, "path": format!("dist/{name}"), "goos": "linux", "goarch": "amd64", "goamd64": "v1",
        "target": "linux_amd64_v1", "internal_type": 1, "type": "Archive",
        "extra": {"Binaries": [format!("tool-{image}")], "Checksum": Digest::of(name.as_bytes()), "Format": "tar.gz",
            "ID": "default", "Replaces": null, "WrappedIn": ""},
    })
}

fn image(number: usize, pushed: bool) -> Value {
    let name = format!("registry.example.com/team/tool-{number}:1.4.2");
    let digest = pushed.then(|| Digest::of(name.as_bytes()));
    json!({
        "name": name, "path": name, "goos": "linux", "goarch": "amd64", "internal_type": 10,
        "type": "Docker Image", "extra": {"Digest": digest, "ID": "tool"},
    })
}

/// References by digest, one a line, as many as are taken.
fn list() -> Vec<u8> {
    let line = |number: usize| {
        let name = format!("registry.example.com/team/image-{number}:1.4.2");
        format!("{name}@{}\n", Digest::of(name.as_bytes()))
    };
    (0..TARGETS).map(line).collect::<String>().into_bytes()
}

/// Detects, reads and brings together; returns how many images came out.
fn images(bytes: &[u8], format: &str) -> usize {
    let reading = handoff::read(bytes, Hint::default(), None).unwrap();
    assert_eq!(reading.format, format);
    let given = [Given {
        place: "handed.over".to_owned(),
        reading,
    }];
    handoff::combine(&given, Companions::default()).unwrap().len()
}

fn bench(criterion: &mut Criterion) {
    let (large, pushed) = goreleaser();
    let list = list();
    let mut group = criterion.benchmark_group("handoff");
    group.sample_size(20);
    for (name, bytes, format, expected) in [
        ("5 MB of goreleaser", &large, "goreleaser", pushed),
        ("a list of 500", &list, "list", TARGETS),
    ] {
        assert_eq!(images(bytes, format), expected);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("{name}, detect"), |bencher| {
            bencher.iter(|| handoff::detect(black_box(bytes), Hint::default()).unwrap());
        });
        group.bench_function(format!("{name}, bytes to images"), |bencher| {
            bencher.iter(|| images(black_box(bytes), format));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
