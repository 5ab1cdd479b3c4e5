//! The SDK's HTTP, over the one client that the whole program shares: one TLS configuration, one set of roots, one
//! proxy configuration, one connection pool.
//!
//! Source: Smithy Rust, `HttpConnector`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;

use crate::base::json;
use crate::base::limits::{Bounds, MEBIBYTE};
use crate::base::tree::Value;
use crate::edge::net::Addresses;
use crate::seams::Event;

/// Largest answer accepted from a service (ours; an envelope in base64 stays below 30 KiB).
const ANSWER_BYTES: usize = 2 * MEBIBYTE;

/// The text of the error for a larger answer; [`super::answer`] knows it by this.
pub(super) const TOO_LARGE: &str = "the answer is larger than 2 MiB";

/// The text of the error for a good status without a body, which no operation used here ever has: a list that is
/// not there must not be read as an empty one.
pub(super) const EMPTY: &str = "the answer has a good status and no body";

/// The text of the error for an answer to a question about revocations that is about something else.
pub(super) const ANOTHER: &str = "the answer is not about revocations";

/// The operation whose answer is looked at before the SDK does, and the member that is its answer.
const REVOCATIONS: &str = "GetRevocationStatus";
const REVOKED: &str = "revokedEntities";

/// Is told of each request before it is sent.
#[derive(Clone)]
pub struct Watch(Arc<dyn Fn(Event) + Send + Sync>);

impl Watch {
    /// Calls `told` for each request, repeated ones included.
    pub fn new(told: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self::new(|_| ())
    }

    pub(super) fn on(&self, event: Event) {
        (self.0)(event);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch(…)")
    }
}

/// Which names may lead into the local network: those of the services may, since a private endpoint answers to the
/// public name there (AWS `PrivateLink` guide, "Enable private DNS names").
#[derive(Clone, Default)]
pub struct Names(Addresses);

impl Names {
    /// Vouches for the services' names to the resolver of the shared client.
    pub fn new(addresses: &Addresses) -> Self {
        Self(addresses.clone())
    }

    fn vouch(&self, url: &url::Url) {
        if let Some(url::Host::Domain(name)) = url.host() {
            self.0.name(name);
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names(…)")
    }
}

/// One service's view of the shared client.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) http: reqwest::Client,
    pub(super) service: &'static str,
    pub(super) watch: Watch,
    pub(super) names: Names,
    /// Counts the answers with status 429 of all attempts.
    pub(super) throttled: Arc<AtomicU32>,
}

impl Wire {
    /// The form the SDK wants. Its closure runs once per operation, so what is costly stands outside.
    pub(super) fn client(self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self);
        http_client_fn(move |_, _| connector.clone())
    }

    fn tell(&self, request: &HttpRequest) {
        let operation = operation(request);
        self.watch.on(Event::Request {
            service: self.service,
            operation,
        });
        if let Some(attempt) = attempt(request).filter(|attempt| *attempt > 1) {
            self.watch.on(Event::Retry {
                service: self.service,
                operation,
                attempt,
                wait_ms: 0,
            });
        }
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        self.tell(&request);
        let asked = operation(&request);
        let request = request.try_into_http1x().map_err(user)?;
        let request = request.map(|body| body.bytes().map(<[u8]>::to_vec).unwrap_or_default());
        let request = reqwest::Request::try_from(request).map_err(transport)?;
        self.names.vouch(request.url());
        let answer = self.http.execute(request).await.map_err(transport)?;
        if answer.status() == reqwest::StatusCode::TOO_MANY_REQUESTS {
            self.throttled.fetch_add(1, Ordering::Relaxed);
        }
        let response = read(answer).await?;
        if asked == REVOCATIONS && response.status().is_success() {
            unmistakable(response.body().bytes().unwrap_or_default())?;
        }
        Ok(response)
    }
}

/// Refuses an object that could be read as "nothing is revoked" though it does not say so: one that says other things
/// and lacks the list, or has something else for it, or holds a key twice. What is no object the SDK refuses.
fn unmistakable(body: &[u8]) -> Result<(), ConnectorError> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Ok(());
    }
    let another = || ConnectorError::other(ANOTHER.into(), None);
    let document = json::read(body, Bounds::SMALL_DOCUMENT).map_err(|_| another())?;
    let answer = document.cursor().object().map_err(|_| another())?;
    let list = answer.optional(REVOKED);
    let Some(list) = list.filter(|list| !matches!(list.value(), Value::Null)) else {
        let silent = answer.members().all(|(name, _)| name == REVOKED);
        return silent.then_some(()).ok_or_else(another);
    };
    let texts = list.array().map_err(|_| another())?;
    let is_list = texts.iter().all(|text| text.string().is_ok());
    is_list.then_some(()).ok_or_else(another)
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().send(request))
    }
}

/// The operation of a request, for the report: by path (REST), target header (JSON) or form (query protocol).
fn operation(request: &HttpRequest) -> &'static str {
    let named = |name: &str| match name {
        "BatchGetBuilds" => "BatchGetBuilds",
        "BatchGetImage" => "BatchGetImage",
        "DescribeImages" => "DescribeImages",
        "GetAuthorizationToken" => "GetAuthorizationToken",
        "AssumeRoleWithWebIdentity" => "AssumeRoleWithWebIdentity",
        "AssumeRole" => "AssumeRole",
        "GetCallerIdentity" => "GetCallerIdentity",
        _ => "other",
    };
    if let Some(target) = request.headers().get("x-amz-target") {
        return named(target.rsplit('.').next().unwrap_or_default());
    }
    let path = request.uri().split(['?', '#']).next().unwrap_or_default();
    if path.ends_with("/signing-jobs/with-payload") {
        "SignPayload"
    } else if path.ends_with("/revocations") {
        REVOCATIONS
    } else if path.contains("/signing-profiles/") {
        "GetSigningProfile"
    } else {
        let form = request
            .body()
            .bytes()
            .and_then(|form| form.strip_prefix(b"Action="));
        let action = form.and_then(|form| form.split(|byte| *byte == b'&').next());
        named(
            action
                .and_then(|action| std::str::from_utf8(action).ok())
                .unwrap_or_default(),
        )
    }
}

/// Which attempt a request is, from 1 (Smithy's `amz-sdk-request: attempt=2; max=8`).
fn attempt(request: &HttpRequest) -> Option<u32> {
    let header = request.headers().get("amz-sdk-request")?;
    let mut members = header.split(';').map(str::trim);
    members.find_map(|member| member.strip_prefix("attempt=")?.parse().ok())
}

/// Reads the whole answer, within its bound; all operations used here answer with small documents.
async fn read(mut answer: reqwest::Response) -> Result<HttpResponse, ConnectorError> {
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(transport)? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(ConnectorError::other(TOO_LARGE.into(), None));
        }
        body.extend_from_slice(&chunk);
    }
    if body.is_empty() && status.is_success() {
        return Err(ConnectorError::other(
            EMPTY.into(),
            Some(ErrorKind::TransientError),
        ));
    }
    let code = status.as_u16().try_into().map_err(user)?;
    let mut response = HttpResponse::new(code, SdkBody::from(body));
    for (name, value) in answer.headers() {
        if let Ok(value) = value.to_str() {
            let _ = response
                .headers_mut()
                .try_append(name.to_string(), value.to_owned());
        }
    }
    Ok(response)
}

fn user(error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::user(error.into())
}

fn transport(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_about_something_else_is_not_about_revocations() {
        for (body, is_about) in [
            (r"{}", true),
            (r#"{"revokedEntities":[]}"#, true),
            (r#"{"revokedEntities":["a"],"more":1}"#, true),
            (r#"{"revokedEntities":null}"#, true),
            (r#"{"revokedEntities":null,"message":"no"}"#, false),
            (r#"{"revokedEntities":"a"}"#, false),
            (r#"{"revokedEntities":[null]}"#, false),
            (r#"{"message":"no"}"#, false),
            (r#"{"revokedEntities":[],"revokedEntities":[]}"#, false),
        ] {
            assert_eq!(unmistakable(body.as_bytes()).is_ok(), is_about, "{body}");
        }
    }

    fn request(uri: &str, headers: &[(&'static str, &'static str)], body: &'static str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_uri(uri).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, *value);
        }
        request
    }

    #[test]
    fn operations_are_named_for_the_report() {
        for (uri, headers, body, expected) in [
            (
                "http://h/x/signing-jobs/with-payload",
                vec![],
                "{}",
                "SignPayload",
            ),
            (
                "http://h/revocations?jobArn=/signing-profiles/p",
                vec![],
                "",
                "GetRevocationStatus",
            ),
            ("http://h/signing-profiles/p", vec![], "", "GetSigningProfile"),
            (
                "http://h/",
                vec![("x-amz-target", "A_V1.GetAuthorizationToken")],
                "{}",
                "GetAuthorizationToken",
            ),
            ("http://h/", vec![], "Action=AssumeRole&Version=1", "AssumeRole"),
            ("http://h/", vec![], "Action=Evil%0a&Version=1", "other"),
            ("http://h/", vec![], "", "other"),
        ] {
            assert_eq!(operation(&request(uri, &headers, body)), expected, "{uri} {body}");
        }
    }

    #[test]
    fn attempts_are_read_from_the_sdks_own_header() {
        let of = |value| attempt(&request("http://h/", &[("amz-sdk-request", value)], ""));
        assert_eq!(of("attempt=2; max=8"), Some(2));
        assert_eq!(of("ttl=20261121T000000Z; attempt=3; max=8"), Some(3));
        assert_eq!(of("attempt=x"), None);
        assert_eq!(attempt(&request("http://h/", &[], "")), None);
    }
}
