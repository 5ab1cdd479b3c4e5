//! Trust as files: what Notation's configuration directory holds, so that anyone can check with another tool.

use std::path::PathBuf;

use crate::domain::trust::{DerivedTrust, StoreType, TrustPolicyDocument, TrustStore};

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

/// The trust store where none was given: the root of the local chain, for every store of its type that the policy
/// names.
pub fn default_store(policy: &TrustPolicyDocument, derived: Option<&DerivedTrust>) -> TrustStore {
    let own = derived.into_iter().flat_map(|derived| derived.store().iter());
    let roots: Vec<_> = own
        .filter_map(|(_, roots)| roots.ok())
        .flatten()
        .cloned()
        .collect();
    let mut store = TrustStore::default();
    let authorities = policy
        .stores()
        .into_iter()
        .filter(|name| name.kind() == StoreType::Ca);
    for name in authorities.filter(|_| !roots.is_empty()) {
        store.insert(name.clone(), Ok(roots.clone()));
    }
    store
}
