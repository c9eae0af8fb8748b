//! Requests to the API.

use serde_json::Value;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestInit, Response};

use crate::platform::window;

/// How long a request may take, in milliseconds. A dead connection must not hold up the ones after it.
const REQUEST_MS_MAX: u32 = 20_000;

/// A request, with its path from `/api` on.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    /// JSON.
    pub body: Option<String>,
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), ..Self::default() }
    }

    pub fn new(method: &'static str, path: impl Into<String>, body: &Value) -> Self {
        Self { method, path: path.into(), body: Some(body.to_string()), headers: Vec::new() }
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: "DELETE", path: path.into(), ..Self::default() }
    }
}

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    pub undo_token: Option<String>,
    pub retry_after_s: Option<u32>,
    /// Whether there is a next page, and its cursor.
    pub next: Option<String>,
}

impl Answer {
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The stable code of a problem; empty if it has none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The words of a problem for a person: those of its members, or its own.
    pub fn problem(&self) -> String {
        let problem = self.json();
        let members: Vec<_> = problem["errors"]
            .as_array()
            .map(|errors| errors.iter().filter_map(|error| error["detail"].as_str()).collect())
            .unwrap_or_default();
        if !members.is_empty() {
            return members.join(" ");
        }
        let text = problem["detail"].as_str().or(problem["title"].as_str());
        text.unwrap_or("The server answered something unexpected.").to_owned()
    }
}

/// No answer came: there is no network, or no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

/// Sends a request, with a token if there is one.
///
/// # Errors
/// If no answer arrives.
pub async fn send(request: &Request, token: Option<&str>) -> Result<Answer, NoAnswer> {
    exchange(request, token).await.map_err(|_| NoAnswer)
}

async fn exchange(request: &Request, token: Option<&str>) -> Result<Answer, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    if let Some(token) = token {
        headers.set("Authorization", &format!("Bearer {token}"))?;
    }
    let init = RequestInit::new();
    init.set_method(request.method);
    if let Some(body) = &request.body {
        headers.set("Content-Type", "application/json")?;
        init.set_body(&JsValue::from_str(body));
    }
    init.set_headers(&headers);
    init.set_signal(Some(&web_sys::AbortSignal::timeout_with_u32(REQUEST_MS_MAX)));
    let fetched = JsFuture::from(window().fetch_with_str_and_init(&request.path, &init)).await?;
    let response: Response = fetched.dyn_into()?;
    let body = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
    let header = |name: &str| response.headers().get(name).ok().flatten();
    Ok(Answer {
        status: response.status(),
        body,
        undo_token: header("undo-token"),
        retry_after_s: header("retry-after").and_then(|seconds| seconds.parse().ok()),
        next: header("link").as_deref().and_then(next_cursor),
    })
}

/// The cursor in a `Link` header (RFC 8288), still percent-encoded.
fn next_cursor(link: &str) -> Option<String> {
    let target = link.split_once('<')?.1.split_once('>')?.0;
    let cursor = target.split(['?', '&']).find_map(|part| part.strip_prefix("cursor="))?;
    Some(cursor.to_owned())
}
