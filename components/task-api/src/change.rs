//! Changing and deleting a task.

use rondo_domain::task::{self, TaskFields};
use rondo_guest::http::{Request, Response};
use rondo_guest::page::Parameters;
use rondo_guest::{Refusal, body};
use serde_json::Value;

use crate::etag::IfMatch;
use crate::idempotency::{self, Key};
use crate::store::{Answer, Change, Deletion, ForChange, Outcome, Store};
use crate::{fields, task_response};

/// How often the rules are applied anew when the task changes in between.
const ATTEMPTS_MAX: usize = 3;

/// What the action routes do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Complete,
    Reopen,
}

/// `PATCH` or `POST …/{id}/complete` and `…/reopen`.
pub fn act(request: &Request, user: i64, task: i64, action: Action) -> Result<Response, Refusal> {
    Parameters::of(request).finish()?;
    let body = request.body()?;
    body::nothing(&body, request)?;
    let key = Key::of(request, &body)?;
    change(request, user, task, key.as_ref(), |current| {
        Ok(match action {
            Action::Complete => current.clone().completed(),
            Action::Reopen => current.clone().reopened(),
        })
    })
}
