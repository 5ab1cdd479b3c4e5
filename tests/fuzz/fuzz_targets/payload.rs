//! Signed payloads: what is read has a target, and a payload that says the same is read the same.
#![no_main]

use countersign::domain::notary::SignedPayload;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(payload) = SignedPayload::read(bytes) {
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok());
        assert_eq!(SignedPayload::read(bytes).as_ref(), Ok(&payload));
    }
});
