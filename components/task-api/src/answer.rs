//! Responses with a task.

use rondo_guest::http::Response;
use serde::Deserialize;

use crate::{etag, idempotency};

/// A task in the database's representation.
pub struct Answer {
    pub revision: i64,
    /// JSON.
    pub task: String,
}

#[derive(Default, Deserialize)]
struct Identity {
    id: i64,
    revision: i64,
}

impl Identity {
    fn of(task: &str) -> Self {
        serde_json::from_str(task).unwrap_or_default()
    }
}

impl Answer {
    /// From the JSON alone. A kept answer has the revision that the task had then.
    pub fn of(task: String) -> Self {
        let revision = Identity::of(&task).revision;
        Self { revision, task }
    }

    pub fn id(&self) -> i64 {
        Identity::of(&self.task).id
    }
}

/// A response with a task.
pub fn task_response(status: u16, answer: Answer) -> Response {
    Response::json(status, answer.task).header("etag", etag::of(answer.revision))
}

/// Repeats the first answer to an idempotency key.
pub fn replayed(status: u16, answer: Answer) -> Response {
    idempotency::mark(task_response(status, answer))
}
