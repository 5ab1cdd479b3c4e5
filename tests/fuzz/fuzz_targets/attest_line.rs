//! Lines of `--attest`: what is accepted names a file and nothing that a run says itself, and is read the same when it is
//! written out in full.
#![no_main]

use countersign::domain::provenance::{Kind, PredicateChoice};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let choice: PredicateChoice = match text.parse() {
        Ok(choice) => choice,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(!choice.file().is_empty());
    assert!(text.ends_with(choice.file()));
    assert!(!matches!(choice.kind(), Some(Kind::Provenance | Kind::BuildKit)));
    let what = choice.predicate_type().replace('=', "%3D").replace('@', "%40");
    let full = format!("{what}@{}={}", choice.artifact_type(), choice.file());
    let again: PredicateChoice = full.parse().expect("a line in full");
    assert_eq!(again.predicate_type(), choice.predicate_type());
    assert_eq!(again.artifact_type(), choice.artifact_type());
    assert_eq!(again.kind(), choice.kind());
    assert_eq!(again.file(), choice.file());
});
