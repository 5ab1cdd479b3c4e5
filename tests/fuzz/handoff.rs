// What every target of a hand-off format does: it reads foreign bytes as its own format, which its name says
// (`handoff_f17` is F17), and as whatever they look like; what is read is brought together as a run would.

use countersign::domain::handoff::{self, Companions, Format, Given, Hint, HandoffError, Reading};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let id = env!("CARGO_BIN_NAME").trim_start_matches("handoff_");
    let format = Format::find(id).expect("a target per format");
    // The first byte decides what is known besides the bytes, since rules differ by it.
    let (known, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let hint = Hint { file: FILES[usize::from(*known) % FILES.len()], in_layout: known & 0x80 != 0 };
    let forced = handoff::read(bytes, hint, Some(format));
    if let Ok(reading) = &forced {
        assert_eq!(reading.format, format.name);
    }
    combine(forced);
    if handoff::detect(bytes, hint).is_ok() {
        combine(handoff::read(bytes, hint, None));
    }
});

/// Names of files by which rules go, and none.
const FILES: [Option<&str>; 8] = [
    None,
    Some("artifacts.json"),
    Some("digests.txt"),
    Some("index.json"),
    Some("compose.yaml"),
    Some("imageDetail.json"),
    Some("jib-image.json"),
    Some("report.toml"),
];

/// What is wrong can be told; what is right has a name or a digest.
fn combine(reading: Result<Reading, HandoffError>) {
    let reading = match reading {
        Ok(reading) => reading,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let given = [Given { place: "handed.over".to_owned(), reading }];
    match handoff::combine(&given, Companions::default()) {
        Ok(images) => {
            for image in &images {
                let text = image.image().to_string();
                assert!(text.parse::<countersign::domain::oci::ImageRef>().is_ok(), "{text}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
