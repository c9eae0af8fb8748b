//! Tasks, rules, tags, changes, reminders.

use rondo_contract::member::Kind;
use rondo_contract::notification;
use rondo_contract::quick_add_body::LANGUAGE_DEFAULT;
use rondo_contract::reminder_body::{self, ReminderStatus};
use rondo_contract::task_field::{Access, DUE, START, TASK_FIELDS, TaskField};
use rondo_domain::quick_add::Language;
use rondo_domain::recurrence::PREVIEW_SLOTS_MAX;
use rondo_domain::step::SUBTASKS_MAX;
use rondo_domain::task::{TAG_CHARS_MAX, TaskFields, Title};
use rondo_domain::zone::Zone;
use serde_json::{Map, Value, json};

use super::text::{self, not_blank};
use super::{answered, described, id, ignored, instant, member, named, nullable, object};

/// The request that a task's body belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Create,
    Replace,
    Patch,
}

/// The fields of a task in requests. For fields that are not required, null means the default.
fn readable(form: Form) -> Map<String, Value> {
    let new = new_task();
    let schema = |field: &TaskField| {
        let is_ignored = match field.access {
            Access::ReadOnly => true,
            Access::Creation { .. } => form != Form::Create,
            Access::Writable { .. } | Access::Alias { .. } => false,
        };
        if is_ignored {
            return ignored();
        }
        let schema = match field.kind {
            Kind::RecurrenceRule if form == Form::Patch => named("RecurrenceRulePatch"),
            ref kind => member::read(kind),
        };
        if field.is_required {
            return described(schema, field.description);
        }
        let mut schema = nullable(described(schema, field.description));
        let has_default = form == Form::Create || (form == Form::Replace && !field.is_kept);
        let default = field.write(&new).filter(|value| has_default && !value.is_null());
        if let Some(default) = default.filter(|_| !matches!(field.kind, Kind::TimeZone)) {
            schema["default"] = default;
        }
        schema
    };
    TASK_FIELDS.iter().map(|field| (field.name.to_owned(), schema(field))).collect()
}

/// A task with only defaults.
fn new_task() -> TaskFields {
    let title = Title::parse("-").unwrap_or_else(|violation| unreachable!("{violation}"));
    TaskFields::new(title, Zone::utc())
}

/// A whole task.
fn task_read(form: Form) -> Value {
    let required: Vec<_> =
        TASK_FIELDS.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    let mut schema = object(readable(form).into(), &required);
    let is_null = |name: &str| json!({"properties": {name: {"type": "null"}}});
    let with = |name: &str| json!({"required": [name], "properties": {name: {"type": "string"}}});
    let [date, day] = DUE;
    schema["dependentSchemas"] = json!({
        "reminder_offset": {"anyOf": [is_null("reminder_offset"), with(date), with(day)]},
        "recurrence_pattern": {"anyOf": [is_null("recurrence_pattern"), is_null("recurrence_rule")]},
    });
    for [date, day] in [DUE, START] {
        schema["dependentSchemas"][day] = json!({"anyOf": [is_null(day), is_null(date)]});
    }
    schema
}

pub fn task_create() -> Value {
    let mut schema = task_read(Form::Create);
    schema["examples"] = json!([{
        "title": "Weekly team meeting",
        "priority": "high",
        "tags": ["work", "meetings"],
        "due_date": "2031-01-13T14:00:00Z",
        "time_zone": "Europe/Paris",
        "reminder_offset": "PT1H",
        "recurrence_rule": {"frequency": "weekly", "days_of_week": [0, 2]},
    }, {
        "title": "Tax return",
        "due_day": "2031-05-31",
        "start_day": "2031-05-01",
        "reminder_offset": "P7D",
    }]);
    schema
}

pub fn task_replace() -> Value {
    let mut schema = task_read(Form::Replace);
    schema["examples"] = json!([{
        "title": "Weekly team meeting",
        "description": "Sync with the team",
        "tags": ["meetings"],
        "due_date": "2031-01-13T14:00:00Z",
    }]);
    let kept: Vec<_> = TASK_FIELDS
        .iter()
        .filter(|field| field.is_kept)
        .map(|field| format!("`{}`", field.name))
        .collect();
    described(
        schema,
        &format!("Fields that are left out get their defaults, except {}.", kept.join(", ")),
    )
}

pub fn task_patch() -> Value {
    let mut schema = object(readable(Form::Patch).into(), &[]);
    schema["examples"] = json!([
        {"priority": "urgent", "description": null},
        {"due_date": "2031-01-14T14:00:00Z", "recurrence_rule": {"interval": 2}},
        {"due_day": "2031-01-14"},
    ]);
    described(
        schema,
        "A merge patch (RFC 7396): fields that are left out stay, and null sets the default. The \
         result must be a task that could be created.",
    )
}

/// A task in responses.
pub fn task() -> Value {
    let mut schema = answered(answered_task().into());
    schema["properties"]["children"] = described(
        json!({"type": "array", "items": {"type": "object"}, "maxItems": SUBTASKS_MAX}),
        "The task's subtasks by `position`, each with its own. Only in a list with `tree=true`.",
    );
    schema["examples"] = json!([task_example()]);
    schema
}

/// The members of a task in responses.
pub fn answered_task() -> Map<String, Value> {
    answered_fields(|field| field.is_answered())
}

/// A task in events.
pub fn event_task() -> Value {
    let fields = || TASK_FIELDS.iter().filter(|field| field.is_in_events);
    let required: Vec<_> = fields()
        .filter(|field| !field.is_nullable && !field.is_new_in_events)
        .map(|field| field.name)
        .collect();
    json!({
        "type": "object",
        "description": "The task after the change; before it, when it was deleted. Members that \
                        are null may be left out.",
        "properties": answered_fields(|field| field.is_in_events),
        "required": required,
    })
}

fn answered_fields(wanted: impl Fn(&TaskField) -> bool) -> Map<String, Value> {
    TASK_FIELDS
        .iter()
        .filter(|field| wanted(field))
        .map(|field| {
            let schema = described(member::answer(&field.kind), field.description);
            (field.name.to_owned(), if field.is_nullable { nullable(schema) } else { schema })
        })
        .collect()
}

pub fn task_example() -> Value {
    let value = |field: &TaskField| {
        serde_json::from_str::<Value>(field.example)
            .unwrap_or_else(|error| unreachable!("the example of {}: {error}", field.name))
    };
    let answered = TASK_FIELDS.iter().filter(|field| field.is_answered());
    Value::Object(answered.map(|field| (field.name.to_owned(), value(field))).collect())
}

pub fn changes() -> Value {
    let upsert = |name: &str, schema: &str| {
        answered(json!({"revision": id(), "op": {"const": "upsert"}, name: named(schema)}))
    };
    let delete =
        |name: &str| answered(json!({"revision": id(), "op": {"const": "delete"}, name: id()}));
    let changes =
        [upsert("task", "Task"), upsert("list", "List"), delete("task_id"), delete("list_id")];
    let mut schema = answered(json!({
        "changes": {"type": "array", "items": {"oneOf": changes}},
        "revision": {
            "type": "integer", "minimum": 0,
            "description": "The value of the next `since`.",
        },
        "has_more": {"type": "boolean"},
        "cursor": {
            "type": ["string", "null"],
            "description": "Where the next page begins. Null unless `has_more`.",
        },
    }));
    schema["examples"] = json!([{
        "changes": [
            {"revision": 16, "op": "delete", "task_id": 41},
            {"revision": 17, "op": "upsert", "task": task_example()},
        ],
        "revision": 17, "has_more": false, "cursor": null,
    }]);
    described(schema, "Each changed task and list once, in order of revision.")
}

pub fn tag() -> Value {
    let mut schema = answered(json!({
        "name": {"type": "string", "minLength": 1, "maxLength": TAG_CHARS_MAX},
        "count": {"type": "integer", "minimum": 0, "description": "How many tasks have the tag."},
        "color": nullable(member::answer(&Kind::Color)),
    }));
    schema["examples"] = json!([{"name": "work", "count": 3, "color": "#3366ff"}]);
    schema
}

pub fn tag_change() -> Value {
    let mut schema = object(
        json!({
            "name": not_blank(TAG_CHARS_MAX),
            "color": nullable(described(text::color(), "Null for none.")),
            "count": ignored(),
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
            "enum": reminder_body::KINDS,
            "description": "`task` for the reminder of `reminder_offset`, otherwise `further`.",
        },
        "offset": {"type": ["string", "null"], "description": "How long before the task is due. Null for a fixed instant."},
        "remind_at": instant(),
        "snoozed": {"type": "boolean"},
        "status": {"type": "string", "enum": ReminderStatus::WORDS},
        "created_at": instant(),
    }));
    schema["examples"] = json!([{
        "id": 7, "task_id": 42, "kind": "further", "offset": "PT15M",
        "remind_at": "2026-01-12T13:45:00Z", "snoozed": false, "status": "armed",
        "created_at": "2026-01-05T09:12:44.120391Z",
    }]);
    schema
}

/// An object with exactly one of two members.
fn either(one: (&str, Value), other: (&str, Value)) -> Value {
    let only = |(name, schema): &(&str, Value), left_out: &str| {
        object(json!({*name: schema, left_out: {"type": "null"}}), &[*name])
    };
    json!({"oneOf": [only(&one, other.0), only(&other, one.0)]})
}

pub fn reminder_create() -> Value {
    let offset = "How long before the task is due: it needs a `due_date` or a `due_day`.";
    let mut schema = either(
        ("remind_at", described(text::instant(), "In the future.")),
        ("offset", described(text::duration(), offset)),
    );
    schema["examples"] = json!([{"offset": "PT15M"}, {"remind_at": "2031-01-13T08:00:00+01:00"}]);
    schema
}

pub fn snooze() -> Value {
    let mut schema = either(
        ("until", described(text::instant(), "In the future.")),
        ("for", described(text::duration(), "How long from now. Longer than zero.")),
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
            "description": "The day of a digest. Null for a reminder.",
        },
        "channel": {"type": "string", "examples": ["email"]},
        "status": {
            "type": "string", "enum": notification::STATUSES,
            "description": "`missed`: when it was found, it had been due for too long to be sent.",
        },
        "attempts": {"type": "integer", "minimum": 0},
        "last_error": {
            "type": ["string", "null"],
            "description": "The response of the mail server, when it did not accept the mail.",
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
    let language = json!({
        "type": "string", "enum": Language::WORDS, "default": LANGUAGE_DEFAULT.as_str(),
        "description": "The language of the description, which is in English where another has no words for the rule.",
    });
    let mut schema = object(
        json!({
            "due_date": nullable(described(text::instant(), "Defaults to now, unless there is a `due_day`.")),
            "due_day": nullable(described(text::date(), "For slots that are days without a time.")),
            "time_zone": nullable(described(text::time_zone(), "Defaults to the user's.")),
            "recurrence_rule": named("RecurrenceRuleInput"),
            "count": {"type": "integer", "minimum": 1, "maximum": PREVIEW_SLOTS_MAX},
            "language": nullable(language),
        }),
        &["recurrence_rule", "count"],
    );
    schema["dependentSchemas"] = json!({
        "due_day": {"anyOf": [
            {"properties": {"due_day": {"type": "null"}}}, {"properties": {"due_date": {"type": "null"}}},
        ]},
    });
    schema["examples"] = json!([{
        "due_date": "2031-03-29T01:30:00Z", "time_zone": "Europe/Paris", "count": 2,
        "recurrence_rule": {"frequency": "daily"},
    }]);
    schema
}

pub fn preview() -> Value {
    let timed = answered(json!({
        "local": {
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$",
            "description": "The wall-clock time in the zone.",
        },
        "utc": instant(),
    }));
    let of_day = answered(json!({"due_day": text::date()}));
    let slots =
        described(json!({"anyOf": [timed, of_day]}), "A day if the request has a `due_day`.");
    let mut schema = answered(json!({
        "description": {"type": "string", "examples": ["every week on Monday and Wednesday"]},
        "occurrences": {"type": "array", "maxItems": PREVIEW_SLOTS_MAX, "items": slots},
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
