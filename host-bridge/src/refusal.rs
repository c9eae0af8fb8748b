//! Refused requests (401 and 429): counted by reason, and logged at a bounded rate.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use rondo_contract::problem::ProblemCode;
use rondo_telemetry::Metrics;
use rondo_wasm_host::app::{body, internal};
use rondo_wasm_host::client::Client;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// Why a request is refused: an extension of the response, where its code is not specific enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason(pub &'static str);

/// The rate limit of an address, and of a user, is exceeded.
pub const RATE_ADDRESS: Reason = Reason("rate_address");
pub const RATE_USER: Reason = Reason("rate_user");
/// A component's own throttle, such as that of logins.
const THROTTLED: &str = "throttled";
const NO_TOKEN: &str = "no_token";
const INVALID_TOKEN: &str = "invalid_token";
/// A code that the contract doesn't have.
const OTHER: &str = "other";
/// Series that exist from the start, so that alerts see the first refusal.
const ANNOUNCED: [(u16, &str); 6] = [
    (401, NO_TOKEN),
    (401, INVALID_TOKEN),
    (401, ProblemCode::InvalidCredentials.as_str()),
    (429, RATE_ADDRESS.0),
    (429, RATE_USER.0),
    (429, THROTTLED),
];

/// Time in which an address is logged once per reason, in seconds, and the lines in that time: the log shows
/// who is refused, the metrics show how often.
const WINDOW_S: u64 = 10;
const WINDOW_LINES_MAX: usize = 50;

/// Counts and logs the refusals of a process.
pub struct Refusals {
    metrics: Metrics,
    window: Mutex<Window>,
}

struct Window {
    begun: Instant,
    /// Clients and reasons logged in the current window.
    named: HashSet<(String, &'static str)>,
    /// Refusals since the last line.
    suppressed: u64,
}

impl Refusals {
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        metrics.announce_refusals(&ANNOUNCED);
        let window = Window { begun: Instant::now(), named: HashSet::new(), suppressed: 0 };
        Self { metrics, window: Mutex::new(window) }
    }

    /// Counts and logs a response that is a refusal; `has_token`: whether the request had a token.
    pub async fn see(
        &self,
        response: Response<HyperOutgoingBody>,
        client: Option<&Client>,
        has_token: bool,
    ) -> Response<HyperOutgoingBody> {
        let status = response.status();
        if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS) {
            return response;
        }
        let told = response.extensions().get::<Reason>().map(|reason| reason.0);
        let (response, reason) = match told {
            Some(reason) => (response, reason),
            None => match with_code(response).await {
                Some((response, code)) => {
                    let code = code.as_deref();
                    (response, reason(status, code, has_token))
                }
                // A component's response is buffered, so the failure is ours.
                None => return internal(),
            },
        };
        self.metrics.refused(status.as_u16(), reason);
        let client = client.map_or("", |client| &*client.0);
        if let Some(suppressed) = self.line(client, reason, Instant::now()) {
            tracing::info!(status = status.as_u16(), reason, client, suppressed, "refused");
        }
        response
    }

    /// Whether to log this refusal; if so, the number of those suppressed since the last line.
    fn line(&self, client: &str, reason: &'static str, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(window.begun) >= Duration::from_secs(WINDOW_S) {
            window.begun = now;
            window.named.clear();
        }
        if window.named.len() < WINDOW_LINES_MAX && window.named.insert((client.to_owned(), reason))
        {
            return Some(std::mem::take(&mut window.suppressed));
        }
        window.suppressed += 1;
        None
    }
}

/// A response, with its problem code if it has one.
async fn with_code(
    response: Response<HyperOutgoingBody>,
) -> Option<(Response<HyperOutgoingBody>, Option<String>)> {
    let (head, content) = response.into_parts();
    let content = content.collect().await.ok()?.to_bytes();
    let problem: Option<serde_json::Value> = serde_json::from_slice(&content).ok();
    let code = problem.and_then(|problem| Some(problem["code"].as_str()?.to_owned()));
    Some((Response::from_parts(head, body(content)), code))
}

/// Without a code, as in a response to HEAD, the status decides.
fn reason(status: StatusCode, code: Option<&str>, has_token: bool) -> &'static str {
    let usual = match status {
        StatusCode::UNAUTHORIZED => ProblemCode::Unauthenticated,
        _ => ProblemCode::TooManyRequests,
    };
    let code = code.unwrap_or(usual.as_str());
    match ProblemCode::all().find(|known| known.as_str() == code) {
        Some(ProblemCode::Unauthenticated) if has_token => INVALID_TOKEN,
        Some(ProblemCode::Unauthenticated) => NO_TOKEN,
        Some(ProblemCode::TooManyRequests) => THROTTLED,
        Some(known) => known.as_str(),
        None => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use rondo_telemetry::Program;

    use super::*;

    #[test]
    fn reasons_are_of_a_fixed_set() {
        for (status, code, has_token, expected) in [
            (401, Some("unauthenticated"), false, "no_token"),
            (401, Some("unauthenticated"), true, "invalid_token"),
            (401, None, false, "no_token"),
            (401, Some("invalid_credentials"), false, "invalid_credentials"),
            (429, Some("too_many_requests"), true, "throttled"),
            (429, None, true, "throttled"),
            (429, Some("made_up"), true, "other"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(reason(status, code, has_token), expected, "{code:?}");
        }
    }

    #[test]
    fn each_refusal_is_logged_once_per_window_with_the_number_suppressed() {
        let refusals = Refusals::new(Metrics::new(Program::Up));
        let begin = Instant::now();
        let at = |s| begin + Duration::from_secs(s);
        assert_eq!(refusals.line("a", "no_token", at(1)), Some(0));
        for _ in 0..7 {
            assert_eq!(refusals.line("a", "no_token", at(2)), None);
        }
        assert_eq!(refusals.line("a", "rate_address", at(2)), Some(7));
        assert_eq!(refusals.line("b", "no_token", at(3)), Some(0));
        for other in 0..200 {
            refusals.line(&other.to_string(), "no_token", at(4));
        }
        assert_eq!(refusals.line("c", "no_token", at(5)), None);
        let left_out = 200 - (WINDOW_LINES_MAX as u64 - 3) + 1;
        assert_eq!(refusals.line("a", "no_token", at(20)), Some(left_out));
    }
}
