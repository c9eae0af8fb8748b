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

/// A problem (RFC 9457) of the host's own. It has no `request_id` until [`name_request`] gives it one.
#[must_use]
pub fn problem(status: StatusCode, code: &str, detail: &str) -> Response<HyperOutgoingBody> {
    let title = status.canonical_reason().unwrap_or("Error");
    let members = format!(
        r#"{{"type":"/problems/{code}","title":"{title}","status":{},"detail":"{detail}","code":"{code}""#,
        status.as_u16()
    );
    let mut response = Response::new(body(format!("{members}}}")));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
    response.extensions_mut().insert(Members(members));
    response
}

/// What a problem of the host says so far, without its end.
#[derive(Clone)]
struct Members(String);

/// Tells in a problem of the host's own which request it answers, as each component does in its own;
/// any other answer stays as it is. `id` is an id that may stand in a header, so nothing in it breaks
/// out of a JSON string but a quote or a backslash.
pub fn name_request(response: &mut Response<HyperOutgoingBody>, id: &str) {
    if id.contains(['"', '\\']) {
        return;
    }
    if let Some(Members(members)) = response.extensions_mut().remove() {
        *response.body_mut() = body(format!(r#"{members},"request_id":"{id}"}}"#));
    }
}

/// 404: there is nothing at a path.
#[must_use]
pub fn not_found() -> Response<HyperOutgoingBody> {
    problem(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path.")
}

pub(crate) fn bad_request(detail: &str) -> Response<HyperOutgoingBody> {
    problem(StatusCode::BAD_REQUEST, "bad_request", detail)
}

/// 500: a fault of ours, of which the client learns nothing.
#[must_use]
pub fn internal() -> Response<HyperOutgoingBody> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(response: Response<HyperOutgoingBody>) -> String {
        let collected = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(response.into_body().collect())
            .expect("bytes at hand");
        String::from_utf8(collected.to_bytes().to_vec()).expect("text")
    }

    #[test]
    fn a_problem_names_its_request() {
        let mut response = overloaded();
        name_request(&mut response, "abc-1");
        assert_eq!(
            text(response),
            r#"{"type":"/problems/overloaded","title":"Service Unavailable","status":503,"detail":"Too many requests at once.","code":"overloaded","request_id":"abc-1"}"#
        );
    }

    #[test]
    fn only_what_is_the_hosts_own_is_rewritten() {
        let mut response = Response::new(body("as it came"));
        name_request(&mut response, "abc-1");
        assert_eq!(text(response), "as it came");
        let mut response = internal();
        name_request(&mut response, r#"","code":"forged"#);
        assert!(text(response).ends_with(r#""code":"internal"}"#));
    }
}
