//! Identity tokens, of which a message shows the claims: what is read can be shown, in one line.
#![no_main]

use countersign::edge::aws::denial::Claims;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &str| {
    if let Some(claims) = Claims::of_token(token) {
        assert!(!claims.to_string().contains('\n'));
    }
});
