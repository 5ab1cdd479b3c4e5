//! JWS envelopes: what is opened is opened the same way again, and its chain is one for code signing.
#![no_main]

use countersign::domain::notary::{Envelope, EnvelopeFormat, IntactEnvelope};
use countersign::domain::x509::Chain;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let envelope = Envelope::new(EnvelopeFormat::Jws, bytes.to_vec());
    if let Ok(intact) = IntactEnvelope::open(&envelope) {
        assert_eq!(IntactEnvelope::open(&envelope).as_ref(), Ok(&intact));
        assert!(Chain::code_signing(intact.chain().certificates().to_vec()).is_ok());
        let _ = intact.signed_payload();
    }
});
