//! OCI nouns: digest, image reference, media type, descriptor, manifest as bytes, referrers.
//!
//! For: parsing what registries, layouts and people write into types that hold, and hashing bytes as served.
//! Not for: fetching anything, or knowing what a signature or a statement is.
//! Speaks: OCI image specification 1.1 and OCI distribution specification 1.1.
//!
//! ```
//! use countersign::domain::oci::{ImageRef, Manifest, MediaType, Subject};
//!
//! let image: ImageRef = "registry.example.com/team/web:1.4".parse()?;
//! let bytes = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
//! let manifest = Manifest::parse(bytes.to_vec(), &MediaType::OCI_INDEX)?;
//! let subject = Subject::of(image.place().clone(), &manifest);
//! assert_eq!(subject.digest(), manifest.digest());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod descriptor;
mod digest;
mod manifest;
mod media_type;
mod reference;

pub use descriptor::{Blob, Descriptor, Platform};
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use manifest::{ImageManifest, Index, Manifest, ManifestError, ManifestView, Subject};
pub use media_type::{ArtifactType, MediaType, MediaTypeError};
pub use reference::{ImageRef, LayoutPath, Place, ReferenceError, RegistryHost, Repository, Tag};
