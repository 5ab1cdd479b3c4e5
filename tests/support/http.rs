//! The server core: requests and responses as plain values, a service as a function of them, and the odd ways in
//! which an answer can go wrong on the wire.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body as AxumBody, Bytes, to_bytes};
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::Shared;
use super::fault::Fault;
use super::ledger::Entry;

/// Largest request body a service is handed, in bytes.
const LARGEST_REQUEST: usize = 64 << 20;

/// A request as a service sees it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent, without the question mark; empty where there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Who asked; the port tells connections apart.
    pub peer: SocketAddr,
}

impl Request {
    /// A header as text; empty where absent or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The decoded value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs
            .into_iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The decoded values of a query parameter that may be given several times.
    pub fn parameters(&self, name: &str) -> Vec<String> {
        let pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs
            .into_iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .collect()
    }
}

/// What is sent back after the head.
#[derive(Clone, Debug)]
pub enum Body {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This many zeros, made as they are sent.
    Zeros(u64),
}

/// A response as a service makes it.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers; `Content-Length` is added when sent, unless it is here.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

impl Response {
    /// A response without a body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Body::Bytes(Vec::new()),
        }
    }

    /// A response of plain text.
    pub fn text(status: u16, text: &str) -> Self {
        Self::new(status)
            .with("content-type", "text/plain; charset=utf-8")
            .body(text)
    }

    /// A response of JSON.
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status)
            .with("content-type", "application/json")
            .body(value.to_string())
    }

    /// An error as the OCI distribution specification has it ("Error Codes").
    pub fn registry_error(status: u16, code: &str, message: &str) -> Self {
        Self::json(
            status,
            &serde_json::json!({ "errors": [{ "code": code, "message": message }] }),
        )
    }

    /// The same with a header set.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Bytes(bytes.into());
        self
    }

    /// Sets a header.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }

    /// Takes a header away.
    pub fn remove(&mut self, name: &'static str) {
        self.headers.remove(HeaderName::from_static(name));
    }

    /// The body's bytes; zeros are not made for this.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Bytes(bytes) => bytes,
            Body::Zeros(_) => &[],
        }
    }

    fn length(&self) -> u64 {
        match &self.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Zeros(count) => *count,
        }
    }
}

/// A service of the small world.
pub trait Service: Send + Sync {
    /// Its name in the ledger and in fault scripts.
    fn name(&self) -> &'static str;

    /// What the request asks, as ledger and fault scripts name it (`GET manifest`, `SignPayload`).
    fn operation(&self, request: &Request) -> &'static str;

    /// The answer.
    fn answer(&self, request: &Request) -> Response;
}

/// Puts a service on a port of 127.0.0.1.
pub(super) fn serve(
    runtime: &tokio::runtime::Handle,
    shared: Arc<Shared>,
    service: Arc<dyn Service>,
    tls: Option<Arc<ServerConfig>>,
) -> SocketAddr {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    runtime.spawn(async move {
        let listener = Door {
            socket: TcpListener::from_std(socket).unwrap(),
            tls,
        };
        let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
            handle(Arc::clone(&shared), Arc::clone(&service), request)
        });
        let _ = axum::serve(listener, app.into_make_service_with_connect_info::<Peer>()).await;
    });
    address
}

async fn handle(
    shared: Arc<Shared>,
    service: Arc<dyn Service>,
    raw: axum::extract::Request,
) -> axum::response::Response {
    let peer = raw
        .extensions()
        .get::<ConnectInfo<Peer>>()
        .map(|info| info.0.clone())
        .unwrap();
    let (head, body) = raw.into_parts();
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: to_bytes(body, LARGEST_REQUEST).await.unwrap_or_default(),
        peer: peer.address,
    };
    let operation = service.operation(&request);
    let started = shared.elapsed();
    let at = shared.ledger.open(Entry {
        service: service.name(),
        operation,
        request: request.clone(),
        status: 0,
        started,
        finished: started,
    });
    let faults = shared.faults.hit(service.name(), operation);
    tokio::time::sleep(shared.latency()).await;
    let mut answer = None;
    let mut body_end = BodyEnd::Whole;
    for fault in faults {
        match fault {
            Fault::Before(act) => act(),
            Fault::Delay(wait) => tokio::time::sleep(wait).await,
            Fault::Answer(response) => answer = Some(response),
            Fault::Reset => {
                peer.cut.store(true, Ordering::SeqCst);
                answer = Some(Response::new(500));
            }
            Fault::LoseAnswer => {
                peer.cut.store(true, Ordering::SeqCst);
            }
            Fault::Stall => {
                answer.get_or_insert_with(|| service.answer(&request));
                std::future::pending::<()>().await;
            }
            Fault::StallAfter(count) => body_end = BodyEnd::Stall(count),
            Fault::TruncateAfter(count) => body_end = BodyEnd::Cut(count),
            Fault::FlipByte(at) => {
                let response = answer.get_or_insert_with(|| service.answer(&request));
                if let Body::Bytes(bytes) = &mut response.body
                    && !bytes.is_empty()
                {
                    let at = at % bytes.len();
                    bytes[at] ^= 1;
                }
            }
            Fault::Edit(change) => change(answer.get_or_insert_with(|| service.answer(&request))),
        }
    }
    let answer = answer.unwrap_or_else(|| service.answer(&request));
    let status = if peer.cut.load(Ordering::SeqCst) {
        0
    } else {
        answer.status
    };
    shared.ledger.close(at, status, shared.elapsed());
    send(answer, body_end, request.method == Method::HEAD)
}

/// How a body ends.
#[derive(Clone, Copy)]
enum BodyEnd {
    Whole,
    Stall(usize),
    Cut(usize),
}

fn send(response: Response, end: BodyEnd, head_only: bool) -> axum::response::Response {
    let length = response.length();
    let body = match (response.body, end) {
        _ if head_only => AxumBody::empty(),
        (Body::Bytes(bytes), BodyEnd::Whole) => AxumBody::from(bytes),
        (Body::Bytes(bytes), BodyEnd::Stall(count)) => {
            let part = Bytes::from(bytes).slice_to(count);
            let stream = futures_util::stream::once(async move { Ok::<_, io::Error>(part) });
            AxumBody::from_stream(futures_util::StreamExt::chain(
                stream,
                futures_util::stream::pending(),
            ))
        }
        (Body::Bytes(bytes), BodyEnd::Cut(count)) => {
            let part = Bytes::from(bytes).slice_to(count);
            let parts = [Ok(part), Err(io::Error::other("scripted cut"))];
            AxumBody::from_stream(futures_util::stream::iter(parts))
        }
        (Body::Zeros(count), _) => {
            let chunk = Bytes::from(vec![0; 64 << 10]);
            let stream = futures_util::stream::unfold(count, move |left| {
                let part = chunk.slice_to(usize::try_from(left).unwrap_or(usize::MAX));
                let rest = left - part.len() as u64;
                async move { (!part.is_empty()).then_some((Ok::<_, io::Error>(part), rest)) }
            });
            AxumBody::from_stream(stream)
        }
    };
    let mut raw = axum::response::Response::new(body);
    *raw.status_mut() = StatusCode::from_u16(response.status).unwrap();
    *raw.headers_mut() = response.headers;
    let has_length = raw.headers().contains_key("content-length");
    if !has_length && (head_only || !matches!(end, BodyEnd::Whole) || length > 0) {
        raw.headers_mut()
            .insert("content-length", HeaderValue::from(length));
    }
    raw
}

/// Cutting bytes that may be too short.
trait SliceTo {
    fn slice_to(&self, count: usize) -> Bytes;
}

impl SliceTo for Bytes {
    fn slice_to(&self, count: usize) -> Bytes {
        self.slice(..count.min(self.len()))
    }
}

/// Who is at the other end of a connection, and the switch that cuts it.
#[derive(Clone, Debug)]
struct Peer {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A listener whose connections can be reset from within a handler.
struct Door {
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

impl Listener for Door {
    type Io = Line;
    type Addr = Peer;

    async fn accept(&mut self) -> (Line, Peer) {
        loop {
            let Ok((stream, address)) = self.socket.accept().await else {
                continue;
            };
            let _ = stream.set_nodelay(true);
            let cut = Arc::new(AtomicBool::new(false));
            let peer = Peer {
                address,
                cut: Arc::clone(&cut),
            };
            let stream = match &self.tls {
                None => Stream::Plain(stream),
                Some(config) => {
                    // Handshakes one after another are enough for tests.
                    match tokio_rustls::TlsAcceptor::from(Arc::clone(config))
                        .accept(stream)
                        .await
                    {
                        Ok(stream) => Stream::Tls(Box::new(stream)),
                        Err(_) => continue,
                    }
                }
            };
            return (Line { stream, cut }, peer);
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer {
            address: self.socket.local_addr()?,
            cut: Arc::default(),
        })
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that answers with a reset once it is cut.
struct Line {
    stream: Stream,
    cut: Arc<AtomicBool>,
}

impl Line {
    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::SeqCst) {
            let socket = match &self.stream {
                Stream::Plain(stream) => stream,
                Stream::Tls(stream) => stream.get_ref().0,
            };
            // Zero linger turns the close into a reset.
            let _ = socket.set_zero_linger();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
