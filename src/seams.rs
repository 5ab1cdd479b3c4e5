//! What the job needs from the world, as traits; one per kind of authority.
//!
//! For: the smallest set of verbs over stores, signers, revocation services and progress that the job is written
//! against, and the clock.
//! Not for: choosing a backend (`app/backends.rs`) or being one (`edge/`).
//! Speaks: the words of the domain only.
//!
//! ```
//! use countersign::base::time::Timestamp;
//! use countersign::seams::Clock;
//! let t = Timestamp::from_unix(0);
//! assert_eq!(Clock::Fixed(t).now(), t);
//! ```

use std::collections::BTreeMap;
use std::pin::Pin;

use futures_util::Stream;

use crate::base::arn::ProfileArn;
use crate::base::failure::{Class, Classified};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::domain::notary::{Envelope, Expected, Payload};
use crate::domain::oci::{Blob, Descriptor, Digest, ImageRef, Manifest, Place, RegistryHost, Subject, Tag};
pub use crate::domain::report::Event;
use crate::domain::trust::{Accepted, RevocationAnswer, RevocationQuestion};
use crate::domain::x509::Certificate;

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerIdentity {
    /// A key in memory and its chain, leaf first, root last.
    LocalKey(Vec<Certificate>),
    /// A signing profile of AWS Signer.
    Profile(ProfileArn),
}

impl SignerIdentity {
    /// Whether an accepted signature was made by this signer, with whatever tool.
    pub fn made(&self, accepted: &Accepted) -> bool {
        match self {
            Self::LocalKey(chain) => chain.first() == Some(accepted.envelope().chain().leaf()),
            Self::Profile(profile) => {
                let version = accepted.identity().raw().rsplit_once('/');
                version.map(|(profile, _)| profile) == Some(profile.to_string().as_str())
            }
        }
    }
}

/// What a signer returned: an envelope nobody has looked into yet, and what it wants noted beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The envelope.
    pub envelope: Envelope,
    /// Annotations for the signature manifest (AWS Signer: `metadata`).
    pub annotations: BTreeMap<String, String>,
}

/// Signs payloads.
#[expect(
    async_fn_in_trait,
    reason = "the runtime is single-threaded; nothing needs Send"
)]
pub trait Signer {
    /// Who signs.
    fn identity(&self) -> &SignerIdentity;

    /// What its envelopes must look like to be accepted back.
    fn expected(&self) -> Expected;

    /// Signs one payload.
    ///
    /// # Errors
    /// [`SignError`] of the class that says what to do.
    async fn sign(&self, payload: &Payload) -> Result<Signature, SignError>;
}

/// Why a signer did not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not sign with {signer}: {reason}")]
pub struct SignError {
    /// What to do about it.
    pub class: Class,
    /// Profile or key.
    pub signer: String,
    /// Why, without foreign text that is not quoted.
    pub reason: String,
    /// How to fix it.
    pub hint: Option<String>,
}

impl Classified for SignError {
    fn class(&self) -> Class {
        self.class
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// An image found behind a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Place, media type, digest, size.
    pub subject: Subject,
    /// The manifest itself, so that nobody has to ask again.
    pub manifest: Manifest,
}

/// Reads images and what refers to them.
#[expect(
    async_fn_in_trait,
    reason = "the runtime is single-threaded; nothing needs Send"
)]
pub trait ReadStore {
    /// Is told which images are going to be resolved, so that a store that can answer for many at once does; never
    /// fails, and need not be called. An answer got so is handed out once.
    async fn foresee(&self, images: &[ImageRef]) {
        let _ = images;
    }

    /// Finds the manifest behind a name. With tag and digest, the digest counts; whether the tag agrees is the
    /// caller's question.
    ///
    /// # Errors
    /// [`StoreError`]; absent is [`StoreProblem::Missing`], never anything else.
    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, StoreError>;

    /// Reads a manifest by descriptor; the bytes have that digest and size, or it is an error.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn manifest(&self, place: &Place, descriptor: &Descriptor) -> Result<Manifest, StoreError>;

    /// Reads a blob by descriptor, at most `limit` bytes; the bytes have that digest and size, or it is an error.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn blob(&self, place: &Place, blob: &Descriptor, limit: usize) -> Result<Vec<u8>, StoreError>;

    /// Lists everything that refers to a manifest, of every kind, unjudged; the manifest need not exist.
    ///
    /// # Errors
    /// [`StoreError`]; nothing there is an empty list.
    async fn referrers(&self, place: &Place, of: &Digest) -> Result<Vec<Descriptor>, StoreError>;

    /// When a manifest was stored, by the store's own clock; none where the store does not say.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn stored_at(&self, place: &Place, of: &Digest) -> Result<Option<Timestamp>, StoreError> {
        let _ = (place, of);
        Ok(None)
    }
}

/// Writes referrers; never images.
#[expect(
    async_fn_in_trait,
    reason = "the runtime is single-threaded; nothing needs Send"
)]
pub trait WriteStore: ReadStore {
    /// Is told that so many uploads will follow, so that what can be opened ahead of need is; never fails, and need
    /// not be called.
    async fn prepare(&self, place: &Place, uploads: usize) {
        let _ = (place, uploads);
    }

    /// Stores a blob, unless it is there.
    ///
    /// # Errors
    /// [`StoreError`]; after an error nothing refers to the blob.
    async fn upload(&self, place: &Place, blob: &Blob) -> Result<(), StoreError>;

    /// Stores a manifest whose blobs are stored, and makes it listed under its subject.
    ///
    /// # Errors
    /// [`StoreError`]; after an error the manifest is not listed.
    async fn push_referrer(&self, place: &Place, manifest: &Manifest) -> Result<Subject, StoreError>;

    /// Deletes a referrer of our own.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn delete(&self, own: &OwnReferrer) -> Result<(), StoreError>;
}

/// The bytes of a blob, piece by piece.
pub type BlobBytes = Pin<Box<dyn Stream<Item = Result<Vec<u8>, StoreProblem>> + Send>>;

/// Takes whole images: what copying needs of a store, and nothing else may do.
#[expect(
    async_fn_in_trait,
    reason = "the runtime is single-threaded; nothing needs Send"
)]
pub trait CopyStore: WriteStore {
    /// Whether an image may be given a tag, as far as that can be told before anything is written; a place that is not
    /// there yet has no tags.
    ///
    /// # Errors
    /// [`StoreError`], where the tag is somebody else's and stays so.
    async fn may_name(&self, place: &Place, digest: &Digest, tag: Option<&Tag>) -> Result<(), StoreError>;

    /// Makes the place where there is none, if it is of a kind that can be made.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn found(&self, place: &Place) -> Result<(), StoreError>;

    /// Opens a blob; its bytes are neither bounded nor hashed.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn open_blob(&self, place: &Place, blob: &Descriptor) -> Result<BlobBytes, StoreError>;

    /// Whether a blob is stored.
    ///
    /// # Errors
    /// [`StoreError`]; absent is no error.
    async fn holds_blob(&self, place: &Place, blob: &Descriptor) -> Result<bool, StoreError>;

    /// Stores a blob as it comes; unless it comes to its end, with as many bytes as it must have, nobody sees it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn store_blob(&self, place: &Place, blob: &Descriptor, bytes: BlobBytes) -> Result<(), StoreError>;

    /// Takes a blob over from another place without its bytes, where the store can do that.
    ///
    /// # Errors
    /// [`StoreError`]; that it cannot is no error.
    async fn mount(&self, place: &Place, from: &Place, blob: &Descriptor) -> Result<bool, StoreError>;

    /// Stores a manifest that refers to nothing, behind everything that it names.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn store_manifest(&self, place: &Place, manifest: &Manifest) -> Result<(), StoreError>;

    /// Gives a stored image its name; without a tag it is found by its digest.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn name_image(
        &self,
        place: &Place,
        manifest: &Manifest,
        tag: Option<&Tag>,
    ) -> Result<(), StoreError>;
}

/// A referrer that may be deleted: a signature by our own signer on it was accepted, or we stored it a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnReferrer {
    subject: Subject,
}

impl OwnReferrer {
    /// Proves ownership by an accepted signature of our own signer over exactly this manifest, which has to refer to
    /// another: an image is nobody's referrer and is never deleted.
    pub fn prove(place: Place, manifest: &Manifest, signer: &SignerIdentity, by: &Accepted) -> Option<Self> {
        let ours = by.subject() == manifest.digest() && signer.made(by);
        (ours && manifest.subject().is_some()).then(|| Self {
            subject: Subject::of(place, manifest),
        })
    }

    /// The same for a signature: it was accepted, and our own signer made it.
    pub fn signature(
        place: Place,
        manifest: &Manifest,
        signer: &SignerIdentity,
        by: &Accepted,
    ) -> Option<Self> {
        let on = manifest.subject().map(|subject| &subject.digest);
        let ours = by.signature() == manifest.digest() && on == Some(by.subject()) && signer.made(by);
        ours.then(|| Self {
            subject: Subject::of(place, manifest),
        })
    }

    /// Proves ownership of what is about to be stored by the store's own word that it is not there yet: whatever stands
    /// under that digest afterwards was put there by us. What stood there before is nobody's by this proof.
    pub fn absent_before(place: Place, manifest: &Manifest, word: &StoreError) -> Option<Self> {
        let absent = matches!(&word.problem, StoreProblem::SubjectAbsent { subject, .. } if subject == manifest.digest());
        (absent && manifest.subject().is_some()).then(|| Self {
            subject: Subject::of(place, manifest),
        })
    }

    /// The manifest.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }
}

/// Why a store could not do what was asked, and of what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not {verb} {what}")]
pub struct StoreError {
    /// `read`, `list the referrers of`, `store`, …
    pub verb: &'static str,
    /// The object, as `host/path@digest`.
    pub what: String,
    /// Why.
    #[source]
    pub problem: StoreProblem,
    /// How to fix it.
    pub hint: Option<String>,
}

/// The kinds of store problems; absent, refused, unavailable and tampered are never mixed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreProblem {
    /// It is not there.
    #[error("{0}")]
    Missing(String),
    /// Credentials or a permission are lacking.
    #[error("{0}")]
    Refused(String),
    /// A referrer was not taken, and the store says that what it refers to is not there.
    #[error("{words}, and {subject}, which it refers to, is not stored")]
    SubjectAbsent {
        /// What it refers to.
        subject: Digest,
        /// What the store answered.
        words: String,
    },
    /// It did not answer well; running again may help.
    #[error("{0}")]
    Unavailable(String),
    /// Bytes that do not have the digest or size they must have.
    #[error("expected {expected}, found {found}")]
    Tampered {
        /// Digest and size as announced.
        expected: String,
        /// Digest and size as served.
        found: String,
    },
    /// The name does not say which image is meant, or the place is no store.
    #[error("{0}")]
    Usage(String),
}

impl Classified for StoreError {
    fn class(&self) -> Class {
        match self.problem {
            StoreProblem::Missing(_) | StoreProblem::SubjectAbsent { .. } => Class::Missing,
            StoreProblem::Refused(_) => Class::Refused,
            StoreProblem::Unavailable(_) => Class::Unavailable,
            StoreProblem::Tampered { .. } => Class::Tampered,
            StoreProblem::Usage(_) => Class::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// Knows how to log in to registries.
#[expect(
    async_fn_in_trait,
    reason = "the runtime is single-threaded; nothing needs Send"
)]
pub trait Logins {
    /// Finds the login for a registry; [`Login::Anonymous`] where none is known.
    ///
    /// # Errors
    /// [`LoginError`] where there should be one and it cannot be had.
    async fn login(&self, host: &RegistryHost) -> Result<Login, LoginError>;

    /// Is told that the registry no longer takes the last login, so that a cached one is asked for anew.
    fn forget(&self, host: &RegistryHost) {
        let _ = host;
    }
}

/// How to log in to a registry.
#[derive(Clone, Debug)]
pub enum Login {
    /// `user:password`, sent in whatever way the registry asks for it (RFC 7617; distribution, `spec/auth/token.md`).
    Password(Secret<String>),
    /// `user:password` for a registry known to take it as Basic: sent with the first request, unasked (Amazon ECR).
    Basic(Secret<String>),
    /// No login.
    Anonymous,
}

/// Why there is no login for a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no login for {host}: {reason}")]
pub struct LoginError {
    /// What to do about it.
    pub class: Class,
    /// The registry.
    pub host: RegistryHost,
    /// Why, without foreign text that is not quoted.
    pub reason: String,
    /// How to fix it.
    pub hint: Option<String>,
}

impl Classified for LoginError {
    fn class(&self) -> Class {
        self.class
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// Answers whether a signature's certificates, job or profile were revoked.
#[expect(
    async_fn_in_trait,
    reason = "the runtime is single-threaded; nothing needs Send"
)]
pub trait Revocation {
    /// Never an error: "unknown, because…" is an answer, and the policy decides what it costs.
    async fn answer(&self, question: &RevocationQuestion) -> RevocationAnswer;
}

/// Revocation where nobody can be asked: every answer is unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotChecked;

impl Revocation for NotChecked {
    async fn answer(&self, _: &RevocationQuestion) -> RevocationAnswer {
        RevocationAnswer::Unknown("no revocation service is configured".to_owned())
    }
}

/// Is told what happens.
pub trait Observer {
    /// Takes note of an event.
    fn on(&self, event: &Event);
}

/// What time it is. No flag or variable sets it: a settable clock would un-expire a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The system's.
    System,
    /// Standing still; for tests of the library.
    Fixed(Timestamp),
}

impl Clock {
    /// The time now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    pub fn now(self) -> Timestamp {
        match self {
            Self::Fixed(now) => now,
            Self::System => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                Timestamp::from_unix(
                    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
                )
            }
        }
    }
}
