//! Certificate files and chains: what is accepted as a chain starts at its leaf and ends in a root of its own.
#![no_main]

use countersign::domain::x509::{Chain, read_certificates};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificates) = read_certificates(bytes) else { return };
    assert!(!certificates.is_empty());
    if let Ok(chain) = Chain::code_signing(certificates.clone()) {
        assert_eq!(chain.certificates(), certificates);
        assert_eq!(chain.leaf(), &certificates[0]);
        assert!(chain.root().verify_signed_by(chain.root()).is_ok());
    }
});
