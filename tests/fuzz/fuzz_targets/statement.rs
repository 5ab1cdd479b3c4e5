//! Statements: what is read names subjects and a predicate type, and what it says can be asked.
#![no_main]

use countersign::domain::oci::Digest;
use countersign::domain::provenance::{Statement, Summary};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = Statement::read(bytes) {
        assert!(!statement.predicate_type().is_empty());
        let _ = (statement.builder(), statement.build_type(), statement.source(), statement.commit());
        let _ = statement.invocation_id();
        let digest = Digest::of(b"image");
        let summary = Summary {
            verifier: "urn:x".to_owned(),
            resource: "oci:x".to_owned(),
            policy: ("urn:x".to_owned(), digest.clone()),
            inputs: std::collections::BTreeSet::new(),
            level: None,
        };
        let _ = (summary.is_by_same(&statement), summary.is_said_by(&statement, &[(String::new(), digest)]));
    }
});
