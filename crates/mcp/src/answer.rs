//! Answers over HTTP.

use serde_json::{Value, json};

use crate::error::Error;

/// A response: status, media type and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// None without a body.
    pub media_type: Option<&'static str>,
    pub body: String,
}

impl Answer {
    /// To a notification, or to a client's response.
    pub(crate) const fn accepted() -> Self {
        Self { status: 202, media_type: None, body: String::new() }
    }

    /// An error; without an id if none could be read.
    #[must_use]
    pub fn error(id: Option<&Value>, error: &Error, is_stateless: bool) -> Self {
        let mut message = json!({ "jsonrpc": "2.0", "error": error.to_json() });
        if let Some(id) = id {
            message["id"] = id.clone();
        }
        Self::json(error.status(is_stateless), &message)
    }

    /// A result. What it notifies the client of comes first, as a stream of events.
    pub(crate) fn result(id: &Value, result: Value, notifications: &[Value]) -> Self {
        let message = json!({ "jsonrpc": "2.0", "id": id, "result": result });
        if notifications.is_empty() {
            return Self::json(200, &message);
        }
        let event = |message: &Value| format!("event: message\ndata: {message}\n\n");
        let body = notifications.iter().chain([&message]).map(event).collect();
        Self { status: 200, media_type: Some("text/event-stream"), body }
    }

    fn json(status: u16, message: &Value) -> Self {
        Self { status, media_type: Some("application/json"), body: message.to_string() }
    }
}
