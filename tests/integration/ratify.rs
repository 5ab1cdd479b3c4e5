//! Ratify 1.4 in file mode before trees that we sign with a local key: it accepts them, with the referrers API and
//! without, and refuses every mutant; and so do we.
//!
//! `tests/interop/ratify/` names the program and its verifiers, and holds the policy: signatures by `ca:certs` and the
//! signer's `x509.subject`, provenance by a schema, the bill of materials and SARIF by Ratify's own verifiers.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::domain::oci::{Digest, MediaType};
use serde_json::{Value, json};

use crate::go;
use crate::scratch::{BUILD, NOTARY, PROVENANCE, Scratch};
use crate::support::World;
use crate::support::registry::{Quirks, Registry};

const MODULE: &str = "github.com/ratify-project/ratify";
const SPDX: &str = "application/spdx+json";
const SARIF: &str = "application/sarif+json";

const BOM: &str = r#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"web","dataLicense":"CC0-1.0",
    "documentNamespace":"https://example.com/web","creationInfo":{"created":"2026-01-01T00:00:00Z","creators":["Tool: x"]},
    "packages":[{"name":"a","SPDXID":"SPDXRef-a","downloadLocation":"NOASSERTION","filesAnalyzed":false}]}"#;
const SCAN: &str = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"trivy"}},"results":[]}]}"#;
const EXPECTED: &str = "attestations: [{type: provenance}, {type: spdx}]\n";

/// Ratify and its verifiers; nothing where they cannot be had.
fn programs() -> Option<PathBuf> {
    let verifier = |name: &str| format!("{MODULE}/plugins/verifier/{name}");
    let packages = [
        format!("{MODULE}/cmd/ratify"),
        verifier("sbom"),
        verifier("schemavalidator"),
        verifier("vulnerabilityreport"),
    ];
    go::programs("ratify", &packages.each_ref().map(String::as_str))
}

/// A registry, and somebody who signs what is in it.
struct Stage {
    _world: World,
    registry: Arc<Registry>,
    signer: Scratch,
}

impl Stage {
    fn new(quirks: Quirks) -> Self {
        let world = World::new();
        let (registry, signer) = (world.registry(quirks), Scratch::new());
        for (name, text) in [("bom.json", BOM), ("scan.sarif", SCAN), ("expect.yaml", EXPECTED)] {
            fs::write(signer.path(name), text).unwrap();
        }
        Self {
            _world: world,
            registry,
            signer,
        }
    }

    fn image(&self, repository: &str, digest: &Digest) -> String {
        format!("{}/{repository}@{digest}", self.registry.host())
    }

    /// An image that was signed, and attested with a provenance, a bill of materials and a scan.
    fn signed(&self, repository: &str, state: &str) -> Digest {
        let digest = self.registry.put_image(repository, "1.4", repository);
        let image = self.image(repository, &digest);
        let attached = [
            "--allow=**",
            "--attest=spdx=bom.json",
            "--attest=sarif=scan.sarif",
        ];
        let run = ["run", "--signer=local", &image];
        self.signer
            .expect_as(state, 0, &[&run[..], &BUILD, &attached].concat());
        digest
    }

    /// What the last run left for whoever checks with another tool: the root's file and the one identity.
    fn trusted(&self) -> (PathBuf, String) {
        let trust = self.signer.path("countersign-report/trust");
        let policy: Value =
            serde_json::from_slice(&fs::read(trust.join("trustpolicy.json")).unwrap()).unwrap();
        let entry = &policy["trustPolicies"][0];
        let identity = entry["trustedIdentities"][0].as_str().unwrap().to_owned();
        assert!(identity.starts_with("x509.subject:"), "{identity}");
        let (kind, store) = entry["trustStores"][0].as_str().unwrap().split_once(':').unwrap();
        let store = trust.join("truststore/x509").join(kind).join(store);
        let root = fs::read_dir(store).unwrap().next().unwrap().unwrap().path();
        let kept = self.signer.path("root.crt");
        fs::copy(root, &kept).unwrap();
        (kept, identity)
    }

    /// Whether we accept an image with its provenance and its bill of materials, trusting whom the state's key names.
    fn we_accept(&self, image: &str, state: &str) -> bool {
        let verify = ["verify", "--signer=local", "--expect=expect.yaml", image];
        let ran = self.signer.run_as(state, &verify);
        assert!([0, 1, 5].contains(&ran.code), "{ran:?}");
        ran.code == 0
    }
}

/// The verifiers as Ratify is to call them: each with a home of its own. They run side by side, and one that reads the
/// cache of manifests while another writes it fails.
fn verifiers(programs: &Path, home: &Path) -> PathBuf {
    let directory = home.join("verifiers");
    fs::create_dir(&directory).unwrap();
    for name in ["sbom", "schemavalidator", "vulnerabilityreport"] {
        let (own, program) = (home.join(name), programs.join(name));
        fs::create_dir(&own).unwrap();
        let call = format!(
            "#!/bin/sh\nHOME='{}' exec '{}'\n",
            own.display(),
            program.display()
        );
        let file = directory.join(name);
        fs::write(&file, call).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    directory
}

/// Ratify with a configuration.
struct Ratify {
    programs: PathBuf,
    home: tempfile::TempDir,
}

impl Ratify {
    fn new(programs: PathBuf, root: &Path, identity: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/ratify");
        let policy = fs::read_to_string(own.join("policy.rego")).unwrap();
        let schema = format!("file://{}", own.join("statement.schema.json").display());
        let trust = json!({"version": "1.0", "trustPolicies": [{
            "name": "default", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:certs"], "trustedIdentities": [identity]}]});
        let plugins = json!([
            {"name": "notation", "artifactTypes": NOTARY, "verificationCerts": [root], "trustPolicyDoc": trust},
            {"name": "sbom", "artifactTypes": SPDX, "nestedReferences": NOTARY},
            {"name": "schemavalidator", "artifactTypes": PROVENANCE, "nestedReferences": NOTARY,
                "schemas": {"application/vnd.in-toto+json": schema}},
            {"name": "vulnerabilityreport", "artifactTypes": SARIF, "nestedReferences": NOTARY,
                "maximumAge": "87600h"},
        ]);
        let config = json!({
            "executor": {},
            "store": {"version": "1.0.0", "plugins": [{"name": "oras", "useHttp": true}]},
            "policy": {"version": "1.0.0",
                "plugin": {"name": "regopolicy", "passthroughEnabled": false, "policy": policy}},
            "verifier": {"version": "1.0.0", "pluginBinDirs": [verifiers(&programs, home.path())],
                "plugins": plugins},
        });
        fs::write(home.path().join("config.json"), config.to_string()).unwrap();
        Self { programs, home }
    }

    /// What it says of an image. Its exit code says nothing: it is 0 for refused images too.
    fn judge(&self, image: &str) -> Value {
        let output = Command::new(self.programs.join("ratify"))
            .args(["verify", "-c", "config.json", "-s", image])
            .env_clear()
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        let start = output.stdout.iter().position(|byte| *byte == b'{');
        let answer = start.and_then(|at| serde_json::from_slice(&output.stdout[at..]).ok());
        answer.unwrap_or_else(|| panic!("{image}: {}\n{told}", String::from_utf8_lossy(&output.stdout)))
    }

    fn accepts(&self, image: &str) -> bool {
        self.judge(image)["isSuccess"] == true
    }
}

/// Every artifact that was reported, with whether each verifier and each signature on it was good.
fn reported(answer: &Value) -> BTreeMap<String, Vec<bool>> {
    let good = |report: &Value| {
        let verifiers = report["verifierReports"].as_array().unwrap();
        !verifiers.is_empty() && verifiers.iter().all(|one| one["isSuccess"] == true)
    };
    let reports = answer["verifierReports"].as_array().unwrap().iter();
    let each = reports.map(|report| {
        let nested = report["nestedReports"].as_array().into_iter().flatten();
        let all = std::iter::once(report).chain(nested).map(good).collect();
        (report["artifactType"].as_str().unwrap().to_owned(), all)
    });
    each.collect()
}

#[test]
fn ratify_accepts_what_we_sign_and_attest() {
    let Some(programs) = programs() else { return };
    for quirks in [Quirks::default(), Quirks::distribution()] {
        let stage = Stage::new(quirks);
        let digest = stage.signed("web", "state");
        let (root, identity) = stage.trusted();
        let ratify = Ratify::new(programs.clone(), &root, &identity);
        let answer = ratify.judge(&stage.image("web", &digest));
        assert_eq!(answer["isSuccess"], true, "{answer:#}");
        let attested = |kind: &str| (kind.to_owned(), vec![true, true]);
        let wanted = BTreeMap::from([
            (NOTARY.to_owned(), vec![true]),
            attested(PROVENANCE),
            attested(SPDX),
            attested(SARIF),
        ]);
        assert_eq!(reported(&answer), wanted, "{answer:#}");
    }
}

#[test]
fn ratify_refuses_whom_it_does_not_trust() {
    let Some(programs) = programs() else { return };
    let stage = Stage::new(Quirks::default());
    let strange = stage.signed("strange", "stranger");
    let (other_root, other) = stage.trusted();
    let kept = stage.signer.path("other.crt");
    fs::rename(other_root, &kept).unwrap();
    let own = stage.signed("web", "state");
    let (root, identity) = stage.trusted();
    let (own, strange) = (stage.image("web", &own), stage.image("strange", &strange));
    let nobody = "x509.subject: C=US, ST=WA, O=Nobody";
    for (image, root, identity, accepted) in [
        (&own, &root, identity.as_str(), true),
        (&strange, &kept, other.as_str(), true),
        (&strange, &root, identity.as_str(), false),
        (&own, &kept, other.as_str(), false),
        (&own, &root, nobody, false),
    ] {
        let ratify = Ratify::new(programs.clone(), root, identity);
        assert_eq!(ratify.accepts(image), accepted, "{image} by {identity}");
    }
    assert!(stage.we_accept(&own, "state") && stage.we_accept(&strange, "stranger"));
    assert!(!stage.we_accept(&strange, "state") && !stage.we_accept(&own, "stranger"));
}

/// What a repository holds besides an image's manifest, to be changed and pushed elsewhere. Every change keeps lengths,
/// so that digests are all that follows it.
#[derive(Clone)]
struct Tree {
    image: Digest,
    manifests: Vec<String>,
    blobs: Vec<Vec<u8>>,
}

impl Tree {
    fn read(registry: &Registry, repository: &str, image: &Digest) -> Self {
        let others = registry.manifests(repository).into_iter();
        let others = others.filter(|(digest, _)| *digest != image.to_string());
        Self {
            image: image.clone(),
            manifests: others
                .map(|(_, stored)| String::from_utf8(stored.bytes).unwrap())
                .collect(),
            blobs: registry.blobs(repository).into_values().collect(),
        }
    }

    /// Where the one referrer of a type stands among the manifests.
    fn position(&self, subject: &str, kind: &str) -> usize {
        let fits = |text: &String| {
            let manifest: Value = serde_json::from_str(text).unwrap();
            let own = manifest
                .get("artifactType")
                .unwrap_or(&manifest["config"]["mediaType"]);
            own == kind && manifest["subject"]["digest"] == subject
        };
        let found = self.manifests.iter().enumerate();
        let found: Vec<usize> = found.filter(|(_, text)| fits(text)).map(|(at, _)| at).collect();
        assert_eq!(found.len(), 1, "{kind} on {subject}");
        found[0]
    }

    fn on_image(&self, kind: &str) -> usize {
        self.position(&self.image.to_string(), kind)
    }

    fn signature_on(&self, kind: &str) -> usize {
        self.position(&digest_of(&self.manifests[self.on_image(kind)]), NOTARY)
    }

    fn without(mut self, at: usize) -> Self {
        self.manifests.remove(at);
        self
    }

    /// Changes the document of a manifest, and every digest that follows: what was signed still has its signature, on
    /// what it has become.
    fn rewritten(mut self, at: usize, change: impl Fn(&str) -> String) -> Self {
        let before = digest_of(&self.manifests[at]);
        let manifest: Value = serde_json::from_str(&self.manifests[at]).unwrap();
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let document = self
            .blobs
            .iter()
            .find(|blob| Digest::of(blob).to_string() == layer);
        let document = String::from_utf8(document.unwrap().clone()).unwrap();
        let changed = change(&document);
        assert!(changed != document && changed.len() == document.len());
        self.manifests[at] = self.manifests[at].replace(layer, &digest_of(&changed));
        self.blobs.push(changed.into_bytes());
        let after = digest_of(&self.manifests[at]);
        for manifest in &mut self.manifests {
            *manifest = manifest.replace(&before, &after);
        }
        self
    }

    /// The signature of another image, said to be this one's.
    fn with_signature_of(mut self, other: &Self) -> Self {
        let own = self.on_image(NOTARY);
        let theirs = &other.manifests[other.on_image(NOTARY)];
        self.manifests[own] = theirs.replace(&other.image.to_string(), &self.image.to_string());
        self.blobs.extend(other.blobs.iter().cloned());
        self
    }

    fn push(&self, registry: &Registry, repository: &str, image: &[u8]) {
        registry.put_manifest(repository, Some("1.4"), &MediaType::OCI_MANIFEST, image);
        for blob in &self.blobs {
            registry.put_blob(repository, blob);
        }
        for manifest in &self.manifests {
            registry.put_manifest(repository, None, &MediaType::OCI_MANIFEST, manifest.as_bytes());
        }
    }
}

fn digest_of(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}

/// Changes a member of an envelope below its encoding.
fn with_member(envelope: &str, member: &str, change: impl Fn(&mut Vec<u8>)) -> String {
    let parsed: Value = serde_json::from_str(envelope).unwrap();
    let old = parsed[member].as_str().unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(old).unwrap();
    change(&mut bytes);
    envelope.replace(old, &URL_SAFE_NO_PAD.encode(bytes))
}

/// The signature over another payload: the one signed, but for a digit of the size.
fn another_payload(envelope: &str) -> String {
    with_member(envelope, "payload", |payload| {
        let digit = payload.iter().rposition(u8::is_ascii_digit).unwrap();
        payload[digit] ^= 1;
    })
}

/// The signature with one bit of its value turned.
fn another_value(envelope: &str) -> String {
    with_member(envelope, "signature", |value| value[20] ^= 1)
}

fn another_word(document: &str) -> String {
    document.replace("example.com", "example.org")
}

#[test]
fn ratify_and_we_refuse_every_mutant() {
    let Some(programs) = programs() else { return };
    let stage = Stage::new(Quirks::default());
    let other = stage.signed("other", "state");
    let digest = stage.signed("web", "state");
    let (root, identity) = stage.trusted();
    let ratify = Ratify::new(programs, &root, &identity);
    let tree = || Tree::read(&stage.registry, "web", &digest);
    let image = stage.registry.manifests("web")[&digest.to_string()].bytes.clone();
    let (own, statement, bom) = (
        tree().on_image(NOTARY),
        tree().on_image(PROVENANCE),
        tree().on_image(SPDX),
    );
    let (on_statement, on_bom) = (tree().signature_on(PROVENANCE), tree().signature_on(SPDX));
    let elsewhere = Tree::read(&stage.registry, "other", &other);
    let cases = [
        ("as-it-is", tree(), true),
        ("image-unsigned", tree().without(own), false),
        ("no-provenance", tree().without(statement), false),
        ("provenance-unsigned", tree().without(on_statement), false),
        ("no-bom", tree().without(bom), false),
        ("bom-unsigned", tree().without(on_bom), false),
        ("payload-changed", tree().rewritten(own, another_payload), false),
        ("value-changed", tree().rewritten(own, another_value), false),
        (
            "attestations-value-changed",
            tree().rewritten(on_statement, another_value),
            false,
        ),
        (
            "provenance-changed",
            tree().rewritten(statement, another_word),
            false,
        ),
        ("bom-changed", tree().rewritten(bom, another_word), false),
        (
            "signature-of-another",
            tree().with_signature_of(&elsewhere),
            false,
        ),
    ];
    for (name, mutant, accepted) in cases {
        mutant.push(&stage.registry, name, &image);
        let place = stage.image(name, &digest);
        let answer = ratify.judge(&place);
        assert_eq!(answer["isSuccess"] == true, accepted, "{name}: {answer:#}");
        assert_eq!(stage.we_accept(&place, "state"), accepted, "{name}");
    }
}
