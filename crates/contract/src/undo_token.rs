//! `Undo-Token`: names the changes that a request has made, so that they can be undone. Opaque to clients.
//!
//! It is no secret: it says nothing without the user's access token, and undoes nothing that the user could not do.

use std::fmt;

use rondo_domain::{ID_MAX, Violation};
use serde_json::{Map, Value};

use crate::batch_body::OPERATIONS_MAX;
use crate::body::{Reader, text};
use crate::problem::FieldError;
use crate::query::number;

/// The name of the header.
pub const HEADER: &str = "undo-token";
/// How long a change can be undone, in minutes.
pub const UNDO_MINUTES: u16 = 60;
/// Maximum number of tasks of a change that can be undone.
pub const UNDO_TASKS_MAX: i64 = 1_000;
/// How long a deleted task can be restored, in days.
pub const TRASH_DAYS: u16 = 30;

/// What a token begins with, so that nobody takes it for a number.
pub const PREFIX: &str = "r";

/// A change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The first of its user's revisions that the change took.
    pub change: i64,
    /// The task, if the change created it.
    pub created: Option<i64>,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.change)?;
        self.created.map_or(Ok(()), |task| write!(f, "-{task}"))
    }
}

/// The changes of one request, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoToken(Vec<Part>);

impl UndoToken {
    /// A change of what was there.
    #[must_use]
    pub fn change(change: i64) -> Self {
        Self(vec![Part { change, created: None }])
    }

    /// The creation of a task.
    #[must_use]
    pub fn creation(change: i64, task: i64) -> Self {
        Self(vec![Part { change, created: Some(task) }])
    }

    /// Several changes as one; none without any.
    pub fn joined(tokens: impl IntoIterator<Item = Self>) -> Option<Self> {
        let parts: Vec<_> = tokens.into_iter().flat_map(|token| token.0).collect();
        (!parts.is_empty()).then_some(Self(parts))
    }

    /// Parses a token.
    ///
    /// # Errors
    /// `malformed`.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let id = |text: &str| number(text).filter(|id| (1..=ID_MAX).contains(id));
        let part = |text: &str| match text.split_once('-') {
            Some((change, task)) => Some(Part { change: id(change)?, created: Some(id(task)?) }),
            None => Some(Part { change: id(text)?, created: None }),
        };
        // One more than allowed shows that there are too many.
        let parts = text.strip_prefix(PREFIX).and_then(|text| {
            text.split('.').take(OPERATIONS_MAX + 1).map(part).collect::<Option<Vec<Part>>>()
        });
        let parts = parts.filter(|parts| {
            let ascends = parts.windows(2).all(|pair| pair[0].change < pair[1].change);
            parts.len() <= OPERATIONS_MAX && ascends
        });
        parts.map(Self).ok_or(Violation::Malformed { expected: "the Undo-Token of a response" })
    }

    /// As the database takes it: objects of change, and of task for a creation.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let part = |part: &Part| serde_json::json!({"change": part.change, "task": part.created});
        self.0.iter().map(part).collect()
    }
}

impl fmt::Display for UndoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            let separator = if index == 0 { PREFIX } else { "." };
            write!(f, "{separator}{part}")?;
        }
        Ok(())
    }
}

/// Reads the body of `POST …/undo`: `{token}`.
///
/// # Errors
/// All faults.
pub fn parse_body(members: &Map<String, Value>) -> Result<UndoToken, Vec<FieldError>> {
    let mut reader = Reader::new(members);
    let token = reader.required("token", text(UndoToken::parse));
    reader.finish()?;
    token.ok_or_else(|| unreachable!("a member that is not there was refused"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens() {
        for good in ["r1", "r17-42", "r17-42.18.20-43", "r9007199254740991"] {
            assert_eq!(UndoToken::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "r",
            "1",
            "r.",
            "r0",
            "r1.",
            "r.1",
            "r1..2",
            "r-1",
            "r1-",
            "r1-2-3",
            "r+1",
            "r1-0",
            "rx",
            "r2.1",
            "r1.1",
            "r 1",
            "r1.r2",
            "R1",
            "r9007199254740992",
            "r1\u{661}",
        ] {
            assert!(UndoToken::parse(bad).is_err(), "{bad:?}");
        }
        let many = |count: usize| {
            let parts: Vec<_> = (1..=count).map(|n| n.to_string()).collect();
            format!("r{}", parts.join("."))
        };
        assert!(UndoToken::parse(&many(OPERATIONS_MAX)).is_ok());
        assert!(UndoToken::parse(&many(OPERATIONS_MAX + 1)).is_err());
    }

    #[test]
    fn tokens_of_several_changes() {
        assert_eq!(UndoToken::joined([]), None);
        let token = UndoToken::joined([UndoToken::creation(7, 42), UndoToken::change(8)]).unwrap();
        assert_eq!(token.to_string(), "r7-42.8");
        let expected = json!([{"change": 7, "task": 42}, {"change": 8, "task": null}]);
        assert_eq!(token.to_json(), expected);
    }

    #[test]
    fn bodies() {
        let read = |body: Value| {
            let read = parse_body(body.as_object().unwrap());
            read.map_err(|errors| (errors[0].pointer.clone(), errors[0].code.to_string()))
        };
        assert_eq!(read(json!({"token": "r7"})), Ok(UndoToken::change(7)));
        for (body, pointer, code) in [
            (json!({}), "/token", "required"),
            (json!({"token": null}), "/token", "required"),
            (json!({"token": 7}), "/token", "malformed"),
            (json!({"token": "r7a"}), "/token", "malformed"),
            (json!({"token": "r7", "more": 1}), "/more", "unknown_member"),
        ] {
            assert_eq!(read(body), Err((pointer.to_owned(), code.to_owned())));
        }
    }
}
