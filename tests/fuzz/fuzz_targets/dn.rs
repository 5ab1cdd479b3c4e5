//! Distinguished names: what is accepted says itself again, and is part of itself.
#![no_main]

use countersign::domain::trust::{DistinguishedName, TrustedIdentity};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(name) = text.parse::<DistinguishedName>() {
        // Written out, a byte can take three; a name may then be too long to be read again.
        if text.len() <= 1024 {
            assert_eq!(name.to_string().parse().as_ref(), Ok(&name));
        }
        assert!(name.is_subset_of(&name));
        assert!(["C", "ST", "O"].iter().all(|kind| name.attribute(kind).is_some_and(|value| !value.is_empty())));
        let identity = TrustedIdentity::parse(&format!("x509.subject:{text}"));
        assert_eq!(identity.as_ref().ok().and_then(TrustedIdentity::subject), Some(&name));
    }
});
