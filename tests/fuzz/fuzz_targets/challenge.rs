//! `WWW-Authenticate`: every challenge has a scheme in lower case, and parameters can be asked.
#![no_main]

use countersign::edge::registry::challenges;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    for challenge in challenges(header) {
        assert!(!challenge.scheme.is_empty());
        assert_eq!(challenge.scheme, challenge.scheme.to_ascii_lowercase());
        let _ = (challenge.parameter("realm"), challenge.parameter("service"), challenge.parameter("scope"));
    }
});
