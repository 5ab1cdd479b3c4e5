//! The reference library of the Notary Project judges what we sign, and signs what we judge.
//!
//! `tests/interop/notation/` is a small Go program on notation-go; where it cannot be had, `go.rs` says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign::domain::oci::Digest;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P384_SHA384,
};
use serde_json::{Value, json};

use crate::go;
use crate::vectors::bundled;
use crate::vectors::command::laid;

/// Layouts that the library cannot open, because the index says something else than the manifest holds.
const UNREAD: [&str; 1] = ["layout-gen-subject-size-differs"];

/// The Go program; `None` where it cannot be built.
pub(crate) fn library() -> Option<PathBuf> {
    Some(go::programs("notation", &["."])?.join("notation"))
}

pub(crate) fn ask(library: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(library).args(args).output().unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output)));
    (output.status.code(), answer)
}

/// A place of its own for one user: state, working directory, and no environment.
struct User {
    home: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    fn countersign(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(args)
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_STATE_HOME", self.home.path().join("state"))
            .current_dir(self.home.path())
            .output()
            .unwrap()
    }

    /// Signs the image of a layout with a key made for this user, and reads the report.
    fn sign(&self, layout: &str) -> Value {
        let output = self.countersign(&[
            "run",
            "--signer",
            "local",
            "--builder-id",
            "https://builder.example.com/v1",
            "--source",
            "https://git.example.com/team/web",
            &format!("oci:{layout}"),
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        serde_json::from_slice(&fs::read(self.path("countersign-report/report.json")).unwrap()).unwrap()
    }
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "{}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// Writes a layout with one image of one layer, tagged `v1`; returns its digest.
fn layout(at: &str) -> String {
    let root = Path::new(at);
    fs::create_dir_all(root.join("blobs/sha256")).unwrap();
    let store = |media_type: &str, bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs::write(root.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    };
    let layer = store("application/vnd.oci.image.layer.v1.tar", &[0; 1024]);
    let config = json!({"architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}});
    let config = store(
        "application/vnd.oci.image.config.v1+json",
        config.to_string().as_bytes(),
    );
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]});
    let mut entry = store(media_type, manifest.to_string().as_bytes());
    let digest = entry["digest"].as_str().unwrap().to_owned();
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "v1"});
    fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(
        root.join("index.json"),
        json!({"schemaVersion": 2, "manifests": [entry]}).to_string(),
    )
    .unwrap();
    digest
}

/// A P-384 key for code signing and its chain, leaf first, as files.
fn key_and_chain(user: &User) -> (String, String, String) {
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let named = |name: &str| {
        let mut params = CertificateParams::default();
        for (kind, value) in [
            (DnType::CountryName, "US"),
            (DnType::StateOrProvinceName, "WA"),
            (DnType::OrganizationName, "Example"),
            (DnType::CommonName, name),
        ] {
            params.distinguished_name.push(kind, value);
        }
        params
    };
    let mut root = named("Root");
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root = CertifiedIssuer::self_signed(root, key()).unwrap();
    let mut leaf = named("Release");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    let leaf_key = key();
    let leaf = leaf.signed_by(&leaf_key, &root).unwrap();
    let (key_file, chain_file, root_file) = (
        user.path("key.pem"),
        user.path("chain.pem"),
        user.path("root.pem"),
    );
    fs::write(&key_file, leaf_key.serialize_pem()).unwrap();
    fs::write(&chain_file, leaf.pem() + &root.pem()).unwrap();
    fs::write(&root_file, root.pem()).unwrap();
    (key_file, chain_file, root_file)
}

/// Writes a trust policy that trusts one name under the store `ca:example`.
fn policy(user: &User, common_name: &str) -> String {
    let file = user.path("trustpolicy.json");
    let text = json!({"version": "1.0", "trustPolicies": [{
        "name": "example", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:example"],
        "trustedIdentities": [format!("x509.subject: C=US, ST=WA, O=Example, CN={common_name}")]}]});
    fs::write(&file, text.to_string()).unwrap();
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_accepts_what_we_sign_and_attest() {
        let Some(library) = library() else { return };
        let user = User::new();
        let image = user.path("image");
        let digest = layout(&image);
        let report = user.sign(&image);
        assert_eq!(report["targets"][0]["digest"], json!(digest));
        let trust = user.path("countersign-report/trust");

        let (code, said) = ask(&library, &["verify", &image, &digest, &trust]);
        assert_eq!((code, &said["accepted"]), (Some(0), &json!(true)), "{said:#}");
        assert_eq!(said["signatures"].as_array().unwrap().len(), 1, "{said:#}");
        assert_eq!(said["signatures"][0]["scheme"], "notary.x509");

        let attestations = report["targets"][0]["attestations"].as_array().unwrap();
        assert!(!attestations.is_empty(), "{report:#}");
        for attestation in attestations {
            let digest = attestation["digest"].as_str().unwrap();
            let (code, said) = ask(&library, &["verify", &image, digest, &trust]);
            assert_eq!((code, &said["accepted"]), (Some(0), &json!(true)), "{said:#}");
        }
    }

    #[test]
    fn the_library_rejects_us_under_the_trust_of_somebody_else() {
        let Some(library) = library() else { return };
        let (user, other) = (User::new(), User::new());
        let (image, elsewhere) = (user.path("image"), other.path("image"));
        let digest = layout(&image);
        layout(&elsewhere);
        user.sign(&image);
        other.sign(&elsewhere);
        let trust = other.path("countersign-report/trust");
        let (code, said) = ask(&library, &["verify", &image, &digest, &trust]);
        assert_eq!((code, &said["accepted"]), (Some(1), &json!(false)), "{said:#}");
        assert_eq!(said["signatures"][0]["accepted"], false, "{said:#}");
    }

    #[test]
    fn we_accept_what_the_library_signs_and_only_from_whom_we_trust() {
        let Some(library) = library() else { return };
        let user = User::new();
        let image = user.path("image");
        let digest = layout(&image);
        let (key, chain, root) = key_and_chain(&user);
        let (code, said) = ask(&library, &["sign", &image, "v1", &key, &chain]);
        assert_eq!((code, &said["digest"]), (Some(0), &json!(digest)), "{said:#}");

        let store = user.path("truststore");
        fs::create_dir_all(format!("{store}/x509/ca/example")).unwrap();
        fs::copy(&root, format!("{store}/x509/ca/example/root.pem")).unwrap();
        for (trusted, code) in [("Release", 0), ("Nightly", 1)] {
            let policy = policy(&user, trusted);
            let target = format!("oci:{image}:v1");
            let output = user.countersign(&[
                "verify",
                "--trust-policy",
                &policy,
                "--trust-store",
                &store,
                &target,
            ]);
            assert_eq!(output.status.code(), Some(code), "{trusted}: {}", told(&output));
        }
    }

    #[test]
    fn we_do_not_sign_again_what_the_library_signed_with_our_key() {
        let Some(library) = library() else { return };
        let user = User::new();
        let image = user.path("image");
        layout(&image);
        let (key, chain, _) = key_and_chain(&user);
        let (code, said) = ask(&library, &["sign", &image, "v1", &key, &chain]);
        assert_eq!(code, Some(0), "{said:#}");
        let target = format!("oci:{image}:v1");
        let output = user.countersign(&[
            "run",
            "--signer",
            "local",
            "--local-key",
            &key,
            "--local-chain",
            &chain,
            "--provenance",
            "off",
            &target,
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        let (_, said) = ask(&library, &["sign", &image, "v1", &key, &chain]);
        let signatures = said["signatures"].as_array().unwrap().len();
        // One before the run, one just now, and none from the run.
        assert_eq!(signatures, 2, "{said:#}");
    }

    #[test]
    fn we_and_the_library_agree_on_every_layout_that_both_can_read() {
        let Some(library) = library() else { return };
        let (mut agreed, mut differed, mut unread) = (0, Vec::new(), Vec::new());
        for laid in laid(&bundled()) {
            // Both judge now, and up to 100 signatures; a token would have both ask the network, and COSE is refused.
            if laid.has_timestamps() || laid.case.holds_cose() {
                continue;
            }
            let (scope, reference) = laid.scope_and_reference();
            let (layout, config) = (laid.layout(), laid.configuration());
            let mut command = Command::new(&library);
            command
                .args(["verify", "-scope", scope])
                .arg(&layout)
                .arg(reference);
            let output = command.arg(config).output().unwrap();
            let ours = laid.is_accepted(&[]);
            let library = match output.status.code() {
                Some(0) => true,
                Some(1) => false,
                _ => {
                    assert!(!ours, "{}: {}", laid.case.name, told(&output));
                    unread.push(laid.case.name.clone());
                    continue;
                }
            };
            if library == ours {
                agreed += 1;
            } else {
                differed.push((laid.case.name.clone(), library));
            }
        }
        // Where the specification and the library differ for good, the case and the reason would have to stand here.
        assert_eq!(differed, Vec::<(String, bool)>::new());
        assert_eq!(unread, UNREAD);
        assert!(agreed >= 20, "{agreed} layouts");
    }
}
