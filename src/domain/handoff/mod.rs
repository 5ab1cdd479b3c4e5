//! Read what names images: references that a person typed, one per line.
//!
//! For: turning text into references, each with the line it stood on; one file per format.
//! Not for: reading files, or asking a store whether an image exists; that always decides in the end.
//! Speaks: plain lists of references, with `#` comments and the prefixes `oci://` and `docker://`.
//!
//! ```
//! use countersign::domain::handoff;
//! let named = handoff::read("# release\nregistry.example.com/team/web:1.4\n")?;
//! assert_eq!((named[0].image.to_string().as_str(), named[0].line), ("registry.example.com/team/web:1.4", 2));
//! # Ok::<(), countersign::domain::handoff::HandoffError>(())
//! ```

mod literal;

use crate::base::failure::{Class, Classified};
use crate::base::limits::MEBIBYTE;
use crate::domain::oci::{ImageRef, ReferenceError};

/// Images named by one text (ours).
const NAMES: usize = 10_000;

/// One image that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The image.
    pub image: ImageRef,
    /// The words that name it.
    pub text: String,
    /// The line they stand on, from 1.
    pub line: u32,
}

/// Why a text does not name images.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoffError {
    /// A line that is no reference.
    #[error("line {line}")]
    Reference {
        /// Which.
        line: u32,
        /// Why.
        #[source]
        problem: ReferenceError,
    },
    /// The only line is no reference.
    #[error(transparent)]
    Only(ReferenceError),
    /// JSON.
    #[error("expected references, one per line; found JSON, which is not available yet")]
    Json,
    /// More than is read.
    #[error("expected at most {limit} {what}")]
    TooMuch {
        /// How many.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
}

impl Classified for HandoffError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Reference { problem, .. } | Self::Only(problem) => problem.hint(),
            Self::Json => {
                Some("write registry.example.com/team/web@sha256:…, as the builder reported it".to_owned())
            }
            Self::TooMuch { .. } => None,
        }
    }
}

/// Reads a text in whatever format it is in.
///
/// # Errors
/// [`HandoffError`].
pub fn read(text: &str) -> Result<Vec<Named>, HandoffError> {
    let too_much = |limit, what| HandoffError::TooMuch { limit, what };
    if text.len() > MEBIBYTE {
        return Err(too_much(MEBIBYTE, "bytes"));
    }
    if looks_like_json(text) {
        return Err(HandoffError::Json);
    }
    let named = literal::read(text)?;
    if named.len() > NAMES {
        return Err(too_much(NAMES, "images"));
    }
    Ok(named)
}

/// An object, or an array of strings, objects or nothing; `[::1]:5000/web` is a reference.
fn looks_like_json(text: &str) -> bool {
    let text = text.trim_start();
    let array = text.strip_prefix('[').map(str::trim_start);
    text.starts_with('{') || array.is_some_and(|items| items.starts_with(['"', '{', ']']))
}
