//! Statements: what is read names subjects and a predicate type, and what it says can be asked.
#![no_main]

use countersign::domain::provenance::Statement;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = Statement::read(bytes) {
        assert!(!statement.predicate_type().is_empty());
        let _ = (statement.builder(), statement.build_type(), statement.source(), statement.commit());
        let _ = statement.invocation_id();
    }
});
