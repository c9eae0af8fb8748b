//! What the person has to be told: an edit was refused, or met another one of the same member.

use rondo_contract::problem::FieldError;
use rondo_domain::instant::{self, Instant};
use serde::{Deserialize, Serialize};

use crate::edit::{Edit, Members};

/// Stays until it is dismissed or answered, also over restarts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub id: String,
    /// RFC 3339.
    pub at: String,
    pub kind: NoticeKind,
    /// The task, if it is about one.
    pub uid: Option<String>,
    /// The title of the task, or the name of the list, filter or tag.
    pub title: String,
    /// What the person had entered.
    pub mine: Members,
    /// What the other side has for the same members.
    pub theirs: Members,
    /// Why the server refused.
    pub problem: Option<Problem>,
    /// What [`answer`](crate::Device::answer) does: puts the losing values back, restores the task with the edits, or
    /// tries again.
    pub offer: Vec<Edit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The server refused an edit, which is taken back here.
    Refused,
    /// A later change elsewhere replaced what was entered here. The offer puts `mine` back.
    Lost,
    /// What was entered here replaced an earlier change elsewhere. The offer puts `theirs` back.
    Replaced,
    /// The task was deleted elsewhere while it was edited here. The offer restores it with the edits.
    Gone,
    /// The task was deleted here, but changed elsewhere later, so it stays. The offer deletes it.
    Kept,
    /// An undo was refused, since others have changed the task since.
    NotUndone,
}

/// The server's or the device's reasons.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Problem {
    /// 0 if the device itself refused.
    pub status: u16,
    pub code: String,
    pub detail: String,
    pub errors: Vec<Fault>,
}

/// A fault of one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// RFC 6901, such as `/title`.
    pub pointer: String,
    pub code: String,
    pub detail: String,
}

impl From<FieldError> for Fault {
    fn from(error: FieldError) -> Self {
        Self { pointer: error.pointer, code: error.code.into_owned(), detail: error.detail }
    }
}

impl Notice {
    #[inline(never)]
    pub(crate) fn of(value: &serde_json::Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }
}

impl Problem {
    pub(crate) fn of(status: u16, body: &serde_json::Value) -> Self {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let errors = body.get("errors").and_then(|all| Vec::deserialize(all).ok());
        Self {
            status,
            code: text("code"),
            detail: text("detail"),
            errors: errors.unwrap_or_default(),
        }
    }
}

impl Notice {
    pub(crate) fn new(id: String, kind: NoticeKind, now: Instant) -> Self {
        Self {
            id,
            at: instant::format(now),
            kind,
            uid: None,
            title: String::new(),
            mine: Members::new(),
            theirs: Members::new(),
            problem: None,
            offer: Vec::new(),
        }
    }
}
