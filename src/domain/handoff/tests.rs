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
        goreleaser.unwrap_err().problems.kept()[0].trouble,
        Trouble::GoreleaserMetadata
    );
}

/// What is told of a text, line by line, and the hints.
fn told(text: &str, format: Option<&str>) -> (Vec<String>, Vec<String>) {
    let error = read(text.as_bytes(), Hint::default(), format.and_then(Format::find)).unwrap_err();
    let cause = Cause::of(&error);
    let lines = |text: String| text.lines().map(ToOwned::to_owned).collect();
    (lines(cause.message), lines(cause.hint.unwrap_or_default()))
}

#[test]
fn every_problem_is_told_with_its_place() {
    let list = format!("r.example/a\n  web:1\nr.example/Web:1\n{IDX}\nr.example/x@sha256:12");
    assert_eq!(
        told(&list, None),
        (
            vec![
                "4 problems".to_owned(),
                "line 2, column 3: expected a registry host in front of the repository, found \"web:1\""
                    .to_owned(),
                "line 3, column 1: expected a repository in lower case, found \"r.example/Web:1\"".to_owned(),
                format!(
                    "line 4, column 1: expected a reference as on the other lines, found the bare digest \"{IDX}\""
                ),
                "line 5, column 1: after @: expected a digest (sha256: and 64 lower-case hex digits), found \
                 \"sha256:12\""
                    .to_owned(),
            ],
            vec![
                "line 2: write the host, as in registry.example.com/team/web:1.4; for an OCI layout on disk write oci:PATH".to_owned(),
                "line 3: registries know lower-case repositories only; name the repository as it was pushed"
                    .to_owned(),
                "line 4: give the bare digest apart, with digest and names".to_owned(),
            ]
        )
    );
}

const DIGEST: &str = "expected a digest (sha256: and 64 lower-case hex digits), found";
const LOWER: &str = "registries know lower-case repositories only; name the repository as it was pushed";

/// Digest and name of one entry are judged apart, whatever the format.
#[test]
fn one_problem_of_an_entry_hides_no_other() {
    let bake = r#"{"a":{"containerimage.digest":"sha256:12","image.name":"r.example/A:1,r.example/b=c"},
 "b":{"containerimage.digest":7,"image.name":8}}"#;
    let toml = "[image]\ntags = [\"r.example/A:1\", 7,\n  \"r.example/b=c\"]\ndigest = \"sha256:12\"\ntags = [\"x\"]\n";
    let env = "APP_IMAGE=r.example/A\nAPP_DIGEST=sha256:12\nAPP_IMAGE=r.example/b\nAPP_IMAGE_TAG=-\n";
    let tekton = "a_IMAGE_URL=r.example/A:1\na_IMAGE_DIGEST=sha256:12\nIMAGES=r.example/x@sha256:1,Q:1\n\
                  b-ARTIFACT_OUTPUTS={\"uri\":\"r.example/A\",\"digest\":7}\nc-ARTIFACT_OUTPUTS={\"uri\":\n";
    let purl = r#"{"outputs":[{"values":[
 {"uri":"pkg:oci/app@1","digest":{"sha256":"zz"}}, {"uri":8}]}]}"#;
    let outputs = "{\"digest\":\"sha256:12\",\n \"metadata\":\"{\\\"containerimage.digest\\\":\\\"sha256:13\\\",\\\"image.name\\\":7}\"}";
    let lines = "digest=sha256:12\nmetadata={\"containerimage.digest\":\"sha256:13\",\"image.name\":\"r.example/A\"}\n";
    let json_lines = "{\"image\":\"r.example/a\"}\n{\"image\":\"r.example/A\",\"digest\":7}\n";
    for (text, format, problems) in [
        (bake, None, vec![
            format!("a[\"containerimage.digest\"], line 1, column 31: {DIGEST} \"sha256:12\""),
            "a[\"image.name\"], line 1, column 56: expected a repository in lower case, found \"r.example/A:1\"".to_owned(),
            "a[\"image.name\"], line 1, column 56: expected a reference, found text with an equals sign in it (not shown)".to_owned(),
            "b[\"containerimage.digest\"], line 2, column 31: expected a string, found the number 7".to_owned(),
            "b[\"image.name\"], line 2, column 46: expected a string, found the number 8".to_owned(),
        ]),
        (toml, None, vec![
            "image.tags[0], line 2, column 9: expected a repository in lower case, found \"r.example/A:1\"".to_owned(),
            "image.tags[1], line 2, column 26: expected a string without escapes, found \"7\"".to_owned(),
            "image.tags[2], line 3, column 3: expected a reference, found text with an equals sign in it (not shown)".to_owned(),
            format!("image.digest, line 4, column 10: {DIGEST} \"sha256:12\""),
            "image.tags, line 5, column 1: expected every key once, found \"tags\" again".to_owned(),
        ]),
        (env, None, vec![
            "APP_IMAGE, line 1, column 11: expected a repository in lower case, found \"r.example/A\"".to_owned(),
            format!("APP_DIGEST, line 2, column 12: {DIGEST} \"sha256:12\""),
            "line 3, column 1: expected every key once, found \"APP_IMAGE\" again".to_owned(),
            "APP_IMAGE_TAG, line 4, column 15: expected a tag (up to 128 of letters, digits, _ . -), found \"-\"".to_owned(),
        ]),
        (tekton, None, vec![
            "a_IMAGE_URL, line 1, column 13: expected a repository in lower case, found \"r.example/A:1\"".to_owned(),
            format!("a_IMAGE_DIGEST, line 2, column 16: {DIGEST} \"sha256:12\""),
            format!("IMAGES, line 3, column 8: after @: {DIGEST} \"sha256:1\""),
            "IMAGES, line 3, column 29: expected a repository in lower case, found \"Q:1\"".to_owned(),
            "b-ARTIFACT_OUTPUTS.uri, line 4, column 27: expected a repository in lower case, found \"r.example/A\"".to_owned(),
            "b-ARTIFACT_OUTPUTS.digest, line 4, column 50: expected a string, found the number 7".to_owned(),
            "c-ARTIFACT_OUTPUTS, line 5, column 26: not valid JSON: EOF while parsing a value".to_owned(),
        ]),
        (purl, Some("tekton"), vec![
            "outputs[0].values[0].uri, line 2, column 9: expected a package URL pkg:oci/NAME@DIGEST?repository_url=…, \
             found \"app@1\"".to_owned(),
            format!("outputs[0].values[0].digest.sha256, line 2, column 44: {DIGEST} \"sha256:zz\""),
            "outputs[0].values[1].uri, line 2, column 59: expected a string, found the number 8".to_owned(),
        ]),
        (outputs, None, vec![
            format!("digest, line 1, column 11: {DIGEST} \"sha256:12\""),
            format!("metadata[\"containerimage.digest\"], line 2, column 13: {DIGEST} \"sha256:13\""),
            "metadata[\"image.name\"], line 2, column 13: expected a string, found the number 7".to_owned(),
        ]),
        (lines, None, vec![
            format!("digest, line 1, column 8: {DIGEST} \"sha256:12\""),
            format!("metadata[\"containerimage.digest\"], line 2, column 35: {DIGEST} \"sha256:13\""),
            "metadata[\"image.name\"], line 2, column 60: expected a repository in lower case, found \"r.example/A\"".to_owned(),
        ]),
        (json_lines, Some("json"), vec![
            "image, line 2, column 10: expected a repository in lower case, found \"r.example/A\"".to_owned(),
            "digest, line 2, column 33: expected a string, found the number 7".to_owned(),
        ]),
    ] {
        let (told, _) = told(text, format);
        assert_eq!(told[1..], problems, "{text}");
        assert!(told[0].ends_with(&format!(": {} problems", problems.len())), "{}", told[0]);
    }
}

#[test]
fn every_key_that_stands_twice_and_every_broken_line_is_told() {
    let twice = "{\"containerimage.digest\":\"a\",\n \"containerimage.digest\":\"b\",\n \"image.name\":\"c\",\n \"image.name\":\"d\"}";
    let (problems, hints) = told(twice, None);
    assert_eq!(
        problems,
        [
            "2 problems",
            "line 2, column 26: the key \"containerimage.digest\" stands twice in one object",
            "line 4, column 15: the key \"image.name\" stands twice in one object",
        ]
    );
    assert_eq!(hints, ["keep the one that is meant, and take the other away"]);
    let lines = "{\"image\":\"r.example/a\"}\n  {\"image\":}\n{\"image\":1,\"image\":2}\n[\n";
    let (problems, _) = told(lines, None);
    assert_eq!(
        problems,
        [
            "3 problems",
            "line 2, column 12: not valid JSON: expected value",
            "line 3, column 20: the key \"image\" stands twice in one object",
            "line 4, column 1: not valid JSON: EOF while parsing a list",
        ]
    );
}

/// A hint that fixes everything is said alone; one that does not says what it fixes.
#[test]
fn hints_say_what_they_fix() {
    assert_eq!(told("r.example/A\nr.example/B", None).1, [LOWER]);
    let list =
        "r.example/A\nr.example/B\nr.example/C\nr.example/a b\nr.example/D\nr.example/E\nr.example/x=y";
    let (problems, hints) = told(list, None);
    assert_eq!(problems.len(), 8);
    assert_eq!(hints[0], format!("lines 1, 2, 3 and 2 more: {LOWER}"));
    assert!(
        hints[1].starts_with("line 4: what a tool logs is no list;"),
        "{hints:?}"
    );
    assert_eq!(hints.len(), 2);
}

#[test]
fn so_many_problems_are_told_and_the_others_counted() {
    let (problems, hints) = told(&"r.example/A\n".repeat(3_000), None);
    assert_eq!((problems[0].as_str(), problems.len()), ("3000 problems", 22));
    assert_eq!(problems[21], "and 2980 more problems");
    assert_eq!(hints, [LOWER]);
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
        assert!(matches!(
            error.problems.kept()[0].trouble,
            Trouble::Encoding { .. }
        ));
    }
    let large = vec![b'#'; HANDOFF_BYTES + 1];
    assert!(matches!(
        read(&large, Hint::default(), None).unwrap_err().problems.kept()[0].trouble,
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
        let told = "line 2, column 1: expected a reference alone on its line, found several words";
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
