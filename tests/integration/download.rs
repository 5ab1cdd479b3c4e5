//! `download` and what `inspect` says of attestations, with the shipped binary.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::scratch::{Layout, PROVENANCE, Scratch};

const DEMO: &str = "oci:demo:1.0";
const SPDX: &str = "application/spdx+json";
const SBOM: &[u8] = br#"{"spdxVersion":"SPDX-2.3","name":"web","packages":[]}"#;

/// A signed and attested image with a stranger's SBOM, and the names of the two files.
fn image() -> (Scratch, [String; 2]) {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    scratch.sign(0, DEMO, &[]);
    let mut layout = Layout::read(&scratch.path("demo"));
    let image = layout.image();
    let sbom = layout.attach(&image, SPDX, SPDX, SBOM);
    layout.write(&scratch.path("demo"), None, &scratch.path("demo"));
    let provenance = layout.referrer(&image, PROVENANCE);
    let names = [
        format!("provenance-sha256-{provenance}.json"),
        format!("spdx-sha256-{sbom}.json"),
    ];
    (scratch, names)
}

fn files(scratch: &Scratch, directory: &str) -> Vec<String> {
    let entries = fs::read_dir(scratch.path(directory)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_attestation_is_written_as_it_was_stored_and_says_whether_it_verifies() {
    let (scratch, names) = image();
    let download = ["download", "--signer=local", DEMO, "--to=out", "--color=never"];
    let ran = scratch.expect(0, &download);
    assert_eq!(files(&scratch, "out"), names);
    let layout = Layout::read(&scratch.path("demo"));
    let stored = layout
        .blob(&layout.layer(&layout.referrer(&layout.image(), PROVENANCE)))
        .to_vec();
    assert_eq!(fs::read(scratch.path("out").join(&names[0])).unwrap(), stored);
    assert_eq!(fs::read(scratch.path("out").join(&names[1])).unwrap(), SBOM);
    for words in [
        " accepted\n  type: https://slsa.dev/provenance/v1\n  built by: https://ci.example.com/builder\n",
        " listed\n  type: application/spdx+json\n  written to: out/spdx-sha256-",
        "  signed by: ",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    // Again: the same bytes stand there.
    scratch.expect(0, &download);
    assert_eq!(files(&scratch, "out"), names);
    // Without anything to judge by all of it is listed.
    let ran = scratch.expect_as("none", 0, &["download", DEMO, "--format=json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let told = report["targets"][0]["attestations"].as_array().unwrap();
    for (one, name) in told.iter().zip(&names) {
        assert_eq!(
            (one["verdict"].as_str(), one["file"].as_str()),
            (Some("listed"), Some(format!("./{name}").as_str()))
        );
        assert!(scratch.path(name).is_file());
    }
}

#[test]
fn nothing_is_overwritten_and_the_rest_is_written_all_the_same() {
    let (scratch, names) = image();
    let out = scratch.path("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join(&names[0]), "mine").unwrap();
    let ran = scratch.expect(2, &["download", "--signer=local", DEMO, "--to=out"]);
    assert!(ran.stdout.contains("nothing is overwritten"), "{}", ran.stdout);
    assert_eq!(fs::read(out.join(&names[0])).unwrap(), b"mine");
    assert_eq!(fs::read(out.join(&names[1])).unwrap(), SBOM);
    // A link to the same bytes is something else.
    fs::rename(out.join(&names[1]), scratch.path("elsewhere.json")).unwrap();
    fs::remove_file(out.join(&names[0])).unwrap();
    symlink(scratch.path("elsewhere.json"), out.join(&names[1])).unwrap();
    scratch.expect(2, &["download", "--signer=local", DEMO, "--to=out"]);
    assert_eq!(files(&scratch, "out"), names);
    symlink(&out, scratch.path("link")).unwrap();
    scratch.expect(2, &["download", DEMO, "--to=link"]);
}

#[test]
fn what_holds_no_document_is_named_and_nothing_of_it_is_written() {
    let (scratch, names) = image();
    let mut layout = Layout::read(&scratch.path("demo"));
    let large = vec![b' '; 10_000_001];
    let digest = layout.attach(&layout.image(), SPDX, SPDX, &large);
    layout.write(&scratch.path("demo"), None, &scratch.path("demo"));
    let ran = scratch.expect(1, &["download", DEMO, "--to=out"]);
    let told = format!(
        "could not take a document from sha256:{digest}: expected a document of at most 10000000 bytes"
    );
    assert!(ran.stdout.contains(&told), "{}", ran.stdout);
    assert_eq!(files(&scratch, "out"), names);
}

#[test]
fn an_image_without_attestations_leaves_nothing() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    scratch.expect(0, &["download", DEMO, "--to=out"]);
    assert_eq!(files(&scratch, "out"), [""; 0]);
    scratch.expect(5, &["download", "oci:demo:2.0", "--to=out"]);
}

#[test]
fn inspect_says_in_words_what_an_attestation_says() {
    let (scratch, _) = image();
    let ran = scratch.expect(0, &["inspect", "--signer=local", DEMO, "--color=never"]);
    for words in [
        "  built by: https://ci.example.com/builder\n",
        "  how: https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/manual.md\n",
        "  from: https://git.example.com/team/app@0123456789abcdef0123456789abcdef01234567\n",
        "  commit: 0123456789abcdef0123456789abcdef01234567\n",
        "spdx ",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    // Nobody to judge it by: everything is read, nothing is believed.
    let ran = scratch.expect_as("none", 0, &["inspect", DEMO, "--format=json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let attestations = &report["targets"][0]["attestations"];
    assert_eq!(
        attestations[0]["facts"]["builder"],
        "https://ci.example.com/builder"
    );
    assert_eq!(attestations[1]["facts"]["summary"], "SPDX-2.3 of web, 0 packages");
    assert_eq!(attestations[1]["verdict"], "listed");
}
