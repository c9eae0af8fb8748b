//! The body of `…/tasks/batch`: several changes of tasks in one request.

use rondo_domain::step::SubtaskFate;
use rondo_domain::task::EditScope;
use rondo_domain::{Violation, word_enum};
use serde_json::{Map, Value};

use crate::body::{Reader, boolean, id, text};
use crate::problem::FieldError;

/// Maximum number of operations.
pub const OPERATIONS_MAX: usize = 100;

word_enum! {
    /// What an operation does, each as the route of one task.
    pub enum Verb {
        Create = "create",
        Patch = "patch",
        Complete = "complete",
        Reopen = "reopen",
        Move = "move",
        Delete = "delete",
    }
}

/// One change of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    pub verb: Verb,
    /// The task; none only for [`Verb::Create`].
    pub id: Option<i64>,
    /// The revision that the task must have.
    pub revision: Option<i64>,
    /// Only for [`Verb::Patch`] and [`Verb::Delete`].
    pub scope: Option<EditScope>,
    /// Only for [`Verb::Patch`] and [`Verb::Complete`].
    pub subtasks: Option<SubtaskFate>,
    /// What the route of one task takes as its body; none for those that take nothing.
    pub body: Option<Value>,
}

/// A batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Whether all operations happen, or none.
    pub atomic: bool,
    pub operations: Vec<Operation>,
}

/// Reads a batch. What is inside `task` and the place of a move are read by their routes.
///
/// # Errors
/// All faults.
pub fn parse(members: &Map<String, Value>) -> Result<Batch, Vec<FieldError>> {
    let mut reader = Reader::new(members);
    let atomic = reader.optional("atomic", boolean).unwrap_or(true);
    let operations = reader.required_nested("operations", operations);
    reader.finish()?;
    Ok(Batch { atomic, operations: operations.unwrap_or_default() })
}

fn operations(value: &Value) -> Result<Vec<Operation>, Vec<FieldError>> {
    let refused = |violation| vec![FieldError::of("", violation)];
    let expected = Violation::Malformed { expected: "a list of operations" };
    let items = value.as_array().ok_or_else(|| refused(expected))?;
    if items.is_empty() {
        return Err(refused(Violation::Required));
    }
    if items.len() > OPERATIONS_MAX {
        return Err(refused(Violation::TooMany { max: OPERATIONS_MAX }));
    }
    let (mut read, mut errors) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, item) in items.iter().enumerate() {
        match operation(item) {
            Ok(operation) => read.push(operation),
            Err(faults) => {
                errors.extend(faults.into_iter().map(|fault| fault.under(&format!("/{index}"))))
            }
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

fn operation(item: &Value) -> Result<Operation, Vec<FieldError>> {
    let mut reader = Reader::of(item)?;
    let Some(verb) = reader.required("op", text(Verb::parse)) else {
        // What else belongs to it is not known.
        return Err(vec![FieldError::of("/op", verb_violation(item))]);
    };
    let mut operation =
        Operation { verb, id: None, revision: None, scope: None, subtasks: None, body: None };
    if verb != Verb::Create {
        operation.id = reader.required("id", id);
        operation.revision = reader.optional("revision", id);
    }
    if matches!(verb, Verb::Patch | Verb::Delete) {
        operation.scope = reader.optional("scope", text(EditScope::parse));
    }
    if matches!(verb, Verb::Patch | Verb::Complete) {
        operation.subtasks = reader.optional("subtasks", text(SubtaskFate::parse));
    }
    match verb {
        Verb::Create | Verb::Patch => {
            operation.body = reader.required_nested("task", |task| Ok(task.clone()));
        }
        Verb::Move => {
            let mut place = Map::new();
            for name in ["list_id", "after", "before"] {
                reader.ignore(name);
                if let Some(value) = item.get(name) {
                    place.insert(name.to_owned(), value.clone());
                }
            }
            operation.body = Some(Value::Object(place));
        }
        Verb::Complete | Verb::Reopen | Verb::Delete => {}
    }
    reader.finish()?;
    Ok(operation)
}

fn verb_violation(item: &Value) -> Violation {
    match item.get("op") {
        None | Some(Value::Null) => Violation::Required,
        Some(_) => Violation::UnknownValue { expected: Verb::WORDS },
    }
}

impl Operation {
    /// Where the route's faults are, relative to the operation: what is inside `task`, or the operation itself.
    #[must_use]
    pub const fn pointer(&self) -> &'static str {
        match self.verb {
            Verb::Create | Verb::Patch => "/task",
            Verb::Complete | Verb::Reopen | Verb::Move | Verb::Delete => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn batches() {
        let batch = json!({"operations": [
            {"op": "create", "task": {"title": "a"}},
            {"op": "patch", "id": 7, "revision": 3, "scope": "future", "task": {"title": null}},
            {"op": "complete", "id": 7, "subtasks": "complete"},
            {"op": "move", "id": 7, "list_id": null, "after": 3},
            {"op": "delete", "id": 7, "scope": "all"},
        ]});
        let batch = parse(batch.as_object().unwrap()).unwrap();
        assert!(batch.atomic);
        let verbs: Vec<_> =
            batch.operations.iter().map(|operation| operation.verb.as_str()).collect();
        assert_eq!(verbs, ["create", "patch", "complete", "move", "delete"]);
        let patch = &batch.operations[1];
        assert_eq!(
            (patch.id, patch.revision, patch.scope),
            (Some(7), Some(3), Some(EditScope::Future))
        );
        assert_eq!(batch.operations[2].subtasks, Some(SubtaskFate::Complete));
        assert_eq!(batch.operations[3].body, Some(json!({"list_id": null, "after": 3})));
    }

    #[test]
    fn faults_name_their_operation() {
        let check = |body: Value, expected: &[(&str, &str)]| {
            let errors = parse(body.as_object().unwrap()).unwrap_err();
            let found: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), &*e.code)).collect();
            assert_eq!(found, expected, "{body}");
        };
        check(json!({}), &[("/operations", "required")]);
        check(json!({"operations": []}), &[("/operations", "required")]);
        check(json!({"operations": {}}), &[("/operations", "malformed")]);
        let many = vec![json!({"op": "complete", "id": 1}); OPERATIONS_MAX + 1];
        check(json!({ "operations": many }), &[("/operations", "too_many")]);
        check(
            json!({"atomic": 1, "all": true, "operations": [
                {"op": "complete", "id": 1}, {"op": "eat", "id": 1}, {"id": 1}, 7, {"op": "delete", "id": 0},
                {"op": "create", "id": 1, "task": {}}, {"op": "patch", "id": 1}, {"op": "reopen", "id": 1, "scope": "all"},
                {"op": "delete", "id": 1, "subtasks": "keep"}, {"op": "complete", "id": 1, "subtasks": "eat"},
            ]}),
            &[
                ("/atomic", "malformed"),
                ("/operations/1/op", "unknown_value"),
                ("/operations/2/op", "required"),
                ("/operations/3", "malformed"),
                ("/operations/4/id", "out_of_range"),
                ("/operations/5/id", "unknown_member"),
                ("/operations/6/task", "required"),
                ("/operations/7/scope", "unknown_member"),
                ("/operations/8/subtasks", "unknown_member"),
                ("/operations/9/subtasks", "unknown_value"),
                ("/all", "unknown_member"),
            ],
        );
    }
}
