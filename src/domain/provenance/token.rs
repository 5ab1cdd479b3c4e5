//! Identity tokens as JSON Web Tokens: read strictly, believed only through [`super::claims::verify`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::secret::Secret;
use crate::base::tree::{Document, DocumentError, Object};
use crate::domain::x509::{Encoding, Hash, SignatureAlgorithm};

/// Longest token in bytes (STS API reference, `AssumeRoleWithWebIdentity`, `WebIdentityToken`: 4 to 20,000).
const TOKEN_BYTES: usize = 20_000;

/// What one part of a token may hold (ours; real tokens have about forty claims and nest three levels).
const PART: Bounds = Bounds {
    bytes: TOKEN_BYTES,
    depth: 8,
    values: 1_000,
};

/// The algorithms that issuers of identity tokens sign with (RFC 7518, 3.1); `none` and shared secrets are not among
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenAlgorithm {
    /// `RS256`: RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// `ES256`: ECDSA on P-256 with SHA-256.
    Es256,
}

impl TokenAlgorithm {
    /// The algorithm of this name, if it is one of them.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }

    pub(super) const fn signature(self) -> SignatureAlgorithm {
        match self {
            Self::Rs256 => SignatureAlgorithm::RsaPkcs1(Hash::Sha256),
            Self::Es256 => SignatureAlgorithm::Ecdsa(Hash::Sha256, Encoding::Fixed),
        }
    }
}

/// Why a text is no identity token; no message holds the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than any service takes.
    #[error("expected an identity token of at most {TOKEN_BYTES} bytes, found {bytes}")]
    Length {
        /// How long it is.
        bytes: usize,
    },
    /// Not three parts.
    #[error(
        "expected an identity token of three parts in base64url without padding (RFC 7519), found another form"
    )]
    Form,
    /// A part that is no such JSON.
    #[error("the identity token's {part} cannot be read")]
    Part {
        /// `header` or `claims`.
        part: &'static str,
        /// Why.
        source: DocumentError,
    },
    /// A signature by something else, or by nothing.
    #[error("expected an identity token signed by RS256 or ES256, found {}", found.quote())]
    Algorithm {
        /// The header's `alg`.
        found: Foreign,
    },
    /// Another kind of token, or one that demands to be understood otherwise.
    #[error("expected a plain JSON Web Token, found {member} in its header")]
    Kind {
        /// `typ` or `crit`.
        member: &'static str,
    },
}

/// A token as it was read: whatever it says is nobody's word yet.
#[derive(Clone)]
pub struct IdentityToken {
    pub(super) algorithm: TokenAlgorithm,
    pub(super) key_id: String,
    /// Header and claims as they were signed; with the signature they are the token, hence secret.
    pub(super) signed: Secret<String>,
    pub(super) signature: Secret<Vec<u8>>,
    pub(super) claims: Document,
}

impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityToken(…)")
    }
}

impl IdentityToken {
    /// Reads a token in compact form (RFC 7515, 7.1; RFC 7519). Members that stand twice, other algorithms, a `crit`
    /// and a token without `kid` are refused.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(token: &str) -> Result<Self, TokenError> {
        let token = token.trim();
        if token.len() > TOKEN_BYTES {
            return Err(TokenError::Length { bytes: token.len() });
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Form)?;
        let header = part("header", &decode(header)?)?;
        let (algorithm, key_id) = read_header(&header)?;
        let claims = part("claims", &decode(claims)?)?;
        object("claims", &claims)?;
        Ok(Self {
            algorithm,
            key_id,
            signed: Secret::new(signed.to_owned()),
            signature: Secret::new(decode(signature)?),
            claims,
        })
    }
}

/// Base64url without padding, without leftover bits, and not empty.
pub(super) fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .filter(|bytes| !bytes.is_empty())
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    base64url(part).ok_or(TokenError::Form)
}

fn part(part: &'static str, bytes: &[u8]) -> Result<Document, TokenError> {
    json::read(bytes, PART).map_err(|source| TokenError::Part { part, source })
}

fn object<'a>(part: &'static str, document: &'a Document) -> Result<Object<'a>, TokenError> {
    let object = document.cursor().object();
    object.map_err(|source| TokenError::Part { part, source })
}

fn read_header(document: &Document) -> Result<(TokenAlgorithm, String), TokenError> {
    let header = object("header", document)?;
    let text = |name: &str| {
        let text = header.required(name).and_then(|cursor| cursor.string());
        text.map_err(|source| TokenError::Part {
            part: "header",
            source,
        })
    };
    let name = text("alg")?;
    let algorithm = TokenAlgorithm::of(name).ok_or_else(|| TokenError::Algorithm {
        found: Foreign::new(name),
    })?;
    let plain = |cursor: crate::base::tree::Cursor<'_>| {
        cursor.string().is_ok_and(|kind| kind.eq_ignore_ascii_case("JWT"))
    };
    if !header.optional("typ").is_none_or(plain) {
        return Err(TokenError::Kind { member: "typ" });
    }
    if header.optional("crit").is_some() {
        return Err(TokenError::Kind { member: "crit" });
    }
    Ok((algorithm, text("kid")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    const HEADER: &str = r#"{"alg":"RS256","kid":"1","typ":"JWT"}"#;

    #[test]
    fn a_token_is_three_parts_of_which_the_first_two_are_objects() {
        let read = IdentityToken::read(&format!(" {}\n", token(HEADER, r#"{"iss":"x"}"#))).unwrap();
        assert_eq!(
            (read.algorithm, read.key_id.as_str()),
            (TokenAlgorithm::Rs256, "1")
        );
        assert_eq!(read.signature.expose(), b"sig");
        assert_eq!(format!("{read:?}"), "IdentityToken(…)");
        for text in [
            "",
            ".",
            "..",
            "a.b",
            "e30.e30.",
            "e30.e30.c2ln=",
            "e30.e30.c2lo.x",
            "e30.e31.c2ln",
        ] {
            assert!(IdentityToken::read(text).is_err(), "{text}");
        }
        let long = "a".repeat(TOKEN_BYTES + 1);
        let bytes = TOKEN_BYTES + 1;
        assert_eq!(
            IdentityToken::read(&long).unwrap_err(),
            TokenError::Length { bytes }
        );
    }

    #[test]
    fn nothing_in_the_header_weakens_the_check() {
        let error = |header: &str| IdentityToken::read(&token(header, "{}")).unwrap_err();
        for name in ["none", "HS256", "rs256", "PS256", "RS512"] {
            let found = Foreign::new(name);
            let header = format!(r#"{{"alg":"{name}","kid":"1"}}"#);
            assert_eq!(error(&header), TokenError::Algorithm { found });
        }
        let kind = |member| TokenError::Kind { member };
        assert_eq!(error(r#"{"alg":"RS256","kid":"1","crit":["b64"]}"#), kind("crit"));
        assert_eq!(error(r#"{"alg":"RS256","kid":"1","typ":"at+jwt"}"#), kind("typ"));
        for header in [
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"RS256","kid":7}"#,
            r#"{"alg":"RS256","alg":"ES256","kid":"1"}"#,
            "[]",
            "x",
        ] {
            assert!(
                matches!(error(header), TokenError::Part { part: "header", .. }),
                "{header}"
            );
        }
        let twice = IdentityToken::read(&token(HEADER, r#"{"sub":"a","sub":"b"}"#)).unwrap_err();
        assert!(matches!(twice, TokenError::Part { part: "claims", .. }));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[A-Za-z0-9._=-]{0,200}") {
            let _ = IdentityToken::read(&text);
        }
    }
}
