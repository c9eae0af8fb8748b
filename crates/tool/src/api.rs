//! The HTTP API, as a tool uses it.

use serde_json::Value;

/// The API, on behalf of one user.
pub trait Api {
    fn send(&self, call: &Call) -> Reply;
}

/// The methods that tools use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub verb: Verb,
    /// Below `/api/`, with the query.
    pub target: String,
    pub body: Option<Value>,
    /// The revision that the task must have.
    pub revision: Option<i64>,
}

impl Call {
    fn new(verb: Verb, target: impl Into<String>, body: Option<Value>) -> Self {
        Self { verb, target: target.into(), body, revision: None }
    }

    pub fn get(target: impl Into<String>) -> Self {
        Self::new(Verb::Get, target, None)
    }

    pub fn post(target: impl Into<String>, body: Value) -> Self {
        Self::new(Verb::Post, target, Some(body))
    }

    /// A POST without a body.
    pub fn act(target: impl Into<String>) -> Self {
        Self::new(Verb::Post, target, None)
    }

    pub fn patch(target: impl Into<String>, body: Value) -> Self {
        Self::new(Verb::Patch, target, Some(body))
    }

    pub fn delete(target: impl Into<String>) -> Self {
        Self::new(Verb::Delete, target, None)
    }

    #[must_use]
    pub fn at(self, revision: Option<i64>) -> Self {
        Self { revision, ..self }
    }
}

/// A response.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    pub status: u16,
    /// Null without a body.
    pub body: Value,
    /// The header `Undo-Token`.
    pub undo: Option<String>,
    /// The cursor of the next page.
    pub next: Option<String>,
    /// The header `X-Total-Count`.
    pub total: Option<i64>,
}

/// A query of these parameters, beginning with `?`.
pub fn query<'a>(parameters: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    format!("?{}", query.finish())
}
