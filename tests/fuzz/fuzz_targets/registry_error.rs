//! A registry's error bodies: whatever is read of them is bounded, and there is nothing in what is no JSON.
#![no_main]

use countersign::edge::registry::error_body;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let errors = error_body(bytes);
    if !errors.is_empty() {
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok());
    }
});
