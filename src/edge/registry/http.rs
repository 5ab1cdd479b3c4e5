//! One request: its deadline, its repetitions, its redirects, and a body that is never larger than allowed.

use std::error::Error as _;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Body, Client, Method, Response};
use url::Url;

use super::answer::{Answer, ERROR_BYTES, Trouble};
use crate::base::foreign::quote;
use crate::edge::net::{Addresses, Astray, is_loopback_name};
use crate::edge::pace::{Bucket, Retry};
use crate::seams::{Event, Observer, StoreProblem};

/// The service's name in events.
const SERVICE: &str = "registry";

/// Redirects followed for one read (ours; ECR's blobs need one).
const REDIRECTS: usize = 5;

/// What is asked, without who asks.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// The operation's name in events.
    pub(super) operation: &'static str,
    /// The method.
    pub(super) method: Method,
    /// Where.
    pub(super) url: Url,
    /// Headers, `Authorization` excepted.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: Option<Rc<[u8]>>,
    /// Most bytes read of the answer's body when all is well.
    pub(super) limit: usize,
    /// Keeps to a quota.
    pub(super) bucket: Option<Rc<Bucket>>,
}

impl Ask {
    /// A request without a body.
    pub(super) fn new(operation: &'static str, method: Method, url: Url) -> Self {
        Self {
            operation,
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            limit: ERROR_BYTES,
            bucket: None,
        }
    }

    /// The same with a header.
    pub(super) fn header(mut self, name: reqwest::header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same with a body.
    pub(super) fn body(mut self, bytes: &[u8]) -> Self {
        self.body = Some(Rc::from(bytes));
        self
    }

    /// The same with another limit.
    pub(super) fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// The line to registries: a client and the rules of its use.
pub(super) struct Line {
    pub(super) client: Client,
    pub(super) addresses: Addresses,
    pub(super) retry: Retry,
    pub(super) timeout: Duration,
    pub(super) observer: Rc<dyn Observer>,
    /// Whether a host may be spoken to without TLS.
    pub(super) plain: Rc<dyn Fn(&Url) -> bool>,
}

/// Why one attempt got no answer.
enum Fault {
    /// It took longer than a request may.
    Slow,
    /// The connection failed or the answer broke off.
    Broken(String),
}

impl Line {
    /// Sends a request until it is answered well or the attempts are used up; an answer that asking again might
    /// change is [`Trouble`], every other one is returned.
    pub(super) async fn exchange(&self, ask: &Ask, login: Option<&HeaderValue>) -> Result<Answer, Trouble> {
        let mut attempts = 1;
        loop {
            if let Some(bucket) = &ask.bucket {
                bucket.take().await;
            }
            self.observer.on(&Event::Request {
                service: SERVICE,
                operation: ask.operation,
            });
            let attempt = tokio::time::timeout(self.timeout, self.once(ask, login)).await;
            let (trouble, asked) = match attempt.unwrap_or(Err(Fault::Slow)) {
                Ok(answer) if !answer.is_passing() => {
                    if let Some(bucket) = &ask.bucket {
                        bucket.served();
                    }
                    return Ok(answer);
                }
                Ok(answer) => {
                    let asked = answer.retry_after();
                    if let Some(bucket) = ask.bucket.as_ref().filter(|_| answer.is_throttled()) {
                        bucket.throttled(asked.unwrap_or(Duration::from_secs(1)).min(self.retry.patience));
                    }
                    (answer.trouble(), asked)
                }
                Err(Fault::Slow) => (self.too_slow(), None),
                Err(Fault::Broken(why)) => (Trouble::unavailable(why), None),
            };
            let Some(wait) = self.retry.next(attempts, asked) else {
                return Err(after(trouble, attempts));
            };
            attempts += 1;
            self.observer.on(&Event::Retry {
                service: SERVICE,
                operation: ask.operation,
                attempt: attempts,
                wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            });
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a request once; how it failed is nobody's concern.
    pub(super) async fn try_once(&self, ask: &Ask) -> Result<Answer, Trouble> {
        self.observer.on(&Event::Request {
            service: SERVICE,
            operation: ask.operation,
        });
        let attempt = tokio::time::timeout(self.timeout, self.once(ask, None)).await;
        attempt.unwrap_or(Err(Fault::Slow)).map_err(|_| self.too_slow())
    }

    /// Sends a request once and reads nothing of the answer but its head.
    pub(super) async fn open(&self, ask: &Ask, login: Option<&HeaderValue>) -> Result<Response, Trouble> {
        let opened = tokio::time::timeout(self.timeout, self.request(ask, login, None)).await;
        opened.unwrap_or_else(|_| Err(self.too_slow()))
    }

    /// Sends a request once with a body that comes piece by piece, which may take its time.
    pub(super) async fn send_body(
        &self,
        ask: &Ask,
        login: Option<&HeaderValue>,
        body: Body,
    ) -> Result<Response, Trouble> {
        self.request(ask, login, Some(body)).await
    }

    async fn request(
        &self,
        ask: &Ask,
        login: Option<&HeaderValue>,
        body: Option<Body>,
    ) -> Result<Response, Trouble> {
        self.observer.on(&Event::Request {
            service: SERVICE,
            operation: ask.operation,
        });
        let mut request = self
            .client
            .request(ask.method.clone(), ask.url.clone())
            .headers(ask.headers.clone());
        if let Some(login) = login {
            request = request.header(AUTHORIZATION, login);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        request.send().await.map_err(|error| match broken(&error) {
            Fault::Broken(why) => Trouble::unavailable(why),
            Fault::Slow => self.too_slow(),
        })
    }

    fn too_slow(&self) -> Trouble {
        Trouble::unavailable(format!("no whole answer within {} ms", self.timeout.as_millis()))
            .hint("request-timeout sets how long one request may take")
    }

    async fn once(&self, ask: &Ask, login: Option<&HeaderValue>) -> Result<Answer, Fault> {
        let mut request = self
            .client
            .request(ask.method.clone(), ask.url.clone())
            .headers(ask.headers.clone());
        if let Some(login) = login {
            request = request.header(AUTHORIZATION, login);
        }
        if let Some(body) = &ask.body {
            request = request.body(body.to_vec());
        }
        let mut response = request.send().await.map_err(|error| broken(&error))?;
        let status = response.status().as_u16();
        let limit = if status < 300 { ask.limit } else { ERROR_BYTES };
        let mut answer = Answer {
            operation: ask.operation,
            status,
            headers: std::mem::take(response.headers_mut()),
            body: Vec::new(),
            cut: false,
        };
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
            let room = limit - answer.body.len();
            answer.cut = chunk.len() > room;
            answer.body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if answer.cut {
                break;
            }
        }
        Ok(answer)
    }

    /// Follows the redirects of a read, never with a login, never from TLS to plain text, never nearer than the
    /// service that sends us.
    pub(super) async fn follow(&self, ask: &Ask, first: Answer) -> Result<Answer, Trouble> {
        let mut ask = ask.clone();
        let mut answer = first;
        for _ in 0..REDIRECTS {
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let target = answer
                .headers
                .get(LOCATION)
                .and_then(|location| location.to_str().ok());
            let target = self
                .target(&ask.url, target.unwrap_or_default(), "redirects")
                .await?;
            ask = Ask {
                operation: "GET redirect",
                url: target,
                bucket: None,
                ..ask
            };
            answer = self.exchange(&ask, None).await?;
            if answer.status >= 400 {
                return Err(elsewhere(&ask.url, &answer));
            }
        }
        Err(Trouble::unavailable(format!("more than {REDIRECTS} redirects")))
    }

    /// Where a service sends us, if we go there.
    pub(super) async fn target(&self, from: &Url, to: &str, verb: &str) -> Result<Url, Trouble> {
        let refused = |goal: &str, why: &str| {
            Trouble::unavailable(format!("the registry {verb} to {}, {why}", quote(goal)))
        };
        let nowhere = || refused(to, "which is no address");
        let url = from.join(to).map_err(|_| nowhere())?;
        let host = url.host_str().ok_or_else(nowhere)?;
        if to.is_empty() || !matches!(url.scheme(), "http" | "https") {
            return Err(nowhere());
        }
        // Paths and queries may hold signatures of their own.
        let shown = format!("{}://{host}", url.scheme());
        let refused = |why: &str| refused(&shown, why);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("which holds a login"));
        }
        if url.scheme() == "http" && from.scheme() == "https" {
            return Err(refused("which leaves TLS"));
        }
        match self.addresses.check(from, &url).await {
            Ok(()) => Ok(url),
            Err(Astray::Unknown) => Err(refused("which leads nowhere")),
            Err(Astray::Nearer(_)) => Err(refused("a private address that it may not send us to")),
        }
    }

    /// Whether a host may be spoken to without TLS.
    pub(super) fn may_be_plain(&self, url: &Url) -> bool {
        url.host_str().is_some_and(is_loopback_name) || (self.plain)(url)
    }
}

/// What an error of another host than the registry's means.
fn elsewhere(url: &Url, answer: &Answer) -> Trouble {
    let host = quote(url.host_str().unwrap_or_default()).to_string();
    let words = format!(
        "the registry redirects to {host}, which answered {}",
        answer.status
    );
    if matches!(answer.status, 401 | 403) {
        return Trouble::refused(words).hint(
            "registries keep blobs on other hosts (Amazon ECR on Amazon S3); endpoint policies and firewalls must \
             let those through too",
        );
    }
    Trouble::unavailable(words)
}

/// Adds how often it was tried.
fn after(mut trouble: Trouble, attempts: u32) -> Trouble {
    if let StoreProblem::Unavailable(words) = &mut trouble.problem
        && attempts > 1
    {
        let _ = write!(words, ", {attempts} times");
    }
    trouble
}

/// What broke, without the address, which may hold a signature of its own.
fn broken(error: &reqwest::Error) -> Fault {
    let what = if error.is_timeout() {
        "the connection took too long to open"
    } else if error.is_connect() {
        "could not connect"
    } else {
        "the connection broke off"
    };
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    Fault::Broken(cause.map_or_else(
        || what.to_owned(),
        |cause| format!("{what} ({})", quote(&cause.to_string())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::net::{Network, client};

    struct Quiet;

    impl Observer for Quiet {
        fn on(&self, _: &Event) {}
    }

    fn line() -> Line {
        let addresses = Addresses::default();
        Line {
            client: client(&Network::default(), &addresses).unwrap(),
            addresses,
            retry: Retry::default(),
            timeout: Duration::from_secs(1),
            observer: Rc::new(Quiet),
            plain: Rc::new(|url| url.host_str() == Some("192.0.2.7")),
        }
    }

    async fn target(from: &str, to: &str) -> Result<String, String> {
        let from = Url::parse(from).unwrap();
        match line().target(&from, to, "redirects").await {
            Ok(url) => Ok(url.to_string()),
            Err(trouble) => Err(trouble.problem.to_string()),
        }
    }

    #[tokio::test]
    async fn a_public_registry_leads_to_public_addresses_over_tls_only() {
        let from = "https://8.8.8.8/v2/a/blobs/b";
        assert_eq!(
            target(from, "https://9.9.9.9/x?y").await,
            Ok("https://9.9.9.9/x?y".to_owned())
        );
        assert_eq!(
            target(from, "/elsewhere").await,
            Ok("https://8.8.8.8/elsewhere".to_owned())
        );
        for (to, why) in [
            ("https://169.254.169.254/latest/meta-data", "a private address"),
            ("https://127.0.0.1/", "a private address"),
            ("https://10.0.0.1:8443/", "a private address"),
            ("https://[::ffff:10.0.0.1]/", "a private address"),
            ("https://2130706433/", "a private address"),
            ("https://localhost/", "a private address"),
            ("http://9.9.9.9/", "leaves TLS"),
            ("//user:password@9.9.9.9/", "holds a login"),
            ("ftp://9.9.9.9/", "no address"),
            ("data:,x", "no address"),
            ("", "no address"),
            ("https://", "no address"),
        ] {
            let found = target(from, to).await.unwrap_err();
            assert!(found.contains(why), "{to}: {found}");
            assert!(!found.contains("password") || found.len() < 200, "{to}");
        }
    }

    #[tokio::test]
    async fn plain_text_goes_to_this_machine_and_to_named_hosts_only() {
        let plain = |url: &str| line().may_be_plain(&Url::parse(url).unwrap());
        assert!(plain("http://127.0.0.1:5000/"));
        assert!(plain("http://localhost/"));
        assert!(plain("http://[::1]/"));
        assert!(plain("http://192.0.2.7/"));
        assert!(!plain("http://192.0.2.8/"));
        assert!(!plain("http://localhost.example/"));
    }
}
