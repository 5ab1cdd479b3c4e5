//! The ground floor: words and guards that every room stands on.
//!
//! For: failure classes and exit codes, time as a value, secrets that cannot be printed, text from outside that
//! cannot be printed raw, limits with their sources, ARNs, addresses of documentation, the problems of one text told at
//! once, and the one bounded reader for JSON and for YAML.
//! Not for: anything that knows what an image, a signature or a registry is.
//! Speaks: RFC 8259 (JSON), RFC 3339 (times), the ARN format of the AWS General Reference.
//!
//! ```
//! use countersign::base::{failure::Class, json, limits::Bounds};
//!
//! let document = json::read(br#"{"version": "1.0"}"#, Bounds::SMALL_DOCUMENT)?;
//! assert_eq!(document.cursor().object()?.required("version")?.string()?, "1.0");
//! assert_eq!(Class::Usage.exit_code(), 2);
//! # Ok::<(), countersign::base::tree::DocumentError>(())
//! ```

pub mod arn;
pub mod failure;
pub mod foreign;
pub mod glob;
pub mod json;
pub mod limits;
pub mod pages;
pub mod problems;
pub mod secret;
pub mod time;
pub mod tree;
pub mod yaml;
