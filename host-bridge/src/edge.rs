//! The middleware of every HTTP request: trace context, client address, CORS, refusals, common response
//! headers, log and metrics.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use rondo_contract::address::TrustedProxies;
use rondo_contract::token::check::{Check, Keys};
use rondo_telemetry::serve::ClientAddress;
use rondo_telemetry::{Gate, Metrics, RequestLog};
use rondo_wasm_host::app::name_request;
use rondo_wasm_host::client::BodyBytesMax;
use tokio::net::TcpListener;
use tracing::Instrument as _;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::client::Clients;
use crate::cors::CorsOrigins;
use crate::refusal::Refusals;
use crate::route_class::route_class;

/// Headers that identify a request.
const TRACE_PARENT: &str = "traceparent";
const REQUEST_ID: &str = "x-request-id";
/// Defaults of every response; documents override the caching. Components set the same ones
/// (`crates/guest/src/http.rs`), because a Spin host adds none.
const ALWAYS: [(HeaderName, HeaderValue); 3] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];
/// A year (RFC 6797). Subdomains may belong to others, so they are not included.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// How much of the body of a request without a token is buffered, in bytes. Components refuse such a request
/// before they read its body, so no honest client is affected. A made-up token is bounded by the limits per
/// client.
const ANONYMOUS_BODY_BYTES_MAX: BodyBytesMax = BodyBytesMax(64 << 10);
/// Paths whose clients have no token yet, or authenticate otherwise.
const ANONYMOUS_PATHS: [&str; 2] = ["/api/auth/", "/links/"];

/// The middleware; clones share it.
#[derive(Clone)]
pub struct Edge(Arc<Parts>);

struct Parts {
    metrics: Metrics,
    clients: Clients,
    origins: CorsOrigins,
    is_https: bool,
    refusals: Refusals,
    keys: Keys,
}

/// How a program is exposed to the public.
pub struct Exposure {
    /// Proxies whose X-Forwarded-For is believed, and the setting that lists them.
    pub trusted: TrustedProxies,
    pub trusted_setting: &'static str,
    pub origins: CorsOrigins,
    /// The public URL; empty if unknown.
    pub public_url: String,
    /// For the user's id in log lines.
    pub keys: Keys,
}

impl Exposure {
    /// No exposure: for operators only.
    #[must_use]
    pub fn operators() -> Self {
        Self {
            trusted: TrustedProxies::default(),
            trusted_setting: "",
            origins: CorsOrigins::default(),
            public_url: String::new(),
            keys: Keys::default(),
        }
    }
}

impl Edge {
    #[must_use]
    pub fn new(metrics: Metrics, exposure: Exposure) -> Self {
        Self(Arc::new(Parts {
            clients: Clients::new(exposure.trusted, exposure.trusted_setting),
            origins: exposure.origins,
            is_https: exposure.public_url.starts_with("https://"),
            refusals: Refusals::new(metrics.clone()),
            keys: exposure.keys,
            metrics,
        }))
    }

    /// The gate for public listeners.
    #[must_use]
    pub fn gate(&self, listener: TcpListener, connections_max: usize) -> Gate {
        let edge = self.clone();
        Gate::new(listener, connections_max, move |peer| edge.0.clients.of_connection(peer))
    }

    /// Passes a request to `answer` and completes the response.
    pub async fn pass<A>(
        &self,
        mut request: Request<Incoming>,
        answer: impl FnOnce(Request<Incoming>) -> A,
    ) -> Response<HyperOutgoingBody>
    where
        A: Future<Output = Response<HyperOutgoingBody>>,
    {
        let log = self.begin(&request);
        if let Ok(trace) = HeaderValue::try_from(log.trace().traceparent()) {
            request.headers_mut().insert(TRACE_PARENT, trace);
        }
        let id = HeaderValue::from_str(log.request_id()).ok();
        if let Some(id) = &id {
            request.headers_mut().insert(REQUEST_ID, id.clone());
        }
        let peer = request.extensions().get::<ClientAddress>().map(|client| client.0);
        let client = self.0.clients.of(peer, request.headers());
        if let Some(client) = &client {
            request.extensions_mut().insert(client.clone());
        }
        let token = bearer(request.headers()).map(str::to_owned);
        let has_token = token.is_some();
        let is_anonymous = |path: &str| ANONYMOUS_PATHS.iter().any(|of| path.starts_with(of));
        if !has_token && !is_anonymous(request.uri().path()) {
            request.extensions_mut().insert(ANONYMOUS_BODY_BYTES_MAX);
        }
        let cors = self.0.origins.decide(&request);
        let answering = async {
            match cors.preflight(&request) {
                Some(answer) => answer,
                None => {
                    let answer = answer(request).await;
                    self.0.refusals.see(answer, client.as_ref(), has_token).await
                }
            }
        };
        let mut response = answering.instrument(log.span()).await;
        name_request(&mut response, log.request_id());
        let headers = response.headers_mut();
        if let Some(id) = id {
            headers.entry(REQUEST_ID).or_insert(id);
        }
        self.complete(headers);
        cors.write(headers);
        log.finish(response.status().as_u16(), || self.user(&token?));
        response
    }

    fn begin(&self, request: &Request<Incoming>) -> RequestLog {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let path = request.uri().path();
        let method = request.method().as_str();
        RequestLog::begin(&self.0.metrics, route_class(path), method, path, header)
    }

    /// The user of a valid access token of our own.
    fn user(&self, token: &str) -> Option<i64> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        match self.0.keys.check(token, i64::try_from(now_s).ok()?) {
            Check::Valid(grant) => Some(grant.user_id),
            Check::Provider(_) | Check::Invalid => None,
        }
    }

    fn complete(&self, headers: &mut HeaderMap) {
        for (name, value) in ALWAYS {
            headers.entry(name).or_insert(value);
        }
        if self.0.is_https {
            headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
        }
    }
}

/// The bearer token of a request, valid or not (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
