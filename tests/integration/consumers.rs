//! The reading rules of others, held against what we attach: every kind as it is written, and what a run leaves.

use countersign::domain::oci::{Descriptor, Manifest, ManifestView, MediaType};
use countersign::domain::provenance::attestation_manifest::{Attachment, CREATED, write};
use countersign::domain::provenance::{Form, Kind};
use serde_json::{Value, json};

use crate::scratch::{Layout, NOTARY, Scratch, hex_of};

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

/// The same after a run: Trivy asks for the referrers of what was named, here the index, takes the first of a type, and
/// reads its one layer as the bill of materials itself.
#[test]
fn trivy_finds_one_bill_of_materials_of_each_type_on_the_index() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    for (round, name) in ["web", "web2"].into_iter().enumerate() {
        let spdx = format!(
            r#"{{"spdxVersion":"SPDX-2.3","name":"{name}","SPDXID":"SPDXRef-DOCUMENT","dataLicense":"CC0-1.0","documentNamespace":"https://example.com/{name}","creationInfo":{{"created":"2026-01-01T00:00:00Z","creators":["Tool: x"]}}}}"#
        );
        let cyclonedx = format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b7{round}"}}"#
        );
        let written = [
            ("application/spdx+json", "bom.spdx.json", spdx),
            ("application/vnd.cyclonedx+json", "bom.cdx.json", cyclonedx),
        ];
        for (_, file, text) in &written {
            std::fs::write(scratch.path(file), text).unwrap();
        }
        let lines = ["--attest=spdx=bom.spdx.json", "--attest=cyclonedx=bom.cdx.json"];
        scratch.sign(0, "oci:demo:1.0", &lines);
        let layout = Layout::read(&scratch.path("demo"));
        assert!(layout.json(&layout.image())["manifests"].is_array(), "an index");
        for (kind, _, text) in written {
            // One, also where a newer one took its place.
            let bom = layout.referrer(&layout.image(), kind);
            let layers = layout.json(&bom)["layers"].clone();
            assert_eq!(
                (layers.as_array().unwrap().len(), &layers[0]["mediaType"]),
                (1, &kind.into())
            );
            assert_eq!(layout.blob(&layout.layer(&bom)), text.as_bytes());
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
/// Kyverno itself, `pkg/image/verifiers/cpol/notary`, takes the first of the type, and fails above 50 referrers.
#[test]
fn kyverno_notation_aws_would_take_what_a_run_leaves() {
    let scratch = Scratch::new();
    scratch.unsigned("demo");
    let report = |uri: &str| {
        let text = json!({"scanner": {"uri": uri, "result": []}, "metadata": {"scanStartedOn": "2026-01-01T00:00:00Z", "scanFinishedOn": "2026-01-01T00:00:01Z"}}).to_string();
        std::fs::write(scratch.path("vuln.json"), text).unwrap();
    };
    // The same twice, and a newer one: a second of a type would be one that every reader has to like too.
    for uri in ["pkg:x/trivy", "pkg:x/trivy", "pkg:x/grype"] {
        report(uri);
        scratch.sign(0, "oci:demo:1.0", &["--attest=vuln=vuln.json"]);
        let layout = Layout::read(&scratch.path("demo"));
        for kind in [Kind::Provenance, Kind::Vuln] {
            taken(&layout, kind);
        }
        let vuln = layout.referrer(&layout.image(), Kind::Vuln.artifact_type().as_str());
        let document = layout.json(&layout.layer(&vuln));
        assert_eq!(document["predicate"]["scanner"]["uri"], uri);
        let direct = layout.entries().iter().filter(|entry| {
            let subject = &layout.json(&hex_of(entry))["subject"]["digest"];
            *subject == format!("sha256:{}", layout.image())
        });
        assert_eq!(direct.count(), 3, "a signature and two attestations");
    }
}

fn taken(layout: &Layout, kind: Kind) {
    let attestation = layout.referrer(&layout.image(), kind.artifact_type().as_str());
    let manifest = layout.json(&attestation);
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let layer = &manifest["layers"][0];
    // Neither compressed nor too large.
    assert_eq!(layer["mediaType"], "application/vnd.in-toto+json");
    let bytes = layout.blob(&layout.layer(&attestation));
    assert!(bytes.len() <= 10_000_000 && layer["size"] == bytes.len());
    let document = layout.json(&layout.layer(&attestation));
    assert!(document.is_object());
    assert_eq!(document["predicateType"], kind.predicate_type());
    // The binding that its conditions can ask for: {{ subject[].digest.sha256 }} holds the image, and what it lists.
    let subjects = document["subject"].as_array().unwrap().iter();
    let digests: Vec<&str> = subjects
        .map(|subject| subject["digest"]["sha256"].as_str().unwrap())
        .collect();
    let children = layout.json(&layout.image())["manifests"].clone();
    let children = children.as_array().unwrap().iter().map(hex_of);
    for image in children.chain([layout.image()]) {
        assert!(digests.contains(&image.as_str()), "{image}: {digests:?}");
    }
    // Its own signature, one, over its very descriptor.
    let signature = layout.json(&layout.referrer(&attestation, NOTARY));
    assert_eq!(signature["config"]["mediaType"], NOTARY);
    assert_eq!(signature["layers"].as_array().unwrap().len(), 1);
    let entry = layout.entries().iter().find(|entry| hex_of(entry) == attestation);
    assert_eq!(signature["subject"]["size"], entry.unwrap()["size"]);
    // Who selects goes by the list alone.
    assert_eq!(entry.unwrap()["artifactType"], kind.artifact_type().as_str());
}
