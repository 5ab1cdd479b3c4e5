//! The reading rules of others, held against what we attach: every kind as it is written, and what a run leaves.

use countersign::domain::oci::{Descriptor, Manifest, ManifestView, MediaType};
use countersign::domain::provenance::attestation_manifest::{Attachment, CREATED, write};
use countersign::domain::provenance::{Form, Kind};
use serde_json::Value;

use crate::scratch::{Layout, NOTARY, Scratch};

const STATEMENT: &str = r#"{"_type":"https://in-toto.io/Statement/v1"}"#;

/// A document of each kind, attached to an image.
fn attached() -> Vec<(Kind, Manifest, Value)> {
    let image = Descriptor::of(MediaType::OCI_INDEX, b"{\"manifests\":[]}");
    let of = |kind: Kind| {
        let document = match kind.form() {
            Form::Statement => STATEMENT.as_bytes().to_vec(),
            Form::Raw => b"{}".to_vec(),
        };
        let created = "2025-01-01T00:00:00Z".parse().unwrap();
        let (manifest, _) = write(&Attachment::of(kind, document), &image, created).unwrap();
        let json = serde_json::from_slice(manifest.bytes()).unwrap();
        (kind, manifest, json)
    };
    Kind::ALL.map(of).into()
}

/// `aquasecurity/trivy`, `pkg/fanal/artifact/image/remote_sbom.go` and `pkg/oci/artifact.go`: one layer whose type is
/// the artifact type, which is one of two.
#[test]
fn trivy_opens_our_bills_of_materials() {
    for (kind, _, manifest) in attached() {
        let artifact = manifest["artifactType"].as_str().unwrap();
        let takes = ["application/spdx+json", "application/vnd.cyclonedx+json"].contains(&artifact);
        assert_eq!(takes, matches!(kind, Kind::Spdx | Kind::CycloneDx), "{kind}");
        if takes {
            assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
            assert_eq!(manifest["layers"][0]["mediaType"], artifact);
        }
    }
}

/// `ratify-project/ratify` 1.4, `plugins/verifier`: `sbom` and `vulnerabilityreport` by artifact type with a raw
/// document, the latter with the time it was made; `schemavalidator` by the layer's type.
#[test]
fn ratify_opens_what_its_verifiers_select() {
    for (kind, manifest, json) in attached() {
        let created = json["annotations"][CREATED].as_str().unwrap();
        assert!(created.ends_with('Z') && created.len() == 20, "{created}");
        let layer = json["layers"][0]["mediaType"].as_str().unwrap();
        match kind {
            Kind::Spdx => assert_eq!(
                (json["artifactType"].as_str(), layer),
                (Some("application/spdx+json"), "application/spdx+json")
            ),
            Kind::Sarif => assert_eq!(
                (json["artifactType"].as_str(), layer),
                (Some("application/sarif+json"), "application/sarif+json")
            ),
            Kind::CycloneDx => assert_eq!(layer, "application/vnd.cyclonedx+json"),
            _ => assert_eq!(layer, "application/vnd.in-toto+json"),
        }
        let ManifestView::Image(image) = manifest.view() else {
            panic!("{kind}")
        };
        assert!(image.subject.is_some());
    }
}

/// What makes registries and `gh` stumble: parameters in media types (Amazon ECR answers 405), a config that is not the
/// empty one, and names of Sigstore on what is none (`cli/cli`, `pkg/cmd/attestation/artifact/oci/client.go`).
#[test]
fn registries_and_gh_do_not_stumble() {
    let mut types = std::collections::BTreeSet::new();
    for (kind, _, manifest) in attached() {
        let artifact = manifest["artifactType"].as_str().unwrap().to_owned();
        assert!(
            !artifact.contains(';') && !artifact.starts_with("application/vnd.dev.sigstore"),
            "{kind}"
        );
        assert_eq!(
            manifest["mediaType"],
            "application/vnd.oci.image.manifest.v1+json"
        );
        assert_eq!(
            manifest["config"]["mediaType"],
            "application/vnd.oci.empty.v1+json"
        );
        assert_eq!(manifest["config"]["size"], 2);
        assert_eq!(manifest["subject"].as_object().unwrap().len(), 3);
        // Kyverno selects by this alone, so no two kinds may share it.
        assert!(types.insert(artifact), "{kind}");
    }
}

/// `nirmata/kyverno-notation-verifier`, `verifier/verify.go`: of the exact artifact type *every* referrer has to have
/// exactly one layer, plain, of at most 10,000,000 bytes, a JSON object at its root, and a Notary signature of its own.
#[test]
fn kyverno_notation_aws_would_take_what_a_run_leaves() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    std::fs::write(
        scratch.path("vuln.json"),
        r#"{"scanner":{"uri":"pkg:x/trivy","result":[]},"metadata":{}}"#,
    )
    .unwrap();
    scratch.sign(0, "oci:demo:1.0", &["--attest=vuln=vuln.json"]);
    // Twice: a second of the same type would be one that every reader has to like too.
    scratch.sign(0, "oci:demo:1.0", &["--attest=vuln=vuln.json"]);
    let layout = Layout::read(&scratch.path("demo"));
    for kind in [Kind::Provenance, Kind::Vuln] {
        let attestation = layout.referrer(&layout.image(), kind.artifact_type().as_str());
        let manifest = layout.json(&attestation);
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
        assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.in-toto+json");
        assert!(manifest["layers"][0]["size"].as_u64().unwrap() <= 10_000_000);
        let document = layout.json(&layout.layer(&attestation));
        assert_eq!(document["predicateType"], kind.predicate_type());
        // The binding that its conditions can ask for: {{ subject[].digest.sha256 }} holds the image.
        let subjects = document["subject"].as_array().unwrap().iter();
        let mut digests = subjects.map(|subject| subject["digest"]["sha256"].clone());
        assert!(digests.any(|digest| digest == layout.image()));
        let signature = layout.json(&layout.referrer(&attestation, NOTARY));
        assert_eq!(signature["config"]["mediaType"], NOTARY);
        assert_eq!(signature["layers"].as_array().unwrap().len(), 1);
    }
}
