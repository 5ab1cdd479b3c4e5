//! Lists of referrers, which are indexes: what is listed has a digest and a size, and the subject is told.
#![no_main]

use countersign::domain::oci::{Manifest, ManifestView, MediaType};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(list) = Manifest::parse(bytes.to_vec(), &MediaType::OCI_INDEX) else { return };
    let ManifestView::Index(index) = list.view() else { panic!("an index that is none") };
    for entry in &index.manifests {
        assert!(entry.same_content(entry));
        assert!(!entry.digest.hex().is_empty());
        let _ = (entry.platform.as_ref(), entry.artifact_type.as_ref());
    }
    let _ = (list.subject(), list.artifact_type(), list.annotations());
});
