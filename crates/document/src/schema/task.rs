//! Tasks, rules, tags, changes, reminders.

use rondo_domain::recurrence::{Frequency, PREVIEW_SLOTS_MAX};
use rondo_domain::task::{
    DESCRIPTION_CHARS_MAX, Priority, Status, TAG_CHARS_MAX, TAGS_MAX, TITLE_CHARS_MAX,
};
use serde_json::{Map, Value, json};

use super::text::{self, NO_NUL, bounded, not_blank};
use super::{answered, described, id, instant, named, nullable, object, words};

/// The members of a task that a client may write, as they are read; null is the default of each
/// but the title.
fn writable() -> Map<String, Value> {
    let statuses = words(Status::ALL, Status::as_str);
    let priorities = words(Priority::ALL, Priority::as_str);
    let members = json!({
        "title": described(
            not_blank(TITLE_CHARS_MAX),
            &format!("1 to {TITLE_CHARS_MAX} characters after trimming, which show something."),
        ),
        "description": nullable(bounded(NO_NUL, DESCRIPTION_CHARS_MAX)),
        "status": nullable(json!({
            "type": "string",
            "enum": statuses,
            "description": "Changing it to or from completed has the effects of complete and reopen.",
        })),
        "priority": nullable(json!({"type": "string", "enum": priorities})),
        "tags": nullable(json!({
            "type": "array",
            "items": not_blank(TAG_CHARS_MAX),
            "description": format!(
                "Trimmed and sorted; unique ignoring case and Unicode's forms of one text, the first \
                 spelling stays. At most {TAGS_MAX}, equal ones counted once."
            ),
        })),
        "due_date": nullable(text::instant()),
        "time_zone": nullable(described(
            text::time_zone(),
            "A name of the IANA time zone database, in any case; the user's unless given.",
        )),
        "reminder_offset": nullable(text::duration(
            "How long before due_date, which it needs, the reminder comes.",
        )),
        "recurrence_rule": nullable(named("RecurrenceRuleInput")),
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

/// A whole task.
fn task_read() -> Value {
    let mut members = writable();
    members.extend(read_only());
    let mut schema = object(members.into(), &["title"]);
    let is_null = |name: &str| json!({"properties": {name: {"type": "null"}}});
    let with_due_date = json!({
        "required": ["due_date"],
        "properties": {"due_date": {"type": "string"}},
    });
    schema["dependentSchemas"] = json!({
        "reminder_offset": {"anyOf": [is_null("reminder_offset"), with_due_date]},
        "recurrence_pattern": {"anyOf": [is_null("recurrence_pattern"), is_null("recurrence_rule")]},
    });
    schema
}

pub fn task_create() -> Value {
    let mut schema = task_read();
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
    let mut schema = task_read();
    schema["examples"] = json!([{
        "title": "Weekly team meeting",
        "description": "Sync with the team",
        "tags": ["meetings"],
        "due_date": "2031-01-13T14:00:00Z",
    }]);
    described(schema, "Writable members that are left out get their defaults, but status stays.")
}

pub fn task_patch() -> Value {
    let mut members = writable();
    members["recurrence_rule"] = nullable(named("RecurrenceRulePatch"));
    members.extend(read_only());
    let mut schema = object(members.into(), &[]);
    schema["examples"] = json!([
        {"priority": "urgent", "description": null},
        {"due_date": "2031-01-14T14:00:00Z", "recurrence_rule": {"interval": 2}},
    ]);
    described(
        schema,
        "A merge patch (RFC 7396): members that are left out stay, null sets back to the default. \
         The task that it makes has to be one that could be created.",
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
    schema["examples"] = json!([task_example()]);
    schema
}

fn task_example() -> Value {
    json!({
        "id": 42, "user_id": 1, "title": "Weekly team meeting", "description": "Sync with team",
        "status": "pending", "priority": "high", "tags": ["meetings", "work"],
        "due_date": "2026-01-12T14:00:00Z", "time_zone": "UTC", "reminder_offset": "PT1H",
        "recurrence_rule": {"frequency": "weekly", "interval": 1, "days_of_week": [0, 2],
            "day_of_month": null, "end_date": null, "count": null, "rrule": null,
            "basis": "schedule", "month_end": "clamp", "catch_up": "next_future"},
        "parent_task_id": null, "created_at": "2026-01-05T09:12:44.120391Z",
        "updated_at": "2026-01-05T09:12:44.120391Z", "completed_at": null, "revision": 17,
    })
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
    schema["examples"] = json!([{
        "changes": [
            {"revision": 16, "op": "delete", "task_id": 41},
            {"revision": 17, "op": "upsert", "task": task_example()},
        ],
        "revision": 17, "has_more": false, "cursor": null,
    }]);
    described(schema, "Each changed task once, in the order of revisions.")
}

pub fn tag() -> Value {
    let mut schema = answered(json!({
        "name": {"type": "string", "minLength": 1, "maxLength": TAG_CHARS_MAX},
        "count": {"type": "integer", "minimum": 0, "description": "Tasks that have it."},
        "color": {"type": ["string", "null"], "pattern": "^#[0-9a-f]{6}$"},
    }));
    schema["examples"] = json!([{"name": "work", "count": 3, "color": "#3366ff"}]);
    schema
}

pub fn tag_change() -> Value {
    let mut schema = object(
        json!({
            "name": not_blank(TAG_CHARS_MAX),
            "color": {
                "type": ["string", "null"],
                "pattern": "^#[0-9a-fA-F]{6}$",
                "description": "Answered in lower case; null for none.",
                "examples": ["#3366ff"],
            },
            "count": {"readOnly": true, "description": "Ignored."},
        }),
        &[],
    );
    schema["examples"] = json!([{"name": "office"}, {"color": "#3366ff"}, {"color": null}]);
    schema
}

pub fn reminder() -> Value {
    let mut schema = answered(json!({
        "id": id(),
        "task_id": id(),
        "kind": {
            "type": "string",
            "enum": ["task", "further"],
            "description": "task for the one of reminder_offset, else further.",
        },
        "offset": {"type": ["string", "null"], "description": "Before due_date; null for a fixed moment."},
        "remind_at": instant(),
        "snoozed": {"type": "boolean"},
        "status": {"type": "string", "enum": ["armed", "fired", "cancelled"]},
        "created_at": instant(),
    }));
    schema["examples"] = json!([{
        "id": 7, "task_id": 42, "kind": "further", "offset": "PT15M",
        "remind_at": "2026-01-12T13:45:00Z", "snoozed": false, "status": "armed",
        "created_at": "2026-01-05T09:12:44.120391Z",
    }]);
    schema
}

/// An object of which one of two members is given.
fn either(one: (&str, Value), other: (&str, Value)) -> Value {
    let only = |(name, schema): &(&str, Value), left_out: &str| {
        object(json!({*name: schema, left_out: {"type": "null"}}), &[*name])
    };
    json!({"oneOf": [only(&one, other.0), only(&other, one.0)]})
}

pub fn reminder_create() -> Value {
    let offset = "How long before due_date, which the task has to have.";
    let mut schema = either(
        ("remind_at", described(text::instant(), "RFC 3339 with any offset; in the future.")),
        ("offset", text::duration(offset)),
    );
    schema["examples"] = json!([{"offset": "PT15M"}, {"remind_at": "2031-01-13T08:00:00+01:00"}]);
    schema
}

pub fn snooze() -> Value {
    let mut schema = either(
        ("until", described(text::instant(), "RFC 3339 with any offset; in the future.")),
        ("for", text::duration("How long from now; more than nothing.")),
    );
    schema["examples"] = json!([{"for": "PT10M"}, {"until": "2031-01-13T13:30:00Z"}]);
    schema
}

pub fn notification() -> Value {
    let mut schema = answered(json!({
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
    }));
    schema["examples"] = json!([{
        "id": 9, "task_id": 42, "reminder_id": 7, "digest_day": null, "channel": "email", "status": "sent",
        "attempts": 1, "last_error": null, "created_at": "2026-01-12T13:45:00.214Z",
        "sent_at": "2026-01-12T13:45:00.402Z",
    }]);
    schema
}

pub fn preview_request() -> Value {
    let mut schema = object(
        json!({
            "due_date": nullable(described(
                text::instant(),
                "RFC 3339 with any offset; now unless given.",
            )),
            "time_zone": nullable(described(
                text::time_zone(),
                "A name of the IANA time zone database, in any case; the user's unless given.",
            )),
            "recurrence_rule": named("RecurrenceRuleInput"),
            "count": {"type": "integer", "minimum": 1, "maximum": PREVIEW_SLOTS_MAX},
        }),
        &["recurrence_rule", "count"],
    );
    schema["examples"] = json!([{
        "due_date": "2031-03-29T01:30:00Z", "time_zone": "Europe/Paris", "count": 2,
        "recurrence_rule": {"frequency": "daily"},
    }]);
    schema
}

pub fn preview() -> Value {
    let mut schema = answered(json!({
        "description": {"type": "string", "examples": ["every week on Monday and Wednesday"]},
        "occurrences": {"type": "array", "maxItems": PREVIEW_SLOTS_MAX, "items": answered(json!({
            "local": {
                "type": "string",
                "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$",
                "description": "What the clock shows in the zone.",
            },
            "utc": instant(),
        }))},
    }));
    schema["examples"] = json!([{
        "description": "every day",
        "occurrences": [
            {"local": "2031-03-29T02:30:00", "utc": "2031-03-29T01:30:00Z"},
            {"local": "2031-03-30T03:30:00", "utc": "2031-03-30T01:30:00Z"},
        ],
    }]);
    schema
}
