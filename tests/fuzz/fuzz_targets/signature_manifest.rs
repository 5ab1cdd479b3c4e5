//! Signature manifests: what leads to an envelope is a signature, and of the subject that it names.
#![no_main]

use countersign::domain::notary::signature_manifest::{claims_to_sign, envelope_of, is_signature, single_envelope};
use countersign::domain::oci::{Manifest, MediaType};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for media_type in [MediaType::OCI_MANIFEST, MediaType::OCI_ARTIFACT] {
        let Ok(manifest) = Manifest::parse(bytes.to_vec(), &media_type) else { continue };
        let single = single_envelope(&manifest);
        if single.is_ok() {
            assert!(is_signature(&manifest));
        }
        if let Some(subject) = manifest.subject() {
            assert_eq!(envelope_of(&manifest, subject), single);
            let _ = claims_to_sign(bytes, &media_type, subject);
        }
    }
});
