//! The front door for programs: one question in bytes, one judgement.

use super::examine::{Evidence, Examination, Requirements};
use super::outcome::Pending;
use super::policy::{Applicable, PolicyError, TrustPolicyDocument};
use super::store_name::StoreNameError;
use super::trust_store::TrustStore;
use super::verifier::Verifier;
use crate::base::failure::{Class, Classified};
use crate::base::time::Timestamp;
use crate::domain::notary::{Envelope, EnvelopeFormat};
use crate::domain::oci::{
    Descriptor, Digest, DigestError, Manifest, ManifestError, MediaType, MediaTypeError,
};
use crate::domain::x509::{CertificateError, read_certificates};

/// Everything that a judgement depends on, as bytes and text: what an admission controller has fetched, or keeps.
///
/// It is the short form of [`Examination`]: one trust store, no demands on metadata, the verifiers that are built in.
///
/// ```
/// use countersign::domain::trust::Question;
/// let question = Question {
///     digest: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
///     media_type: "application/vnd.oci.image.manifest.v1+json",
///     image: b"{}",
///     scope: "registry.example.com/team/web",
///     envelope: b"",
///     policy: b"",
///     store: "ca:release",
///     roots: b"",
/// };
/// let error = question.examine("2025-06-01T00:00:00Z".parse().unwrap()).unwrap_err();
/// assert!(error.to_string().starts_with("image: expected bytes of the digest sha256:e3b0c442"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The digest that is to be admitted, `sha256:…`.
    pub digest: &'a str,
    /// The media type under which the registry serves the manifest or index (header `Content-Type`).
    pub media_type: &'a str,
    /// The image's manifest or index, as the registry serves it; held against the digest.
    pub image: &'a [u8],
    /// The image's repository as the cluster pulls it, `registry.example.com/team/web`.
    pub scope: &'a str,
    /// The layer of the signature manifest, a JWS envelope, as the registry serves it.
    pub envelope: &'a [u8],
    /// A trust policy document.
    pub policy: &'a [u8],
    /// The name of the trust store that the policy names, `ca:release`.
    pub store: &'a str,
    /// Its certificates, PEM or DER.
    pub roots: &'a [u8],
}

impl Question<'_> {
    /// Judges the signature as far as bytes and the moment allow; `None` where the policy says to skip this repository,
    /// which is no acceptance.
    ///
    /// # Errors
    /// [`QuestionError`]: a part that cannot be read, or no policy for the repository. That is a fault of the question
    /// and no verdict; admit nothing on it.
    pub fn examine(&self, now: Timestamp) -> Result<Option<Pending>, QuestionError> {
        let image = self.image()?;
        let document = TrustPolicyDocument::parse(self.policy)?;
        let Applicable::Judge(policy) = document.applicable(self.scope)? else {
            return Ok(None);
        };
        let mut store = TrustStore::default();
        store.insert(self.store.parse()?, Ok(read_certificates(self.roots)?));
        let evidence = Evidence {
            manifest: Digest::of(self.envelope),
            envelope: Envelope::new(EnvelopeFormat::Jws, self.envelope.to_vec()),
        };
        let examination = Examination {
            evidence: &evidence,
            subject: &image,
            policy,
            store: &store,
            requirements: &Requirements::default(),
            now,
            verifiers: &Verifier::built_in(),
        };
        Ok(Some(examination.run()))
    }

    /// What the signature has to be about, if the bytes are what the digest names.
    fn image(&self) -> Result<Descriptor, QuestionError> {
        let digest: Digest = self.digest.parse()?;
        if !digest.matches(self.image) {
            return Err(QuestionError::Image {
                expected: digest,
                found: Digest::of(self.image),
            });
        }
        let announced: MediaType = self.media_type.parse()?;
        let manifest = Manifest::parse(self.image.to_vec(), &announced)?;
        Ok(Descriptor {
            digest,
            ..manifest.descriptor()
        })
    }
}

/// Why a question cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// The digest is none.
    #[error("digest: {0}")]
    Digest(#[from] DigestError),
    /// The bytes of the image are not those that the digest names.
    #[error("image: expected bytes of the digest {expected}, found bytes of {found}")]
    Image {
        /// What is to be admitted.
        expected: Digest,
        /// What the bytes are.
        found: Digest,
    },
    /// The media type is none.
    #[error("media type: {0}")]
    MediaType(#[from] MediaTypeError),
    /// The image is no manifest and no index.
    #[error("image: {0}")]
    Manifest(#[from] ManifestError),
    /// The trust policy cannot be used, or says nothing about the repository.
    #[error("trust policy: {0}")]
    Policy(#[from] PolicyError),
    /// The trust store has no such name.
    #[error("trust store: {0}")]
    Store(#[from] StoreNameError),
    /// The trust store holds something else than certificates.
    #[error("trust store: {0}")]
    Roots(#[from] CertificateError),
}

impl Classified for QuestionError {
    fn class(&self) -> Class {
        match self {
            Self::Image { .. } => Class::Tampered,
            Self::Manifest(error) => error.class(),
            Self::Digest(_) | Self::MediaType(_) | Self::Policy(_) | Self::Store(_) | Self::Roots(_) => {
                Class::Usage
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Roots(error) => error.hint(),
            _ => None,
        }
    }
}
