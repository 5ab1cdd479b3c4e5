//! Checks every signed request as AWS does (IAM user guide, "Create a signed AWS API request").

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use super::super::http::Request;
use super::{AwsError, Cloud, REGION};

/// Credentials that were issued.
#[derive(Clone, Debug)]
pub struct Known {
    /// The secret key.
    pub secret: String,
    /// The session token, where it is a session.
    pub session: Option<String>,
    /// Seconds since 1970 from when on they are refused.
    pub expires: i64,
    /// Who they are.
    pub arn: String,
}

/// Minutes that the clocks may differ by.
const SKEW_SECONDS: i64 = 300;

/// Checks the signature of a request for a service; says who signed.
///
/// # Errors
/// What AWS answers to a request that is signed wrongly, by nobody known, or too late.
pub fn check(cloud: &Cloud, request: &Request, service: &str) -> Result<Known, AwsError> {
    let header = request.header("authorization");
    let parts = Parts::read(header).ok_or_else(|| {
        AwsError::new(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    })?;
    let known = cloud.state().credentials.get(&parts.key).cloned();
    let known = known.ok_or_else(|| {
        AwsError::new(
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    })?;
    if known.expires <= cloud.now() {
        return Err(AwsError::new(
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ));
    }
    let broken = |why: &str| AwsError::new(403, "InvalidSignatureException", why);
    let date = request.header("x-amz-date");
    if parts.scope
        != format!(
            "{}/{REGION}/{service}/aws4_request",
            date.get(..8).unwrap_or_default()
        )
    {
        return Err(broken(
            "Credential should be scoped to a valid region and service.",
        ));
    }
    if known.session.as_deref().unwrap_or_default() != request.header("x-amz-security-token") {
        return Err(AwsError::new(
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ));
    }
    let at = OffsetDateTime::parse(date, &Iso8601::DEFAULT).map_err(|_| broken("no x-amz-date"))?;
    if (at.unix_timestamp() - cloud.now()).abs() > SKEW_SECONDS {
        return Err(broken("Signature expired"));
    }
    let must = ["host", "x-amz-date"]
        .into_iter()
        .chain(known.session.iter().map(|_| "x-amz-security-token"));
    for name in must {
        if !parts.signed.iter().any(|signed| signed == name) {
            return Err(broken(&format!("'{name}' must be a signed header")));
        }
    }
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{}\n{}",
        parts.scope,
        hex(digest(&SHA256, canonical(request, &parts).as_bytes()).as_ref())
    );
    let mut key = format!("AWS4{}", known.secret).into_bytes();
    for part in parts.scope.split('/') {
        key = sign(&key, part.as_bytes());
    }
    if hex(&sign(&key, text.as_bytes())) != parts.signature {
        return Err(broken(
            "The request signature we calculated does not match the signature you provided.",
        ));
    }
    Ok(known)
}

struct Parts {
    key: String,
    scope: String,
    signed: Vec<String>,
    signature: String,
}

impl Parts {
    fn read(header: &str) -> Option<Self> {
        let rest = header.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let member = |name: &str| {
            let mut members = rest.split(',').map(str::trim);
            members.find_map(|member| member.strip_prefix(name)?.strip_prefix('='))
        };
        let (key, scope) = member("Credential")?.split_once('/')?;
        Some(Self {
            key: key.to_owned(),
            scope: scope.to_owned(),
            signed: member("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: member("Signature")?.to_owned(),
        })
    }
}

fn canonical(request: &Request, parts: &Parts) -> String {
    let path: Vec<String> = request.path.split('/').map(encode).collect();
    let mut pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(request.query.replace('+', "%2B").as_bytes())
            .map(|(name, value)| (encode(&name), encode(&value)))
            .collect();
    pairs.sort();
    let query: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut headers = String::new();
    for name in &parts.signed {
        let words: Vec<&str> = request.header(name).split_whitespace().collect();
        let _ = writeln!(headers, "{name}:{}", words.join(" "));
    }
    format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        request.method,
        path.join("/"),
        query.join("&"),
        parts.signed.join(";"),
        hex(digest(&SHA256, &request.body).as_ref())
    )
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn sign(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
        .as_ref()
        .to_vec()
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
