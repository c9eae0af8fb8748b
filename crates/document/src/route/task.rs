//! Tasks, tags, changes, recurrence.

use rondo_contract::problem::ProblemCode;
use rondo_contract::query::VALUES_MAX;
use rondo_contract::task_query::{Deferred, OFFSET_MAX, Place, SortBy, SortOrder, TREE_LIMIT_MAX};
use rondo_domain::ID_MAX;
use rondo_domain::access::Scope;
use rondo_domain::step::SubtaskFate;
use rondo_domain::task::{EditScope, Priority, Status, TAG_CHARS_MAX};
use serde_json::{Value, json};

use super::{RECURRENCE, TASKS, path, query, reminder, shared};
use crate::operation::{Access, Operation};
use crate::schema::{self, list_of, named};

const JSON: &str = "application/json";
const READ: Access = Access::Scope(Scope::TasksRead);
const WRITE: Access = Access::Scope(Scope::TasksWrite);

pub fn all() -> Vec<Operation> {
    let mut operations = lists();
    operations.extend(one());
    operations.extend(actions());
    operations.push(changes());
    operations.extend(tags());
    operations.extend(reminder::all());
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
            &["Link", "X-Total-Count", "X-Total-Estimate"],
        )
    };
    vec![
        list("/api/{user_id}/tasks", "listTasks", "List tasks"),
        list("/api/{user_id}/tasks/filter", "filterTasks", "List tasks; the same as `/tasks`"),
        operation(WRITE, "post", "/api/{user_id}/tasks", "createTask", "Create a task")
            .parameter(shared("idempotency_key"))
            .body(named("TaskCreate"))
            .answers_with(
                201,
                "The task",
                Some((JSON, named("Task"))),
                &["ETag", "Location", "Idempotency-Replayed"],
            )
            .problems(&[ProblemCode::IdempotencyKeyReused, ProblemCode::UidTaken]),
        quick_add(),
    ]
}

fn quick_add() -> Operation {
    operation(
        WRITE,
        "post",
        "/api/{user_id}/quick-add",
        "quickAdd",
        "Create a task from one line of text",
    )
    .describe(
        "With `preview=true`, nothing is created: the response shows the task and which parts of the text were \
         understood. A due date without a time is at 9:00.",
    )
    .parameter(query(
        "preview",
        "Whether to show the task instead of creating it.",
        json!({"type": "boolean", "default": false}),
    ))
    .parameter(shared("idempotency_key"))
    .body(named("QuickAdd"))
    .answers(200, "What would be created", named("QuickAddPreview"))
    .answers_with(
        201,
        "The task",
        Some((JSON, named("Task"))),
        &["ETag", "Location", "Idempotency-Replayed"],
    )
    .problems(&[ProblemCode::IdempotencyKeyReused])
}

fn filters() -> Vec<Value> {
    let list = |items: Value| json!({"type": "array", "maxItems": VALUES_MAX, "items": items});
    let any_of = |words: &[&str]| list(json!({"type": "string", "enum": words}));
    let tags = || list(schema::text::tag_of_list());
    let bound = schema::text::bound;
    vec![
        query(
            "search",
            "Tasks whose title or description contains this text, ignoring case and accents.",
            schema::text::search(),
        ),
        query(
            "status",
            "Any of these. Repeat the parameter or separate the values by commas.",
            any_of(Status::WORDS),
        ),
        query(
            "priority",
            "Any of these. Repeat the parameter or separate the values by commas.",
            any_of(Priority::WORDS),
        ),
        query(
            "tags",
            "Tasks with any of these tags, in any case. Repeat the parameter or separate the values by \
             commas. Escape a comma in a tag with a backslash, and a backslash before a comma or \
             backslash too: `tags=a%5C%2Cb` is the tag `a,b`.",
            tags(),
        ),
        query("tags_all", "Tasks with all of these tags. Otherwise as `tags`.", tags()),
        query(
            "due_date_start",
            "Due at or after this instant, or on or after this date in the user's time zone. A task that is due on a \
             day without a time is due at the end of that day.",
            bound(),
        ),
        query(
            "due_date_end",
            "Due at or before this instant, or on or before this date in the user's time zone.",
            bound(),
        ),
        query("has_due_date", "Tasks with a due date or day, or without one.", json!({"type": "boolean"})),
        query("parent_task_id", "Occurrences of the series that this task started.", schema::id()),
        query(
            "list_id",
            "Tasks in this list, or in the inbox, which has the tasks in no list.",
            json!({"anyOf": [schema::id(), {"type": "string", "const": Place::INBOX}]}),
        ),
        query(
            "deferred",
            "What becomes of tasks whose `start_date` or `start_day` is still to come: `true` lists them with the others, \
             `false` leaves them out, `only` lists them alone. With `uid`, the default is `true`.",
            json!({
                "type": "string",
                "enum": Deferred::WORDS,
                "default": Deferred::False.as_str(),
            }),
        ),
        query("subtask_of", "Subtasks of this task, without theirs.", schema::id()),
        query(
            "blocked",
            "Tasks that are blocked by a task that is not completed, or the others.",
            json!({"type": "boolean"}),
        ),
        query("uid", "The task with this uid. Not with `tree`.", schema::key()),
        query("updated_since", "Changed at or after this instant.", schema::text::instant()),
        query(
            "sort_by",
            "The field to sort by. Tasks without a value come last in both orders.",
            json!({
                "type": "string",
                "enum": SortBy::WORDS,
                "default": SortBy::CreatedAt.as_str(),
            }),
        ),
        query(
            "sort_order",
            "The direction. Equal tasks are sorted by id in the same direction.",
            json!({
                "type": "string",
                "enum": SortOrder::WORDS,
                "default": SortOrder::Desc.as_str(),
            }),
        ),
    ]
    .into_iter()
    .chain(part())
    .collect()
}

/// Parameters that say which part of a list is wanted, and what besides.
pub fn part() -> Vec<Value> {
    vec![
        shared("limit"),
        query(
            "offset",
            "Tasks to skip. Unlike a cursor, an offset shifts when other requests change the list.",
            json!({"type": "integer", "minimum": 0, "maximum": OFFSET_MAX, "default": 0}),
        ),
        shared("cursor"),
        query(
            "tree",
            &format!(
                "Whether the list is a tree: tasks that are no subtasks, each with what is beneath it as `children`. \
                 A task is there if it or a task beneath it passes the filters; all tasks beneath it come along. A \
                 page has at most {TREE_LIMIT_MAX} of these tasks."
            ),
            json!({"type": "boolean"}),
        ),
        query("count", "Whether the response has `X-Total-Count`.", json!({"type": "boolean"})),
        query(
            "total_estimate",
            "Whether the response has `X-Total-Estimate`.",
            json!({"type": "boolean"}),
        ),
    ]
}

fn scope() -> Value {
    query(
        "scope",
        "For an occurrence of a series: this one alone, this and all later ones, or the whole series. \
         When a pending occurrence is deleted, the series continues with the next one for `this`, and \
         ends for `future` and `all`.",
        json!({"type": "string", "enum": EditScope::WORDS, "default": EditScope::This.as_str()}),
    )
}

fn subtasks() -> Value {
    query(
        "subtasks",
        "If this completes the task: whether its open subtasks are completed too, on all levels, or stay open. \
         Defaults to the user's `complete_subtasks`.",
        json!({"type": "string", "enum": SubtaskFate::WORDS}),
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
        one(READ, "get", "getTask", "Get a task")
            .parameter(shared("if_none_match"))
            .answers_with(200, "The task", task.clone(), &["ETag"])
            .answers_with(304, "The client has the current task", None, &["ETag"]),
        change("put", "replaceTask", "Replace a task")
            .parameter(subtasks())
            .body(named("TaskReplace"))
            .answers_with(200, "The task", task.clone(), &["ETag"]),
        change("patch", "changeTask", "Change fields of a task")
            .parameters([scope(), subtasks()])
            .merge_patch(named("TaskPatch"))
            .answers_with(200, "The task", task, &["ETag"]),
        change("delete", "deleteTask", "Delete a task with its subtasks")
            .parameter(scope())
            .answers_empty(204, "Deleted"),
    ]
}

fn actions() -> Vec<Operation> {
    let mut operations = Vec::new();
    let routes = [
        (
            "/api/{user_id}/tasks/{id}/complete",
            ["completeTask", "completeTaskByPatch"],
            "Complete a task",
            "Completing a completed task changes nothing. A task with a recurrence rule gets its next occurrence.",
        ),
        (
            "/api/{user_id}/tasks/{id}/reopen",
            ["reopenTask", "reopenTaskByPatch"],
            "Reopen a task",
            "Sets the task to pending. Withdraws the next occurrence, unless it has been changed since it was created.",
        ),
    ];
    for (path, ids, summary, description) in routes {
        for (method, id) in ["post", "patch"].into_iter().zip(ids) {
            let operation = action(method, path, id, summary).describe(description);
            let completes = path.ends_with("/complete");
            operations.push(if completes { operation.parameter(subtasks()) } else { operation });
        }
    }
    let skip = action(
        "post",
        "/api/{user_id}/tasks/{id}/skip",
        "skipTask",
        "Move an occurrence to its next slot",
    );
    operations.push(skip.problems(&[ProblemCode::NoNextOccurrence]));
    let batch = operation(
        WRITE,
        "post",
        "/api/{user_id}/tasks/batch",
        "changeTasks",
        "Change several tasks",
    );
    operations.push(
        batch
            .describe(
                "Up to 100 operations in one request. With `atomic`, all of them happen or none: a problem is then that \
                 of the first operation that is refused, and names it.",
            )
            .parameter(shared("idempotency_key"))
            .body(named("TaskBatch"))
            .answers_with(200, "The results", Some((JSON, named("TaskBatchResults"))), &["Idempotency-Replayed"])
            .problems(&[
                ProblemCode::NotFound,
                ProblemCode::PreconditionFailed,
                ProblemCode::UidTaken,
                ProblemCode::IdempotencyKeyReused,
            ]),
    );
    let history = operation(
        READ,
        "get",
        "/api/{user_id}/tasks/{id}/history",
        "listTaskHistory",
        "List changes of a task, newest first",
    );
    operations.push(
        history
            .describe(
                "From the audit log, so a change appears after a moment, and a deleted task keeps its history. \
                 404 until the first change is recorded.",
            )
            .parameters([shared("task_id"), shared("limit"), shared("cursor")])
            .answers_with(200, "A page", Some((JSON, list_of("TaskChange"))), &["Link"])
            .problems(&[ProblemCode::NotFound]),
    );
    let put = operation(
        WRITE,
        "post",
        "/api/{user_id}/tasks/{id}/move",
        "moveTask",
        "Move a task in its list, or to another",
    );
    operations.push(
        put.describe(
            "Without a neighbour, the task comes last in the list. No other task changes, except when there \
             is no room.",
        )
        .parameters([shared("task_id"), shared("if_match"), shared("idempotency_key")])
        .body(named("TaskMove"))
        .answers_with(
            200,
            "The task",
            Some((JSON, named("Task"))),
            &["ETag", "Idempotency-Replayed"],
        )
        .problems(&[
            ProblemCode::NotFound,
            ProblemCode::PreconditionFailed,
            ProblemCode::IdempotencyKeyReused,
        ]),
    );
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
    operation(READ, "get", "/api/{user_id}/changes", "listChanges", "List changes since a revision")
        .describe(
            "Start with `since=0`. While `has_more`, pass the response's `cursor`, and afterwards its \
             `revision` as `since`. The client then has exactly the server's tasks and lists. A task can \
             come before its list. Deletions are kept for 90 days. After 410, drop all tasks and lists \
             and start again.",
        )
        .parameter(query(
            "since",
            "The revision that the client has. Defaults to 0. Not with `cursor`.",
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
            "List tags",
        )
        .answers(200, "The tags", list_of("Tag")),
        operation(WRITE, "put", PATH, "changeTag", "Rename or recolour a tag")
            .describe("Renames the tag in every task. A tag that is renamed to another existing tag is merged into it.")
            .parameter(name())
            .body(named("TagChange"))
            .answers(200, "The tag", named("Tag"))
            .problems(&[ProblemCode::NotFound]),
        operation(WRITE, "delete", PATH, "deleteTag", "Remove a tag from every task")
            .parameter(name())
            .answers_empty(204, "No task has the tag")
            .problems(&[ProblemCode::NotFound]),
    ]
}

fn preview() -> Operation {
    Operation::new(
        RECURRENCE,
        READ,
        "post",
        "/api/{user_id}/recurrence/preview",
        "previewRecurrence",
        "Preview a recurrence rule",
    )
    .body(named("PreviewRequest"))
    .answers(200, "A description and the first occurrences", named("Preview"))
}
