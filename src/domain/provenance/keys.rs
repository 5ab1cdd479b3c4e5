//! What an issuer publishes: its discovery document and its keys.

use super::issuer::Issuer;
use super::token::{TokenAlgorithm, base64url};
use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::tree::{Cursor, DocumentError, Object};
use crate::domain::x509::PublicKey;

/// Largest document of an issuer in bytes (ours; GitHub's keys are 8 KiB with their certificates).
pub const DOCUMENT_BYTES: usize = 262_144;

const BOUNDS: Bounds = Bounds {
    bytes: DOCUMENT_BYTES,
    depth: 8,
    values: 10_000,
};

/// Keys of one issuer (ours; GitHub has five).
const KEYS: usize = 100;

/// Why an issuer's documents are of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// No such JSON.
    #[error("the issuer's {document} cannot be read")]
    Document {
        /// Which.
        document: &'static str,
        /// Why.
        source: DocumentError,
    },
    /// A discovery document of somebody else.
    #[error("expected the discovery document of {expected}, found that of {}", found.quote())]
    Issuer {
        /// Who was asked.
        expected: String,
        /// Who it says it is.
        found: Foreign,
    },
    /// Keys that are kept elsewhere: a document must not lead to another host.
    #[error("expected the keys at {expected}, found them at {}", found.quote())]
    Elsewhere {
        /// Scheme and host of the issuer.
        expected: String,
        /// The address.
        found: Foreign,
    },
    /// More than anyone has.
    #[error("expected at most {KEYS} keys, found {found}")]
    Count {
        /// How many.
        found: usize,
    },
}

/// Where the keys of an issuer are, by its discovery document (`OpenID` Connect Discovery 1.0, 4.2): on the issuer's own
/// host.
///
/// # Errors
/// [`KeysError`] for what is no such document, one of another issuer, and keys on another host.
pub fn read_discovery(bytes: &[u8], issuer: &Issuer) -> Result<String, KeysError> {
    let document = "discovery document";
    let unreadable = |source| KeysError::Document { document, source };
    let parsed = json::read(bytes, BOUNDS).map_err(unreadable)?;
    let top = parsed.cursor().object().map_err(unreadable)?;
    let text = |name: &str| top.required(name)?.string();
    let named = text("issuer").map_err(unreadable)?;
    if named != issuer.url() {
        return Err(KeysError::Issuer {
            expected: issuer.url().to_owned(),
            found: Foreign::new(named),
        });
    }
    let address = text("jwks_uri").map_err(unreadable)?;
    let path = address.strip_prefix(issuer.origin()).unwrap_or_default();
    if !path.starts_with('/') || path.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(KeysError::Elsewhere {
            expected: issuer.origin().to_owned(),
            found: Foreign::new(address),
        });
    }
    Ok(address.to_owned())
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    id: String,
    algorithm: TokenAlgorithm,
    public: PublicKey,
}

/// The keys of an issuer that can verify tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerKeys(Vec<Key>);

impl IssuerKeys {
    /// Reads a JWK Set (RFC 7517, 5). A key of another kind, use, algorithm or size, or without a `kid`, verifies
    /// nothing and is left out, as the specification asks; a member that stands twice is refused.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn read(bytes: &[u8]) -> Result<Self, KeysError> {
        let document = "set of keys";
        let unreadable = |source| KeysError::Document { document, source };
        let parsed = json::read(bytes, BOUNDS).map_err(unreadable)?;
        let list = parsed
            .cursor()
            .object()
            .and_then(|top| top.required("keys")?.array());
        let list = list.map_err(unreadable)?;
        if list.len() > KEYS {
            return Err(KeysError::Count { found: list.len() });
        }
        Ok(Self(list.iter().filter_map(read_key).collect()))
    }

    /// The keys of this id for this algorithm; two of one id are both the issuer's.
    pub(super) fn of<'a>(
        &'a self,
        id: &'a str,
        algorithm: TokenAlgorithm,
    ) -> impl Iterator<Item = &'a PublicKey> {
        let fits = move |key: &&Key| key.id == id && key.algorithm == algorithm;
        self.0.iter().filter(fits).map(|key| &key.public)
    }
}

fn read_key(entry: &Cursor<'_>) -> Option<Key> {
    let object = entry.object().ok()?;
    let text = |name: &str| object.optional(name)?.string().ok();
    let absent_or = |name: &str, value: &str| match object.optional(name) {
        None => true,
        Some(cursor) => cursor.string() == Ok(value),
    };
    let (algorithm, name) = match text("kty")? {
        "RSA" => (TokenAlgorithm::Rs256, "RS256"),
        "EC" if text("crv") == Some("P-256") => (TokenAlgorithm::Es256, "ES256"),
        _ => return None,
    };
    if !absent_or("use", "sig") || !absent_or("alg", name) || !may_verify(&object) {
        return None;
    }
    let number = |name: &str| text(name).and_then(base64url);
    let public = match algorithm {
        TokenAlgorithm::Rs256 => PublicKey::rsa(&number("n")?, &number("e")?)?,
        TokenAlgorithm::Es256 => PublicKey::p256(&number("x")?, &number("y")?)?,
    };
    Some(Key {
        id: text("kid")?.to_owned(),
        algorithm,
        public,
    })
}

/// `key_ops`, where it is there, holds `verify` (RFC 7517, 4.3).
fn may_verify(object: &Object<'_>) -> bool {
    object.optional("key_ops").is_none_or(|operations| {
        let operations = operations.array().unwrap_or_default();
        operations.iter().any(|each| each.string() == Ok("verify"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovery(issuer: &str, keys: &str) -> Result<String, KeysError> {
        let text = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{keys}","more":[1]}}"#);
        read_discovery(text.as_bytes(), &Issuer::github())
    }

    const GITHUB: &str = "https://token.actions.githubusercontent.com";

    #[test]
    fn keys_are_on_the_issuers_own_host() {
        let there = format!("{GITHUB}/.well-known/jwks");
        assert_eq!(discovery(GITHUB, &there), Ok(there));
        let other = discovery("https://other.example", "https://other.example/k");
        assert!(matches!(other, Err(KeysError::Issuer { .. })));
        for elsewhere in [
            "https://other.example/k",
            "http://token.actions.githubusercontent.com/k",
            "https://token.actions.githubusercontent.com.evil.example/k",
            "https://token.actions.githubusercontent.com@evil.example/k",
            "https://token.actions.githubusercontent.com:8443/k",
            "https://token.actions.githubusercontent.com",
            "https://token.actions.githubusercontent.com/ k",
            "",
        ] {
            let found = discovery(GITHUB, elsewhere);
            assert!(matches!(found, Err(KeysError::Elsewhere { .. })), "{elsewhere}");
        }
        assert!(read_discovery(b"{}", &Issuer::github()).is_err());
        assert!(read_discovery(b"<html>", &Issuer::github()).is_err());
    }

    fn count(keys: &str) -> usize {
        let keys = IssuerKeys::read(format!(r#"{{"keys":[{keys}]}}"#).as_bytes());
        keys.unwrap().0.len()
    }

    #[test]
    fn keys_that_cannot_verify_tokens_are_left_out() {
        let modulus = |bytes: usize| {
            let mut modulus = vec![0xc1; bytes];
            modulus[0] = 0xff;
            base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, modulus)
        };
        let rsa = |bytes: usize, more: &str| {
            format!(
                r#"{{"kty":"RSA","kid":"1","n":"{}","e":"AQAB"{more}}}"#,
                modulus(bytes)
            )
        };
        for good in [
            "",
            r#","use":"sig""#,
            r#","alg":"RS256""#,
            r#","key_ops":["verify"]"#,
        ] {
            assert_eq!(count(&rsa(256, good)), 1, "{good}");
        }
        assert_eq!((count(&rsa(1024, "")), count(&rsa(512, ""))), (1, 1));
        for bad in [
            r#","use":"enc""#,
            r#","use":1"#,
            r#","alg":"PS256""#,
            r#","key_ops":["sign"]"#,
        ] {
            assert_eq!(count(&rsa(256, bad)), 0, "{bad}");
        }
        assert_eq!((count(&rsa(255, "")), count(&rsa(1025, ""))), (0, 0));
        for other in [
            r#"{"kty":"oct","kid":"1","k":"AAAA"}"#,
            r#"{"kty":"EC","crv":"P-384","kid":"1","x":"AA","y":"AA"}"#,
            r#"{"kty":"EC","crv":"P-256","kid":"1","x":"AA","y":"AA"}"#,
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
            "7",
        ] {
            assert_eq!(count(other), 0, "{other}");
        }
        let many = vec!["1"; KEYS + 1].join(",");
        let error = IssuerKeys::read(format!(r#"{{"keys":[{many}]}}"#).as_bytes());
        assert_eq!(error, Err(KeysError::Count { found: KEYS + 1 }));
        assert!(IssuerKeys::read(br#"{"keys":[],"keys":[]}"#).is_err());
        assert!(IssuerKeys::read(b"{}").is_err());
    }
}
