//! Manifests and indexes: bytes stay what they were, and the digest is theirs.
#![no_main]

use countersign::domain::oci::{Digest, Manifest, MediaType};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for media_type in [MediaType::OCI_MANIFEST, MediaType::OCI_INDEX, MediaType::DOCKER_MANIFEST, MediaType::DOCKER_LIST] {
        if let Ok(manifest) = Manifest::parse(bytes.to_vec(), &media_type) {
            assert_eq!(manifest.bytes(), bytes);
            assert_eq!(*manifest.digest(), Digest::of(bytes));
        }
    }
});
