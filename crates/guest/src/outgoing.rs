//! Requests of a component to other servers, which its `allowed_outbound_hosts` in spin.toml must list. Its world
//! imports `wasi:http/outgoing-handler`.
//!
//! Hold no database session meanwhile, because an answer can take a minute: call
//! [`release`](crate::database::Database::release) before. Redirects are not followed.

use crate::bindings::wasi::http::outgoing_handler::handle;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method,
    OutgoingBody, OutgoingRequest, Scheme, http_error_code,
};
use crate::bindings::wasi::io::streams::{InputStream, StreamError};
use crate::writer::write_all;

/// Maximum number of bytes requested by one read of a body.
const READ_BYTES_MAX: u64 = 64 * 1024;

/// A request that has not been sent.
pub struct Outgoing {
    method: Method,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// Why there is no answer, or no more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutgoingError {
    /// The URL is malformed or not allowed, or the request is one that the host does not send.
    Refused,
    /// The host already makes as many requests as it may.
    Busy,
    /// The host's name has no address.
    Dns,
    /// No connection could be made.
    Unreachable,
    /// The server could not prove who it is.
    Tls,
    /// The answer took too long.
    TimedOut,
    /// The answer is longer than is read.
    TooLong,
    /// The connection broke, or the answer was no HTTP.
    Broken,
}

/// A server's answer, whose body is read as it comes.
pub struct Answer {
    pub status: u16,
    headers: Fields,
    /// None after the body's end. The stream is a child of the body and is dropped first.
    stream: Option<InputStream>,
    _body: IncomingBody,
}

impl Outgoing {
    /// A GET request for an absolute URL, with http or https.
    #[must_use]
    pub fn get(url: &str) -> Self {
        Self::new(Method::Get, url)
    }

    /// A POST request for an absolute URL, with http or https.
    #[must_use]
    pub fn post(url: &str) -> Self {
        Self::new(Method::Post, url)
    }

    fn new(method: Method, url: &str) -> Self {
        Self { method, url: url.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().as_bytes().to_vec()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Sends the request, and waits for the head of its answer, whatever its status.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn send(mut self) -> Result<Answer, OutgoingError> {
        if !self.body.is_empty() {
            let length = self.body.len().to_string();
            self = self.header("content-length", length);
        }
        let headers = Fields::from_list(&self.headers).map_err(|_| OutgoingError::Refused)?;
        let request = OutgoingRequest::new(headers);
        address(&request, &self.url).ok_or(OutgoingError::Refused)?;
        request.set_method(&self.method).map_err(|()| OutgoingError::Refused)?;
        let body = request.body().map_err(|()| OutgoingError::Refused)?;
        let answer = handle(request, None).map_err(OutgoingError::from)?;
        if let Ok(stream) = body.write() {
            // If the request failed, its answer says why.
            let _ = write_all(&stream, &self.body);
        }
        let _ = OutgoingBody::finish(body, None);
        Answer::of(awaited(&answer)?)
    }
}

/// Sets where a request goes; none if the URL is malformed.
fn address(request: &OutgoingRequest, url: &str) -> Option<()> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let rest = rest.split('#').next()?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    request.set_scheme(Some(&scheme)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    request.set_path_with_query(Some(&path)).ok()
}

fn awaited(answer: &FutureIncomingResponse) -> Result<IncomingResponse, OutgoingError> {
    loop {
        if let Some(answer) = answer.get() {
            // It is taken only once.
            return Ok(answer.map_err(|()| OutgoingError::Broken)??);
        }
        answer.subscribe().block();
    }
}

impl Answer {
    fn of(response: IncomingResponse) -> Result<Self, OutgoingError> {
        let body = response.consume().map_err(|()| OutgoingError::Broken)?;
        let stream = body.stream().map_err(|()| OutgoingError::Broken)?;
        Ok(Self {
            status: response.status(),
            headers: response.headers(),
            stream: Some(stream),
            _body: body,
        })
    }

    /// The first value of a header. Bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.headers.get(name);
        values.first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Waits for the next part of the body, as it comes from the server; none after its end.
    ///
    /// # Errors
    /// If the body does not come to its end.
    #[expect(
        clippy::should_implement_trait,
        reason = "an error ends the body, which `?` shows at once"
    )]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, OutgoingError> {
        let Some(stream) = &self.stream else { return Ok(None) };
        match stream.blocking_read(READ_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StreamError::Closed) => {
                self.stream = None;
                Ok(None)
            }
            Err(StreamError::LastOperationFailed(error)) => {
                let code = http_error_code(&error);
                drop(error);
                self.stream = None;
                Err(code.map_or(OutgoingError::Broken, OutgoingError::from))
            }
        }
    }

    /// Waits for the whole body, or the rest of it.
    ///
    /// # Errors
    /// As for [`Answer::next`]; [`OutgoingError::TooLong`] if it has more than `bytes_max` bytes.
    pub fn whole(mut self, bytes_max: usize) -> Result<Vec<u8>, OutgoingError> {
        let mut whole = Vec::new();
        while let Some(part) = self.next()? {
            if whole.len() + part.len() > bytes_max {
                return Err(OutgoingError::TooLong);
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    }
}

impl From<ErrorCode> for OutgoingError {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::HttpRequestDenied
            | ErrorCode::DestinationIpProhibited
            | ErrorCode::HttpRequestUriInvalid
            | ErrorCode::HttpRequestUriTooLong
            | ErrorCode::HttpRequestMethodInvalid
            | ErrorCode::HttpRequestBodySize(_) => Self::Refused,
            ErrorCode::ConnectionLimitReached => Self::Busy,
            ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
                Self::Dns
            }
            ErrorCode::ConnectionRefused
            | ErrorCode::ConnectionTimeout
            | ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpUnroutable => Self::Unreachable,
            ErrorCode::TlsProtocolError
            | ErrorCode::TlsCertificateError
            | ErrorCode::TlsAlertReceived(_) => Self::Tls,
            ErrorCode::HttpResponseTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout => Self::TimedOut,
            ErrorCode::HttpResponseBodySize(_) => Self::TooLong,
            _ => Self::Broken,
        }
    }
}

impl std::fmt::Display for OutgoingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Refused => "the request is not allowed",
            Self::Busy => "too many requests are under way",
            Self::Dns => "the server's name could not be resolved",
            Self::Unreachable => "the server cannot be reached",
            Self::Tls => "no secure connection to the server could be made",
            Self::TimedOut => "the server took too long",
            Self::TooLong => "the server's answer is too long",
            Self::Broken => "the server's answer broke off",
        })
    }
}

impl std::error::Error for OutgoingError {}
