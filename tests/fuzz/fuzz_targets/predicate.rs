//! Documents that are to be attested, of each kind: what is accepted is attached in bytes that a reader accepts as the
//! same, about the image that it is attached to. The first byte says what the document is said to be.
#![no_main]

use countersign::domain::oci::Digest;
use countersign::domain::provenance::{Form, Predicate, PredicateChoice, Statement, distinct};
use libfuzzer_sys::fuzz_target;

/// Every kind that a file can be said to be, and a predicate type that is no kind's.
const TYPES: [&str; 8] = [
    "spdx",
    "cyclonedx",
    "vex",
    "sarif",
    "vuln",
    "test-result",
    "vsa",
    "https://example.com/review/v1",
];

fuzz_target!(|bytes: &[u8]| {
    let (kind, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let choice: PredicateChoice = format!("{}=file.json", TYPES[usize::from(*kind) % TYPES.len()]).parse().unwrap();
    let predicate = match Predicate::read(choice.clone(), bytes) {
        Ok(predicate) => predicate,
        Err(error) => {
            assert_eq!((error.file.as_str(), error.kind.as_str()), ("file.json", choice.name()));
            assert!(!error.problem.to_string().is_empty());
            return;
        }
    };
    let image = Digest::of(b"image");
    let entries = [("registry.example.com/team/web".to_owned(), image.clone())];
    let attachment = predicate.attachment(&entries);
    assert_eq!(attachment.predicate_type, predicate.predicate_type());
    assert_eq!(attachment.artifact_type, choice.artifact_type());
    if choice.form() == Form::Statement {
        let statement = Statement::read(&attachment.bytes).expect("a Statement that can be read");
        assert!(statement.names(&image));
        assert_eq!(statement.predicate_type(), predicate.predicate_type());
    }
    let again = Predicate::read(choice, &attachment.bytes).expect("a document that can be read");
    assert_eq!(again.check_subject(&image), Ok(()));
    assert_eq!(again.attachment(&entries).bytes, attachment.bytes);
    assert_eq!(distinct(std::slice::from_ref(&predicate)), Ok(()));
    assert!(distinct(&[predicate.clone(), predicate]).is_err());
});
