//! What is told of each HTTP request: one log line and one observation.
//!
//! The line is at level `debug`; at `info` when the request took [`SLOW_MS`] or more, at `warn` when
//! it failed on our side. So a healthy service is quiet, and `RONDO_LOG=debug` shows everything.

use std::time::{Duration, Instant};

use crate::{Metrics, TraceContext, metric::InUse};

/// A request that takes longer is logged at level `info`.
pub const SLOW_MS: u64 = 1_000;
/// Longest request id that is taken from a caller.
const REQUEST_ID_BYTES_MAX: usize = 128;

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
    /// Begins; `header` looks a header up, of which `traceparent` is continued and `x-request-id`
    /// is kept when it is sane (1 to 128 visible ASCII characters).
    pub fn begin<'a>(
        metrics: &Metrics,
        route: &'static str,
        method: &str,
        path: &str,
        header: impl Fn(&'static str) -> Option<&'a str>,
    ) -> Self {
        let trace = TraceContext::continued(header("traceparent"));
        let sane = |id: &&str| {
            (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let request_id = header("x-request-id").filter(sane);
        Self {
            metrics: metrics.clone(),
            route,
            method: method.to_owned(),
            path: path.to_owned(),
            trace_id: trace.trace_id(),
            request_id: request_id
                .map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned),
            trace,
            begun: Instant::now(),
            _in_flight: metrics.in_flight(),
        }
    }

    /// The place of this request in its trace: what it causes comes under it.
    pub fn trace(&self) -> TraceContext {
        self.trace
    }

    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// For what is logged on the way.
    pub fn span(&self) -> tracing::Span {
        let (trace_id, request_id) = (&*self.trace_id, &*self.request_id);
        tracing::info_span!("request", trace_id, request_id)
    }

    /// The answer is there.
    pub fn finish(self, status: u16) {
        let duration = self.begun.elapsed();
        self.metrics.request(self.route, &self.method, status, duration);
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

    fn begin<'a>(headers: &'a [(&'a str, &'a str)]) -> RequestLog {
        let header = |name: &'static str| {
            headers.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
        };
        RequestLog::begin(&Metrics::new(), "/x", "GET", "/x", header)
    }

    #[test]
    fn what_a_caller_sent_is_kept_when_it_is_sane() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let request = begin(&[("traceparent", trace), ("x-request-id", "abc-1")]);
        assert_eq!(request.trace().trace_id(), &trace[3..35]);
        assert_eq!(request.request_id(), "abc-1");
        for id in ["", "a b", "a\n", &"x".repeat(129)] {
            assert_eq!(begin(&[("x-request-id", id)]).request_id().len(), 32, "{id:?}");
        }
    }

    #[test]
    fn a_request_is_in_flight_until_it_is_finished() {
        let metrics = Metrics::new();
        let request = RequestLog::begin(&metrics, "/x", "GET", "/x", |_| None);
        assert!(metrics.encode().contains("rondo_http_requests_in_flight 1\n"));
        request.finish(404);
        let text = metrics.encode();
        assert!(text.contains("rondo_http_requests_in_flight 0\n"), "{text}");
        assert!(text.contains(
            "rondo_http_request_duration_seconds_count{route=\"/x\",method=\"GET\",status=\"4xx\"} 1"
        ));
    }
}
