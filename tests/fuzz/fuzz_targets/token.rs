//! Identity tokens: what is read once is read again, and nothing is believed without a key.
#![no_main]

use countersign::base::time::Timestamp;
use countersign::domain::provenance::claims::{Expected, verify};
use countersign::domain::provenance::{IdentityToken, Issuer, IssuerKeys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(token) = IdentityToken::read(text) {
        assert!(IdentityToken::read(text).is_ok());
        let expected = Expected {
            issuer: &Issuer::github(),
            audience: "sts.amazonaws.com",
            now: Timestamp::from_unix(1_785_578_400),
        };
        let none = IssuerKeys::read(br#"{"keys":[]}"#).unwrap();
        assert!(verify(&token, &none, &expected).is_err());
    }
});
