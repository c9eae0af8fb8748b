//! Requests to the API.

use rondo_device::Answer;
use serde_json::Value;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestInit, Response};

use crate::platform::window;

/// How long a request may take, in milliseconds. A dead connection must not hold up the ones after it.
const REQUEST_MS_MAX: u32 = 20_000;

/// The headers of an answer that have a use.
const HEADERS: [&str; 4] = ["undo-token", "retry-after", "location", "link"];

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

/// Reads answers.
pub trait Reading {
    fn is_ok(&self) -> bool;
    fn json(&self) -> Value;
    /// The words of a problem for a person: those of its members, or its own.
    fn problem(&self) -> String;
    /// The cursor of the next page, percent-encoded, if there is one.
    fn next(&self) -> Option<String>;
}

impl Reading for Answer {
    fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    fn problem(&self) -> String {
        let problem = self.json();
        let errors = problem["errors"].as_array();
        let members: Vec<_> =
            errors.into_iter().flatten().filter_map(|error| error["detail"].as_str()).collect();
        if !members.is_empty() {
            return members.join(" ");
        }
        let text = problem["detail"].as_str().or(problem["title"].as_str());
        text.map_or_else(|| format!("{}", self.status), str::to_owned)
    }

    fn next(&self) -> Option<String> {
        let target = self.header("link")?.split_once('<')?.1.split_once('>')?.0;
        let cursor = target.split(['?', '&']).find_map(|part| part.strip_prefix("cursor="))?;
        Some(cursor.to_owned())
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
    let header = |name: &str| {
        let value = response.headers().get(name).ok().flatten()?;
        Some((name.to_owned(), value))
    };
    Ok(Answer {
        status: response.status(),
        headers: HEADERS.iter().filter_map(|name| header(name)).collect(),
        body,
    })
}
