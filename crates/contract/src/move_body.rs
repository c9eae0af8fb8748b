//! The bodies of `…/move`: where a task or list is put.

use rondo_domain::Violation;
use serde_json::{Map, Value};

use crate::body::{Reader, id};
use crate::problem::FieldError;

/// The neighbour, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Right after this one.
    After(i64),
    /// Right before this one.
    Before(i64),
}

impl Beside {
    #[must_use]
    pub const fn id(self) -> i64 {
        match self {
            Self::After(id) | Self::Before(id) => id,
        }
    }

    /// The member that names the neighbour, as a JSON pointer.
    #[must_use]
    pub const fn pointer(self) -> &'static str {
        match self {
            Self::After(_) => "/after",
            Self::Before(_) => "/before",
        }
    }
}

/// Where a task is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskMove {
    /// None keeps the list; `Some(None)` is the inbox.
    pub list_id: Option<Option<i64>>,
    /// None is the end.
    pub beside: Option<Beside>,
}

/// Reads `{list_id?, after?|before?}`.
///
/// # Errors
/// All faults.
pub fn parse_task(members: &Map<String, Value>) -> Result<TaskMove, Vec<FieldError>> {
    let mut reader = Reader::new(members);
    let list_id = reader.clearable("list_id", id);
    let beside = beside(&mut reader);
    reader.finish().map(|()| TaskMove { list_id, beside })
}

/// Reads `{after?|before?}`; none is the end.
///
/// # Errors
/// All faults.
pub fn parse_list(members: &Map<String, Value>) -> Result<Option<Beside>, Vec<FieldError>> {
    let mut reader = Reader::new(members);
    let beside = beside(&mut reader);
    reader.finish().map(|()| beside)
}

fn beside(reader: &mut Reader<'_>) -> Option<Beside> {
    let after = reader.optional("after", id).map(Beside::After);
    let before = reader.optional("before", id).map(Beside::Before);
    if after.is_some() && before.is_some() {
        reader.refuse("before", Violation::Conflict { other: "after" });
    }
    after.or(before)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places() {
        let check = |body: Value, expected: Result<TaskMove, (&str, &str)>| {
            let read = parse_task(body.as_object().unwrap());
            let read = read.map_err(|errors| (errors[0].pointer.clone(), errors[0].code.clone()));
            let expected = expected.map_err(|(pointer, code)| (pointer.to_owned(), code.into()));
            assert_eq!(read, expected, "{body}");
        };
        let place = |list_id, beside| Ok(TaskMove { list_id, beside });
        check(json!({}), place(None, None));
        check(json!({"after": null, "before": null}), place(None, None));
        check(json!({"list_id": null, "after": 7}), place(Some(None), Some(Beside::After(7))));
        check(json!({"list_id": 3, "before": 7}), place(Some(Some(3)), Some(Beside::Before(7))));
        check(json!({"after": 7, "before": 8}), Err(("/before", "conflict")));
        check(json!({"after": 0}), Err(("/after", "out_of_range")));
        check(json!({"list_id": "7"}), Err(("/list_id", "malformed")));
        check(json!({"position": "a"}), Err(("/position", "unknown_member")));
        assert_eq!(
            parse_list(json!({"before": 8}).as_object().unwrap()),
            Ok(Some(Beside::Before(8)))
        );
        assert!(parse_list(json!({"list_id": 8}).as_object().unwrap()).is_err());
    }
}
