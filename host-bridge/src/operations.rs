//! Operators' endpoints: `/health`, `/health/ready` with reasons, and `/metrics`. The bridge serves nothing
//! else; `rondo up` and `rondo host` have a separate listener for them when their own is public.

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use rondo_contract::problem::{ProblemCode, ProblemFacts};
use rondo_telemetry::connection::OPERATORS_CONNECTIONS_MAX;
use rondo_telemetry::{Format, Gate, Metrics, health, serve};
use rondo_wasm_host::app::{Fault, body, not_found};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::edge::Edge;
use crate::health::Health;

const PATHS: [&str; 3] = ["/health", "/health/ready", "/metrics"];

/// Serves operators; clones share it.
#[derive(Clone)]
pub struct Operations {
    /// None of `rondo host`, where a component answers whether requests can be served.
    pub health: Option<Health>,
    pub metrics: Metrics,
}

impl Operations {
    /// Serves a listener for operators until `shutdown`.
    pub async fn serve(self, edge: Edge, listener: TcpListener, shutdown: CancellationToken) {
        let handler = move |request: Request<Incoming>| {
            let (operations, edge) = (self.clone(), edge.clone());
            let answer = async move |request: Request<Incoming>| {
                let (head, _) = request.into_parts();
                let answer = operations.answer(&head.method, head.uri.path(), &head.headers).await;
                answer.unwrap_or_else(not_found)
            };
            async move { edge.pass(request, answer).await }
        };
        let gate = Gate::inner(listener, OPERATORS_CONNECTIONS_MAX);
        serve::serve(gate, handler, shutdown).await;
    }

    /// None for any other path.
    pub async fn answer(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response<HyperOutgoingBody>> {
        if PATHS.contains(&path)
            && (self.health.is_some() || path != "/health/ready")
            && let Some(answer) = no_page(method)
        {
            return Some(answer);
        }
        Some(match path {
            "/health" => live(),
            "/health/ready" => {
                let report = self.health.as_ref()?.report().await;
                json(report.status_code(), report.to_json())
            }
            "/metrics" => {
                let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
                let format = Format::wanted(accept);
                content(format.content_type(), self.metrics.encode(format))
            }
            _ => return None,
        })
    }

    /// `/health/ready` for the public: the status without reasons.
    pub async fn status(&self) -> Response<HyperOutgoingBody> {
        let Some(health) = &self.health else { return not_found() };
        let report = health.report().await;
        json(report.status_code(), report.status_json())
    }
}

/// The host's response to any method but GET and HEAD on its own pages: the allowed methods. None for GET and
/// HEAD.
#[must_use]
pub fn no_page(method: &Method) -> Option<Response<HyperOutgoingBody>> {
    let mut response = match *method {
        Method::GET | Method::HEAD => return None,
        Method::OPTIONS => {
            let mut nothing = Response::new(body(""));
            *nothing.status_mut() = StatusCode::NO_CONTENT;
            nothing
        }
        _ => problem(ProblemCode::MethodNotAllowed),
    };
    let allow = HeaderValue::from_static("GET, HEAD, OPTIONS");
    response.headers_mut().insert(header::ALLOW, allow);
    Some(response)
}

/// A problem response of the program itself.
#[must_use]
pub fn problem(problem: ProblemCode) -> Response<HyperOutgoingBody> {
    let ProblemFacts { status, code, title, detail, .. } = *problem.facts();
    rondo_wasm_host::app::problem(Fault { status, code, title, detail })
}

/// `/health`.
#[must_use]
pub fn live() -> Response<HyperOutgoingBody> {
    json(StatusCode::OK.as_u16(), health::LIVE.to_owned())
}

/// A page or text of the host itself.
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

#[cfg(test)]
mod tests {
    use rondo_contract::problem::PROBLEMS;
    use rondo_wasm_host::app::FAULTS;

    /// The Wasm host does not use the contract's problems, so its faults are defined twice.
    #[test]
    fn the_faults_of_the_wasm_host_are_problems_of_the_contract() {
        for fault in FAULTS {
            let known = PROBLEMS.iter().find(|facts| facts.code == fault.code);
            let known = known.map(|facts| (facts.status, facts.title));
            assert_eq!(known, Some((fault.status, fault.title)), "{}", fault.code);
        }
    }
}
