//! JSON Schemas (draft 2020-12) of what is sent and answered.

use rondo_contract::problem::ProblemCode;
use rondo_domain::access::Scope;
use rondo_domain::offset::OFFSET_DAYS_MAX;
use rondo_domain::recurrence::{
    Basis, COUNT_MAX, CatchUp, Frequency, INTERVAL_MAX, MonthEnd, PREVIEW_SLOTS_MAX,
};
use rondo_domain::task::{
    DESCRIPTION_CHARS_MAX, Priority, Status, TAG_CHARS_MAX, TAGS_MAX, TITLE_CHARS_MAX,
};
use serde_json::{Map, Value, json};

/// Largest id: every JSON number up to it is exact.
const ID_MAX: i64 = (1 << 53) - 1;
/// No string may have U+0000, for Postgres keeps none.
const NO_NUL: &str = r"^[^\u0000]*$";
/// The same, with something that is no white space in it.
const NOT_BLANK: &str = r"^[^\u0000]*[^\s\u0000][^\u0000]*$";

/// A reference to a named schema.
pub fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A list of a named schema's values.
pub fn list_of(name: &str) -> Value {
    json!({"type": "array", "items": named(name)})
}

pub fn id() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": ID_MAX})
}

/// The words of a closed set.
pub fn words<T>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str>
where
    T: Copy,
{
    all.iter().copied().map(word).collect()
}

fn nullable(mut schema: Value) -> Value {
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    if let Some(kind) = schema.get("type").cloned() {
        schema["type"] = json!([kind, "null"]);
        return schema;
    }
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn text(pattern: &str, length_max: usize) -> Value {
    json!({"type": "string", "pattern": pattern, "maxLength": length_max})
}

/// An instant as it is read: RFC 3339 with any offset.
fn instant_in() -> Value {
    json!({
        "type": "string",
        "format": "date-time",
        "description": "RFC 3339 with any offset, in the years 1000 to 9999.",
    })
}

/// An instant as it is answered: in UTC.
pub fn instant() -> Value {
    json!({
        "type": "string",
        "format": "date-time",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$",
    })
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

/// Every named schema.
pub fn all() -> Map<String, Value> {
    let schemas = [
        ("Task", task()),
        ("TaskCreate", task_create()),
        ("TaskReplace", task_replace()),
        ("TaskPatch", task_patch()),
        ("RecurrenceRule", rule_answered()),
        ("RecurrenceRuleInput", rule_read()),
        ("Changes", changes()),
        ("Tag", tag()),
        ("TagChange", tag_change()),
        ("Reminder", reminder()),
        ("ReminderCreate", reminder_create()),
        ("Snooze", snooze()),
        ("Notification", notification()),
        ("Preview", preview()),
        ("PreviewRequest", preview_request()),
        ("AuditLog", audit_log()),
        ("AuditStatistics", audit_statistics()),
        ("User", user()),
        ("UserPatch", user_patch()),
        ("Registration", registration()),
        ("Credentials", credentials()),
        ("Session", session(true)),
        ("TokenPair", session(false)),
        ("RefreshToken", one_text("refresh_token")),
        ("MailedToken", one_text("token")),
        ("EmailOnly", object(json!({"email": email()}), &["email"])),
        (
            "PasswordReset",
            object(
                json!({"token": {"type": "string"}, "password": password()}),
                &["token", "password"],
            ),
        ),
        ("ApiToken", api_token(false)),
        ("NewApiToken", api_token(true)),
        ("ApiTokenCreate", api_token_create()),
        ("Problem", problem()),
        ("FieldError", field_error()),
    ];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// An object that is read: a member that is not known is refused.
fn object(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// An object that is answered, with all of its members; a later version may add some.
fn answered(properties: Value) -> Value {
    let required: Vec<String> =
        properties.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default();
    json!({"type": "object", "properties": properties, "required": required})
}

fn one_text(member: &str) -> Value {
    object(json!({member: {"type": "string", "minLength": 1}}), &[member])
}

/// The members of a task that a client may write, as they are read.
fn writable() -> Map<String, Value> {
    let statuses = words(Status::ALL, Status::as_str);
    let priorities = words(Priority::ALL, Priority::as_str);
    let days = format!("P{OFFSET_DAYS_MAX}D");
    let members = json!({
        "title": described(
            text(NOT_BLANK, TITLE_CHARS_MAX),
            &format!("1 to {TITLE_CHARS_MAX} characters after trimming."),
        ),
        "description": nullable(text(NO_NUL, DESCRIPTION_CHARS_MAX)),
        "status": {
            "type": "string",
            "enum": statuses,
            "description": "Changing it to or from completed has the effects of complete and reopen.",
        },
        "priority": nullable(json!({"type": "string", "enum": priorities})),
        "tags": {
            "type": "array",
            "maxItems": TAGS_MAX,
            "items": text(NOT_BLANK, TAG_CHARS_MAX),
            "description": "Trimmed and sorted; unique ignoring case, the first spelling stays.",
        },
        "due_date": nullable(instant_in()),
        "time_zone": {
            "type": "string",
            "description": "A name of the IANA time zone database; the user's unless given.",
            "examples": ["Europe/Paris"],
        },
        "reminder_offset": {
            "anyOf": [
                {"type": "string", "examples": ["PT1H", "P1DT2H", "3600"]},
                {"type": "integer", "minimum": 0, "maximum": u64::from(OFFSET_DAYS_MAX) * 86_400},
                {"type": "null"},
            ],
            "description": format!(
                "How long before due_date, which it needs, the reminder comes: an ISO 8601 duration of \
                 weeks, days, hours, minutes and seconds, or seconds as a number or digits; at most \
                 {days}. Days are calendar days in the task's zone, the rest is elapsed time."
            ),
        },
        "recurrence_rule": {"anyOf": [named("RecurrenceRuleInput"), {"type": "null"}]},
        "recurrence_pattern": nullable(json!({
            "type": "string",
            "enum": words(Frequency::ALL, Frequency::as_str),
            "description": "Short for a recurrence_rule with this frequency; not with one.",
        })),
    });
    members.as_object().cloned().unwrap_or_default()
}

/// Members that may be sent back as they were answered, and are ignored.
fn read_only() -> Map<String, Value> {
    rondo_contract::task_body::READ_ONLY
        .iter()
        .map(|name| ((*name).to_owned(), json!({"readOnly": true, "description": "Ignored."})))
        .collect()
}

fn task_read(required: &[&str], is_patch: bool) -> Value {
    let mut members = writable();
    if is_patch {
        // Null sets a member back to its default, so only the title cannot be cleared.
        for (name, schema) in &mut members {
            if matches!(name.as_str(), "status" | "tags" | "time_zone") {
                *schema = nullable(schema.take());
            }
        }
    }
    members.extend(read_only());
    object(members.into(), required)
}

fn task_create() -> Value {
    let mut schema = task_read(&["title"], false);
    schema["examples"] = json!([{
        "title": "Weekly team meeting",
        "priority": "high",
        "tags": ["work", "meetings"],
        "due_date": "2031-01-13T14:00:00Z",
        "time_zone": "Europe/Paris",
        "reminder_offset": "PT1H",
        "recurrence_rule": {"frequency": "weekly", "days_of_week": [0, 2]},
    }]);
    schema
}

fn task_replace() -> Value {
    described(
        task_read(&["title"], false),
        "Writable members that are left out get their defaults, but status stays.",
    )
}

fn task_patch() -> Value {
    described(
        task_read(&[], true),
        "A merge patch (RFC 7396): members that are left out stay, null sets back to the default.",
    )
}

/// A task as it is answered.
fn task() -> Value {
    let mut schema = answered(json!({
        "id": id(),
        "user_id": id(),
        "title": {"type": "string", "minLength": 1, "maxLength": TITLE_CHARS_MAX},
        "description": {"type": ["string", "null"], "maxLength": DESCRIPTION_CHARS_MAX},
        "status": {"type": "string", "enum": words(Status::ALL, Status::as_str)},
        "priority": nullable(json!({"type": "string", "enum": words(Priority::ALL, Priority::as_str)})),
        "tags": {
            "type": "array",
            "maxItems": TAGS_MAX,
            "items": {"type": "string", "minLength": 1, "maxLength": TAG_CHARS_MAX},
        },
        "due_date": nullable(instant()),
        "time_zone": {"type": "string"},
        "reminder_offset": {
            "type": ["string", "null"],
            "description": "An ISO 8601 duration of days, hours, minutes and seconds.",
            "pattern": r"^P(?=.)([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$",
        },
        "recurrence_rule": {"anyOf": [named("RecurrenceRule"), {"type": "null"}]},
        "parent_task_id": described(nullable(id()), "The series' first task."),
        "created_at": instant(),
        "updated_at": instant(),
        "completed_at": nullable(instant()),
        "revision": described(id(), "The user's revision of the last change; the ETag."),
    }));
    schema["examples"] = json!([{
        "id": 42, "user_id": 1, "title": "Weekly team meeting", "description": "Sync with team",
        "status": "pending", "priority": "high", "tags": ["meetings", "work"],
        "due_date": "2026-01-12T14:00:00Z", "time_zone": "UTC", "reminder_offset": "PT1H",
        "recurrence_rule": {"frequency": "weekly", "interval": 1, "days_of_week": [0, 2],
            "day_of_month": null, "end_date": null, "count": null, "rrule": null,
            "basis": "schedule", "month_end": "clamp", "catch_up": "next_future"},
        "parent_task_id": null, "created_at": "2026-01-05T09:12:44.120391Z",
        "updated_at": "2026-01-05T09:12:44.120391Z", "completed_at": null, "revision": 17,
    }]);
    schema
}

fn rule_members() -> Value {
    json!({
        "frequency": {"enum": words(Frequency::ALL, Frequency::as_str), "type": "string"},
        "interval": {"type": "integer", "minimum": 1, "maximum": INTERVAL_MAX},
        "days_of_week": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 6},
            "description": "0 is Monday; with frequency weekly.",
        },
        "day_of_month": {
            "type": "integer", "minimum": 1, "maximum": 31,
            "description": "With frequency monthly.",
        },
        "end_date": {
            "type": "string",
            "description": "Inclusive: a date in the task's zone, or an instant.",
        },
        "count": {"type": "integer", "minimum": 1, "maximum": COUNT_MAX},
        "rrule": {
            "type": "string",
            "description": "An RFC 5545 rule, daily or slower, instead of the members above.",
            "examples": ["FREQ=MONTHLY;BYDAY=2TU"],
        },
        "basis": {
            "type": "string", "enum": words(Basis::ALL, Basis::as_str),
            "description": "schedule: the next slot after the completed one. completion: the \
                            completion's local date plus the interval.",
        },
        "month_end": {
            "type": "string", "enum": words(MonthEnd::ALL, MonthEnd::as_str),
            "description": "What becomes of the 31st in a shorter month.",
        },
        "catch_up": {
            "type": "string", "enum": words(CatchUp::ALL, CatchUp::as_str),
            "description": "What becomes of slots that were missed.",
        },
    })
}

fn rule_read() -> Value {
    let members: Map<String, Value> = rule_members()
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.clone(), nullable(schema.clone())))
        .collect();
    let mut schema = object(members.into(), &[]);
    schema["examples"] = json!([{"frequency": "monthly", "day_of_month": 31}]);
    described(schema, "How a task recurs: frequency with its members, or rrule.")
}

fn rule_answered() -> Value {
    let always = ["interval", "basis", "month_end", "catch_up"];
    let members: Map<String, Value> = rule_members()
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let schema = schema.clone();
            let is_there = always.contains(&name.as_str());
            (name.clone(), if is_there { schema } else { nullable(schema) })
        })
        .collect();
    answered(members.into())
}

fn changes() -> Value {
    let upsert = answered(json!({
        "revision": id(), "op": {"const": "upsert"}, "task": named("Task"),
    }));
    let delete = answered(json!({
        "revision": id(), "op": {"const": "delete"}, "task_id": id(),
    }));
    let mut schema = answered(json!({
        "changes": {"type": "array", "items": {"oneOf": [upsert, delete]}},
        "revision": {
            "type": "integer", "minimum": 0,
            "description": "The next since.",
        },
        "has_more": {"type": "boolean"},
        "cursor": {
            "type": ["string", "null"],
            "description": "While has_more: where the next page begins.",
        },
    }));
    schema["description"] = "Each changed task once, in the order of revisions.".into();
    schema
}

fn tag() -> Value {
    answered(json!({
        "name": {"type": "string"},
        "count": {"type": "integer", "minimum": 0},
        "color": {"type": ["string", "null"]},
    }))
}

fn tag_change() -> Value {
    object(
        json!({
            "name": text(NOT_BLANK, TAG_CHARS_MAX),
            "color": {
                "type": ["string", "null"],
                "pattern": "^#[0-9a-fA-F]{6}$",
                "examples": ["#3366ff"],
            },
            "count": {"readOnly": true, "description": "Ignored."},
        }),
        &[],
    )
}

fn reminder() -> Value {
    answered(json!({
        "id": id(),
        "task_id": id(),
        "kind": {"type": "string", "description": "task for the one of reminder_offset, else further."},
        "offset": {"type": ["string", "null"], "description": "Before due_date; null for a fixed moment."},
        "remind_at": instant(),
        "snoozed": {"type": "boolean"},
        "status": {"type": "string", "enum": ["armed", "fired", "cancelled"]},
        "created_at": instant(),
    }))
}

fn reminder_create() -> Value {
    json!({"oneOf": [
        object(json!({"remind_at": instant_in()}), &["remind_at"]),
        object(
            json!({"offset": {
                "anyOf": [
                    {"type": "string", "examples": ["PT15M"]},
                    {"type": "integer", "minimum": 0, "maximum": u64::from(OFFSET_DAYS_MAX) * 86_400},
                ],
                "description": "Before due_date, as reminder_offset.",
            }}),
            &["offset"],
        ),
    ]})
}

fn snooze() -> Value {
    json!({"oneOf": [
        object(json!({"until": instant_in()}), &["until"]),
        object(
            json!({"for": {
                "anyOf": [{"type": "string", "examples": ["PT10M"]}, {"type": "integer", "minimum": 1}],
            }}),
            &["for"],
        ),
    ]})
}

fn notification() -> Value {
    answered(json!({
        "id": id(),
        "task_id": nullable(id()),
        "reminder_id": nullable(id()),
        "channel": {"type": "string", "examples": ["email"]},
        "status": {"type": "string", "enum": ["pending", "sent", "failed", "cancelled", "missed"]},
        "attempts": {"type": "integer", "minimum": 0},
        "last_error": {"type": ["string", "null"]},
        "created_at": instant(),
        "sent_at": nullable(instant()),
    }))
}

fn preview_request() -> Value {
    object(
        json!({
            "due_date": nullable(instant_in()),
            "time_zone": {"type": ["string", "null"]},
            "recurrence_rule": named("RecurrenceRuleInput"),
            "count": {"type": "integer", "minimum": 1, "maximum": PREVIEW_SLOTS_MAX},
        }),
        &["recurrence_rule", "count"],
    )
}

fn preview() -> Value {
    answered(json!({
        "description": {"type": "string", "examples": ["every week on Monday and Wednesday"]},
        "occurrences": {"type": "array", "maxItems": PREVIEW_SLOTS_MAX, "items": answered(json!({
            "local": {"type": "string", "examples": ["2031-03-30T03:30:00"]},
            "utc": instant(),
        }))},
    }))
}

fn audit_log() -> Value {
    answered(json!({
        "id": id(),
        "event_id": {"type": "string", "format": "uuid"},
        "action_type": {"type": "string", "examples": ["task.completed"]},
        "user_id": nullable(id()),
        "task_id": nullable(id()),
        "occurred_at": instant(),
        "recorded_at": instant(),
        "topic": {"type": "string"},
        "payload": {"type": "object", "description": "The event's value; see the AsyncAPI document."},
    }))
}

fn audit_statistics() -> Value {
    let count = json!({"type": "integer", "minimum": 0});
    answered(json!({
        "total": count,
        "by_action_type": {"type": "object", "additionalProperties": count},
        "by_day": {"type": "array", "items": answered(json!({
            "date": {"type": "string", "format": "date"},
            "count": count,
        }))},
    }))
}

fn email() -> Value {
    json!({"type": "string", "format": "email", "maxLength": 254})
}

fn password() -> Value {
    json!({"type": "string", "minLength": 8, "maxLength": 128, "pattern": NO_NUL})
}

fn user() -> Value {
    answered(json!({
        "id": id(),
        "email": {"type": ["string", "null"]},
        "email_verified": {"type": "boolean"},
        "name": {"type": ["string", "null"]},
        "time_zone": {"type": "string"},
        "notifications": answered(json!({
            "email": {"type": "boolean"},
            "digest_at": {"type": ["string", "null"], "pattern": "^[0-9]{2}:[0-9]{2}$"},
        })),
    }))
}

fn user_patch() -> Value {
    let ignored = json!({"readOnly": true, "description": "Ignored."});
    object(
        json!({
            "id": ignored, "email": ignored, "email_verified": ignored,
            "name": nullable(text(NOT_BLANK, 200)),
            "time_zone": {"type": "string"},
            "notifications": object(json!({
                "email": {"type": "boolean"},
                "digest_at": {
                    "type": ["string", "null"],
                    "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$",
                    "description": "When a daily digest comes, in the user's zone; null for none.",
                },
            }), &[]),
        }),
        &[],
    )
}

fn registration() -> Value {
    let mut schema = object(
        json!({
            "email": email(),
            "password": password(),
            "name": nullable(text(NOT_BLANK, 200)),
            "time_zone": {"type": ["string", "null"], "examples": ["Europe/Paris"]},
        }),
        &["email", "password"],
    );
    schema["examples"] = json!([{"email": "me@example.org", "password": "correct horse"}]);
    schema
}

fn credentials() -> Value {
    object(
        json!({"email": {"type": "string"}, "password": {"type": "string"}}),
        &["email", "password"],
    )
}

fn session(with_user: bool) -> Value {
    let mut members = json!({
        "access_token": {"type": "string", "description": "A JWT."},
        "refresh_token": {"type": "string", "description": "Good for one use."},
        "token_type": {"const": "Bearer"},
        "expires_in": {"type": "integer", "description": "Seconds."},
    });
    if with_user {
        members["user"] = named("User");
    }
    answered(members)
}

/// What a personal token may be given; the others only an operator grants.
fn token_scopes() -> Vec<&'static str> {
    words(Scope::ALL, Scope::as_str)
        .into_iter()
        .filter(|scope| *scope != Scope::Admin.as_str())
        .collect()
}

fn api_token(is_new: bool) -> Value {
    let mut members = json!({
        "id": id(),
        "name": {"type": "string"},
        "scopes": {"type": "array", "items": {"type": "string", "enum": token_scopes()}},
        "expires_at": nullable(instant()),
        "last_used_at": nullable(instant()),
        "created_at": instant(),
    });
    if is_new {
        members["token"] = json!({"type": "string", "description": "Shown this once."});
    }
    answered(members)
}

fn api_token_create() -> Value {
    object(
        json!({
            "name": text(NOT_BLANK, 100),
            "scopes": {
                "type": "array", "minItems": 1,
                "items": {"type": "string", "enum": token_scopes()},
            },
            "expires_at": nullable(instant_in()),
        }),
        &["name", "scopes"],
    )
}

fn problem() -> Value {
    let codes: Vec<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    let mut schema = answered(json!({
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable.", "examples": codes},
        "request_id": {"type": "string"},
    }));
    schema["properties"]["errors"] = list_of("FieldError");
    described(schema, "A problem (RFC 9457).")
}

fn field_error() -> Value {
    answered(json!({
        "pointer": {
            "type": "string",
            "description": "A member of the body as a JSON pointer (RFC 6901), a query parameter as \
                            ?limit, or a header by its name.",
        },
        "code": {"type": "string"},
        "detail": {"type": "string"},
    }))
}
