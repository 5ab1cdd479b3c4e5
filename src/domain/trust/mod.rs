//! Trust policy, trust store and identities; the judgement of a signature, and the proof that it was accepted.
//!
//! For: deciding, from a signature's bytes, what it should be about, a policy, a trust store and a moment, whether it
//! is accepted, and keeping how every validation went; saying what a revocation service has to be asked; deriving
//! from a signer the trust under which its own signatures pass.
//! Not for: fetching signatures, reading files or asking services (`edge/`), nor for the envelope's own rules
//! (`notary`, `x509`).
//! Speaks: the Notary Project trust store and trust policy specification 1.0 and its signature verification workflow;
//! the rules of AWS Signer's plugin for Notation.
//!
//! ```
//! use countersign::domain::trust::{Applicable, TrustPolicyDocument};
//!
//! let document = TrustPolicyDocument::parse(
//!     br#"{"version": "1.0", "trustPolicies": [{"name": "release", "registryScopes": ["*"],
//!         "signatureVerification": {"level": "strict"}, "trustStores": ["signingAuthority:aws-signer-ts"],
//!         "trustedIdentities": ["arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release"]}]}"#,
//! )?;
//! // With a signature in hand: examine(&evidence, &subject, policy, &store, &requirements, now), then ask its
//! // questions, then conclude.
//! assert!(matches!(document.applicable("registry.example.com/web")?, Applicable::Judge(_)));
//! # Ok::<(), countersign::domain::trust::PolicyError>(())
//! ```

pub mod attestation;
mod authenticity;
pub mod aws;
mod candidate;
mod derived;
mod dn;
mod examine;
pub mod expectation;
mod identity;
mod judged_by;
mod level;
mod obstacles;
mod outcome;
mod policy;
mod policy_reader;
mod question;
mod scope;
mod semver;
mod store_name;
#[cfg(test)]
pub(crate) mod testing;
mod timeliness;
mod trust_store;
pub mod verifier;

pub use candidate::Promise;
pub use derived::{DerivedError, DerivedTrust, TrustFile, aws_roots};
pub use dn::{DistinguishedName, DnError};
pub use examine::{Evidence, Examination, Requirements, examine};
pub use identity::{IdentityError, Mismatch, TrustedIdentity};
pub use judged_by::JudgedBy;
pub use level::{Action, Level, SignatureVerification, ValidationKind, VerifyTimestamp};
pub use outcome::{
    Accepted, Outcome, Pending, Reason, Rejected, RevocationAnswer, RevocationQuestion, Validation,
    ValidationResult,
};
pub use policy::{
    Applicable, MemberError, PolicyError, PolicyWarning, SkipPolicy, TrustPolicy, TrustPolicyDocument,
};
pub use question::{Question, QuestionError};
pub use scope::{RegistryScope, ScopeError, ScopedRepository};
pub use semver::{Version, VersionError};
pub use store_name::{StoreName, StoreNameError, StoreType};
pub use trust_store::{TrustStore, TrustStoreError};
pub use verifier::Verifier;
