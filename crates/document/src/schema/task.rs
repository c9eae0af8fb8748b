//! Tasks, rules, tags, changes, reminders.

use rondo_domain::offset::OFFSET_DAYS_MAX;
use rondo_domain::recurrence::{
    Basis, COUNT_MAX, CatchUp, Frequency, INTERVAL_MAX, MonthEnd, PREVIEW_SLOTS_MAX,
};
use rondo_domain::task::{
    DESCRIPTION_CHARS_MAX, Priority, Status, TAG_CHARS_MAX, TAGS_MAX, TITLE_CHARS_MAX,
};
use serde_json::{Map, Value, json};

use super::{
    NO_NUL, NOT_BLANK, answered, described, id, instant, instant_in, named, nullable, object, text,
    words,
};

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

pub fn task_create() -> Value {
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

pub fn task_replace() -> Value {
    described(
        task_read(&["title"], false),
        "Writable members that are left out get their defaults, but status stays.",
    )
}

pub fn task_patch() -> Value {
    described(
        task_read(&[], true),
        "A merge patch (RFC 7396): members that are left out stay, null sets back to the default.",
    )
}

/// A task as it is answered.
pub fn task() -> Value {
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

pub fn rule_read() -> Value {
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

pub fn rule_answered() -> Value {
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

pub fn changes() -> Value {
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

pub fn tag() -> Value {
    answered(json!({
        "name": {"type": "string"},
        "count": {"type": "integer", "minimum": 0},
        "color": {"type": ["string", "null"]},
    }))
}

pub fn tag_change() -> Value {
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

pub fn reminder() -> Value {
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

pub fn reminder_create() -> Value {
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

pub fn snooze() -> Value {
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

pub fn notification() -> Value {
    answered(json!({
        "id": id(),
        "task_id": nullable(id()),
        "reminder_id": nullable(id()),
        "digest_day": {
            "type": ["string", "null"], "format": "date",
            "description": "The day that a digest is of, which is about no reminder.",
        },
        "channel": {"type": "string", "examples": ["email"]},
        "status": {
            "type": "string", "enum": ["pending", "sent", "failed", "cancelled", "missed"],
            "description": "missed: due too long ago to be sent when it was found.",
        },
        "attempts": {"type": "integer", "minimum": 0},
        "last_error": {
            "type": ["string", "null"],
            "description": "What the mail server answered, when it did not take the mail.",
        },
        "created_at": instant(),
        "sent_at": nullable(instant()),
    }))
}

pub fn preview_request() -> Value {
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

pub fn preview() -> Value {
    answered(json!({
        "description": {"type": "string", "examples": ["every week on Monday and Wednesday"]},
        "occurrences": {"type": "array", "maxItems": PREVIEW_SLOTS_MAX, "items": answered(json!({
            "local": {"type": "string", "examples": ["2031-03-30T03:30:00"]},
            "utc": instant(),
        }))},
    }))
}
