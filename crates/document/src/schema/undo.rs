//! Deleted tasks, and undo.

use rondo_contract::batch_body::OPERATIONS_MAX;
use rondo_contract::undo_token::PREFIX;
use serde_json::{Value, json};

use super::task::{answered_task, task_example};
use super::{answered, described, id, instant, named, object};

/// An `Undo-Token`.
pub fn token() -> Value {
    const ID_DIGITS: usize = 16;
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": PREFIX.len() + OPERATIONS_MAX * (2 * ID_DIGITS + 2),
        "pattern": r"^r[1-9][0-9]{0,15}(-[1-9][0-9]{0,15})?(\.[1-9][0-9]{0,15}(-[1-9][0-9]{0,15})?)*$",
        "examples": ["r17"],
    })
}

pub fn deleted_task() -> Value {
    let mut members = answered_task();
    members.insert("deleted_at".to_owned(), instant());
    members.insert("kept_until".to_owned(), described(instant(), "Until when it can be restored."));
    let mut schema = answered(members.into());
    let mut example = task_example();
    example["deleted_at"] = json!("2026-01-12T14:03:00Z");
    example["kept_until"] = json!("2026-02-11T14:03:00Z");
    schema["examples"] = json!([example]);
    described(schema, "A task as it was when it was deleted.")
}

pub fn undo() -> Value {
    let mut schema = object(
        json!({"token": described(token(), "The `Undo-Token` of the response to the change.")}),
        &["token"],
    );
    schema["examples"] = json!([{"token": "r17"}]);
    schema
}

pub fn undo_results() -> Value {
    let result = json!({
        "type": "object",
        "properties": {
            "status": {
                "type": "integer",
                "enum": [200, 204],
                "description": "200 for a task that is as it was, 204 for one that is gone again.",
            },
            "id": described(id(), "The task."),
            "task": named("Task"),
        },
        "required": ["status", "id"],
    });
    json!({
        "type": "object",
        "properties": {"results": {"type": "array", "items": result}},
        "required": ["results"],
        "description": "A result for each task of the change.",
        "examples": [{"results": [{"status": 204, "id": 42}]}],
    })
}
