//! GitHub's issuer of identity tokens: the address that a job asks, the discovery document and the keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use der::Decode as _;
use der::asn1::UintRef;
use serde_json::{Value, json};

use super::super::http::{Request, Response, Service};
use super::{CANARY, Cloud};

/// What a job sends to ask for a token.
pub const REQUEST_TOKEN: &str = "gh-CANARYcanary0-request";

/// The key's name.
const KEY_ID: &str = "world-1";

/// The key and the claims of the tokens.
pub struct Issuer {
    key: &'static RsaKeyPair,
    ec: EcdsaKeyPair,
    claims: Mutex<BTreeMap<String, Value>>,
    lifetime: Mutex<i64>,
    signs: Mutex<Signs>,
    publishes: Mutex<Publishes>,
}

/// What tokens are signed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signs {
    /// `RS256`.
    #[default]
    Rs256,
    /// `ES256`.
    Es256,
}

/// What the issuer says its keys are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Publishes {
    /// The keys.
    #[default]
    Truth,
    /// Other keys under the same names.
    Others,
    /// The keys under other names.
    OtherNames,
}

#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// One key for all worlds of a process: making one takes long.
fn key() -> &'static RsaKeyPair {
    static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

impl Issuer {
    pub(super) fn new() -> Self {
        let claims = [
            ("sub", "repo:octo-org/app:ref:refs/heads/main"),
            ("repository", "octo-org/app"),
            ("repository_id", "123456"),
            ("repository_owner", "octo-org"),
            ("repository_owner_id", "654321"),
            ("repository_visibility", "private"),
            ("ref", "refs/heads/main"),
            ("ref_type", "branch"),
            ("sha", "0123456789abcdef0123456789abcdef01234567"),
            ("event_name", "push"),
            ("workflow", "release"),
            (
                "workflow_ref",
                "octo-org/app/.github/workflows/release.yml@refs/heads/main",
            ),
            ("workflow_sha", "0123456789abcdef0123456789abcdef01234567"),
            (
                "job_workflow_ref",
                "octo-org/app/.github/workflows/release.yml@refs/heads/main",
            ),
            ("job_workflow_sha", "0123456789abcdef0123456789abcdef01234567"),
            ("run_id", "42"),
            ("run_number", "7"),
            ("run_attempt", "1"),
            ("runner_environment", "github-hosted"),
            ("actor", "octocat"),
            ("actor_id", "1"),
        ];
        let claims = claims.map(|(name, value)| (name.to_owned(), json!(value)));
        Self {
            key: key(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            claims: Mutex::new(claims.into()),
            lifetime: Mutex::new(300),
            signs: Mutex::default(),
            publishes: Mutex::default(),
        }
    }

    /// Changes a claim of the tokens to come.
    pub fn set_claim(&self, name: &str, value: Value) {
        self.claims.lock().unwrap().insert(name.to_owned(), value);
    }

    /// Seconds that tokens to come live; negative ones ran out already.
    pub fn set_lifetime(&self, seconds: i64) {
        *self.lifetime.lock().unwrap() = seconds;
    }

    /// Says what tokens to come are signed with.
    pub fn sign_with(&self, signs: Signs) {
        *self.signs.lock().unwrap() = signs;
    }

    /// Says what keys are published.
    pub fn publish(&self, publishes: Publishes) {
        *self.publishes.lock().unwrap() = publishes;
    }

    /// Makes a token.
    pub fn token(&self, issuer: &str, audience: &str, now: i64, number: u64) -> String {
        let mut claims = self.claims.lock().unwrap().clone();
        let mut set = |name: &str, value: Value| {
            claims.entry(name.to_owned()).or_insert(value);
        };
        set("iss", json!(issuer));
        set("aud", json!(audience));
        set("iat", json!(now));
        set("nbf", json!(now - 600));
        set("exp", json!(now + *self.lifetime.lock().unwrap()));
        set("jti", json!(format!("{CANARY}-{number}")));
        let signs = *self.signs.lock().unwrap();
        let algorithm = if signs == Signs::Es256 { "ES256" } else { "RS256" };
        let header = json!({ "typ": "JWT", "alg": algorithm, "kid": KEY_ID });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&json!(claims)));
        if signs == Signs::Es256 {
            let signature = self.ec.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            return format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        }
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims of a token that this issuer signed; `None` for every other.
    pub fn verify(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let (rsa, ec) = (self.key.public_key().as_ref(), self.ec.public_key().as_ref());
        let key = match header["alg"].as_str()? {
            "RS256" => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa).verify(signed.as_bytes(), &signature)
            }
            "ES256" => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, ec).verify(signed.as_bytes(), &signature)
            }
            _ => return None,
        };
        key.ok().filter(|()| header["kid"] == KEY_ID)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    fn keys(&self) -> Value {
        let publishes = *self.publishes.lock().unwrap();
        let other_rsa;
        let other_ec;
        let (rsa, ec) = if publishes == Publishes::Others {
            other_rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            other_ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            (&other_rsa, &other_ec)
        } else {
            (self.key, &self.ec)
        };
        let id = if publishes == Publishes::OtherNames {
            "other"
        } else {
            KEY_ID
        };
        let key = RsaPublicKey::from_der(rsa.public_key().as_ref()).unwrap();
        let point = ec.public_key().as_ref();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "keys": [
            { "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
                "n": number(key.modulus.as_bytes()), "e": number(key.exponent.as_bytes()) },
            { "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
                "x": number(&point[1..33]), "y": number(&point[33..]) },
        ] })
    }
}

/// The service.
pub(super) struct Oidc(pub(super) Arc<Cloud>);

impl Oidc {
    fn issuer(&self) -> &str {
        self.0.issuer_url.get().map(String::as_str).unwrap_or_default()
    }

    fn token(&self, request: &Request) -> Response {
        if request.header("authorization") != format!("Bearer {REQUEST_TOKEN}") {
            return Response::json(401, &json!({ "message": "Unauthorized" }));
        }
        let cloud = &self.0;
        let audience = request
            .parameter("audience")
            .unwrap_or_else(|| "https://github.com/octo-org".to_owned());
        let token = cloud
            .issuer
            .token(self.issuer(), &audience, cloud.now(), cloud.next());
        Response::json(200, &json!({ "count": token.len(), "value": token }))
    }
}

impl Service for Oidc {
    fn name(&self) -> &'static str {
        "oidc"
    }

    fn operation(&self, request: &Request) -> &'static str {
        // Everything is below the issuer's address, which may have a path.
        let mut below = self.issuer().splitn(4, '/').skip(3);
        let start = below.next().map_or_else(String::new, |path| format!("/{path}"));
        match request.path.strip_prefix(&start).unwrap_or_default() {
            "/token" => "GET token",
            "/.well-known/openid-configuration" => "GET configuration",
            "/.well-known/jwks" => "GET keys",
            _ => "other",
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let issuer = self.issuer();
        match self.operation(request) {
            "GET token" => self.token(request),
            "GET configuration" => Response::json(
                200,
                &json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/.well-known/jwks"),
                    "id_token_signing_alg_values_supported": ["RS256"], "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"] }),
            ),
            "GET keys" => Response::json(200, &self.0.issuer.keys()),
            _ => Response::new(404),
        }
    }
}
