//! Tasks, tags, changes, reminders, recurrence.

use rondo_contract::problem::ProblemCode;
use rondo_contract::task_query::{OFFSET_MAX, SortBy, SortOrder, VALUES_MAX};
use rondo_domain::ID_MAX;
use rondo_domain::access::Scope;
use rondo_domain::task::{Priority, Status, TAG_CHARS_MAX};
use serde_json::{Value, json};

use super::{RECURRENCE, REMINDERS, TASKS, path, query, shared};
use crate::operation::{Access, Operation};
use crate::schema::{self, list_of, named, words};

const JSON: &str = "application/json";
const READ: Access = Access::Scope(Scope::TasksRead);
const WRITE: Access = Access::Scope(Scope::TasksWrite);

pub fn all() -> Vec<Operation> {
    let mut operations = lists();
    operations.extend(one());
    operations.extend(actions());
    operations.push(changes());
    operations.extend(tags());
    operations.extend(reminders());
    operations.push(preview());
    operations
}

fn operation(
    access: Access,
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
) -> Operation {
    Operation::new(TASKS, access, method, path, id, summary)
}

fn lists() -> Vec<Operation> {
    let list = |path, id, summary| {
        operation(READ, "get", path, id, summary).parameters(filters()).answers_with(
            200,
            "A page",
            Some((JSON, list_of("Task"))),
            &["Link", "X-Total-Count"],
        )
    };
    vec![
        list("/api/{user_id}/tasks", "listTasks", "Tasks by filter, order and page"),
        list("/api/{user_id}/tasks/filter", "filterTasks", "The same as the list of tasks"),
        operation(WRITE, "post", "/api/{user_id}/tasks", "createTask", "Make a task")
            .parameter(shared("idempotency_key"))
            .body(named("TaskCreate"))
            .answers_with(
                201,
                "The task",
                Some((JSON, named("Task"))),
                &["ETag", "Location", "Idempotency-Replayed"],
            )
            .problems(&[ProblemCode::IdempotencyKeyReused]),
    ]
}

fn filters() -> Vec<Value> {
    let list = |items: Value| json!({"type": "array", "maxItems": VALUES_MAX, "items": items});
    let any_of = |words: Vec<&'static str>| list(json!({"type": "string", "enum": words}));
    let tags = || list(schema::text::tag_of_list());
    let bound = schema::text::date_or_instant;
    vec![
        query(
            "search",
            "This text as one phrase, anywhere in title or description, ignoring case and accents.",
            schema::text::search(),
        ),
        query(
            "status",
            "Any of these; repeated or separated by commas.",
            any_of(words(Status::ALL, Status::as_str)),
        ),
        query(
            "priority",
            "Any of these; repeated or separated by commas.",
            any_of(words(Priority::ALL, Priority::as_str)),
        ),
        query(
            "tags",
            "Has any of these, in any case; repeated or separated by commas. A comma that belongs to a \
             tag has a backslash before it, as has a backslash before a comma or another backslash: \
             `tags=a%5C%2Cb` is the tag `a,b`.",
            tags(),
        ),
        query("tags_all", "Has all of these, likewise.", tags()),
        query(
            "due_date_start",
            "Due at this instant or later, or from the beginning of this date in the user's time zone.",
            bound(),
        ),
        query(
            "due_date_end",
            "Due at this instant or earlier, or until the end of this date in the user's time zone.",
            bound(),
        ),
        query("has_due_date", "Whether there is a due date.", json!({"type": "boolean"})),
        query(
            "parent_task_id",
            "The occurrences of the series that began with this task.",
            schema::id(),
        ),
        query("updated_since", "Changed at this instant or later.", schema::text::instant()),
        query(
            "sort_by",
            "Tasks without a value come last in both orders.",
            json!({
                "type": "string",
                "enum": words(SortBy::ALL, SortBy::as_str),
                "default": SortBy::CreatedAt.as_str(),
            }),
        ),
        query(
            "sort_order",
            "Of two tasks with the same value, the ids decide in the same direction.",
            json!({
                "type": "string",
                "enum": words(SortOrder::ALL, SortOrder::as_str),
                "default": SortOrder::Desc.as_str(),
            }),
        ),
        shared("limit"),
        query(
            "offset",
            "Tasks to pass over; a cursor stays right while others write.",
            json!({"type": "integer", "minimum": 0, "maximum": OFFSET_MAX, "default": 0}),
        ),
        shared("cursor"),
        query("count", "Whether X-Total-Count is wanted.", json!({"type": "boolean"})),
    ]
}

fn scope() -> Value {
    query(
        "scope",
        "For an occurrence of a series: this one alone, it and those after it, or the whole series. \
         When a pending occurrence is deleted, `this` lets the series go on with the next one, the \
         others end it.",
        json!({"type": "string", "enum": ["this", "future", "all"], "default": "this"}),
    )
}

fn one() -> Vec<Operation> {
    const PATH: &str = "/api/{user_id}/tasks/{id}";
    let one = |access, method, id, summary| {
        operation(access, method, PATH, id, summary)
            .parameter(shared("task_id"))
            .problems(&[ProblemCode::NotFound])
    };
    let change = |method, id, summary| {
        one(WRITE, method, id, summary)
            .parameter(shared("if_match"))
            .problems(&[ProblemCode::PreconditionFailed])
    };
    let task = Some((JSON, named("Task")));
    vec![
        one(READ, "get", "getTask", "A task")
            .parameter(shared("if_none_match"))
            .answers_with(200, "The task", task.clone(), &["ETag"])
            .answers_with(304, "It is as the client has it", None, &["ETag"]),
        change("put", "replaceTask", "Replace a task").body(named("TaskReplace")).answers_with(
            200,
            "The task",
            task.clone(),
            &["ETag"],
        ),
        change("patch", "changeTask", "Change members of a task")
            .parameter(scope())
            .merge_patch(named("TaskPatch"))
            .answers_with(200, "The task", task, &["ETag"]),
        change("delete", "deleteTask", "Delete a task")
            .parameter(scope())
            .answers_empty(204, "It is gone"),
    ]
}

fn actions() -> Vec<Operation> {
    let mut operations = Vec::new();
    let routes = [
        (
            "/api/{user_id}/tasks/{id}/complete",
            ["completeTask", "completeTaskByPatch"],
            "Complete a task",
            "Completing a completed task changes nothing. With a rule, the next occurrence follows.",
        ),
        (
            "/api/{user_id}/tasks/{id}/reopen",
            ["reopenTask", "reopenTaskByPatch"],
            "Set a task back to pending",
            "Withdraws the next occurrence, if nobody has changed it since it was made.",
        ),
    ];
    for (path, ids, summary, description) in routes {
        for (method, id) in ["post", "patch"].into_iter().zip(ids) {
            operations.push(action(method, path, id, summary).describe(description));
        }
    }
    let skip = action(
        "post",
        "/api/{user_id}/tasks/{id}/skip",
        "skipTask",
        "Move an occurrence on to its next slot",
    );
    operations.push(skip.problems(&[ProblemCode::NoNextOccurrence]));
    operations
}

fn action(
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
) -> Operation {
    let action = operation(WRITE, method, path, id, summary)
        .parameters([shared("task_id"), shared("if_match")])
        .no_body()
        .problems(&[ProblemCode::NotFound, ProblemCode::PreconditionFailed]);
    let (action, headers) = if method == "post" {
        let action = action
            .parameter(shared("idempotency_key"))
            .problems(&[ProblemCode::IdempotencyKeyReused]);
        (action, ["ETag", "Idempotency-Replayed"].as_slice())
    } else {
        (action, ["ETag"].as_slice())
    };
    action.answers_with(200, "The task", Some((JSON, named("Task"))), headers)
}

fn changes() -> Operation {
    operation(READ, "get", "/api/{user_id}/changes", "listChanges", "What changed since a revision")
        .describe(
            "Start with since=0 and go on with the answer's cursor while has_more, then with its \
         revision as since: the client then has exactly the server's tasks. Deletions are kept 90 \
         days; 410 means to start anew.",
        )
        .parameter(query(
            "since",
            "The revision that the client has; 0 unless given. Not with a cursor.",
            json!({"type": "integer", "minimum": 0, "maximum": ID_MAX}),
        ))
        .parameters([shared("limit"), shared("cursor")])
        .answers(200, "A page", named("Changes"))
        .problems(&[ProblemCode::ResetRequired])
}

fn tags() -> Vec<Operation> {
    const PATH: &str = "/api/{user_id}/tags/{name}";
    let name = || path("name", "The tag, in any case.", schema::text::not_blank(TAG_CHARS_MAX));
    vec![
        operation(
            READ,
            "get",
            "/api/{user_id}/tags",
            "listTags",
            "Tags with how many tasks have them",
        )
        .answers(200, "The tags", list_of("Tag")),
        operation(WRITE, "put", PATH, "changeTag", "Rename or recolour a tag")
            .describe("Renames it in every task that has it; into another one, they become one.")
            .parameter(name())
            .body(named("TagChange"))
            .answers(200, "The tag", named("Tag"))
            .problems(&[ProblemCode::NotFound]),
        operation(WRITE, "delete", PATH, "deleteTag", "Remove a tag from every task")
            .parameter(name())
            .answers_empty(204, "No task has it any more")
            .problems(&[ProblemCode::NotFound]),
    ]
}

fn reminders() -> Vec<Operation> {
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
            "Reminders, earliest first",
        )
        .parameter(query(
            "status",
            "Any of these; repeated or separated by commas.",
            json!({"type": "array", "items": {
                "type": "string", "enum": ["armed", "fired", "cancelled"],
            }}),
        ))
        .parameter(query("task_id", "Those of this task.", schema::id()))
        .parameters([shared("limit"), shared("cursor")])
        .answers_with(200, "A page", Some((JSON, list_of("Reminder"))), &["Link"]),
        operation(
            WRITE,
            "post",
            "/api/{user_id}/tasks/{id}/reminders",
            "createReminder",
            "A further reminder of a task",
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
            "Remove a reminder",
        )
        .parameter(reminder_id())
        .answers_empty(204, "It is gone")
        .problems(&[ProblemCode::NotFound]),
        operation(
            WRITE,
            "post",
            "/api/{user_id}/reminders/{reminder_id}/snooze",
            "snoozeReminder",
            "Let a reminder come later",
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
            "What was sent, or could not be",
        )
        .parameters([shared("limit"), shared("cursor")])
        .answers_with(200, "A page", Some((JSON, list_of("Notification"))), &["Link"]),
    ]
}

fn preview() -> Operation {
    Operation::new(
        RECURRENCE,
        READ,
        "post",
        "/api/{user_id}/recurrence/preview",
        "previewRecurrence",
        "When a rule would recur",
    )
    .body(named("PreviewRequest"))
    .answers(200, "A description and the next dates", named("Preview"))
}
