//! Files of trust stores, PEM or DER: what is read is at least one certificate, and the store says no or gives all.
#![no_main]

use countersign::domain::trust::{StoreName, TrustStore};
use countersign::domain::x509::read_certificates;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificates) = read_certificates(bytes) else { return };
    for name in ["ca:a", "signingAuthority:a", "tsa:a"] {
        let Ok(name) = name.parse::<StoreName>() else { return };
        let mut store = TrustStore::default();
        store.insert(name.clone(), Ok(certificates.clone()));
        if let Ok(held) = store.certificates(&name) {
            assert_eq!(held, certificates);
        }
    }
});
