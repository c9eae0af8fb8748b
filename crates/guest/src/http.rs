//! HTTP over wasi:http: a request that is read as it is needed, a response, and [`serve`], the way
//! from the one to the other.
//!
//! There is no router: a component matches on method and path segments.

use std::cell::RefCell;

use rondo_contract::problem::ProblemCode;
use rondo_trace::TraceContext;
use serde_json::json;

use crate::bindings::wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, Method as WasiMethod, OutgoingBody, OutgoingResponse,
    ResponseOutparam,
};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::refusal::Refusal;

/// Longest body that is read.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How much of a body that is too long is read all the same, and thrown away: a client that is still
/// sending when its connection closes does not see the answer.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most that one read of a body asks for.
const READ_BYTES_MAX: u64 = 64 * 1024;
/// Most that `blocking-write-and-flush` takes (wasi:io/streams).
const WRITE_AND_FLUSH_BYTES_MAX: usize = 4096;

/// What an answer says unless it says otherwise: it is somebody's own and nobody's to keep, it is what
/// its type says, and nothing in it is to be run, loaded or framed.
const HEADER_DEFAULTS: [(&str, &str); 4] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
];

/// Answers a request with what `route` makes of it.
///
/// `HEAD` is routed as `GET`; the host sends the head of what is answered alone (RFC 9110, section
/// 9.3.2). `OPTIONS` is answered here, and to everyone: what there is to call is in the public document.
/// Refusals become problem responses; what an operator should know of them is logged here, once.
pub fn serve(
    incoming: IncomingRequest,
    out: ResponseOutparam,
    methods: Methods,
    route: impl FnOnce(&Request) -> Result<Response, Refusal>,
) {
    let is_options = matches!(incoming.method(), WasiMethod::Options);
    let request = Request::new(incoming, methods);
    let allow = if is_options { request.allow() } else { None };
    let answer = match allow {
        Some(allow) => Ok(Response::empty(204).header("allow", allow)),
        None => route(&request),
    };
    let response = answer.unwrap_or_else(|refusal| {
        if let Some(cause) = refusal.cause() {
            request.log_error(cause);
        }
        refusal.into_response(&request.request_id)
    });
    response.header("x-request-id", &request.request_id).with_defaults().send(out);
}

/// Tells the methods that a path has, by its segments: none, if there is no such path.
pub type Methods = fn(&[&str]) -> Vec<Method>;

/// The methods that routes know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Also for `HEAD`.
    Get,
    Post,
    Put,
    Patch,
    Delete,
    /// Answered with 405, whatever it is.
    Other,
}

impl Method {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Other => "OTHER",
        }
    }
}

/// An incoming request.
pub struct Request {
    pub method: Method,
    pub trace: TraceContext,
    /// The caller's, or one made here.
    pub request_id: String,
    target: String,
    methods: Methods,
    headers: Fields,
    incoming: RefCell<Option<IncomingRequest>>,
}

impl Request {
    fn new(incoming: IncomingRequest, methods: Methods) -> Self {
        let headers = incoming.headers();
        let method = match incoming.method() {
            WasiMethod::Get | WasiMethod::Head => Method::Get,
            WasiMethod::Post => Method::Post,
            WasiMethod::Put => Method::Put,
            WasiMethod::Patch => Method::Patch,
            WasiMethod::Delete => Method::Delete,
            _ => Method::Other,
        };
        Self {
            method,
            trace: TraceContext::continued(first(&headers, "traceparent").as_deref()),
            request_id: rondo_trace::request_id(first(&headers, "x-request-id").as_deref()),
            target: incoming.path_with_query().unwrap_or_default(),
            methods,
            headers,
            incoming: RefCell::new(Some(incoming)),
        }
    }

    /// Logs a failure as a JSON line on standard error, which the host collects.
    pub fn log_error(&self, message: &str) {
        let (trace_id, request_id) = (self.trace.trace_id(), &self.request_id);
        let line = json!({
            "level": "error", "message": message, "trace_id": trace_id, "request_id": request_id,
        });
        eprintln!("{line}");
    }

    /// The path as it was sent, percent-encoded, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The path's segments. A trailing slash makes a last, empty one, which matches no route.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        self.path().strip_prefix('/').unwrap_or_default().split('/').collect()
    }

    /// The query as it was sent; empty when there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first value of a header. What is not UTF-8 in it is U+FFFD: a condition or a key that
    /// cannot be read must not pass for one that is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        first(&self.headers, name)
    }

    /// A header that only the host may set: its last value, because Spin puts its own after those that a
    /// client sent (crates/trigger-http/src/headers.rs).
    #[must_use]
    pub fn host_header(&self, name: &str) -> Option<String> {
        self.headers.get(name).last().map(|value| text(value))
    }

    /// Every value of a header that may be sent as several lines, joined as RFC 9110 (section 5.3)
    /// allows.
    #[must_use]
    pub fn header_list(&self, name: &str) -> Option<String> {
        let lines: Vec<_> = self.headers.get(name).iter().map(|value| text(value)).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// The media type of the body, in lower case and without parameters.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let content_type = self.header("content-type")?;
        let media_type = content_type.split(';').next().unwrap_or_default();
        Some(media_type.trim().to_ascii_lowercase())
    }

    /// Reads the body. A second call answers nothing.
    ///
    /// # Errors
    /// 413 when it is longer than [`BODY_BYTES_MAX`], 400 when it breaks off.
    pub fn body(&self) -> Result<Vec<u8>, Refusal> {
        let Some(body) = self.incoming.take().and_then(|incoming| incoming.consume().ok()) else {
            return Ok(Vec::new());
        };
        // The stream is a child of the body and goes first.
        let read =
            body.stream().map_err(|()| broken_off()).and_then(|stream| read_bounded(&stream));
        drop::<IncomingBody>(body);
        read
    }

    /// Refuses a request that no route takes: 405 when its path has other methods, else 404.
    #[must_use]
    pub fn unrouted(&self) -> Refusal {
        match self.allow() {
            Some(allow) => Refusal::new(ProblemCode::MethodNotAllowed).header("allow", allow),
            None => Refusal::not_found(),
        }
    }

    /// The methods of its path, as the header `Allow` lists them; none when there is no such path.
    fn allow(&self) -> Option<String> {
        let mut names = Vec::new();
        for method in (self.methods)(&self.segments()) {
            names.push(method.as_str());
            if method == Method::Get {
                names.push("HEAD");
            }
        }
        if names.is_empty() {
            return None;
        }
        names.push("OPTIONS");
        Some(names.join(", "))
    }
}

/// A segment of a path without its percent-encoding (RFC 3986, section 2.1), if it is text.
#[must_use]
pub fn decoded(segment: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

fn first(headers: &Fields, name: &str) -> Option<String> {
    headers.get(name).first().map(|value| text(value))
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn read_bounded(stream: &InputStream) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    let mut length = 0;
    loop {
        match stream.blocking_read(READ_BYTES_MAX) {
            Ok(bytes) => {
                length += bytes.len();
                if length <= BODY_BYTES_MAX {
                    body.extend_from_slice(&bytes);
                } else if length > DISCARDED_BYTES_MAX {
                    return Err(too_large());
                }
            }
            // A host may cut such a body off.
            Err(_) if length > BODY_BYTES_MAX => return Err(too_large()),
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(_)) => return Err(broken_off()),
        }
    }
}

fn too_large() -> Refusal {
    Refusal::new(ProblemCode::BodyTooLarge)
        .detail(format!("A body may have at most {BODY_BYTES_MAX} bytes."))
}

fn broken_off() -> Refusal {
    Refusal::new(ProblemCode::MalformedJson).detail("The body broke off.")
}

/// An outgoing response.
pub struct Response {
    pub status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Response {
    /// No body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A body that is JSON already, as Postgres made it.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::of("application/json", status, body.into())
    }

    /// A body of a media type.
    #[must_use]
    pub fn of(media_type: &str, status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body }.header("content-type", media_type)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().as_bytes().to_vec()));
        self
    }

    fn with_defaults(self) -> Self {
        HEADER_DEFAULTS.into_iter().fold(self, |response, (name, value)| {
            let is_said = response.headers.iter().any(|(said, _)| said == name);
            if is_said { response } else { response.header(name, value) }
        })
    }

    /// Hands the response to the host. When the client has gone there is nobody to tell.
    fn send(mut self, out: ResponseOutparam) {
        // 204 and 304 have no length (RFC 9110, section 8.6).
        if !matches!(self.status, 204 | 304) {
            let length = self.body.len().to_string().into_bytes();
            self.headers.push(("content-length".to_owned(), length));
        }
        let fields = Fields::from_list(&self.headers).unwrap_or_else(|_| Fields::new());
        let response = OutgoingResponse::new(fields);
        let _ = response.set_status_code(self.status);
        let body = response.body();
        ResponseOutparam::set(out, Ok(response));
        let Ok(body) = body else { return };
        if let Ok(stream) = body.write() {
            let _ = write_all(&stream, &self.body);
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

impl Refusal {
    fn into_response(self, request_id: &str) -> Response {
        let (problem, headers) = self.into_problem(request_id);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let response = Response::of(rondo_contract::problem::MEDIA_TYPE, problem.status, body);
        headers.iter().fold(response, |response, (name, value)| response.header(name, value))
    }
}

fn write_all(stream: &OutputStream, mut rest: &[u8]) -> Result<(), StreamError> {
    if rest.is_empty() {
        return Ok(());
    }
    if rest.len() <= WRITE_AND_FLUSH_BYTES_MAX {
        return stream.blocking_write_and_flush(rest);
    }
    while !rest.is_empty() {
        let permitted = stream.check_write()?;
        if permitted == 0 {
            stream.subscribe().block();
            continue;
        }
        let bytes = usize::try_from(permitted).unwrap_or(usize::MAX).min(rest.len());
        stream.write(&rest[..bytes])?;
        rest = &rest[bytes..];
    }
    stream.blocking_flush()
}
