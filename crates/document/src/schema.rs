//! JSON Schemas (draft 2020-12) of requests and responses.

mod account;
mod batch;
mod chat;
pub mod event;
mod filter;
mod list;
mod member;
mod quick_add;
mod rule;
mod task;
pub mod text;
pub mod undo;
mod webhook;

use rondo_contract::problem::PROBLEMS;
use rondo_domain::ID_MAX;
use rondo_domain::text::KEY_CHARS_MAX;
use serde_json::{Map, Value, json};

/// A reference to a named schema.
pub fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A list of values of a named schema.
pub fn list_of(name: &str) -> Value {
    json!({"type": "array", "items": named(name)})
}

pub fn id() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": ID_MAX})
}

fn nullable(mut schema: Value) -> Value {
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    if let Some(choices) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.push(json!({"type": "null"}));
        return schema;
    }
    if let Some(kind) = schema.get("type").cloned() {
        schema["type"] = json!([kind, "null"]);
        return schema;
    }
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// An instant in responses: in UTC.
pub fn instant() -> Value {
    json!({
        "type": "string",
        "format": "date-time",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$",
    })
}

/// Puts a value's meaning before the description of its form.
fn described(mut schema: Value, meaning: &str) -> Value {
    let form = schema["description"].as_str().unwrap_or_default();
    let description = format!("{meaning} {form}");
    if !description.trim().is_empty() {
        schema["description"] = description.trim().into();
    }
    schema
}

/// A key that a client chooses.
pub fn key() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX, "pattern": "^[!-~]+$"})
}

/// A member that may be sent back as it was answered.
fn ignored() -> Value {
    json!({"readOnly": true, "description": "Ignored."})
}

/// Every named schema.
pub fn all() -> Map<String, Value> {
    let schemas = [
        ("Task", task::task()),
        ("TaskCreate", task::task_create()),
        ("TaskReplace", task::task_replace()),
        ("TaskPatch", task::task_patch()),
        ("RecurrenceRule", rule::answered_rule()),
        ("RecurrenceRuleInput", rule::read()),
        ("RecurrenceRulePatch", rule::patch()),
        ("Changes", task::changes()),
        ("Tag", task::tag()),
        ("TagChange", task::tag_change()),
        ("List", list::list()),
        ("ListCreate", list::list_create()),
        ("ListPatch", list::list_patch()),
        ("ListMove", list::list_move()),
        ("TaskMove", list::task_move()),
        ("TaskBatch", batch::task_batch()),
        ("TaskBatchResults", batch::task_batch_results()),
        ("DeletedTask", undo::deleted_task()),
        ("Undo", undo::undo()),
        ("UndoResults", undo::undo_results()),
        ("Filter", filter::filter()),
        ("FilterCreate", filter::filter_create()),
        ("FilterPatch", filter::filter_patch()),
        ("ChatTurn", chat::turn()),
        ("ChatAnswer", chat::answer()),
        ("ChatMessage", chat::message()),
        ("Conversation", chat::conversation(false)),
        ("ConversationWithMessages", chat::conversation(true)),
        ("Reminder", task::reminder()),
        ("ReminderCreate", task::reminder_create()),
        ("Snooze", task::snooze()),
        ("Notification", task::notification()),
        ("Webhook", webhook::webhook(false)),
        ("NewWebhook", webhook::webhook(true)),
        ("WebhookCreate", webhook::webhook_create()),
        ("WebhookPatch", webhook::webhook_patch()),
        ("WebhookDelivery", webhook::delivery()),
        ("Preview", task::preview()),
        ("PreviewRequest", task::preview_request()),
        ("QuickAdd", quick_add::line()),
        ("QuickAddPreview", quick_add::preview()),
        ("TaskChange", task_change()),
        ("AuditLog", audit_log()),
        ("AuditStatistics", audit_statistics()),
        ("User", account::user()),
        ("UserPatch", account::user_patch()),
        ("Registration", account::registration()),
        ("Credentials", account::credentials()),
        ("Session", account::session(true)),
        ("ListedSession", account::listed_session()),
        ("TokenPair", account::session(false)),
        ("RefreshToken", account::one_text("refresh_token", account::SECRET_EXAMPLE)),
        ("MailedToken", account::one_text("token", account::SECRET_EXAMPLE)),
        ("EmailOnly", account::one_text("email", "me@example.org")),
        ("PasswordReset", account::password_reset()),
        ("Invitation", account::invitation()),
        ("InvitationCreate", account::invitation_create()),
        ("PasswordChange", account::password_change()),
        ("ApiToken", account::api_token(false)),
        ("NewApiToken", account::api_token(true)),
        ("ApiTokenCreate", account::api_token_create()),
        ("Problem", problem()),
        ("FieldError", field_error()),
    ];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// An object in requests: unknown members are refused.
fn object(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// An object in responses with all of its members; a later version may add some.
fn answered(properties: Value) -> Value {
    let required: Vec<String> =
        properties.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default();
    json!({"type": "object", "properties": properties, "required": required})
}

fn audit_log() -> Value {
    let mut schema = answered(json!({
        "id": id(),
        "event_id": event::uuid(),
        "action_type": {"type": "string", "examples": ["task.completed"]},
        "user_id": nullable(id()),
        "task_id": nullable(id()),
        "occurred_at": instant(),
        "recorded_at": instant(),
        "topic": {"type": "string", "description": "The topic that carried the event."},
        "payload": {"type": "object", "description": "The event's value. See the AsyncAPI document."},
    }));
    schema["examples"] = json!([{
        "id": 5, "event_id": "0197f0c2-8a51-7cc3-9b1e-3f6f4f1c2d10", "action_type": "task.deleted",
        "user_id": 1, "task_id": 42, "occurred_at": "2026-01-12T14:03:00Z",
        "recorded_at": "2026-01-12T14:03:00.031Z", "topic": "task-events",
        "payload": {
            "event_id": "0197f0c2-8a51-7cc3-9b1e-3f6f4f1c2d10", "schema_version": "1.0",
            "event_type": "task.deleted", "timestamp": "2026-01-12T14:03:00Z", "task_id": 42,
            "user_id": 1, "revision": 18,
        },
    }]);
    schema
}

fn task_change() -> Value {
    let mut schema = answered(json!({
        "event_id": event::uuid(),
        "event_type": {"type": "string", "examples": ["task.updated"]},
        "user_id": described(id(), "Who changed it."),
        "occurred_at": instant(),
        "revision": described(id(), "The task's revision after the change."),
        "actor": nullable(json!({
            "type": "string",
            "description": "The kind of program that acted for the user. Null for a client of the HTTP API.",
        })),
        "client": nullable(json!({
            "type": "string", "description": "The name that the program gives itself.",
        })),
        "changes": nullable(json!({
            "type": "object",
            "description": "The members that changed. Null if the change before it is no longer recorded.",
            "additionalProperties": answered(json!({"from": {}, "to": {}})),
        })),
    }));
    schema["examples"] = json!([{
        "event_id": "0197f0c2-8a51-7cc3-9b1e-3f6f4f1c2d10", "event_type": "task.updated", "user_id": 1,
        "occurred_at": "2026-01-12T14:03:00Z", "revision": 18,
        "actor": "mcp", "client": "claude-code",
        "changes": {"priority": {"from": null, "to": "high"}},
    }]);
    schema
}

fn audit_statistics() -> Value {
    let count = json!({"type": "integer", "minimum": 0});
    let mut schema = answered(json!({
        "total": count,
        "by_action_type": {"type": "object", "additionalProperties": count},
        "by_day": {"type": "array", "items": answered(json!({
            "date": {"type": "string", "format": "date", "description": "In UTC."},
            "count": count,
        }))},
    }));
    schema["examples"] = json!([{
        "total": 3,
        "by_action_type": {"task.created": 2, "task.completed": 1},
        "by_day": [{"date": "2026-01-05", "count": 2}, {"date": "2026-01-12", "count": 1}],
    }]);
    schema
}

fn problem() -> Value {
    let codes: Vec<_> = PROBLEMS.iter().map(|facts| facts.code).collect();
    let meanings: Vec<_> = PROBLEMS
        .iter()
        .map(|facts| format!("`{}` ({}): {}", facts.code, facts.status, facts.detail))
        .collect();
    let mut schema = answered(json!({
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {
            "type": "string",
            "description": format!("Stable. {}", meanings.join(" ")),
            "examples": codes,
        },
        "request_id": {"type": "string"},
    }));
    schema["properties"]["errors"] = list_of("FieldError");
    schema["properties"]["tasks"] = json!({
        "type": "array", "items": id(), "description": "The ids of the tasks that the problem is about.",
    });
    described(schema, "A problem (RFC 9457).")
}

fn field_error() -> Value {
    let codes: Vec<_> = FIELD_CODES.iter().map(|(code, _)| code).collect();
    let meanings: Vec<_> =
        FIELD_CODES.iter().map(|(code, meaning)| format!("`{code}`: {meaning}")).collect();
    answered(json!({
        "pointer": {
            "type": "string",
            "description": "A member of the body as a JSON pointer (RFC 6901) such as `/title`, a query \
                            parameter such as `?limit`, or the name of a header.",
        },
        "code": {"type": "string", "enum": codes, "description": meanings.join("; ")},
        "detail": {"type": "string", "description": "Continues a sentence that begins with the name."},
    }))
}

/// Codes of faults of a member, a parameter or a header. The last six are not violations of rondo-domain.
const FIELD_CODES: [(&str, &str); 29] = [
    ("required", "is missing or empty"),
    ("too_long", "has too many characters"),
    ("too_many", "has too many entries"),
    ("out_of_range", "is too small or too large"),
    ("unknown_value", "is not one of the allowed words"),
    ("forbidden_character", "contains U+0000"),
    ("malformed", "does not have the form that `detail` names"),
    ("unknown_time_zone", "is not a name of the IANA time zone database"),
    ("not_applicable", "does not apply together with the rest"),
    ("conflict", "contradicts another member"),
    ("needs_due_date", "needs a `due_date` or a `due_day`"),
    ("after_due", "is after the task is due"),
    ("in_the_past", "is not in the future"),
    ("never_matches", "is a rule that never matches a date"),
    ("too_frequent", "is a rule that repeats more than once a day"),
    ("not_public", "leads to a host that is not public"),
    ("unknown_list", "is not the id of one of the user's lists"),
    ("unknown_task", "is not the id of another task in the list"),
    ("unknown_parent", "is not the id of one of the user's tasks"),
    ("unknown_blocker", "has an id that is not of one of the user's tasks"),
    ("circular", "leads back to the task itself"),
    ("too_deep", "leads to too many levels of subtasks"),
    ("too_many_subtasks", "leads to too many subtasks beneath one task"),
    ("unknown_member", "is not known"),
    ("unknown_parameter", "is not known"),
    ("repeated", "is given more than once"),
    ("invalid_token", "is unknown, used, or expired"),
    ("weak_password", "is easy to guess"),
    ("wrong_password", "is not the account's password"),
];
