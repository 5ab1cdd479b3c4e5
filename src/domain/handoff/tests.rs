//! Every sample against every rule, the traps, and what is refused.

use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::base::failure::Cause;

const IDX: &str = "sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6";
const AMD: &str = "sha256:5861314d7fccb39c2192173240eab44fa35ca66426201ca2acd0630a6258dd51";

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/handoff")
}

fn expected() -> Vec<Value> {
    let text = std::fs::read(corpus().join("expected.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn what(item: &Item) -> String {
    let tag = |tag: &Option<crate::domain::oci::Tag>| tag.as_ref().map_or(String::new(), ToString::to_string);
    match &item.what {
        What::Image(image) => image.to_string(),
        What::Digest(digest) => format!("digest:{digest}"),
        What::Name(image) => format!("name:{image}"),
        What::Tag(tag) => format!("tag:{tag}"),
        What::Kept { digest, tag: name } => format!("kept:{}@{digest}", tag(name)),
        What::Ecr {
            path,
            tag: name,
            digest,
            ..
        } => format!("ecr:{path}:{}@{digest}", tag(name)),
    }
}

fn named(text: &str) -> Vec<String> {
    let reading = read(text.as_bytes(), Hint::default(), None).unwrap();
    reading.items.iter().map(what).collect()
}

fn refused(text: &str) -> Cause {
    Cause::of(&read(text.as_bytes(), Hint::default(), None).unwrap_err())
}

#[test]
fn every_sample_is_one_format_and_names_what_it_should() {
    let mut wrong = Vec::new();
    for row in expected() {
        let file = row["file"].as_str().unwrap();
        let bytes = std::fs::read(corpus().join(file)).unwrap();
        let hint = Hint {
            file: Some(file),
            in_layout: file.starts_with("f32"),
        };
        let images: Vec<&str> = row["named"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        match read(&bytes, hint, None) {
            Ok(reading) => {
                let found: Vec<String> = reading.items.iter().map(what).collect();
                let same: BTreeSet<&str> = found.iter().map(String::as_str).collect();
                if reading.format != row["format"] || same != images.iter().copied().collect() {
                    wrong.push(format!("{file}: {} {found:#?}", reading.format));
                }
            }
            Err(error) => wrong.push(format!("{file}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_sample_reads_the_same_when_its_format_is_forced() {
    for row in expected() {
        let file = row["file"].as_str().unwrap();
        let id = file.split('-').next().unwrap();
        let bytes = std::fs::read(corpus().join(file)).unwrap();
        let hint = Hint {
            file: Some(file),
            in_layout: file.starts_with("f32"),
        };
        let found = read(&bytes, hint, None).unwrap();
        let forced = read(&bytes, hint, Format::find(id)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(found.items, forced.items, "{file}");
    }
}

#[test]
fn every_format_has_three_samples_and_a_row() {
    let rows = expected();
    for (number, format) in (1..).zip(FORMATS) {
        assert_eq!(format.id, format!("F{number:02}"));
        let prefix = format!("{}-", format.id.to_lowercase());
        let samples = rows
            .iter()
            .filter(|row| row["file"].as_str().unwrap().starts_with(&prefix));
        assert!(samples.count() >= 3, "{format:?}");
        assert_eq!(Format::find(&format.name.to_uppercase()), Some(&format));
    }
    assert!("F37".parse::<&'static Format>().is_err());
    // Besides the samples: what is expected of them, and where they come from.
    let listed = rows.len() + 2;
    assert_eq!(
        std::fs::read_dir(corpus()).unwrap().count(),
        listed,
        "a sample is not listed"
    );
}

/// Two samples in one JSON object or file: never quietly one of them.
#[test]
fn what_fits_two_formats_names_both() {
    let both = format!(
        r#"{{"containerimage.digest":"{IDX}","image.name":"r.example/a:1","tags":["r.example/b:1"],"labels":{{}},"annotations":[]}}"#
    );
    assert_eq!(
        refused(&both).message,
        "expected one format, found that both F05 (buildx) and F09 (metadata-action) fit and name different images"
    );
    assert!(refused(&both).hint.unwrap().contains("images-format"));
    let forced = read(both.as_bytes(), Hint::default(), Format::find("buildx")).unwrap();
    assert_eq!(what(&forced.items[0]), format!("r.example/a:1@{IDX}"));
}

#[test]
fn traps_are_seen() {
    let config = format!(
        r#"{{"containerimage.config.digest":"{AMD}","containerimage.digest":"{AMD}","image.name":"r.example/a:1"}}"#
    );
    assert!(
        refused(&config).message.contains("configuration"),
        "{}",
        refused(&config).message
    );
    let id = "[image]\ntags = [\"r.example/a:1\"]\nimage-id = \"abc\"\n";
    assert!(refused(id).message.contains("only an image id"));
    assert!(
        refused("/nix/store/abc-docker-image.tar.gz\n")
            .hint
            .unwrap()
            .contains("skopeo")
    );
    assert!(
        refused(&format!("/tmp/layout@{IDX}"))
            .hint
            .unwrap()
            .contains("oci:PATH")
    );
    let jib =
        format!(r#"{{"image":"r.example/a:1","imageId":"{IDX}","imageDigest":"{IDX}","imagePushed":false}}"#);
    assert!(refused(&jib).message.contains("at least one pushed image"));
    // Names of a build without a push, on standard error, or of files.
    assert!(
        read(
            format!("2026/01/01 pushed x\n2026/01/01 1: digest: {IDX} size: 2").as_bytes(),
            Hint::default(),
            None
        )
        .is_err()
    );
    assert!(
        read(
            format!("{}  app.tar.gz\n", &IDX[7..]).as_bytes(),
            Hint::default(),
            None
        )
        .is_err()
    );
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{IDX}"}}]}}"#);
    assert!(refused(&index).message.contains("without the file oci-layout"));
    let goreleaser = read(
        br#"{"project_name":"x","tag":"v1","version":"1"}"#,
        Hint {
            file: Some("metadata.json"),
            in_layout: false,
        },
        None,
    );
    assert_eq!(
        goreleaser.unwrap_err().problems[0].trouble,
        Trouble::GoreleaserMetadata
    );
}

#[test]
fn every_problem_is_told_with_its_place() {
    assert_eq!(
        refused(&format!(
            "r.example/a\nweb:1\nr.example/Web:1\n{IDX}\nr.example/x@sha256:12"
        ))
        .message,
        format!(
            "line 2: expected a registry host in front of the repository, found \"web:1\"; line 3: expected a repository \
             in lower case, found \"r.example/Web:1\"; line 4: expected a reference as on the other lines, found the bare \
             digest \"{IDX}\"; line 5: after @: expected a digest (sha256: and 64 lower-case hex digits), found \"sha256:12\""
        )
    );
    let bake = r#"{"a":{"containerimage.digest":"sha256:12"},
 "b":{"containerimage.digest":7}}"#;
    assert_eq!(
        refused(bake).message,
        "as bake: a[\"containerimage.digest\"], line 1, column 31: expected a digest (sha256: and 64 lower-case hex \
         digits), found \"sha256:12\"; b[\"containerimage.digest\"], line 2, column 31: expected a string, found the \
         number 7"
    );
}

#[test]
fn bytes_that_say_two_things_are_refused() {
    let twice = format!(r#"{{"containerimage.digest":"{IDX}","containerimage.digest":"{AMD}"}}"#);
    assert!(
        refused(&twice).message.contains("stands twice"),
        "{}",
        refused(&twice).message
    );
    assert!(
        refused("services:\n  a: {image: r.example/a}\n---\nb: 1\n")
            .message
            .contains("second")
    );
    for bytes in [
        &b"\xef\xbb\xbfr.example/a"[..],
        b"r.example/a\0",
        b"r.example/\xff",
    ] {
        let error = read(bytes, Hint::default(), None).unwrap_err();
        assert!(matches!(error.problems[0].trouble, Trouble::Encoding { .. }));
    }
    let large = vec![b'#'; HANDOFF_BYTES + 1];
    assert!(matches!(
        read(&large, Hint::default(), None).unwrap_err().problems[0].trouble,
        Trouble::TooMuch { .. }
    ));
}

#[test]
fn what_is_not_asked_for_is_not_shown() {
    for text in [
        "TOKEN=hunter2\nnot a pair",
        "bob:hunter2@r.example/a",
        "TOKEN=hunter2",
        "APP_IMAGE=bob:hunter2@r.example/a:1",
    ] {
        let cause = refused(text);
        assert!(!cause.message.contains("hunter2"), "{}", cause.message);
    }
    let forced = read(b"TOKEN=hunter2", Hint::default(), Format::find("F05")).unwrap_err();
    assert_eq!(
        forced.to_string(),
        "as buildx: expected a JSON object, found something else"
    );
}

/// What tools log is no list, whatever stands in it: crane's and ko's standard error, oras without a format.
#[test]
fn a_log_is_told_from_a_list() {
    let digest = "sha256:58504b63d05f6f31414f6161b32d3607a074f3f27845540a0234682e1aa63815";
    for log in [
        format!("2026/11/24 02:15:54 pushed blob: {digest}"),
        format!("2026/11/24 02:15:54 127.0.0.1:5000/team/app:1.4.2: digest: {digest} size: 401"),
        format!("2026/11/24 02:11:31 Using base 127.0.0.1:5000/base:1@{digest} for example.com/team/cmd/app"),
        "2026/11/24 02:11:31 Building example.com/team/cmd/app for linux/amd64".to_owned(),
        "Pushed [registry] 127.0.0.1:5000/team/chart:1".to_owned(),
        "Copying config done, PASSWORD=hunter2".to_owned(),
    ] {
        let cause = refused(&format!("r.example/web@{digest}\n{log}\n"));
        let told = "line 2: expected a reference alone on its line, found several words";
        assert!(cause.message.ends_with(told), "{log}: {}", cause.message);
        assert!(
            cause.hint.unwrap().starts_with("what a tool logs is no list"),
            "{log}"
        );
    }
}

/// What lies beside a hand-off and is none: a layout that ko did not push, what oras pulled, one descriptor.
#[test]
fn what_tools_leave_besides_is_refused() {
    for (text, told) in [
        (
            format!("../layout@{IDX}\n"),
            "found the path of an OCI layout: \"../layout@sha256:",
        ),
        (
            format!(r#"{{"reference":"@{IDX}","files":[]}}"#),
            "found an object with the members \"reference\", \"files\"",
        ),
        (
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{IDX}","size":515}}"#
            ),
            "found an object with the members \"mediaType\", \"digest\", \"size\"",
        ),
    ] {
        let cause = refused(&text);
        assert!(cause.message.contains(told), "{text}: {}", cause.message);
    }
}

/// buildx build and bake for `type=local`, or for the cache alone.
#[test]
fn a_build_without_image_is_said_to_have_pushed_none() {
    let build =
        r#"{"buildx.build.provenance":{"builder":{"id":""}},"buildx.build.ref":"r/r0/lddtaaav6ni90"}"#;
    for text in [
        build.to_owned(),
        format!(r#"{{"assets":{build},"docs":{build}}}"#),
    ] {
        let cause = refused(&text);
        assert_eq!(cause.message, "expected at least one pushed image, found none");
        assert!(cause.hint.unwrap().contains("push the image"));
    }
    for other in [r#"{"assets":{}}"#, r#"{"buildx.build.ref":"r","else":1}"#, "{}"] {
        assert!(
            refused(other)
                .message
                .contains("expected JSON of a format that is known"),
            "{other}"
        );
    }
}

#[test]
fn forms_that_need_to_be_forced_are_read_then() {
    let forced = |text: &str| {
        let reading = read(text.as_bytes(), Hint::default(), Format::find("tekton")).unwrap();
        reading.items.iter().map(what).collect::<Vec<_>>()
    };
    assert_eq!(
        forced(&format!("r.example/a@{IDX}, r.example/b@{AMD}\n")),
        [format!("r.example/a@{IDX}"), format!("r.example/b@{AMD}")]
    );
    let purl = format!(
        r#"{{"inputs":[],"outputs":[{{"name":"image","values":[{{"uri":"pkg:oci/app?repository_url=r.example/team","digest":{{"sha256":"{}"}}}}]}}]}}"#,
        &IDX[7..]
    );
    assert_eq!(forced(&purl), [format!("r.example/team/app@{IDX}")]);
}

fn given(place: &str, text: &str) -> Given {
    Given {
        place: place.to_owned(),
        reading: read(text.as_bytes(), Hint::default(), None).unwrap(),
    }
}

fn joined(given: &[Given], repository: Option<&str>) -> Result<Vec<String>, CombineError> {
    let repository = repository.map(|text| text.parse().unwrap());
    let companions = Companions {
        repository: repository.as_ref(),
        region: None,
    };
    let images = combine(given, companions)?;
    Ok(images
        .iter()
        .map(|image| format!("{} {}", image.image(), image.tags.len()))
        .collect())
}

#[test]
fn companions_meet() {
    let metadata =
        r#"{"tags":["r.example/a:1","r.example/a:2","r.example/b:1"],"labels":{},"annotations":[]}"#;
    let pushed = format!(r#"{{"containerimage.digest":"{IDX}","image.name":"r.example/a:1"}}"#);
    let (digest, names, pushed) = (given("d", IDX), given("m", metadata), given("b", &pushed));
    assert_eq!(
        joined(&[digest.clone(), names.clone()], None),
        Ok(vec![
            format!("r.example/a:1@{IDX} 2"),
            format!("r.example/b:1@{IDX} 1")
        ])
    );
    // A digest that another input names is no second target.
    assert_eq!(
        joined(&[digest.clone(), pushed.clone()], None),
        Ok(vec![format!("r.example/a:1@{IDX} 1")])
    );
    assert_eq!(
        joined(std::slice::from_ref(&digest), Some("r.example/z")),
        Ok(vec![format!("r.example/z@{IDX} 0")])
    );
    assert!(matches!(
        joined(std::slice::from_ref(&digest), None),
        Err(CombineError::DigestWithoutName { .. })
    ));
    assert!(matches!(
        joined(std::slice::from_ref(&names), None),
        Err(CombineError::NamesWithoutDigest { .. })
    ));
    let other = given("e", AMD);
    assert!(matches!(
        joined(&[digest.clone(), other, names], None),
        Err(CombineError::SeveralDigests { count: 2, .. })
    ));
    let bare = given("m", r#"{"tags":["1","2"],"labels":{},"annotations":[]}"#);
    assert_eq!(
        joined(&[digest.clone(), bare.clone()], Some("r.example/z")),
        Ok(vec![format!("r.example/z:1@{IDX} 2")])
    );
    assert!(matches!(
        joined(&[digest, bare], None),
        Err(CombineError::TagWithoutRepository { .. })
    ));
    let config = format!(
        r#"{{"containerimage.config.digest":"{AMD}","containerimage.digest":"{IDX}","image.name":"r.example/a:1"}}"#
    );
    assert!(matches!(
        joined(&[given("b", &config), given("d", AMD)], None),
        Err(CombineError::ConfigDigest { .. })
    ));
}

#[test]
fn too_many_targets_are_refused() {
    let list = |count: usize| {
        (0..count).fold(String::new(), |list, n| {
            list + &format!(
                "r.example/a:{n}
"
            )
        })
    };
    assert_eq!(
        joined(&[given("l", &list(TARGETS))], None).unwrap().len(),
        TARGETS
    );
    assert_eq!(
        joined(&[given("l", &list(TARGETS + 1))], None),
        Err(CombineError::TooMany { found: TARGETS + 1 })
    );
}

#[test]
fn lists_have_comments_blank_lines_and_prefixes() {
    assert_eq!(
        named(
            "\r\n# all\r\nr.example/a:1   # first\r\n\r\n docker://r.example/b:2\r\noci://r.example/c\noci:./d:1"
        ),
        ["r.example/a:1", "r.example/b:2", "r.example/c", "oci:./d:1"]
    );
    assert_eq!(named(" \n# nothing\n"), Vec::<String>::new());
    assert_eq!(named("[::1]:5000/a:1"), ["[::1]:5000/a:1"]);
}

/// What a large file costs is printed and not asserted, since it depends on the machine.
#[test]
fn a_goreleaser_file_of_five_megabytes_and_a_long_list_are_timed() {
    let item = |n: usize| {
        let kind = if n.is_multiple_of(40) {
            "Docker Image"
        } else {
            "Archive"
        };
        let extra = if n.is_multiple_of(40) {
            format!(r#","Digest":"{IDX}""#)
        } else {
            String::new()
        };
        format!(
            r#"{{"name":"r.example/team/app:1.4.{n}","path":"dist/app_linux_amd64_v1/app_{n}","internal_type":38,"type":"{kind}","extra":{{"ID":"app","Checksum":"{AMD}"{extra}}}}}"#
        )
    };
    let mut items = Vec::new();
    let mut bytes = 2;
    while bytes < 5_000_000 {
        let item = item(items.len());
        bytes += item.len() + 1;
        items.push(item);
    }
    let file = format!("[{}]", items.join(","));
    let list = (0..TARGETS).fold(String::new(), |list, n| list + &format!("r.example/a:{n}\n"));
    for (name, text) in [("goreleaser", &file), ("list", &list)] {
        let started = std::time::Instant::now();
        let reading = read(text.as_bytes(), Hint::default(), None).unwrap();
        let (bytes, count) = (text.len(), reading.items.len());
        println!("{name}: {bytes} bytes, {count} images, {:?}", started.elapsed());
        assert_eq!(reading.format, name);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), index in 0..36usize) {
        let _ = read(&bytes, Hint { file: None, in_layout: true }, None);
        let _ = read(&bytes, Hint { file: None, in_layout: true }, FORMATS.get(index).and_then(|f| Format::find(f.id)));
    }

    #[test]
    fn no_sample_panics_with_a_byte_changed(row in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte: u8) {
        let rows = expected();
        let file = row.get(&rows)["file"].as_str().unwrap();
        let mut bytes = std::fs::read(corpus().join(file)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let id = file.split('-').next().unwrap();
        for forced in [None, Format::find(id)] {
            if let Ok(reading) = read(&bytes, Hint { file: Some(file), in_layout: true }, forced) {
                let _ = combine(&[Given { place: file.to_owned(), reading }], Companions::default());
            }
        }
    }
}
