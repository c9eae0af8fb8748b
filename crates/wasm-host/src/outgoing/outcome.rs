//! How a request ended: for the component, for operators in a line and a count. Neither has a path, a header or a body.

use std::sync::{Arc, OnceLock};

use rondo_telemetry::{LineLimit, Metrics};
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

/// Outcomes of a request, as the metric names them. An abandoned one's call ended before there was an answer.
pub const OUTCOMES: [&str; 11] = [
    ANSWERED,
    ABANDONED,
    "refused",
    "keeps_session",
    "busy",
    "unresolved",
    "unreachable",
    "insecure",
    "timed_out",
    "too_long",
    "broken",
];
const ANSWERED: &str = "answered";
const ABANDONED: &str = "abandoned";

static LINES: LineLimit = LineLimit::new();

/// Why there is no answer, or no more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server is not allowed.
    Refused,
    /// The call keeps a database session from others.
    KeepsSession,
    /// Too many requests are under way.
    Busy,
    Unresolved,
    Unreachable,
    /// No TLS with a server that proves its name.
    Insecure,
    TimedOut,
    TooLong,
    /// The connection broke, or the answer is no HTTP.
    Broken,
}

impl Failure {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::KeepsSession => "keeps_session",
            Self::Busy => "busy",
            Self::Unresolved => "unresolved",
            Self::Unreachable => "unreachable",
            Self::Insecure => "insecure",
            Self::TimedOut => "timed_out",
            Self::TooLong => "too_long",
            Self::Broken => "broken",
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused | Failure::KeepsSession => Self::HttpRequestDenied,
            Failure::Busy => Self::ConnectionLimitReached,
            Failure::Unresolved => Self::DnsError { rcode: None, info_code: None },
            Failure::Unreachable => Self::DestinationUnavailable,
            Failure::Insecure => Self::TlsProtocolError,
            Failure::TimedOut => Self::HttpResponseTimeout,
            Failure::TooLong => Self::HttpResponseBodySize(None),
            Failure::Broken => Self::HttpProtocolError,
        }
    }
}

/// The code of an error that ends a body: an answer's, or that of a request to the component.
pub(crate) fn error_code(error: &Error) -> Option<ErrorCode> {
    match error {
        Error::HttpResponseTimeout => Some(ErrorCode::HttpResponseTimeout),
        Error::HttpResponseBodySize(length) => Some(ErrorCode::HttpResponseBodySize(*length)),
        Error::HttpProtocolError => Some(ErrorCode::HttpProtocolError),
        Error::HttpRequestBodySize(length) => Some(ErrorCode::HttpRequestBodySize(*length)),
        _ => None,
    }
}

/// A request whose outcome is recorded when this is dropped.
pub(super) struct Attempt {
    component: String,
    host: String,
    outcome: &'static str,
    metrics: Arc<OnceLock<Metrics>>,
}

impl Attempt {
    pub(super) fn new(component: String, host: String, metrics: Arc<OnceLock<Metrics>>) -> Self {
        Self { component, host, outcome: ABANDONED, metrics }
    }

    /// The head of the answer is there. Its body may still fail.
    pub(super) fn has_answer(&mut self) {
        self.outcome = ANSWERED;
    }

    pub(super) fn has_failed(&mut self, failure: Failure) {
        self.outcome = failure.as_str();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Self { component, host, outcome, metrics } = self;
        if let Some(metrics) = metrics.get() {
            metrics.outgoing(&component.clone().into(), outcome);
        }
        if ![ANSWERED, ABANDONED].contains(outcome)
            && let Some(suppressed) = LINES.line()
        {
            tracing::warn!(
                component,
                host,
                outcome,
                suppressed,
                "a request to another server failed"
            );
        }
    }
}
