//! Trust as files: what Notation's configuration directory holds, so that anyone can check with another tool.

use std::path::PathBuf;

use crate::domain::trust::{DerivedTrust, StoreType, TrustPolicyDocument, TrustStore, aws_roots};

/// The name of the policy in Notation's configuration directory.
const POLICY_FILE: &str = "trustpolicy.json";

/// The bytes of the derived policy's file.
pub fn policy_file(derived: &DerivedTrust) -> Vec<u8> {
    let file = derived.files().iter().find(|file| file.path == POLICY_FILE);
    file.map(|file| file.bytes.clone()).unwrap_or_default()
}

/// Policy and store as files below Notation's configuration directory; each certificate as DER.
pub fn notation_files(policy: Vec<u8>, store: &TrustStore) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = vec![(PathBuf::from(POLICY_FILE), policy)];
    for (name, certificates) in store.iter() {
        let directory = format!("truststore/x509/{}/{}", name.kind(), name.name());
        let certificates = certificates.into_iter().flatten().enumerate();
        files.extend(certificates.map(|(index, certificate)| {
            let path = PathBuf::from(format!("{directory}/{}.crt", index + 1));
            (path, certificate.der().to_vec())
        }));
    }
    files
}

/// The trust store where none was given: for every store that the policy names the roots of the signer's own store of
/// that type; for a signing authority's else the embedded roots of AWS Signer, those of the partition that Notation's
/// name for the store says.
pub fn default_store(policy: &TrustPolicyDocument, derived: Option<&DerivedTrust>) -> TrustStore {
    let own = |kind| -> Vec<_> {
        let stores = derived.into_iter().flat_map(|derived| derived.store().iter());
        let stores = stores.filter(|(name, _)| name.kind() == kind);
        stores
            .filter_map(|(_, roots)| roots.ok())
            .flatten()
            .cloned()
            .collect()
    };
    let mut store = TrustStore::default();
    for name in policy.stores() {
        let mut roots = own(name.kind());
        if roots.is_empty() && name.kind() == StoreType::SigningAuthority {
            let partition = if name.name() == "aws-us-gov-signer-ts" {
                "aws-us-gov"
            } else {
                "aws"
            };
            roots = aws_roots(partition).unwrap_or_default();
        }
        if !roots.is_empty() {
            store.insert(name.clone(), Ok(roots));
        }
    }
    store
}
