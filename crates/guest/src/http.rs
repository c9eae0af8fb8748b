//! HTTP over wasi:http: a request that is read on demand, a response, and [`serve`], which answers one with
//! the other.
//!
//! There is no router: a component matches on method and path segments.

use std::cell::RefCell;

use rondo_contract::actor::Actor;
use rondo_contract::problem::ProblemCode;
use rondo_trace::TraceContext;
use serde_json::json;

use crate::bindings::wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, Method as WasiMethod, OutgoingBody, OutgoingResponse,
    ResponseOutparam,
};
use crate::bindings::wasi::io::streams::{InputStream, StreamError};
use crate::refusal::Refusal;
pub use crate::writer::Writer;
use crate::writer::write_all;

/// Maximum length of a body, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How much of a too long body is read and discarded: a client that is still sending when its connection
/// closes does not see the response.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Maximum number of bytes requested by one read of a body.
const READ_BYTES_MAX: u64 = 64 * 1024;

/// Headers of a response unless it sets them itself: it is private and not cached, its type is not sniffed,
/// and nothing in it is run, loaded or framed.
const HEADER_DEFAULTS: [(&str, &str); 4] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
];

/// Answers a request with the result of `route`.
///
/// `HEAD` is routed as `GET`; the host sends only the head of the response (RFC 9110, section 9.3.2).
/// `OPTIONS` is answered here for every caller, because the routes are public in the API document. Refusals
/// become problem responses; causes that matter to an operator are logged here, once.
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

/// The methods of a path, given its segments; empty if there is no such path.
pub type Methods = fn(&[&str]) -> Vec<Method>;

/// The methods of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Also used for `HEAD`.
    Get,
    Post,
    Put,
    Patch,
    Delete,
    /// Any other method; answered with 405.
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
    /// The client's request id, or a new one.
    pub request_id: String,
    target: String,
    methods: Methods,
    headers: Fields,
    body: RefCell<Body>,
    /// The program that acts for the user, if the request is part of one that came by another protocol.
    actor: Option<Actor>,
}

/// A body that has not been read yet.
#[derive(Default)]
enum Body {
    #[default]
    Taken,
    Incoming(IncomingRequest),
    Given(Vec<u8>),
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
            // The host has the span of this call.
            trace: TraceContext::received(first(&headers, "traceparent").as_deref()),
            request_id: rondo_trace::request_id(first(&headers, "x-request-id").as_deref()),
            target: incoming.path_with_query().unwrap_or_default(),
            methods,
            headers,
            body: RefCell::new(Body::Incoming(incoming)),
            actor: None,
        }
    }

    /// A request that is a part of this one, such as an operation of a batch.
    #[must_use]
    pub fn part(
        &self,
        method: Method,
        target: String,
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> Self {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes()))
            .collect();
        Self {
            method,
            trace: self.trace,
            request_id: self.request_id.clone(),
            target,
            methods: self.methods,
            headers: Fields::from_list(&headers).unwrap_or_else(|_| Fields::new()),
            body: RefCell::new(Body::Given(body)),
            actor: self.actor.clone(),
        }
    }

    /// The same request of a program that acts for the user.
    #[must_use]
    pub fn of_actor(self, actor: Actor) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// What causes a change: the trace, and who acts for the user. The argument `p_trace` of the functions that write.
    #[must_use]
    pub fn cause(&self) -> String {
        let traceparent = self.trace.traceparent();
        self.actor.as_ref().map_or(traceparent.clone(), |actor| actor.after(&traceparent))
    }

    /// Logs a failure as a JSON line on standard error, which the host collects.
    pub fn log_error(&self, message: &str) {
        let (trace_id, request_id) = (self.trace.trace_id(), &self.request_id);
        let line = json!({
            "level": "error", "message": message, "trace_id": trace_id, "request_id": request_id,
        });
        eprintln!("{line}");
    }

    /// The path as sent, percent-encoded, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The path's segments. A trailing slash adds an empty last one, which matches no route.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        self.path().strip_prefix('/').unwrap_or_default().split('/').collect()
    }

    /// The query as sent; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first value of a header. Bytes that are not UTF-8 become U+FFFD: an unreadable condition or key
    /// must not count as absent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        first(&self.headers, name)
    }

    /// A header that only the host may set: its last value, because Spin appends its own after the client's
    /// (crates/trigger-http/src/headers.rs).
    #[must_use]
    pub fn host_header(&self, name: &str) -> Option<String> {
        self.headers.get(name).last().map(|value| text(value))
    }

    /// All values of a header that may occur several times, joined as RFC 9110 (section 5.3) allows.
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

    /// Reads the body. A second call returns an empty one.
    ///
    /// # Errors
    /// 413 if it is longer than [`BODY_BYTES_MAX`], 400 if it is incomplete.
    pub fn body(&self) -> Result<Vec<u8>, Refusal> {
        let incoming = match self.body.take() {
            Body::Incoming(incoming) => incoming.consume().ok(),
            Body::Given(body) => return Ok(body),
            Body::Taken => None,
        };
        let Some(body) = incoming else { return Ok(Vec::new()) };
        // The stream is a child of the body and has to be dropped first.
        let read =
            body.stream().map_err(|()| broken_off()).and_then(|stream| read_bounded(&stream));
        drop::<IncomingBody>(body);
        read
    }

    /// The refusal of a request that no route takes: 405 if its path has other methods, otherwise 404.
    #[must_use]
    pub fn unrouted(&self) -> Refusal {
        match self.allow() {
            Some(allow) => Refusal::new(ProblemCode::MethodNotAllowed).header("allow", allow),
            None => Refusal::not_found(),
        }
    }

    /// The methods of its path in the form of the header `Allow`; none if there is no such path.
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

/// A percent-decoded segment of a path (RFC 3986, section 2.1), if it is UTF-8.
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
            // A host may truncate such a body.
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
    /// Instead of a body.
    stream: Option<Stream>,
}

type Stream = Box<dyn FnOnce(&mut Writer)>;

impl Response {
    /// A response without a body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), stream: None }
    }

    /// A response with status 200, whose body `write` writes after the head is sent. Hosts pass on
    /// `text/event-stream` part by part, other media types as a whole. `write` runs to its end although the client
    /// leaves; if it panics, the connection breaks, so that the client does not take the part for the whole.
    #[must_use]
    pub fn stream(media_type: &str, write: impl FnOnce(&mut Writer) + 'static) -> Self {
        let response = Self { stream: Some(Box::new(write)), ..Self::empty(200) };
        response.header("content-type", media_type)
    }

    /// A body that is already JSON, as built by Postgres.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::of("application/json", status, body.into())
    }

    /// A body of a media type.
    #[must_use]
    pub fn of(media_type: &str, status: u16, body: Vec<u8>) -> Self {
        Self { body, ..Self::empty(status) }.header("content-type", media_type)
    }

    /// The body; empty if it is a stream.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The value of a header that was added.
    #[must_use]
    pub fn added(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(added, _)| added == name)?;
        std::str::from_utf8(value).ok()
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

    /// Hands the response to the host. An error means that the client has gone, so it is ignored.
    fn send(mut self, out: ResponseOutparam) {
        // 204 and 304 have no length (RFC 9110, section 8.6), and a stream's is not known yet.
        if !matches!(self.status, 204 | 304) && self.stream.is_none() {
            let length = self.body.len().to_string().into_bytes();
            self.headers.push(("content-length".to_owned(), length));
        }
        let fields = Fields::from_list(&self.headers).unwrap_or_else(|_| Fields::new());
        let response = OutgoingResponse::new(fields);
        let _ = response.set_status_code(self.status);
        let body = response.body();
        ResponseOutparam::set(out, Ok(response));
        let Ok(body) = body else { return };
        let stream = body.write().ok();
        match self.stream {
            Some(write) => write(&mut Writer::new(stream)),
            None => {
                let _ = stream.map(|stream| write_all(&stream, &self.body));
            }
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
