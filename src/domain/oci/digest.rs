//! Content digests (OCI image specification 1.1, `descriptor.md`, "Digests").

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::base::foreign::Foreign;

/// The digest algorithms that are accepted: the two the OCI specification registers, and SHA-384, which Notary
/// blob signatures use (specification, `signature-specification.md`, "Payload").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, 64 hex digits.
    Sha256,
    /// SHA-384, 96 hex digits.
    Sha384,
    /// SHA-512, 128 hex digits.
    Sha512,
}

impl Algorithm {
    /// The name in front of the colon.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Whether stores name manifests by it (OCI image specification 1.1, `descriptor.md`, "Registered algorithms").
    pub const fn is_registered(self) -> bool {
        matches!(self, Self::Sha256 | Self::Sha512)
    }

    /// Hex digits of a digest by this algorithm.
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }
}

/// The digest of some bytes: a registered algorithm and exactly as many lower-case hex digits as it has.
///
/// ```
/// use countersign::domain::oci::Digest;
/// let empty = Digest::of(b"{}");
/// assert_eq!(empty.to_string(), "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
/// assert_eq!(empty.to_string().parse::<Digest>()?, empty);
/// assert!("sha256:44136FA3".parse::<Digest>().is_err());
/// # Ok::<(), countersign::domain::oci::DigestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a digest (sha256: and 64 lower-case hex digits), found {}", .0.quote())]
pub struct DigestError(pub Foreign);

impl Digest {
    /// The SHA-256 digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::by(Algorithm::Sha256, bytes)
    }

    /// The digest of these bytes by an algorithm.
    pub fn by(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let hex = match algorithm {
            Algorithm::Sha256 => hex(&Sha256::digest(bytes)),
            Algorithm::Sha384 => hex(&Sha384::digest(bytes)),
            Algorithm::Sha512 => hex(&Sha512::digest(bytes)),
        };
        Self { algorithm, hex }
    }

    /// Whether the bytes have this digest.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        Self::by(self.algorithm, bytes) == *self
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hex digits.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The first twelve hex digits, for tables.
    pub fn short(&self) -> &str {
        self.hex.get(..12).unwrap_or(&self.hex)
    }
}

/// A digest of bytes that come piece by piece.
///
/// ```
/// use countersign::domain::oci::{Algorithm, Digest, Hasher};
/// let mut hasher = Hasher::new(Algorithm::Sha256);
/// hasher.update(b"{");
/// hasher.update(b"}");
/// assert_eq!(hasher.finish(), Digest::of(b"{}"));
/// ```
#[derive(Clone, Debug)]
pub struct Hasher(Hashing);

#[derive(Clone, Debug)]
enum Hashing {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => Hashing::Sha256(Sha256::new()),
            Algorithm::Sha384 => Hashing::Sha384(Sha384::new()),
            Algorithm::Sha512 => Hashing::Sha512(Sha512::new()),
        })
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.0 {
            Hashing::Sha256(hash) => hash.update(piece),
            Hashing::Sha384(hash) => hash.update(piece),
            Hashing::Sha512(hash) => hash.update(piece),
        }
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Digest {
        let (algorithm, hex) = match self.0 {
            Hashing::Sha256(hash) => (Algorithm::Sha256, hex(&hash.finalize())),
            Hashing::Sha384(hash) => (Algorithm::Sha384, hex(&hash.finalize())),
            Hashing::Sha512(hash) => (Algorithm::Sha512, hex(&hash.finalize())),
        };
        Digest { algorithm, hex }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
            text
        })
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let refused = || DigestError(Foreign::new(text));
        let (name, hex) = text.split_once(':').ok_or_else(refused)?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha384" => Algorithm::Sha384,
            "sha512" => Algorithm::Sha512,
            _ => return Err(refused()),
        };
        let lower_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() != algorithm.hex_len() || !hex.bytes().all(lower_hex) {
            return Err(refused());
        }
        Ok(Self {
            algorithm,
            hex: hex.to_owned(),
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_registered_algorithms_of_exact_length_parse() {
        for text in [
            "",
            "sha256",
            "sha256:",
            "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "SHA256:aa",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        let upper = Digest::of(b"x")
            .to_string()
            .to_uppercase()
            .replace("SHA256", "sha256");
        assert!(upper.parse::<Digest>().is_err());
    }

    proptest! {
        #[test]
        fn digests_print_and_parse_back(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
                let digest = Digest::by(algorithm, &bytes);
                prop_assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest.clone());
                prop_assert!(digest.matches(&bytes));
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Digest>();
        }
    }
}
