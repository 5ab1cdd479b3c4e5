//! Expectations files: whatever is accepted holds at least one expectation; what is refused says where.
#![no_main]

use countersign::domain::trust::expectation::Expectations;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match Expectations::read(bytes) {
    Ok(expectations) => assert!(!expectations.entries().is_empty()),
    Err(error) => assert!(!error.problems.is_empty()),
});
