//! A small HTTP client: JSON requests and responses, no redirects, a time limit on everything.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::described_answer::assert_described;

pub use crate::response::Response;

/// Time limit for a response and its body.
const ANSWER_SECONDS_MAX: u64 = 30;

/// A client of one server; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    headers: HeaderMap,
    connections: legacy::Client<HttpConnector, Full<Bytes>>,
    /// Whether the server is Rondo, whose responses have to match the OpenAPI document.
    is_described: bool,
}

/// Why there is no response.
#[derive(Debug)]
pub enum HttpError {
    /// The server is unreachable, or the connection broke before the end of the response.
    Connection(String),
    /// No complete response within [`ANSWER_SECONDS_MAX`].
    Deadline,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(cause) => write!(f, "no answer: {cause}"),
            Self::Deadline => write!(f, "no answer within {ANSWER_SECONDS_MAX} s"),
        }
    }
}

impl std::error::Error for HttpError {}

impl Client {
    /// `base` is, for example, `http://127.0.0.1:3000`; paths are appended to it.
    #[must_use]
    pub fn new(base: impl Into<String>) -> Self {
        let connections = legacy::Client::builder(TokioExecutor::new()).build_http();
        let base = base.into().trim_end_matches('/').to_owned();
        Self { base, headers: HeaderMap::new(), connections, is_described: true }
    }

    /// A client of a server that only resembles Rondo, whose responses are not checked.
    #[must_use]
    pub fn of_twin(base: impl Into<String>) -> Self {
        Self { is_described: false, ..Self::new(base) }
    }

    /// The same client with an additional header on each request.
    ///
    /// # Panics
    /// If the name or the value is not valid in a header.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        let name = HeaderName::try_from(name).expect("a header's name");
        client.headers.insert(name, HeaderValue::try_from(value).expect("a header's value"));
        client
    }

    /// The same client with an access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        self.with_header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// # Errors
    /// If there is no response; any status is a response.
    pub async fn get(&self, path: &str) -> Result<Response, HttpError> {
        self.request(Method::GET, path).send().await
    }

    /// # Errors
    /// If there is no response; any status is a response.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Response, HttpError> {
        self.request(Method::POST, path).json(body).send().await
    }

    /// # Errors
    /// If there is no response; any status is a response.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Response, HttpError> {
        self.request(Method::PUT, path).json(body).send().await
    }

    /// # Errors
    /// If there is no response; any status is a response.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Response, HttpError> {
        self.request(Method::PATCH, path).json(body).send().await
    }

    /// # Errors
    /// If there is no response; any status is a response.
    pub async fn delete(&self, path: &str) -> Result<Response, HttpError> {
        self.request(Method::DELETE, path).send().await
    }

    /// A request with headers or a body of its own.
    pub fn request(&self, method: Method, path: &str) -> Pending<'_> {
        Pending {
            client: self,
            method,
            path: path.to_owned(),
            headers: self.headers.clone(),
            body: Bytes::new(),
        }
    }
}

/// An unsent request.
#[derive(Debug)]
#[must_use = "nothing happens before `send`"]
pub struct Pending<'a> {
    client: &'a Client,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Pending<'_> {
    /// # Panics
    /// If the name or the value is not valid in a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a header's name");
        self.headers.insert(name, HeaderValue::try_from(value).expect("a header's value"));
        self
    }

    /// A JSON body with its content type, unless one was set.
    pub fn json(mut self, body: &Value) -> Self {
        self.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        self.body(body.to_string())
    }

    /// A raw body, without a content type of its own.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// # Errors
    /// If there is no complete response; any status is a response.
    ///
    /// # Panics
    /// If the path cannot be in a URL, or the OpenAPI document has no such response to this request.
    pub async fn send(self) -> Result<Response, HttpError> {
        let url = format!("{}{}", self.client.base, self.path);
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        *request.headers_mut() = self.headers;
        let answer = async {
            let answer =
                self.client.connections.request(request).await.map_err(|error| cause(&error))?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| cause(&error))?.to_bytes();
            Ok(Response { status: head.status, headers: head.headers, body })
        };
        let answer = tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS_MAX), answer)
            .await
            .unwrap_or(Err(HttpError::Deadline))?;
        if self.client.is_described {
            assert_described(&self.method, &self.path, &answer);
        }
        Ok(answer)
    }
}

/// The innermost cause is the most specific: "connection refused" instead of "client error".
fn cause(error: &dyn std::error::Error) -> HttpError {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    HttpError::Connection(error.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection with `answer`, and returns the request.
    async fn answering(answer: &'static str) -> (Client, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = Client::new(format!("http://{}/", listener.local_addr().unwrap()));
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"}") && !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        (client, server)
    }

    #[tokio::test]
    async fn json_goes_out_and_comes_back() {
        let answer = "HTTP/1.1 201 Created\r\nlocation: /x\r\ncontent-length: 8\r\n\r\n{\"id\":1}";
        let (client, server) = answering(answer).await;
        let body = serde_json::json!({"a": 1});
        let response = client.with_token("t").post("/tasks", &body).await.unwrap().expect(201);
        assert_eq!(response.json()["id"], 1);
        assert_eq!(response.header("Location"), Some("/x"));
        let asked = server.await.unwrap();
        assert!(asked.starts_with("POST /tasks HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("authorization: Bearer t\r\n"), "{asked}");
        assert!(asked.contains("content-type: application/json\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn an_incomplete_response_is_an_error() {
        let (client, _server) = answering("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{").await;
        let error = client.get("/").await.unwrap_err();
        assert!(matches!(error, HttpError::Connection(_)), "{error}");
    }
}
