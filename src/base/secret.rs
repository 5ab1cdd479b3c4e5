//! Values that must not leave memory: tokens, passwords, private keys.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A value that is wiped on drop and never printed, not even to be masked.
///
/// ```
/// use countersign::base::secret::Secret;
/// let token = Secret::new(String::from("eyJhbGciOi"));
/// assert_eq!(format!("{token:?}"), "Secret(…)");
/// assert_eq!(token.expose(), "eyJhbGciOi");
/// ```
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes the value into keeping.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// Reads the value; every caller of this is a place to look at in a review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
