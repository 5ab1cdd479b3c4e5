//! What BuildKit left inside an image's index: the index that lists attestations, their manifests, and their Statements.
//! Whatever is lifted is about the platform that it was listed for, and nothing else. The first byte says which of the
//! three the bytes are, and of Statements what their layer announces.
#![no_main]

use std::collections::BTreeMap;

use countersign::base::foreign::Foreign;
use countersign::domain::oci::{Descriptor, Digest, Manifest, ManifestView, MediaType};
use countersign::domain::provenance::buildkit::{LiftError, Lifted, layers, lift, listed};
use countersign::domain::provenance::{PREDICATE_TYPE, Statement};
use libfuzzer_sys::fuzz_target;

/// What a layer announces: nothing, what is lifted, and what is left.
const ANNOUNCED: [&str; 5] = [
    "",
    "https://slsa.dev/provenance/v0.2",
    "https://slsa.dev/provenance/v1",
    "https://spdx.dev/Document",
    "https://example.com/review/v1",
];

fuzz_target!(|bytes: &[u8]| {
    let (kind, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let platform = Digest::of(b"platform");
    let told = match usize::from(*kind) % (ANNOUNCED.len() + 2) {
        5 => index(bytes, &platform),
        6 => manifest(bytes, &platform),
        announced => statement(ANNOUNCED[announced], bytes, &platform),
    };
    if let Err(error) = told {
        assert!(!error.to_string().is_empty() && !error.problem.to_string().is_empty());
    }
});

fn index(bytes: &[u8], platform: &Digest) -> Result<(), LiftError> {
    let parsed = Manifest::parse(bytes.to_vec(), &MediaType::OCI_INDEX);
    let Ok(ManifestView::Index(index)) = parsed.as_ref().map(Manifest::view) else { return Ok(()) };
    let platforms = [Descriptor { digest: platform.clone(), ..Descriptor::of(MediaType::OCI_MANIFEST, b"platform") }];
    for (entry, about) in listed(index, &platforms)? {
        assert!(index.manifests.contains(entry));
        assert_eq!(about.digest, *platform);
    }
    Ok(())
}

fn manifest(bytes: &[u8], platform: &Digest) -> Result<(), LiftError> {
    let Ok(manifest) = Manifest::parse(bytes.to_vec(), &MediaType::OCI_MANIFEST) else { return Ok(()) };
    let (lifted, left) = layers(&manifest, platform)?;
    assert!(lifted.iter().all(|layer| layer.media_type == MediaType::IN_TOTO));
    let ManifestView::Image(image) = manifest.view() else { panic!("layers of an index") };
    assert_eq!(lifted.len() + left.len(), image.layers.len());
    assert!(image.subject.as_ref().is_none_or(|subject| subject.digest == *platform));
    Ok(())
}

fn statement(announced: &str, bytes: &[u8], platform: &Digest) -> Result<(), LiftError> {
    let annotations = [(PREDICATE_TYPE.to_owned(), Foreign::new(announced))];
    let layer = Descriptor {
        annotations: BTreeMap::from_iter(annotations.into_iter().filter(|_| !announced.is_empty())),
        ..Descriptor::of(MediaType::IN_TOTO, bytes)
    };
    let Lifted::Ready(ready) = lift(&layer, bytes, platform)? else { return Ok(()) };
    assert_eq!(ready.check_subject(platform), Ok(()));
    assert!(announced.is_empty() || announced == ready.predicate_type());
    let attachment = ready.attachment(&[("registry.example.com/team/web".to_owned(), platform.clone())]);
    if attachment.layer_type == MediaType::IN_TOTO {
        let written = Statement::read(&attachment.bytes).expect("a Statement that can be read");
        assert!(written.names(platform) && !written.names(&Digest::of(b"another")));
        assert_eq!(written.predicate_type(), ready.predicate_type());
    }
    Ok(())
}
