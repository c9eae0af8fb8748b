//! Responses of the host itself.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// Seconds that an overloaded host asks a client to wait.
const RETRY_AFTER_S: u32 = 1;

/// A body of available bytes, in the type of a component's body.
#[must_use]
pub fn body(bytes: impl Into<Bytes>) -> HyperOutgoingBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Why the host itself responds.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub status: u16,
    pub code: &'static str,
    pub title: &'static str,
    pub detail: &'static str,
}

const NOT_FOUND: Fault = Fault {
    status: 404,
    code: "not_found",
    title: "Not found",
    detail: "There is nothing at this path.",
};
const INTERNAL: Fault =
    Fault { status: 500, code: "internal", title: "Internal error", detail: "The server failed." };
const OVERLOADED: Fault = Fault {
    status: 503,
    code: "overloaded",
    title: "Overloaded",
    detail: "The server has too many requests at once.",
};
pub(crate) const BROKEN_BODY: Fault =
    Fault { status: 400, code: "bad_request", title: "Bad request", detail: "The body broke off." };
pub(crate) const NO_HOST: Fault = Fault { detail: "The request has no host.", ..BROKEN_BODY };
pub(crate) const TOO_SLOW: Fault = Fault {
    status: 408,
    code: "request_timeout",
    title: "Request timeout",
    detail: "The body did not arrive in time.",
};
pub(crate) const DEADLINE: Fault = Fault {
    status: 504,
    code: "deadline",
    title: "Deadline",
    detail: "The request took too long.",
};
/// Every fault that the host responds with.
pub const FAULTS: [Fault; 7] =
    [NOT_FOUND, INTERNAL, OVERLOADED, BROKEN_BODY, NO_HOST, TOO_SLOW, DEADLINE];

/// A problem (RFC 9457) of the host itself. [`name_request`] adds its `request_id`.
#[must_use]
pub fn problem(fault: Fault) -> Response<HyperOutgoingBody> {
    let Fault { status, code, title, detail } = fault;
    let members = format!(
        r#"{{"type":"/problems/{code}","title":"{title}","status":{status},"detail":"{detail}","code":"{code}""#,
    );
    let mut response = Response::new(body(format!("{members}}}")));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
    response.extensions_mut().insert(Members(members));
    response
}

/// The text of such a problem, without its closing brace.
#[derive(Clone)]
struct Members(String);

/// Adds the `request_id` to a problem of the host itself; other responses stay unchanged. `id` is a header's
/// value, so only a quote and a backslash could break out of a JSON string.
pub fn name_request(response: &mut Response<HyperOutgoingBody>, id: &str) {
    if id.contains(['"', '\\']) {
        return;
    }
    if let Some(Members(members)) = response.extensions_mut().remove() {
        *response.body_mut() = body(format!(r#"{members},"request_id":"{id}"}}"#));
    }
}

/// 404: no route takes the path.
#[must_use]
pub fn not_found() -> Response<HyperOutgoingBody> {
    problem(NOT_FOUND)
}

/// 500: a fault of the host, whose cause the client does not learn.
#[must_use]
pub fn internal() -> Response<HyperOutgoingBody> {
    problem(INTERNAL)
}

pub(crate) fn overloaded() -> Response<HyperOutgoingBody> {
    let mut answer = problem(OVERLOADED);
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
            r#"{"type":"/problems/overloaded","title":"Overloaded","status":503,"detail":"The server has too many requests at once.","code":"overloaded","request_id":"abc-1"}"#
        );
    }

    #[test]
    fn only_the_hosts_own_problems_are_rewritten() {
        let mut response = Response::new(body("as it came"));
        name_request(&mut response, "abc-1");
        assert_eq!(text(response), "as it came");
        let mut response = internal();
        name_request(&mut response, r#"","code":"forged"#);
        assert!(text(response).ends_with(r#""code":"internal"}"#));
    }
}
