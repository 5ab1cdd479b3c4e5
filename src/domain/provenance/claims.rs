//! Claims: what an issuer says of the job, once its signature and its limits in time and purpose were checked.

use super::issuer::Issuer;
use super::keys::IssuerKeys;
use super::token::{IdentityToken, TokenError};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::base::tree::{Cursor, Document, DocumentError, Object, Value};
use crate::domain::x509::verify_signature;

/// Seconds that our clock and the issuer's may differ (ours; RFC 7519, 4.1.4: "usually no more than a few minutes").
const LEEWAY: i64 = 60;

/// What a token must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Issued by this one.
    pub issuer: &'a Issuer,
    /// For this audience.
    pub audience: &'a str,
    /// At this time.
    pub now: Timestamp,
}

/// Why a token's claims are not believed. That is never the same as having none: somebody gave a token that is not
/// what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// No token at all.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Somebody else issued it.
    #[error("iss: expected {expected}, found {}", found.quote())]
    Issuer {
        /// Who should have.
        expected: String,
        /// Who did, by its own word.
        found: Foreign,
    },
    /// Signed by a key that the issuer does not publish.
    #[error("kid: expected one of the keys of {issuer}, found {}", found.quote())]
    Key {
        /// The issuer.
        issuer: String,
        /// The key's name.
        found: Foreign,
    },
    /// Not signed by the key that it names.
    #[error("expected a signature by {issuer}, found one that its key did not make")]
    Signature {
        /// The issuer.
        issuer: String,
    },
    /// Made for somebody else.
    #[error("aud: expected {expected}, found {}", found.quote())]
    Audience {
        /// For whom it should be.
        expected: String,
        /// For whom it is.
        found: Foreign,
    },
    /// Not of this time.
    #[error("{member}: expected {expected} {now}, found {found}")]
    Time {
        /// `exp`, `nbf` or `iat`.
        member: &'static str,
        /// `later than` or `no later than`.
        expected: &'static str,
        /// Now.
        now: Timestamp,
        /// What it says.
        found: Timestamp,
    },
    /// A claim that is missing or of another type.
    #[error("the identity token's claims cannot be read")]
    Member(#[from] DocumentError),
}

impl Classified for ClaimsError {
    /// A signature that does not hold is tampered with; what was made for something else is refused.
    fn class(&self) -> Class {
        match self {
            Self::Key { .. } | Self::Signature { .. } => Class::Tampered,
            _ => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Audience { .. } => "set the audience where the token is made, or give audience",
            Self::Time { member: "exp", .. } => {
                "make the token for this very step, or give the job a timeout: GitLab's tokens live as long as that"
            }
            Self::Time { .. } => "set this machine's clock",
            Self::Issuer { .. } => "where the host is a server of your own, name its issuer by token-issuer",
            Self::Key { .. } | Self::Signature { .. } => {
                "nothing was signed; find out where this token came from before trusting this job again"
            }
            Self::Token(_) | Self::Member(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// What an issuer says of the job: only [`verify`] makes these.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    document: Document,
    issuer: Issuer,
}

impl Claims {
    /// A claim as text, where it is a text, a whole number or a truth value.
    pub fn text(&self, name: &str) -> Option<String> {
        let claim = self.document.cursor().object().ok()?.optional(name)?;
        match claim.value() {
            Value::Text(text) => Some(text.clone()),
            Value::Number(digits) => Some(digits.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Who says so.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }
}

/// Verifies a token: issuer, key, signature, audience, times (RFC 7519, 7.2; `OpenID` Connect Core 1.0, 3.1.3.7), with 60
/// seconds for clocks that differ.
///
/// # Errors
/// [`ClaimsError`] with the first thing that is not as it should be.
pub fn verify(
    token: &IdentityToken,
    keys: &IssuerKeys,
    expected: &Expected<'_>,
) -> Result<Claims, ClaimsError> {
    let claims = token.claims.cursor().object()?;
    let issuer = expected.issuer;
    let iss = claims.required("iss")?.string()?;
    if !issuer.is(iss) {
        return Err(ClaimsError::Issuer {
            expected: issuer.to_string(),
            found: Foreign::new(iss),
        });
    }
    check_signature(token, keys, issuer)?;
    check_audience(&claims.required("aud")?, expected.audience)?;
    check_times(&claims, expected.now)?;
    Ok(Claims {
        document: token.claims.clone(),
        issuer: issuer.clone(),
    })
}

fn check_signature(token: &IdentityToken, keys: &IssuerKeys, issuer: &Issuer) -> Result<(), ClaimsError> {
    let algorithm = token.algorithm.signature();
    let mut known = keys.of(&token.key_id, token.algorithm).peekable();
    if known.peek().is_none() {
        return Err(ClaimsError::Key {
            issuer: issuer.to_string(),
            found: Foreign::new(&token.key_id),
        });
    }
    let (signed, value) = (token.signed.expose().as_bytes(), token.signature.expose());
    let made = known.any(|key| verify_signature(key, algorithm, signed, value).is_ok());
    made.then_some(()).ok_or_else(|| ClaimsError::Signature {
        issuer: issuer.to_string(),
    })
}

/// One text, or a list that holds it (RFC 7519, 4.1.3).
fn check_audience(aud: &Cursor<'_>, expected: &str) -> Result<(), ClaimsError> {
    let audiences: Vec<&str> = match aud.string() {
        Ok(one) => vec![one],
        Err(_) => aud
            .array()?
            .iter()
            .map(Cursor::string)
            .collect::<Result<_, _>>()?,
    };
    if audiences.contains(&expected) {
        return Ok(());
    }
    Err(ClaimsError::Audience {
        expected: expected.to_owned(),
        found: Foreign::new(audiences.join(", ")),
    })
}

fn check_times(claims: &Object<'_>, now: Timestamp) -> Result<(), ClaimsError> {
    let read = |cursor: Cursor<'_>| {
        let seconds = i64::try_from(cursor.unsigned()?).unwrap_or(i64::MAX);
        Ok::<_, DocumentError>(Timestamp::from_unix(seconds))
    };
    let until = read(claims.required("exp")?)?;
    if until.plus(LEEWAY) <= now {
        return Err(ClaimsError::Time {
            member: "exp",
            expected: "later than",
            now,
            found: until,
        });
    }
    for member in ["nbf", "iat"] {
        let since = claims.optional(member).map(read).transpose()?;
        if let Some(found) = since.filter(|since| *since > now.plus(LEEWAY)) {
            return Err(ClaimsError::Time {
                member,
                expected: "no later than",
                now,
                found,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    };
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use der::Decode as _;
    use der::asn1::UintRef;
    use std::sync::OnceLock;

    const NOW: i64 = 1_785_578_400;
    const GITHUB: &str = "https://token.actions.githubusercontent.com";

    struct Pair {
        rsa: RsaKeyPair,
        ec: EcdsaKeyPair,
    }

    fn pair() -> &'static Pair {
        static PAIR: OnceLock<Pair> = OnceLock::new();
        PAIR.get_or_init(|| Pair {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        })
    }

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `RSAPublicKey` (RFC 8017, appendix A.1.1).
    #[derive(der::Sequence)]
    struct RsaNumbers<'a> {
        n: UintRef<'a>,
        e: UintRef<'a>,
    }

    /// `rsa` and `ec`, as their issuer publishes them.
    fn keys() -> IssuerKeys {
        let ec = pair().ec.public_key().as_ref();
        let RsaNumbers { n, e } = RsaNumbers::from_der(pair().rsa.public_key().as_ref()).unwrap();
        let set = format!(
            r#"{{"keys":[{{"kty":"RSA","kid":"rsa","n":"{}","e":"{}"}},{{"kty":"EC","crv":"P-256","kid":"ec","x":"{}","y":"{}"}}]}}"#,
            encode(n.as_bytes()),
            encode(e.as_bytes()),
            encode(&ec[1..33]),
            encode(&ec[33..])
        );
        IssuerKeys::read(set.as_bytes()).unwrap()
    }

    fn sign(algorithm: &str, kid: &str, claims: &str) -> String {
        let header = format!(r#"{{"alg":"{algorithm}","kid":"{kid}"}}"#);
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = if algorithm == "RS256" {
            let mut value = vec![0; pair().rsa.public_modulus_len()];
            let random = SystemRandom::new();
            pair()
                .rsa
                .sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut value)
                .unwrap();
            value
        } else {
            let value = pair().ec.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            value.as_ref().to_vec()
        };
        format!("{signed}.{}", encode(signature))
    }

    fn claims(iss: &str, aud: &str, exp: i64, nbf: i64) -> String {
        format!(
            r#"{{"iss":"{iss}","aud":{aud},"exp":{exp},"nbf":{nbf},"iat":{nbf},"run_id":"42","runner_id":7,"sub":null}}"#
        )
    }

    fn judge(token: &str) -> Result<Claims, ClaimsError> {
        let expected = Expected {
            issuer: &Issuer::github(),
            audience: "sts.amazonaws.com",
            now: Timestamp::from_unix(NOW),
        };
        verify(&IdentityToken::read(token)?, &keys(), &expected)
    }

    fn rs256(iss: &str, aud: &str, exp: i64, nbf: i64) -> Result<Claims, ClaimsError> {
        judge(&sign("RS256", "rsa", &claims(iss, aud, exp, nbf)))
    }

    const AUD: &str = r#""sts.amazonaws.com""#;

    #[test]
    fn what_the_issuer_signed_is_believed_by_either_algorithm() {
        for (algorithm, kid) in [("RS256", "rsa"), ("ES256", "ec")] {
            let good = judge(&sign(algorithm, kid, &claims(GITHUB, AUD, NOW + 300, NOW))).unwrap();
            assert_eq!(good.text("run_id").as_deref(), Some("42"));
            assert_eq!(good.text("runner_id").as_deref(), Some("7"));
            assert_eq!((good.text("sub"), good.text("none")), (None, None));
            assert_eq!(good.issuer(), &Issuer::github());
        }
        assert!(rs256(GITHUB, r#"["x","sts.amazonaws.com"]"#, NOW + 300, NOW).is_ok());
        assert!(rs256(&format!("{GITHUB}/octo-corp"), AUD, NOW + 300, NOW).is_ok());
    }

    #[test]
    fn a_key_verifies_its_own_algorithm_and_name_only() {
        let good = claims(GITHUB, AUD, NOW + 300, NOW);
        for (algorithm, kid) in [("RS256", "ec"), ("ES256", "rsa"), ("RS256", "other")] {
            let error = judge(&sign(algorithm, kid, &good)).unwrap_err();
            assert!(matches!(error, ClaimsError::Key { .. }), "{algorithm} {kid}");
            assert_eq!(error.class(), Class::Tampered);
        }
    }

    #[test]
    fn any_changed_byte_is_seen() {
        let token = sign("ES256", "ec", &claims(GITHUB, AUD, NOW + 300, NOW));
        let (_, rest) = token.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        let other = encode(claims(GITHUB, AUD, NOW + 301, NOW));
        let forged = token.replace(payload, &other);
        assert!(matches!(judge(&forged), Err(ClaimsError::Signature { .. })));
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        for at in [0, 31, 32, 63] {
            bytes[at] ^= 1;
            let forged = token.replace(signature, &encode(&bytes));
            assert!(
                matches!(judge(&forged), Err(ClaimsError::Signature { .. })),
                "{at}"
            );
            bytes[at] ^= 1;
        }
    }

    #[test]
    fn issuer_audience_and_times_are_named_with_what_was_expected() {
        let error = rs256("https://evil.example", AUD, NOW + 300, NOW).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("iss: expected {GITHUB}, found \"https://evil.example\"")
        );
        assert_eq!(error.class(), Class::Refused);
        for aud in [r#""other""#, r#"["other"]"#, "[]"] {
            let error = rs256(GITHUB, aud, NOW + 300, NOW).unwrap_err();
            assert!(matches!(error, ClaimsError::Audience { .. }), "{aud}");
        }
        assert!(matches!(
            rs256(GITHUB, "7", NOW + 300, NOW),
            Err(ClaimsError::Member(_))
        ));
        let time = |exp, nbf| match rs256(GITHUB, AUD, exp, nbf) {
            Ok(_) => "good",
            Err(ClaimsError::Time { member, .. }) => member,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(time(NOW - 59, NOW), "good");
        assert_eq!(time(NOW - 60, NOW), "exp");
        assert_eq!(time(NOW + 300, NOW + 60), "good");
        assert_eq!(time(NOW + 300, NOW + 61), "nbf");
        let endless = format!(r#"{{"iss":"{GITHUB}","aud":{AUD}}}"#);
        assert!(matches!(
            judge(&sign("RS256", "rsa", &endless)),
            Err(ClaimsError::Member(_))
        ));
    }
}
