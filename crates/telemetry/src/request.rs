//! One log line and one observation for each HTTP request.
//!
//! The line has level `debug`; `info` if the request took [`SLOW_MS`] or more, `warn` if it failed on
//! our side. So a healthy service is quiet, and `RONDO_LOG=debug` shows everything.

use std::time::{Duration, Instant};

use crate::{Metrics, TraceContext, metric::InUse};

/// A request that takes longer is logged at level `info`.
pub const SLOW_MS: u64 = 1_000;

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

    /// Records the response.
    pub fn finish(self, status: u16) {
        let duration = self.begun.elapsed();
        self.metrics.request(self.route, &self.method, status, duration, self.trace);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    method = self.method,
                    path = self.path,
                    status,
                    duration_ms = duration.as_secs_f64() * 1_000.0,
                    trace_id = self.trace_id,
                    request_id = self.request_id,
                    "request"
                )
            };
        }
        if status >= 500 {
            line!(warn);
        } else if duration >= Duration::from_millis(SLOW_MS) {
            line!(info);
        } else {
            line!(debug);
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
        request.finish(404);
        let text = metrics.encode(Format::Prometheus);
        assert!(text.contains("rondo_http_requests_in_flight 0\n"), "{text}");
        assert!(text.contains(
            "rondo_http_request_duration_seconds_count{route=\"/x\",method=\"GET\",status=\"4xx\"} 1"
        ));
    }
}
