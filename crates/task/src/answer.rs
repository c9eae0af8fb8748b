//! Responses with a task.

use std::cell::OnceCell;

use rondo_contract::undo_token::UndoToken;
use rondo_guest::http::Response;
use serde::Deserialize;

use crate::{etag, idempotency, undo_token};

/// A task in the database's representation.
pub struct Answer {
    pub revision: i64,
    /// JSON.
    pub task: String,
    /// Of the change that led to it, if it can be undone.
    pub undo: Option<UndoToken>,
    id: OnceCell<i64>,
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
        Self::read(Identity::of(&task).revision, task)
    }

    /// A task that was read.
    pub fn read(revision: i64, task: String) -> Self {
        Self { revision, task, undo: None, id: OnceCell::new() }
    }

    pub fn id(&self) -> i64 {
        *self.id.get_or_init(|| Identity::of(&self.task).id)
    }
}

/// A response with a task.
pub fn task_response(status: u16, answer: Answer) -> Response {
    let response = Response::json(status, answer.task).header("etag", etag::of(answer.revision));
    undo_token::with(response, answer.undo)
}

/// Repeats the first answer to an idempotency key.
pub fn replayed(status: u16, answer: Answer) -> Response {
    idempotency::mark(task_response(status, answer))
}
