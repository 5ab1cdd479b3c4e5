//! Digests: whatever is accepted says itself again and has the length of its algorithm.
#![no_main]

use countersign::domain::oci::Digest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
        assert!(digest.hex().bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
        assert!([64, 96, 128].contains(&digest.hex().len()));
    }
});
