//! One log line and one observation for each HTTP request.
//!
//! The line has level `debug`; `warn` if the request failed on our side or took [`SLOW_MS`] or more. So a
//! healthy service is quiet, and `RONDO_LOG=debug` shows everything. While many fail, the lines have a bound.

use std::time::{Duration, Instant};

use crate::span::{self, Kind, Span};
use crate::{LineLimit, Metrics, TraceContext, metric::InUse};

/// A request that takes longer is logged at level `warn`.
pub const SLOW_MS: u64 = 1_000;

/// Routes that are asked every few seconds, and whose requests are in no trace but their caller's.
const PROBES: [&str; 4] = ["/health", "/health/ready", "/metrics", "/api/health/ready"];
/// Methods that a span names; any other is client's text.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// The route of a path that is none.
const OTHER: &str = "other";

/// Name of a request's span (semantic conventions for HTTP spans, "Name").
fn name(method: &str, route: &str) -> String {
    let method = if METHODS.contains(&method) { method } else { "HTTP" };
    if route == OTHER { method.to_owned() } else { format!("{method} {route}") }
}

fn describe(span: &mut Span, route: &'static str, method: &str, path: &str) {
    let method = if METHODS.contains(&method) { method } else { "_OTHER" };
    span.text("http.request.method", method);
    span.text("url.scheme", "http");
    span.text("url.path", path);
    if route != OTHER {
        span.text("http.route", route);
    }
}

static LINES: LineLimit = LineLimit::new();

/// A request being answered.
pub struct RequestLog {
    metrics: Metrics,
    /// Of a fixed set: see [`Metrics::request`].
    route: &'static str,
    method: String,
    /// Without the query, which may have a token in it.
    path: String,
    trace: TraceContext,
    exported: Option<Span>,
    trace_id: String,
    request_id: String,
    begun: Instant,
    _in_flight: InUse,
}

impl RequestLog {
    /// Starts the clock. `header` looks up a request header: the trace of `traceparent` is continued, and
    /// a sane `x-request-id` is kept ([`rondo_trace::request_id`]).
    pub fn begin<'a>(
        metrics: &Metrics,
        route: &'static str,
        method: &str,
        path: &str,
        header: impl Fn(&'static str) -> Option<&'a str>,
    ) -> Self {
        let begin = if PROBES.contains(&route) { span::of_probe } else { span::of_request };
        let (trace, mut exported) =
            begin(header("traceparent"), Kind::Server, || name(method, route));
        if let Some(span) = &mut exported {
            describe(span, route, method, path);
        }
        Self {
            metrics: metrics.clone(),
            route,
            method: method.to_owned(),
            path: path.to_owned(),
            trace_id: trace.trace_id(),
            request_id: rondo_trace::request_id(header("x-request-id")),
            trace,
            exported,
            begun: Instant::now(),
            _in_flight: metrics.in_flight(),
        }
    }

    /// The span of this request, the parent of whatever the request causes.
    pub fn trace(&self) -> TraceContext {
        self.trace
    }

    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The span for log lines written while the request is handled.
    pub fn span(&self) -> tracing::Span {
        let (trace_id, request_id) = (&*self.trace_id, &*self.request_id);
        tracing::info_span!("request", trace_id, request_id)
    }

    /// Records the response. `user` returns the user's id; it is called only for a line about a failed or slow
    /// request.
    pub fn finish(mut self, status: u16, user: impl FnOnce() -> Option<i64>) {
        let duration = self.begun.elapsed();
        if let Some(span) = &mut self.exported {
            span.number("http.response.status_code", status.into());
            if status >= 500 {
                span.fail(status.to_string());
            }
        }
        self.metrics.request(self.route, &self.method, status, duration, self.trace);
        macro_rules! line {
            ($level:ident, $message:literal $(, $field:ident)*) => {
                tracing::$level!(
                    route = self.route,
                    method = self.method,
                    path = self.path,
                    status,
                    duration_ms = duration.as_secs_f64() * 1_000.0,
                    trace_id = self.trace_id,
                    request_id = self.request_id,
                    $($field,)*
                    $message
                )
            };
        }
        let has_failed = status >= 500;
        if !has_failed && duration < Duration::from_millis(SLOW_MS) {
            line!(debug, "request");
        } else if let Some(suppressed) = LINES.line() {
            let user_id = user();
            if has_failed {
                line!(warn, "request failed", user_id, suppressed);
            } else {
                line!(warn, "slow request", user_id, suppressed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Program};

    #[test]
    fn a_caller_s_trace_and_request_id_are_kept() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let header = |name| match name {
            "traceparent" => Some(trace),
            "x-request-id" => Some("abc-1"),
            _ => None,
        };
        let request = RequestLog::begin(&Metrics::new(Program::Up), "/x", "GET", "/x", header);
        assert_eq!(request.trace().trace_id(), &trace[3..35]);
        assert_eq!(request.request_id(), "abc-1");
    }

    #[test]
    fn a_request_is_in_flight_until_it_is_finished() {
        let metrics = Metrics::new(Program::Up);
        let request = RequestLog::begin(&metrics, "/x", "GET", "/x", |_| None);
        assert!(metrics.encode(Format::Prometheus).contains("rondo_http_requests_in_flight 1\n"));
        request.finish(404, || unreachable!("a line about a request like this needs no user"));
        let text = metrics.encode(Format::Prometheus);
        assert!(text.contains("rondo_http_requests_in_flight 0\n"), "{text}");
        assert!(text.contains(
            "rondo_http_request_duration_seconds_count{route=\"/x\",method=\"GET\",status=\"4xx\"} 1"
        ));
    }
}
