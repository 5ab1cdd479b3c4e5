//! The pure half of the house: no I/O, no async, no clock, no environment, no logging.
//!
//! For: everything that can be decided from bytes, a policy and a time that the caller passes in.
//! Not for: fetching, printing or waiting; those live in `edge/`, and `job/` joins the two.
//! Speaks: OCI image and distribution, Notary Project, in-toto and SLSA (each room names its own).
//!
//! ```
//! use countersign::domain::oci::Digest;
//! assert_eq!(Digest::of(b"{}").hex().len(), 64);
//! ```

pub mod handoff;
pub mod notary;
pub mod oci;
pub mod plan;
pub mod provenance;
pub mod report;
pub mod trust;
pub mod x509;
