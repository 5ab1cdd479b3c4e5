//! Notary Project signatures: payload, signed attributes, envelope, signature manifest.
//!
//! For: making the exact bytes to sign, proving that an envelope is intact, proving that a signer returned what was
//! asked, and reading and writing the manifest that stores a signature.
//! Not for: deciding whether a signature is trusted, timely or revoked (`trust`), or fetching it.
//! Speaks: the Notary Project's signature specification and its JWS envelope, RFC 7515 (JWS). COSE envelopes are
//! recognised and refused by name.
//!
//! ```
//! use countersign::domain::notary::{Envelope, EnvelopeError, EnvelopeFormat, IntactEnvelope};
//!
//! let envelope = Envelope::new(EnvelopeFormat::Cose, b"\xd2\x84".to_vec());
//! assert_eq!(IntactEnvelope::open(&envelope), Err(EnvelopeError::Unsupported(EnvelopeFormat::Cose)));
//! ```

mod attributes;
mod envelope;
mod jws;
mod payload;
mod seal;
pub mod signature_manifest;
mod signing;
#[cfg(test)]
pub(crate) mod testing;

pub use attributes::{AWS_PLUGIN, AttributeError, ExtendedAttribute, SignedAttributes, SigningScheme, names};
pub use envelope::{Claimed, Envelope, EnvelopeError, EnvelopeFormat, IntactEnvelope};
pub use payload::{Payload, PayloadError, SignedPayload, SignedPayloadError};
pub use seal::{Expected, SealError, SealedEnvelope};
pub use signing::{SigningAttributes, UnsignedJws};
