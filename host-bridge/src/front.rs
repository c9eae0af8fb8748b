//! The one origin of `rondo up`: health, metrics, a page that says where one is, live sync, and
//! the components behind everything else. `/events/…` is not routed: in one process nobody has to
//! knock at that door.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::Router;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rondo_database::Pool;
use rondo_wasm_host::WasmApp;
use rondo_wasm_host::app::{body, problem};
use tokio::sync::Notify;
use tower::ServiceExt as _;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::pipeline::metric::PipelineMetrics;

/// What the front works with.
#[derive(Clone)]
pub struct Front {
    /// None for the bridge, which serves no components.
    pub app: Option<WasmApp>,
    /// Serves `/ws`.
    pub sync: Option<Router>,
    pub pool: Pool,
    pub metrics: Arc<PipelineMetrics>,
    /// Wakes the relay after a request that may have written.
    pub wake: Arc<Notify>,
    /// Whether the pipeline runs.
    pub flowing: Arc<AtomicBool>,
    /// Whether devices are told of changes; true where there is no live sync.
    pub live: Arc<AtomicBool>,
}

impl Front {
    /// Answers a request.
    pub async fn handle(self, mut request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        let begun = Instant::now();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        trace(&mut request);
        let response = match path.as_str() {
            "/health" => json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
            "/health/ready" => self.ready().await,
            "/metrics" => text("text/plain; version=0.0.4", self.metrics.encode()),
            "/" if self.app.is_some() => text("text/html; charset=utf-8", PAGE.to_owned()),
            "/ws" if self.sync.is_some() => self.live(request).await,
            path if path.starts_with("/events/") => missing(),
            _ => match &self.app {
                None => missing(),
                Some(app) => {
                    let response = app.handle(request).await;
                    if method != Method::GET {
                        self.wake.notify_one();
                    }
                    response
                }
            },
        };
        self.metrics.requests.inc();
        if response.status().is_server_error() {
            self.metrics.request_errors.inc();
        }
        // Never the query: it can have a token.
        tracing::debug!(
            method = %method, path, status = response.status().as_u16(),
            duration_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), "request"
        );
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
        let database = async {
            let client = self.pool.get().await?;
            client.simple_query("").await?;
            anyhow::Ok(())
        };
        let database = database.await.is_ok();
        let flowing = self.flowing.load(Ordering::Relaxed);
        let live = self.live.load(Ordering::Relaxed);
        let ready = database && flowing && live;
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let say = |ready: bool| if ready { "ready" } else { "not ready" };
        json(
            status,
            serde_json::json!({"status": say(ready),
                               "parts": {"database": say(database), "events": say(flowing), "sync": say(live)}})
            .to_string(),
        )
    }
}

const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Rondo</title>\
<h1>Rondo</h1><p>Tasks that recur, remind and are kept in sync.</p>\
<ul><li><code>/api/auth/register</code>, <code>/api/tasks</code>: the API</li>\
<li><code>/ws</code>: live sync</li><li><a href=/health/ready>/health/ready</a></li>\
<li><a href=/metrics>/metrics</a></li></ul>";

/// Gives a request without a trace context one (W3C Trace Context, section 3.2), so that it can be
/// followed from here to the mail.
fn trace(request: &mut Request<Incoming>) {
    if !request.headers().contains_key("traceparent") {
        let (trace, span): (u128, u64) = (rand::random(), rand::random());
        let value = format!("00-{:032x}-{:016x}-01", trace.max(1), span.max(1));
        if let Ok(value) = HeaderValue::from_str(&value) {
            request.headers_mut().insert("traceparent", value);
        }
    }
}

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
