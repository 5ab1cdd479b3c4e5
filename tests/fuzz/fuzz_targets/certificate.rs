//! Certificates: what is accepted keeps its bytes, and every question about it has an answer.
#![no_main]

use countersign::domain::trust::DistinguishedName;
use countersign::domain::x509::{Certificate, Purpose, Role};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        assert_eq!(certificate.der(), bytes);
        let _ = certificate.key_spec();
        let _ = certificate.verify_signed_by(&certificate);
        let _ = certificate.check_role(Purpose::CodeSigning, Role::Leaf);
        let _ = certificate.is_root_ca();
        if let Ok(name) = DistinguishedName::of_subject(certificate.subject())
            && name.to_string().len() <= 4096
        {
            assert_eq!(name.to_string().parse().as_ref(), Ok(&name));
        }
    }
});
