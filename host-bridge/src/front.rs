//! The origin of `rondo up`: health, live sync, and the components for everything else.
//! `/events/…` is not routed, because events are delivered in process. `/metrics` and the reasons of
//! `/health/ready` are served here only if operators have no listener of their own.

use std::sync::Arc;

use axum::Router;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rondo_contract::problem::ProblemCode;
use rondo_telemetry::operations::is_forwarded;
use rondo_wasm_host::WasmApp;
use rondo_wasm_host::app::not_found;
use rondo_wasm_host::client::Client;
use tokio::sync::Notify;
use tower::ServiceExt as _;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::edge::Edge;
use crate::operations::{self, Operations, problem};
use crate::rate_limit::RateLimits;

/// The parts of the front.
#[derive(Clone)]
pub struct Front {
    pub edge: Edge,
    pub app: WasmApp,
    /// Serves `/ws`.
    pub sync: Router,
    pub operations: Operations,
    /// Whether operators have no listener of their own.
    pub is_for_operators: bool,
    /// None if they are off.
    pub limits: Option<Arc<RateLimits>>,
    /// Wakes the relay after a request that may have written events.
    pub wake: Arc<Notify>,
}

impl Front {
    /// Handles a request.
    pub async fn handle(self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        let edge = self.edge.clone();
        edge.pass(request, |request| self.answer(request)).await
    }

    async fn answer(self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        let path = request.uri().path();
        if is_page(path)
            && let Some(answer) = operations::no_page(request.method())
        {
            return answer;
        }
        if self.is_from_operator(&request)
            && let Some(answer) =
                self.operations.answer(request.method(), path, request.headers()).await
        {
            return answer;
        }
        match path {
            "/health" => operations::live(),
            path if self.is_event_route(path) => not_found(),
            _ => self.limited(request).await,
        }
    }

    fn is_from_operator(&self, request: &Request<Incoming>) -> bool {
        self.is_for_operators && !is_forwarded(|name| request.headers().contains_key(name))
    }

    /// Compares the route, because a path has several spellings, such as `//events/audit`.
    fn is_event_route(&self, path: &str) -> bool {
        self.app.route(path).is_some_and(|route| route.starts_with("/events/"))
    }

    /// Handles requests that the rate limits apply to.
    async fn limited(&self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        let Some(limits) = &self.limits else { return self.serve(request).await };
        let quota = limits.count(request.extensions().get::<Client>(), request.headers());
        let mut response = match &quota.refused {
            Some(refused) => {
                let mut response = problem(ProblemCode::TooManyRequests);
                response.extensions_mut().insert(refused.reason);
                response
            }
            None => self.serve(request).await,
        };
        quota.write(response.headers_mut());
        response
    }

    async fn serve(&self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        match request.uri().path() {
            "/ws" => return self.live(request).await,
            "/health/ready" => return self.operations.status().await,
            _ => {}
        }
        let may_write = !request.method().is_safe();
        let response = self.app.handle(request).await;
        if may_write {
            self.wake.notify_one();
        }
        response
    }

    async fn live(&self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        match self.sync.clone().oneshot(request.map(axum::body::Body::new)).await {
            Ok(response) => response.map(|body| {
                body.map_err(|_| wasmtime_wasi_http::Error::HttpProtocolError).boxed_unsync()
            }),
            Err(never) => match never {},
        }
    }
}

/// Whether a path is one of the front's public pages.
fn is_page(path: &str) -> bool {
    matches!(path, "/health" | "/health/ready")
}
