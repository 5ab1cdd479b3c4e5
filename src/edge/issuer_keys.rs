//! The keys of an issuer of identity tokens, fetched from the issuer itself and from nowhere else.
//!
//! For: the discovery document and the set of keys, bounded, without redirects.
//! Not for: choosing the issuer (`domain/provenance` knows some, the caller may name one) or judging tokens.
//! Speaks: `OpenID` Connect Discovery 1.0, JWK Sets (RFC 7517), over HTTP.
//!
//! ```
//! use countersign::edge::issuer_keys::Trouble;
//! assert_eq!(Trouble::Status(503).to_string(), "it answered 503");
//! ```

use std::time::Duration;

use reqwest::header::ACCEPT;

use super::pace::Retry;
use crate::domain::provenance::{DOCUMENT_BYTES, Issuer, IssuerKeys, KeysError, read_discovery};

/// Longest time for one attempt (ours).
const PATIENCE: Duration = Duration::from_secs(10);

/// Attempts for each document; the keys are worth a short wait, not a long one (ours).
const ATTEMPTS: u32 = 3;

/// What the issuer did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No answer.
    #[error("it did not answer")]
    Silent,
    /// A status other than 200; a redirect is one too.
    #[error("it answered {0}")]
    Status(u16),
    /// Too many bytes.
    #[error("it answered with more than {DOCUMENT_BYTES} bytes")]
    Length,
    /// A document of no use.
    #[error("it answered with something else")]
    Document(#[from] KeysError),
}

/// Why there are no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not get the {what} of {issuer}")]
pub struct FetchError {
    /// `discovery document` or `keys`.
    pub what: &'static str,
    /// The issuer.
    pub issuer: String,
    /// What it did.
    #[source]
    pub trouble: Trouble,
}

/// Fetches the keys of an issuer; `told` is called with the operation's name for each request.
///
/// # Errors
/// [`FetchError`] where the issuer does not give them.
pub async fn fetch(
    client: &reqwest::Client,
    issuer: &Issuer,
    told: impl Fn(&'static str),
) -> Result<IssuerKeys, FetchError> {
    let failed = |what| {
        move |trouble| FetchError {
            what,
            issuer: issuer.to_string(),
            trouble,
        }
    };
    let discovery = format!("{}/.well-known/openid-configuration", issuer.url());
    let document = get(client, &discovery, || told("discovery")).await;
    let document = document.and_then(|bytes| Ok(read_discovery(&bytes, issuer)?));
    let address = document.map_err(failed("discovery document"))?;
    let keys = get(client, &address, || told("keys")).await;
    let keys = keys.and_then(|bytes| Ok(IssuerKeys::read(&bytes)?));
    keys.map_err(failed("keys"))
}

async fn get(client: &reqwest::Client, url: &str, told: impl Fn()) -> Result<Vec<u8>, Trouble> {
    let retry = Retry {
        attempts: ATTEMPTS,
        ..Retry::default()
    };
    let mut made = 0;
    loop {
        told();
        made += 1;
        let trouble = match once(client, url).await {
            Ok(bytes) => return Ok(bytes),
            Err(trouble) => trouble,
        };
        let passes = matches!(trouble, Trouble::Silent | Trouble::Status(408 | 429 | 500..=599));
        match retry.next(made, None).filter(|_| passes) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(trouble),
        }
    }
}

async fn once(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, Trouble> {
    let request = client
        .get(url)
        .header(ACCEPT, "application/json")
        .timeout(PATIENCE);
    let mut answer = request.send().await.map_err(|_| Trouble::Silent)?;
    if answer.status().as_u16() != 200 {
        return Err(Trouble::Status(answer.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|_| Trouble::Silent)? {
        if body.len() + chunk.len() > DOCUMENT_BYTES {
            return Err(Trouble::Length);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
