//! The documents that a client's author reads: OpenAPI 3.1 of the HTTP API, AsyncAPI 3.0 of the
//! topics and the WebSocket.
//!
//! Limits, words, codes, topics and events are taken from the types of `rondo-domain` and
//! `rondo-contract` that read requests and make answers, so that a changed limit is a changed
//! document. What each run makes is kept in docs/, where a change is seen in review and from where
//! the component `docs` serves it.

pub mod asyncapi;
pub mod bill;
pub mod openapi;
mod operation;
mod route;
mod schema;

/// A document as it is kept: indented, with a newline at its end.
#[must_use]
pub fn rendered(document: &serde_json::Value) -> String {
    format!("{document:#}\n")
}
