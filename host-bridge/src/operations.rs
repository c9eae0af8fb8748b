//! What an operator asks a process: `/health`, `/health/ready` with reasons, `/metrics`. The bridge
//! serves nothing else; `rondo up` has a listener for it where its own is for the public.

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use rondo_contract::problem::ProblemCode;
use rondo_telemetry::connection::OPERATORS_CONNECTIONS_MAX;
use rondo_telemetry::{Gate, Metrics, health, metric};
use rondo_wasm_host::app::{body, not_found, problem};
use rondo_wasm_host::serve;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::edge::Edge;
use crate::health::Health;

const PATHS: [&str; 3] = ["/health", "/health/ready", "/metrics"];

/// Answers operators; a clone is another handle on the same.
#[derive(Clone)]
pub struct Operations {
    pub health: Health,
    pub metrics: Metrics,
}

impl Operations {
    /// Serves a listener that is for operators alone, until `shutdown`.
    pub async fn serve(self, edge: Edge, listener: TcpListener, shutdown: CancellationToken) {
        let handler = move |request: Request<Incoming>| {
            let (operations, edge) = (self.clone(), edge.clone());
            let answer = async move |request: Request<Incoming>| {
                let answer = operations.answer(request.method(), request.uri().path()).await;
                answer.unwrap_or_else(not_found)
            };
            async move { edge.pass(request, answer).await }
        };
        let gate = Gate::inner(listener, OPERATORS_CONNECTIONS_MAX);
        serve::serve(gate, handler, shutdown).await;
    }

    /// None for a path that is none of an operator's.
    pub async fn answer(&self, method: &Method, path: &str) -> Option<Response<HyperOutgoingBody>> {
        if PATHS.contains(&path)
            && let Some(answer) = no_page(method)
        {
            return Some(answer);
        }
        Some(match path {
            "/health" => live(),
            "/health/ready" => {
                let report = self.health.report().await;
                json(report.status_code(), report.to_json())
            }
            "/metrics" => content(metric::CONTENT_TYPE, self.metrics.encode()),
            _ => return None,
        })
    }

    /// `/health/ready` for the public: the status without its reasons.
    pub async fn status(&self) -> Response<HyperOutgoingBody> {
        let report = self.health.report().await;
        json(report.status_code(), report.status_json())
    }
}

/// What a page of the host's own answers to a method that does not show it: the methods that do. None for
/// GET, and for HEAD, whose body the server leaves out.
#[must_use]
pub fn no_page(method: &Method) -> Option<Response<HyperOutgoingBody>> {
    let mut response = match *method {
        Method::GET | Method::HEAD => return None,
        Method::OPTIONS => {
            let mut nothing = Response::new(body(""));
            *nothing.status_mut() = StatusCode::NO_CONTENT;
            nothing
        }
        _ => {
            let detail = "The header Allow has the methods that there are.";
            let code = ProblemCode::MethodNotAllowed;
            problem(StatusCode::METHOD_NOT_ALLOWED, code.as_str(), detail)
        }
    };
    let allow = HeaderValue::from_static("GET, HEAD, OPTIONS");
    response.headers_mut().insert(header::ALLOW, allow);
    Some(response)
}

/// `/health`.
#[must_use]
pub fn live() -> Response<HyperOutgoingBody> {
    json(StatusCode::OK.as_u16(), health::LIVE.to_owned())
}

/// A page or a text of the host's own.
#[must_use]
pub fn content(media_type: &'static str, content: String) -> Response<HyperOutgoingBody> {
    let mut response = Response::new(body(content));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn json(status: u16, text: String) -> Response<HyperOutgoingBody> {
    let mut response = content("application/json", text);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    response
}
