//! One attempt: resolves, vets, connects, and sends a signed request.
//!
//! Users choose the destination, so no general HTTP client is used. The name is resolved once and the vetted
//! address is connected to, which defeats DNS rebinding. There are no proxies, redirects or reused
//! connections, so every attempt is vetted.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector};
use hyper_util::rt::TokioIo;
use rondo_contract::cloud_event::header::TRACEPARENT;
use rondo_contract::webhook::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature};
use rondo_domain::destination::{Destination, Host, Loopback};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tower::{ServiceExt as _, service_fn};

use super::schedule;

/// How long an attempt may take up to the response's head, in milliseconds.
pub const ATTEMPT_MS_MAX: u64 = 15_000;
/// Connect timeout of one address, in milliseconds, and how many addresses are tried.
const CONNECT_MS_MAX: u64 = 4_000;
const ADDRESSES_MAX: usize = 3;
/// How long the beginning of the response's body is awaited, in milliseconds.
pub const EXCERPT_MS_MAX: u64 = 2_000;
/// Longest head of a response, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How much of the response's body is read, in bytes, and kept, in characters.
const ANSWER_BYTES_MAX: usize = 4 << 10;
const EXCERPT_CHARS_MAX: usize = 500;
const USER_AGENT: &str = concat!("Rondo/", env!("CARGO_PKG_VERSION"), " (webhooks)");

/// The addresses of a host and port.
pub type Resolver = Arc<
    dyn Fn(String, u16) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>
        + Send
        + Sync,
>;

/// The system's resolver.
#[must_use]
pub fn system_resolver() -> Resolver {
    Arc::new(|host, port| {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    })
}

/// A message to send.
#[derive(sqlx::FromRow)]
pub struct Message {
    /// Id of the event.
    #[sqlx(rename = "event_id")]
    pub id: String,
    pub url: String,
    /// Each signs the message: during a change of secrets, the receiver knows one of them.
    pub secrets: Vec<String>,
    #[sqlx(rename = "payload")]
    pub body: String,
}

/// A receiver's response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The beginning of the body, sanitized.
    pub excerpt: Option<String>,
    pub retry_after_s: Option<u32>,
}

impl Answer {
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// Why there was no response, in words for the webhook's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the URL is not allowed")]
    Forbidden,
    #[error("the host name could not be resolved")]
    Unresolved,
    #[error("the host has no public address")]
    NotPublic,
    #[error("could not connect to the host")]
    Unreachable,
    #[error("the TLS handshake failed")]
    Insecure,
    #[error("no response within {} s", ATTEMPT_MS_MAX / 1_000)]
    TimedOut,
    #[error("the connection broke, or the response was not HTTP")]
    BrokenOff,
    #[error("no attempt was completed")]
    NeverEnded,
}

/// Makes attempts.
pub struct Exchange {
    loopback: Loopback,
    resolver: Resolver,
    tls: Arc<ClientConfig>,
}

impl Exchange {
    /// Trusts the public certificate authorities.
    pub fn new(loopback: Loopback, resolver: Resolver) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_webpki_roots()
            .with_no_client_auth();
        Ok(Self { loopback, resolver, tls: Arc::new(tls) })
    }

    /// `traceparent` (W3C Trace Context) goes with the request.
    pub async fn attempt(
        &self,
        message: &Message,
        traceparent: Option<&str>,
    ) -> Result<Answer, Failure> {
        let deadline = Duration::from_millis(ATTEMPT_MS_MAX);
        // Dropping this ends the connection.
        let mut connection = JoinSet::new();
        let answer =
            tokio::time::timeout(deadline, self.send(message, traceparent, &mut connection))
                .await
                .map_err(|_| Failure::TimedOut)??;
        let (head, body) = answer.into_parts();
        let retry_after_s = head
            .headers
            .get(header::RETRY_AFTER)
            .and_then(|value| schedule::retry_after_s(value.to_str().ok()?, now_s()));
        // The status decides; the body is only an excerpt for the owner.
        let excerpt = excerpt(body).await;
        Ok(Answer { status: head.status.as_u16(), excerpt, retry_after_s })
    }

    async fn send(
        &self,
        message: &Message,
        traceparent: Option<&str>,
        connection: &mut JoinSet<()>,
    ) -> Result<http::Response<Incoming>, Failure> {
        // Checked again: the setting may have changed since the URL was stored.
        let destination =
            Destination::parse(&message.url, self.loopback).map_err(|_| Failure::Forbidden)?;
        let uri: Uri = message.url.parse().map_err(|_| Failure::Forbidden)?;
        let mut request = request(message, &uri, now_s())?;
        if let Some(trace) = traceparent.and_then(|trace| HeaderValue::from_str(trace).ok()) {
            request.headers_mut().insert(TRACEPARENT, trace);
        }
        let stream = self.connect(&destination).await?;
        let mut stream = Some(TokioIo::new(stream));
        let connected = service_fn(move |_: Uri| {
            std::future::ready(stream.take().ok_or(io::Error::from(io::ErrorKind::NotConnected)))
        });
        let secured = HttpsConnector::from((connected, self.tls.clone()))
            .oneshot(uri)
            .await
            .map_err(|_| Failure::Insecure)?;
        let broken_off = |_: hyper::Error| Failure::BrokenOff;
        let (mut sender, driver) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(secured)
            .await
            .map_err(broken_off)?;
        connection.spawn(async move {
            let _ = driver.await;
        });
        sender.send_request(request).await.map_err(broken_off)
    }

    /// Connects to an address that the destination admits.
    async fn connect(&self, destination: &Destination) -> Result<TcpStream, Failure> {
        let port = destination.port;
        let found = match &destination.host {
            Host::Address(address) => vec![SocketAddr::new(*address, port)],
            Host::Name(name) => (self.resolver)(name.clone(), port)
                .await
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or(Failure::Unresolved)?,
        };
        let admitted: Vec<_> =
            found.into_iter().filter(|address| destination.admits(address.ip())).collect();
        if admitted.is_empty() {
            return Err(Failure::NotPublic);
        }
        for address in admitted.into_iter().take(ADDRESSES_MAX) {
            let patience = Duration::from_millis(CONNECT_MS_MAX);
            let connected = tokio::time::timeout(patience, TcpStream::connect(address)).await;
            if let Ok(Ok(stream)) = connected {
                return Ok(stream);
            }
        }
        Err(Failure::Unreachable)
    }
}

/// The request (Standard Webhooks 1.0).
fn request(message: &Message, uri: &Uri, now_s: i64) -> Result<Request<Full<Bytes>>, Failure> {
    let host = uri.authority().ok_or(Failure::Forbidden)?.as_str();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let sign = |secret: &String| signature(secret, &message.id, now_s, message.body.as_bytes());
    let signatures: Option<Vec<_>> = message.secrets.iter().map(sign).collect();
    let signatures = signatures.ok_or(Failure::Forbidden)?.join(" ");
    Request::builder()
        .method(Method::POST)
        .uri(target)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::CONTENT_TYPE, "application/json")
        .header(ID_HEADER, &message.id)
        .header(TIMESTAMP_HEADER, now_s)
        .header(SIGNATURE_HEADER, signatures)
        .header(header::CONNECTION, "close")
        .body(Full::from(message.body.clone()))
        .map_err(|_| Failure::Forbidden)
}

async fn excerpt(mut body: Incoming) -> Option<String> {
    let mut bytes = Vec::new();
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            if let Some(data) = frame.data_ref() {
                let left = ANSWER_BYTES_MAX - bytes.len();
                bytes.extend_from_slice(&data[..data.len().min(left)]);
            }
            if bytes.len() >= ANSWER_BYTES_MAX {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(EXCERPT_MS_MAX), read).await;
    let text = sanitized(&bytes);
    (!text.is_empty()).then_some(text)
}

/// Untrusted bytes as short text without control characters.
fn sanitized(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let visible = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().map(visible).take(EXCERPT_CHARS_MAX).collect::<String>().trim().to_owned()
}

fn now_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
