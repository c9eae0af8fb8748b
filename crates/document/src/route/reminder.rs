//! Reminders and notifications.

use rondo_contract::problem::ProblemCode;
use rondo_contract::reminder_body::ReminderStatus;
use rondo_domain::access::Scope;
use serde_json::json;

use super::{REMINDERS, path, query, shared};
use crate::operation::{Access, Operation};
use crate::schema::{self, list_of, named};

const JSON: &str = "application/json";
const READ: Access = Access::Scope(Scope::TasksRead);
const WRITE: Access = Access::Scope(Scope::TasksWrite);

pub fn all() -> Vec<Operation> {
    let reminder_id = || path("reminder_id", "The reminder.", schema::id());
    let operation = |access, method, path, id, summary| {
        Operation::new(REMINDERS, access, method, path, id, summary)
    };
    vec![
        operation(
            READ,
            "get",
            "/api/{user_id}/reminders",
            "listReminders",
            "List reminders, earliest first",
        )
        .parameter(query(
            "status",
            "Any of these. Repeat the parameter or separate the values by commas.",
            json!({"type": "array", "items": {
                "type": "string", "enum": ReminderStatus::WORDS,
            }}),
        ))
        .parameter(query("task_id", "Reminders of this task.", schema::id()))
        .parameters([shared("limit"), shared("cursor")])
        .answers_with(200, "A page", Some((JSON, list_of("Reminder"))), &["Link"]),
        operation(
            WRITE,
            "post",
            "/api/{user_id}/tasks/{id}/reminders",
            "createReminder",
            "Add a reminder to a task",
        )
        .parameters([shared("task_id"), shared("if_match"), shared("idempotency_key")])
        .body(named("ReminderCreate"))
        .answers_with(
            201,
            "The reminder",
            Some((JSON, named("Reminder"))),
            &["Idempotency-Replayed"],
        )
        .problems(&[
            ProblemCode::NotFound,
            ProblemCode::PreconditionFailed,
            ProblemCode::TaskCompleted,
            ProblemCode::TooManyReminders,
            ProblemCode::IdempotencyKeyReused,
        ]),
        operation(
            WRITE,
            "delete",
            "/api/{user_id}/reminders/{reminder_id}",
            "deleteReminder",
            "Delete a reminder",
        )
        .parameter(reminder_id())
        .answers_empty(204, "Deleted")
        .problems(&[ProblemCode::NotFound]),
        operation(
            WRITE,
            "post",
            "/api/{user_id}/reminders/{reminder_id}/snooze",
            "snoozeReminder",
            "Snooze a reminder",
        )
        .parameter(reminder_id())
        .body(named("Snooze"))
        .answers(200, "The reminder", named("Reminder"))
        .problems(&[ProblemCode::NotFound, ProblemCode::TaskCompleted]),
        operation(
            READ,
            "get",
            "/api/{user_id}/notifications",
            "listNotifications",
            "List notifications, newest first",
        )
        .parameters([shared("limit"), shared("cursor")])
        .answers_with(200, "A page", Some((JSON, list_of("Notification"))), &["Link"]),
    ]
}
