//! What is said about a build, and the bytes it is said in.
//!
//! For: the facts of a build, the claims of a job's identity token once they are verified, a build service's record of
//! a build, in-toto Statements with SLSA Provenance written from them, Statements read back strictly, and the manifest
//! that carries an attestation as an OCI referrer.
//! Not for: finding facts out (`edge/ci`), fetching keys (`edge/issuer_keys`) or records (`edge/aws`), signing (`notary`), or deciding whom to
//! believe (`trust`).
//! Speaks: in-toto attestation `spec/v1` (Statement v1), SLSA provenance v1, OCI image specification 1.1
//! (`manifest.md`, "Guidelines for Artifact Usage"), JSON Web Tokens (RFC 7515, 7517, 7519), `OpenID` Connect
//! Discovery 1.0; our own build types have a page each in `docs/buildtypes/`.
//!
//! ```
//! use countersign::domain::oci::Digest;
//! use countersign::domain::provenance::{BuildFacts, Statement, provenance_statement};
//!
//! let facts = BuildFacts::manual(
//!     "https://ci.example.com/builders/release".parse()?,
//!     "https://git.example.com/team/web@0123456789abcdef0123456789abcdef01234567".parse()?,
//! );
//! let image = Digest::of(b"the image index");
//! let subjects = [("registry.example.com/team/web".to_owned(), image.clone())];
//! let statement = Statement::read(&provenance_statement(&subjects, &facts))?;
//! assert!(statement.names(&image));
//! assert!(statement.claims_same(&subjects, &facts));
//! assert_eq!(statement.builder(), Some("https://ci.example.com/builders/release"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
pub mod attestation_manifest;
mod attested;
pub mod binding;
pub mod buildkit;
pub mod claims;
mod facts;
mod issuer;
mod keys;
mod kind;
mod level;
mod member;
mod parameters;
mod predicate;
mod record;
mod slsa;
mod statement;
mod summary;
mod token;
mod words;

pub use account::{Account, Contradiction, Runner, Voucher, Witness};
pub use attestation_manifest::PREDICATE_TYPE;
pub use attested::{Attested, AttestedError, announced};
pub use claims::{Claims, ClaimsError};
pub(crate) use facts::is_commit;
pub use facts::{BuildFacts, BuilderId, Dependency, FactError, MANUAL_BUILD_TYPE, Source};
pub use issuer::{Issuer, IssuerError};
pub use keys::{DOCUMENT_BYTES, IssuerKeys, KeysError, read_discovery};
pub use kind::{Form, Kind, KindError};
pub use level::{BuildLevel, KeyHolder, LevelError, Supported, supported, supported_by_document};
pub use member::Member;
pub use parameters::{Parameter, Parameters};
pub use predicate::{
    ChoiceError, OtherSubject, Predicate, PredicateChoice, PredicateError, PredicateProblem, SameKind,
    distinct,
};
pub use record::BuildRecord;
pub use slsa::{PROVENANCE_PREDICATE, STATEMENT_TYPE, provenance_statement};
pub use statement::{Statement, StatementError};
pub use summary::{Input, Summary};
pub use token::{IdentityToken, TokenAlgorithm, TokenError};

/// Longest URI that is written or believed (ours; real ones stay below 300 bytes).
const URI_BYTES: usize = 2_048;

/// Whether a text is an absolute URI by the characters it holds (RFC 3986, 2 and 3.1): a scheme, a colon, and
/// at least one more character.
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme_ok = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let rest_ok = rest
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b));
    text.len() <= URI_BYTES && scheme_ok && rest_ok && !rest.is_empty()
}

/// JSON of a value whose keys are all strings, which is the only way that writing to memory could fail.
fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_a_scheme_and_no_foreign_characters() {
        for text in [
            "https://a/b@refs/heads/main",
            "urn:x",
            "git+https://h/r",
            "arn:aws:codebuild:r:1:p/x",
        ] {
            assert!(is_uri(text), "{text}");
        }
        for text in [
            "",
            "a/b",
            ":x",
            "https:",
            "1a:b",
            "https://a b",
            "https://a\n",
            "https://a/\u{202e}",
            "a<b:c",
        ] {
            assert!(!is_uri(text), "{text:?}");
        }
        assert!(!is_uri(&format!("https://{}", "a".repeat(URI_BYTES))));
    }
}
