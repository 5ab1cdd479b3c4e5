//! The edge of the house: every socket, file and variable; each room here is one backend of a seam.
//!
//! For: doing what the seams ask for, against real stores and real keys, and saying exactly what went wrong.
//! Not for: deciding anything about trust, plans or reports; that is `domain/`, called by `job/`.
//! Speaks: what each room names.
//!
//! ```
//! use countersign::edge::layout::Layout;
//! use countersign::seams::ReadStore;
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let error = Layout::new().resolve(&"oci:no/such/layout:1.0".parse()?).await.unwrap_err();
//! assert_eq!(error.to_string(), "could not read no/such/layout/oci-layout");
//! # Ok::<(), countersign::domain::oci::ReferenceError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod aws;
pub mod ci;
pub mod issuer_keys;
pub mod layout;
pub mod local_key;
pub mod net;
pub mod owner;
pub mod pace;
pub mod registry;
pub mod trust_files;
