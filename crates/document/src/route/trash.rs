//! Deleted tasks, and undo.

use rondo_contract::problem::ProblemCode;
use rondo_contract::undo_token::{TRASH_DAYS, UNDO_MINUTES, UNDO_TASKS_MAX};
use rondo_domain::access::Scope;

use super::{TASKS, path, shared};
use crate::operation::{Access, Operation};
use crate::schema::{self, list_of, named};

const JSON: &str = "application/json";
const READ: Access = Access::Scope(Scope::TasksRead);
const WRITE: Access = Access::Scope(Scope::TasksWrite);

/// The operations whose responses have an `Undo-Token`, each with the status of these.
const UNDOABLE: [(&str, u16); 16] = [
    ("createTask", 201),
    ("quickAdd", 201),
    ("replaceTask", 200),
    ("changeTask", 200),
    ("deleteTask", 204),
    ("completeTask", 200),
    ("completeTaskByPatch", 200),
    ("reopenTask", 200),
    ("reopenTaskByPatch", 200),
    ("skipTask", 200),
    ("moveTask", 200),
    ("changeTasks", 200),
    ("changeTag", 200),
    ("deleteTag", 204),
    ("restoreTask", 200),
    ("undo", 200),
];

/// Says that an operation's responses have an `Undo-Token`, if they have.
pub fn with_undo(operation: Operation) -> Operation {
    match UNDOABLE.iter().find(|(id, _)| *id == operation.id) {
        Some((_, status)) => operation.header(*status, "Undo-Token"),
        None => operation,
    }
}

pub fn all() -> Vec<Operation> {
    let operation = |access, method, path, id, summary| {
        Operation::new(TASKS, access, method, path, id, summary)
    };
    vec![
        operation(
            READ,
            "get",
            "/api/{user_id}/trash",
            "listTrash",
            "List deleted tasks, newest first",
        )
        .describe(format!("A deleted task is kept for {TRASH_DAYS} days."))
        .parameters([shared("limit"), shared("cursor")])
        .answers_with(200, "A page", Some((JSON, list_of("DeletedTask"))), &["Link"]),
        operation(
            WRITE,
            "delete",
            "/api/{user_id}/trash/{trashed_id}",
            "deleteTrashedTask",
            "Delete a task for good",
        )
        .parameter(path("trashed_id", "The deleted task.", schema::id()))
        .answers_empty(204, "Deleted")
        .problems(&[ProblemCode::NotFound]),
        operation(
            WRITE,
            "post",
            "/api/{user_id}/tasks/{id}/restore",
            "restoreTask",
            "Restore a deleted task",
        )
        .describe(
            "Restoring a task that is not deleted changes nothing. A task whose list is gone is in the inbox. \
             Reminders whose moments are past stay silent.",
        )
        .parameters([shared("task_id"), shared("idempotency_key")])
        .no_body()
        .answers_with(
            200,
            "The task",
            Some((JSON, named("Task"))),
            &["ETag", "Idempotency-Replayed"],
        )
        .problems(&[
            ProblemCode::NotFound,
            ProblemCode::UidTaken,
            ProblemCode::IdempotencyKeyReused,
        ]),
        operation(WRITE, "post", "/api/{user_id}/undo", "undo", "Undo a change of tasks")
            .describe(format!(
                "Puts all tasks of the change back as they were, once, within {UNDO_MINUTES} minutes. If any of them \
                 has changed since, nothing happens, and the problem names these. A change of more than \
                 {UNDO_TASKS_MAX} tasks has no token."
            ))
            .parameter(shared("idempotency_key"))
            .body(named("Undo"))
            .answers_with(
                200,
                "What was put back",
                Some((JSON, named("UndoResults"))),
                &["Idempotency-Replayed"],
            )
            .problems(&[
                ProblemCode::UidTaken,
                ProblemCode::UndoExpired,
                ProblemCode::ChangedSince,
                ProblemCode::IdempotencyKeyReused,
            ]),
    ]
}
