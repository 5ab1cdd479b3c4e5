//! What an issuer publishes: keys and discovery documents; keys are on the issuer's own host or nowhere.
#![no_main]

use countersign::domain::provenance::{Issuer, IssuerKeys, read_discovery};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(keys) = IssuerKeys::read(bytes) {
        assert_eq!(IssuerKeys::read(bytes), Ok(keys));
    }
    let issuer = Issuer::github();
    if let Ok(address) = read_discovery(bytes, &issuer) {
        assert!(address.starts_with(&format!("{}/", issuer.origin())));
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(issuer) = text.parse::<Issuer>()
    {
        assert!(issuer.url().starts_with(issuer.origin()));
        assert_eq!(issuer.url().parse(), Ok(issuer));
    }
});
