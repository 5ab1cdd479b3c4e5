//! Certificates, ordered chains, names, keys and the one function that verifies signatures.
//!
//! For: the certificate rules of the Notary Project, evaluated on bytes: order and signatures of a chain, what a
//! leaf and a CA must look like, which key is bound to which algorithm.
//! Not for: deciding whom to trust or at what time a certificate counts (`trust`), nor for revocation.
//! Speaks: RFC 5280 (X.509), the Notary signature specification ("Certificate Requirements", "Certificate Chain",
//! "Algorithm Selection"), RFC 4514 (names as text), RFC 7468 (PEM).
//!
//! ```
//! use countersign::domain::x509::{Certificate, CertificateError, Chain, ChainError, read_certificates};
//!
//! assert_eq!(read_certificates(b""), Err(CertificateError::Empty));
//! assert!(matches!(Certificate::from_der(b"not DER"), Err(CertificateError::Malformed(_))));
//! assert_eq!(Chain::code_signing(Vec::new()), Err(ChainError::Empty));
//! ```

mod certificate;
mod chain;
mod file;
mod key;
mod name;
mod role;
mod signature;
#[cfg(test)]
pub(crate) mod testing;

pub use certificate::{Certificate, CertificateError, Thumbprint, paired_hashes};
pub use chain::{Chain, ChainError, check_chain};
pub use file::read_certificates;
pub use key::{KeySpec, PublicKey};
pub use name::{Attribute, Name};
pub use role::{Purpose, Role, RoleError};
pub use signature::{Encoding, Hash, SignatureAlgorithm, SignatureError, verify_signature};
