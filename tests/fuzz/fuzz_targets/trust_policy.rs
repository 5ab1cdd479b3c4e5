//! Trust policies: what is accepted has policies, each with a name of its own and a scope.
#![no_main]

use std::collections::HashSet;

use countersign::domain::trust::TrustPolicyDocument;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(document) = TrustPolicyDocument::parse(bytes) {
        let names: HashSet<&str> = document.policies().map(|policy| policy.name()).collect();
        assert_eq!(names.len(), document.policies().count());
        assert!(document.policies().all(|policy| !policy.scopes().is_empty()));
        let _ = document.applicable("registry.example.com/team/web");
    }
});
