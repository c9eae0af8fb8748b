//! One log line and one observation for each HTTP request.
//!
//! The line has level `debug`; `warn` if the request failed on our side or took [`SLOW_MS`] or more. So a
//! healthy service is quiet, and `RONDO_LOG=debug` shows everything. While many fail, the lines have a bound.

use std::time::{Duration, Instant};

use crate::{LineLimit, Metrics, TraceContext, metric::InUse};

/// A request that takes longer is logged at level `warn`.
pub const SLOW_MS: u64 = 1_000;

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
        let trace = TraceContext::continued(header("traceparent"));
        Self {
            metrics: metrics.clone(),
            route,
            method: method.to_owned(),
            path: path.to_owned(),
            trace_id: trace.trace_id(),
            request_id: rondo_trace::request_id(header("x-request-id")),
            trace,
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
    pub fn finish(self, status: u16, user: impl FnOnce() -> Option<i64>) {
        let duration = self.begun.elapsed();
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
