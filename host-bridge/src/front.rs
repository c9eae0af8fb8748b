//! The one origin of `rondo up`: health, metrics, a page that says where one is, live sync, and
//! the components behind everything else. `/events/…` is not routed: in one process nobody has to
//! knock at that door.

use std::sync::Arc;

use axum::Router;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rondo_contract::problem::ProblemCode;
use rondo_telemetry::{Metrics, RequestLog, health, metric};
use rondo_wasm_host::WasmApp;
use rondo_wasm_host::app::{body, name_request, problem};
use rondo_wasm_host::serve::ClientAddress;
use tokio::sync::Notify;
use tower::ServiceExt as _;
use tracing::Instrument as _;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::health::Health;
use crate::rate_limit::RateLimits;
use crate::route_class::route_class;

/// Names of the headers by which a request is followed.
const TRACE_PARENT: &str = "traceparent";
const REQUEST_ID: &str = "x-request-id";

/// What the front works with.
#[derive(Clone)]
pub struct Front {
    /// None for the bridge, which serves no components.
    pub app: Option<WasmApp>,
    /// Serves `/ws`.
    pub sync: Option<Router>,
    pub health: Health,
    /// None where there are none.
    pub limits: Option<Arc<RateLimits>>,
    pub metrics: Metrics,
    /// Wakes the relay after a request that may have written.
    pub wake: Arc<Notify>,
}

impl Front {
    /// Answers a request.
    pub async fn handle(self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        let metrics = self.metrics.clone();
        observed(&metrics, request, |request| self.answer(request)).await
    }

    async fn answer(self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        if self.has_page(request.uri().path()) && !PAGE_METHODS.contains(request.method()) {
            return no_page(request.method());
        }
        match request.uri().path() {
            "/health" => json(StatusCode::OK, health::LIVE.to_owned()),
            "/health/ready" => self.ready().await,
            "/metrics" => text(metric::CONTENT_TYPE, self.metrics.encode()),
            "/" if self.app.is_some() => text("text/html; charset=utf-8", PAGE.to_owned()),
            path if self.is_bridge_door(path) => missing(),
            _ => self.limited(request).await,
        }
    }

    /// Whether a path is one of the front's own pages.
    fn has_page(&self, path: &str) -> bool {
        matches!(path, "/health" | "/health/ready" | "/metrics")
            || path == "/" && self.app.is_some()
    }

    /// By the route, since a path has more than one spelling: `//events/audit`.
    fn is_bridge_door(&self, path: &str) -> bool {
        let route = self.app.as_ref().and_then(|app| app.route(path));
        route.is_some_and(|route| route.starts_with("/events/"))
    }

    /// What costs something, as often as it may be asked for.
    async fn limited(&self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        let Some(limits) = &self.limits else { return self.serve(request).await };
        let peer = request.extensions().get::<ClientAddress>().map(|client| client.0);
        let standing = limits.count(peer, request.headers());
        let mut response = if standing.refused_s.is_some() {
            problem(
                StatusCode::TOO_MANY_REQUESTS,
                ProblemCode::TooManyRequests.as_str(),
                "Try again when the time in Retry-After has passed.",
            )
        } else {
            self.serve(request).await
        };
        standing.write(response.headers_mut());
        response
    }

    async fn serve(&self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        if request.uri().path() == "/ws" {
            return self.live(request).await;
        }
        let Some(app) = &self.app else { return missing() };
        let may_write = !request.method().is_safe();
        let response = app.handle(request).await;
        if may_write {
            self.wake.notify_one();
        }
        response
    }

    async fn live(&self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        let Some(router) = self.sync.clone() else { return missing() };
        match router.oneshot(request.map(axum::body::Body::new)).await {
            Ok(response) => response.map(|body| {
                body.map_err(|_| wasmtime_wasi_http::Error::HttpProtocolError).boxed_unsync()
            }),
            Err(never) => match never {},
        }
    }

    async fn ready(&self) -> Response<HyperOutgoingBody> {
        let report = self.health.report().await;
        let status = StatusCode::from_u16(report.status_code());
        json(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE), report.to_json())
    }
}

/// Measures and logs a request, and gives it and its answer what it can be followed by: a place in
/// a trace (W3C Trace Context, section 3.2), which goes on to the mail, and a request id.
pub async fn observed<A>(
    metrics: &Metrics,
    mut request: Request<Incoming>,
    answer: impl FnOnce(Request<Incoming>) -> A,
) -> Response<HyperOutgoingBody>
where
    A: Future<Output = Response<HyperOutgoingBody>>,
{
    let log = {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let path = request.uri().path();
        let method = request.method().as_str();
        RequestLog::begin(metrics, route_class(path), method, path, header)
    };
    if let Ok(trace) = HeaderValue::try_from(log.trace().to_string()) {
        request.headers_mut().insert(TRACE_PARENT, trace);
    }
    let id = HeaderValue::from_str(log.request_id()).ok();
    if let Some(id) = &id {
        request.headers_mut().insert(REQUEST_ID, id.clone());
    }
    let mut response = answer(request).instrument(log.span()).await;
    name_request(&mut response, log.request_id());
    if let Some(id) = id {
        response.headers_mut().entry(REQUEST_ID).or_insert(id);
    }
    log.finish(response.status().as_u16());
    response
}

/// Methods that show a page of the front's own; what has a head alone, the server sends without a body.
const PAGE_METHODS: [Method; 2] = [Method::GET, Method::HEAD];

/// The answer of a page to any other method.
fn no_page(method: &Method) -> Response<HyperOutgoingBody> {
    let mut response = if method == Method::OPTIONS {
        let mut nothing = Response::new(body(""));
        *nothing.status_mut() = StatusCode::NO_CONTENT;
        nothing
    } else {
        let detail = "The header Allow has the methods that there are.";
        let code = ProblemCode::MethodNotAllowed;
        problem(StatusCode::METHOD_NOT_ALLOWED, code.as_str(), detail)
    };
    let allow = HeaderValue::from_static("GET, HEAD, OPTIONS");
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Rondo</title>\
<h1>Rondo</h1><p>Tasks that recur, remind and are kept in sync.</p>\
<ul><li><code>/api/auth/register</code>, <code>/api/tasks</code>: the API</li>\
<li><code>/ws</code>: live sync</li><li><a href=/health/ready>/health/ready</a></li>\
<li><a href=/metrics>/metrics</a></li></ul>";

fn missing() -> Response<HyperOutgoingBody> {
    problem(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path.")
}

fn text(media_type: &'static str, content: String) -> Response<HyperOutgoingBody> {
    let mut response = Response::new(body(content));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn json(status: StatusCode, content: String) -> Response<HyperOutgoingBody> {
    let mut response = text("application/json", content);
    *response.status_mut() = status;
    response
}
