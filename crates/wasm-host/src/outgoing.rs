//! `wasi:http/outgoing-handler@0.2.6`: a component's requests to the servers that its manifest lists.
//!
//! Each request has a connection of its own. There are no redirects, cookies or proxies.

mod answer;
mod outcome;
mod server;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::uri::Authority;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rondo_database::tls::{self, TlsError};
use rondo_telemetry::Metrics;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use self::answer::{Bounded, Link};
pub use self::outcome::OUTCOMES;
pub(crate) use self::outcome::error_code;
use self::outcome::{Attempt, Failure};
use self::server::Server;
use crate::allowed_host::AllowedHosts;
use crate::deadline::{Flight, Flights};

/// Maximum number of requests at once, of all components.
const REQUESTS_MAX: usize = 8;
/// How long a further one waits for its turn, in seconds.
const WAIT_S_MAX: u64 = 1;
/// How long a connection may take, with name and TLS, in seconds.
const CONNECT_S_MAX: u64 = 5;
/// How long a request may take up to the end of its answer, in seconds.
const REQUEST_S_MAX: u64 = 60;
/// Maximum length of an answer's body, in bytes.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Bounds of the requests to other servers, and whom they trust.
#[derive(Debug, Clone)]
pub struct OutgoingOptions {
    /// Of all components at once.
    pub requests_max: usize,
    /// How long a further request waits for its turn.
    pub wait_max: Duration,
    /// How long a connection may take, with name and TLS.
    pub connect_max: Duration,
    /// How long a request may take up to the end of its answer.
    pub request_max: Duration,
    /// Maximum length of an answer's body.
    pub body_bytes_max: usize,
    /// A PEM file of trusted authorities, in place of the environment's (`SSL_CERT_FILE`) or Mozilla's.
    pub authorities: Option<PathBuf>,
}

impl Default for OutgoingOptions {
    fn default() -> Self {
        Self {
            requests_max: REQUESTS_MAX,
            wait_max: Duration::from_secs(WAIT_S_MAX),
            connect_max: Duration::from_secs(CONNECT_S_MAX),
            request_max: Duration::from_secs(REQUEST_S_MAX),
            body_bytes_max: BODY_BYTES_MAX,
            authorities: None,
        }
    }
}

/// What all components share.
pub(crate) struct Sender {
    options: OutgoingOptions,
    turns: Arc<Semaphore>,
    tls: TlsConnector,
    metrics: Arc<OnceLock<Metrics>>,
}

/// The requests of one component.
pub(crate) struct Outgoing {
    component: String,
    allowed: AllowedHosts,
    sender: Arc<Sender>,
}

impl Sender {
    /// # Errors
    /// If the authorities cannot be read.
    pub(crate) fn new(
        options: OutgoingOptions,
        metrics: Arc<OnceLock<Metrics>>,
    ) -> Result<Self, TlsError> {
        let authorities = options.authorities.clone().or_else(tls::named_authorities);
        let tls = TlsConnector::from(Arc::new(tls::verifying(authorities.as_ref())?));
        let turns = Arc::new(Semaphore::new(options.requests_max));
        Ok(Self { options, turns, tls, metrics })
    }
}

impl Outgoing {
    pub(crate) fn new(component: &str, allowed: AllowedHosts, sender: Arc<Sender>) -> Self {
        Self { component: component.to_owned(), allowed, sender }
    }

    /// Whether any server is allowed.
    pub(crate) fn is_allowed(&self) -> bool {
        ["http", "https"].iter().any(|scheme| self.allowed.has(scheme))
    }

    /// Records a request that is refused because its call keeps a database session from others.
    pub(crate) fn refuse_with_session(&self, authority: &str) {
        let authority = authority.parse::<Authority>();
        let mut attempt = self.begin(authority.as_ref().map_or("", Authority::host));
        attempt.has_failed(Failure::KeepsSession);
    }

    fn begin(&self, host: &str) -> Attempt {
        Attempt::new(self.component.clone(), host.to_owned(), self.sender.metrics.clone())
    }

    /// Sends a request, and waits for the head of its answer.
    async fn send(
        &self,
        request: Request<WasiBody>,
        flight: Flight,
    ) -> Result<Response<WasiBody>, Failure> {
        let mut attempt = self.begin(request.uri().host().unwrap_or_default());
        let answer = self.exchange(request, flight).await;
        let (answer, link) = answer.inspect_err(|failure| attempt.has_failed(*failure))?;
        attempt.has_answer();
        let left = self.sender.options.body_bytes_max;
        Ok(answer.map(|body| Bounded::new(body, left, link, attempt).boxed_unsync()))
    }

    async fn exchange(
        &self,
        mut request: Request<WasiBody>,
        flight: Flight,
    ) -> Result<(Response<Incoming>, Link), Failure> {
        let Sender { options, turns, tls, .. } = &*self.sender;
        let server = Server::of(request.uri()).ok_or(Failure::Refused)?;
        if !self.allowed.permits(server.scheme(), &server.host, server.port) {
            return Err(Failure::Refused);
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse::<Uri>().map_err(|_| Failure::Refused)?;
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        let turn = timeout(options.wait_max, turns.clone().acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(Failure::Busy)?;
        let deadline = Instant::now() + options.request_max;
        let answer = async {
            let stream = server.connect(tls, options.connect_max).await?;
            let (mut sender, connection) = http1::Builder::new()
                .max_buf_size(HEAD_BYTES_MAX)
                .handshake(TokioIo::new(stream))
                .await
                .map_err(|_| Failure::Broken)?;
            let link = Link::new(connection, deadline, (turn, flight));
            let answer = sender.send_request(request).await;
            Ok((answer.map_err(|_| link.failure())?, link))
        };
        timeout_at(deadline, answer).await.unwrap_or(Err(Failure::TimedOut))
    }
}

/// Makes the requests of one call.
pub(crate) struct Requests {
    outgoing: Arc<Outgoing>,
    flights: Flights,
}

type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl Requests {
    pub(crate) fn new(outgoing: Arc<Outgoing>, flights: Flights) -> Self {
        Self { outgoing, flights }
    }
}

impl WasiHttpHooks for Requests {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let (outgoing, flight) = (self.outgoing.clone(), self.flights.begin());
        Box::new(async move {
            let answer = outgoing.send(request, flight).await?;
            // The connection is kept with the answer's body.
            Ok((answer, Box::new(std::future::ready(Ok(()))) as _))
        })
    }
}
