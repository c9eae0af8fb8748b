//! `Idempotency-Key`: a repeated request gets the first one's answer.

use rondo_contract::problem::{FieldError, ProblemCode};
use rondo_contract::query::number;
use rondo_domain::text;
use rondo_guest::Refusal;
use rondo_guest::http::{Method, Request, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A key, and the request that it is bound to.
pub struct Key {
    /// Method and path, without the user, to whom the key belongs anyway.
    pub request: String,
    pub key: String,
    /// SHA-256 of the body's content, in hexadecimal.
    pub body_hash: String,
}

impl Key {
    /// The key of a request. Only POST takes one; other methods ignore it. `body` is the parsed body, so the
    /// same JSON is the same request, however it is formatted.
    pub fn of(request: &Request, body: &impl Serialize) -> Result<Option<Self>, Refusal> {
        if request.method != Method::Post {
            return Ok(None);
        }
        let Some(key) = request.header("idempotency-key") else { return Ok(None) };
        let key = text::key(&key).map_err(|violation| {
            Refusal::invalid(vec![FieldError::header("Idempotency-Key", violation)])
        })?;
        // Members are sorted, and numbers and strings have one spelling.
        let body = serde_json::to_vec(body)
            .map_err(|error| Refusal::internal(format!("a body that was read: {error}")))?;
        let path = request.path().strip_prefix("/api/").unwrap_or_default();
        let path = match path.split_once('/') {
            Some((user, own)) if number(user).is_some() => own,
            _ => path,
        };
        Ok(Some(Self {
            request: format!("POST /{path}"),
            key,
            body_hash: format!("{:x}", Sha256::digest(body)),
        }))
    }
}

/// Marks a response as a repetition.
pub fn mark(response: Response) -> Response {
    response.header("idempotency-replayed", "true")
}

/// The key was used with another body.
pub fn reused() -> Refusal {
    Refusal::new(ProblemCode::IdempotencyKeyReused)
}
