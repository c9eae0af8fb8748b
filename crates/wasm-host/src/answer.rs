//! Answers of the host itself.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// Seconds that an overloaded host asks a client to wait.
const RETRY_AFTER_S: u32 = 1;

/// A body of bytes at hand, in the type that a component's body has.
#[must_use]
pub fn body(bytes: impl Into<Bytes>) -> HyperOutgoingBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A problem (RFC 9457) of the host's own.
#[must_use]
pub fn problem(status: StatusCode, code: &str, detail: &str) -> Response<HyperOutgoingBody> {
    let title = status.canonical_reason().unwrap_or("Error");
    let text = format!(
        r#"{{"type":"/problems/{code}","title":"{title}","status":{},"detail":"{detail}","code":"{code}"}}"#,
        status.as_u16()
    );
    let mut response = Response::new(body(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
    response
}

pub(crate) fn not_found() -> Response<HyperOutgoingBody> {
    problem(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path.")
}

pub(crate) fn bad_request(detail: &str) -> Response<HyperOutgoingBody> {
    problem(StatusCode::BAD_REQUEST, "bad_request", detail)
}

pub(crate) fn internal() -> Response<HyperOutgoingBody> {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
}

pub(crate) fn too_slow() -> Response<HyperOutgoingBody> {
    problem(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body did not come in time.")
}

pub(crate) fn overloaded() -> Response<HyperOutgoingBody> {
    let mut answer =
        problem(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too many requests at once.");
    answer.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
    answer
}
