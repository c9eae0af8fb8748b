//! The fields of a task: one table for reading requests, writing responses and generating the published
//! schemas.
//!
//! A new field is a member of [`TaskFields`] and a row here. A field that only the server sets is just a row.

use rondo_domain::due::Due;
use rondo_domain::instant;
use rondo_domain::offset::ReminderOffset;
use rondo_domain::recurrence::{Frequency, Rule};
use rondo_domain::step::{BLOCKERS_MAX, Blockers, LEVELS_MAX, SUBTASKS_MAX};
use rondo_domain::task::{
    DESCRIPTION_CHARS_MAX, Description, ESTIMATE_MINUTES_MAX, Priority, Status, TITLE_CHARS_MAX,
    Tags, TaskFields, Title,
};
use rondo_domain::text::key;
use rondo_domain::zone::Zone;
use rondo_domain::{Fault, Violation};
use serde_json::Value;

use crate::body::{self, Reader, text};
use crate::member::{Kind, Member};
use crate::problem::FieldError;
use crate::recurrence_rule;

/// A row of the table.
#[derive(Debug)]
pub struct TaskField {
    pub name: &'static str,
    pub kind: Kind,
    pub access: Access,
    /// Whether a new task needs it. Every other writable field has a default, which null selects.
    pub is_required: bool,
    /// Whether PUT keeps the value if the body lacks the field; other fields get their defaults.
    pub is_kept: bool,
    /// Whether responses and events may have null.
    pub is_nullable: bool,
    pub is_in_events: bool,
    /// Whether events that an earlier release has written lack it.
    pub is_new_in_events: bool,
    /// For the API document: an example value as JSON.
    pub example: &'static str,
    /// For the API document: the field's meaning, in sentences.
    pub description: &'static str,
}

/// Reads the field from a body into a task. Leaves the task unchanged if the body lacks the field.
pub type Read = fn(&mut Reader<'_>, &mut TaskFields);
/// Writes the field as in responses.
pub type Write = fn(&TaskFields) -> Value;

/// Who sets a field, and when.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// The server. Requests may send the field back; it is ignored.
    ReadOnly,
    /// The client, when it creates the task. Ignored in later requests.
    Creation { read: Read, write: Write },
    /// The client, by POST, PUT and PATCH.
    Writable { read: Read, write: Write },
    /// A short form of another field, absent from responses.
    Alias { read: Read },
}

impl TaskField {
    /// Writes the field if clients can set it and responses have it.
    #[must_use]
    pub fn write(&self, task: &TaskFields) -> Option<Value> {
        match self.access {
            Access::Creation { write, .. } | Access::Writable { write, .. } => Some(write(task)),
            Access::ReadOnly | Access::Alias { .. } => None,
        }
    }

    #[must_use]
    pub const fn is_answered(&self) -> bool {
        !matches!(self.access, Access::Alias { .. })
    }
}

const READ_ONLY: TaskField = TaskField {
    name: "",
    kind: Kind::Id,
    access: Access::ReadOnly,
    is_required: false,
    is_kept: false,
    is_nullable: false,
    is_in_events: true,
    is_new_in_events: false,
    example: "null",
    description: "",
};

/// How many subtasks a task has, without theirs.
const PROGRESS: &[Member] = &[
    Member::new("total", Kind::Integer { min: 0, max: Some(SUBTASKS_MAX) }),
    Member::new("completed", Kind::Integer { min: 0, max: Some(SUBTASKS_MAX) }),
];

pub const TASK_FIELDS: &[TaskField] = &[
    TaskField { name: "id", example: "42", kind: Kind::Id, ..READ_ONLY },
    TaskField { name: "user_id", example: "1", kind: Kind::Id, ..READ_ONLY },
    TaskField {
        name: "uid",
        example: r#""0197f0c2-8a51-7cc3-9b1e-3f6f4f1c2d10""#,
        kind: Kind::Key,
        access: Access::Creation {
            read: |reader, task| task.uid = reader.optional("uid", text(key)),
            write: |task| task.uid.clone().into(),
        },
        description: "The client's own name for the task, unique among the user's tasks and never \
                      changed. Defaults to a UUID of version 7.",
        ..READ_ONLY
    },
    TaskField {
        name: "title",
        example: r#""Weekly team meeting""#,
        kind: Kind::Shown { chars_max: TITLE_CHARS_MAX },
        access: Access::Writable {
            read: |reader, task| {
                if let Some(title) = reader.required("title", text(Title::parse)) {
                    task.title = title;
                }
            },
            write: |task| task.title.as_str().into(),
        },
        is_required: true,
        ..READ_ONLY
    },
    TaskField {
        name: "description",
        example: r#""Sync with team""#,
        kind: Kind::Text { chars_max: Some(DESCRIPTION_CHARS_MAX) },
        access: Access::Writable {
            read: |reader, task| {
                task.description = reader.optional("description", text(Description::parse));
            },
            write: |task| task.description.as_ref().map(Description::as_str).into(),
        },
        is_nullable: true,
        ..READ_ONLY
    },
    TaskField {
        name: "status",
        example: r#""pending""#,
        kind: Kind::Words(Status::WORDS),
        access: Access::Writable {
            read: |reader, task| {
                if let Some(status) = reader.optional("status", text(Status::parse)) {
                    task.status = status;
                }
            },
            write: |task| task.status.as_str().into(),
        },
        is_kept: true,
        description: "Setting it to `completed`, or from `completed` to another status, has the \
                      effects of the routes `complete` and `reopen`.",
        ..READ_ONLY
    },
    TaskField {
        name: "priority",
        example: r#""high""#,
        kind: Kind::Words(Priority::WORDS),
        access: Access::Writable {
            read: |reader, task| {
                task.priority = reader.optional("priority", text(Priority::parse));
            },
            write: |task| task.priority.map(Priority::as_str).into(),
        },
        is_nullable: true,
        ..READ_ONLY
    },
    TaskField {
        name: "tags",
        example: r#"["meetings", "work"]"#,
        kind: Kind::Tags,
        access: Access::Writable {
            read: |reader, task| {
                if let Some(tags) = reader.nested("tags", tags) {
                    task.tags = tags;
                }
            },
            write: |task| task.tags.as_slice().into(),
        },
        ..READ_ONLY
    },
    TaskField {
        name: "list_id",
        example: "7",
        access: Access::Writable {
            read: |reader, task| task.list_id = reader.optional("list_id", body::id),
            write: |task| task.list_id.into(),
        },
        is_nullable: true,
        description: "The list that the task is in. Null for the inbox.",
        ..READ_ONLY
    },
    TaskField {
        name: "position",
        example: r#""a0000000000002a""#,
        kind: Kind::Position,
        is_new_in_events: true,
        description: "Where the task is in its list. Changed by the route `move`.",
        ..READ_ONLY
    },
    TaskField {
        name: "subtask_of",
        example: "null",
        access: Access::Writable {
            read: |reader, task| task.subtask_of = reader.optional("subtask_of", body::id),
            write: |task| task.subtask_of.into(),
        },
        is_nullable: true,
        description: "The task that this one is a subtask of. Subtasks can have subtasks, and `position` orders \
                      them.",
        ..READ_ONLY
    },
    TaskField {
        name: "subtasks",
        kind: Kind::Object(PROGRESS),
        example: r#"{"total": 0, "completed": 0}"#,
        is_new_in_events: true,
        description: "How many subtasks the task has, without theirs, and how many of them are completed.",
        ..READ_ONLY
    },
    TaskField {
        name: "blocked_by",
        kind: Kind::Ids { max: BLOCKERS_MAX },
        example: "[]",
        access: Access::Writable {
            read: |reader, task| {
                if let Some(blockers) = reader.nested("blocked_by", blockers) {
                    task.blocked_by = blockers;
                }
            },
            write: |task| task.blocked_by.as_slice().into(),
        },
        is_new_in_events: true,
        description: "The tasks that have to be completed before this one. A deleted task is no longer among them.",
        ..READ_ONLY
    },
    TaskField {
        name: "estimate",
        example: "45",
        kind: Kind::Integer { min: 1, max: Some(ESTIMATE_MINUTES_MAX) },
        access: Access::Writable {
            read: |reader, task| task.estimate = reader.optional("estimate", estimate),
            write: |task| task.estimate.into(),
        },
        is_nullable: true,
        description: "How long the task takes, in minutes.",
        ..READ_ONLY
    },
    TaskField {
        name: "due_date",
        example: r#""2026-01-12T14:00:00Z""#,
        kind: Kind::Instant,
        access: Access::Writable {
            read: |reader, task| task.due = moment(reader, DUE),
            write: |task| task.due.and_then(Due::date).map(instant::format).into(),
        },
        is_nullable: true,
        description: "When the task is due. Null if it is due on a day without a time (`due_day`), or never.",
        ..READ_ONLY
    },
    TaskField {
        name: "due_day",
        example: "null",
        kind: Kind::Date,
        access: Access::Writable {
            // Read with `due_date`.
            read: |reader, _| reader.ignore("due_day"),
            write: |task| task.due.and_then(Due::day).map(|day| day.to_string()).into(),
        },
        is_nullable: true,
        description: "The day on which the task is due, without a time: it is overdue when the day has ended in \
                      `time_zone`. Cannot be combined with `due_date`; a patch with one of them clears the other.",
        ..READ_ONLY
    },
    TaskField {
        name: "start_date",
        example: "null",
        kind: Kind::Instant,
        access: Access::Writable {
            read: |reader, task| task.start = moment(reader, START),
            write: |task| task.start.and_then(Due::date).map(instant::format).into(),
        },
        is_nullable: true,
        description: "Before it the task is deferred: lists leave it out unless `deferred` asks for it. It must not be \
                      after `due_date` or `due_day`, and moves with them from occurrence to occurrence.",
        ..READ_ONLY
    },
    TaskField {
        name: "start_day",
        example: "null",
        kind: Kind::Date,
        access: Access::Writable {
            // Read with `start_date`.
            read: |reader, _| reader.ignore("start_day"),
            write: |task| task.start.and_then(Due::day).map(|day| day.to_string()).into(),
        },
        is_nullable: true,
        description: "The same as a day without a time: the task is deferred until the day begins in `time_zone`. \
                      Cannot be combined with `start_date`; a patch with one of them clears the other.",
        ..READ_ONLY
    },
    TaskField {
        name: "time_zone",
        example: r#""UTC""#,
        kind: Kind::TimeZone,
        access: Access::Writable {
            read: |reader, task| {
                if let Some(zone) = reader.optional("time_zone", text(Zone::parse)) {
                    task.time_zone = zone;
                }
            },
            write: |task| task.time_zone.name().into(),
        },
        description: "The zone that the due date and the start are meant in. Defaults to the user's.",
        ..READ_ONLY
    },
    TaskField {
        name: "reminder_offset",
        example: r#""PT1H""#,
        kind: Kind::Duration,
        access: Access::Writable {
            read: |reader, task| {
                task.reminder_offset = reader.optional("reminder_offset", duration);
            },
            write: |task| task.reminder_offset.map(|offset| offset.to_string()).into(),
        },
        is_nullable: true,
        description: "How long before `due_date` the reminder fires, or before the user's `day_reminder_time` on \
                      `due_day`. Needs one of them.",
        ..READ_ONLY
    },
    TaskField {
        name: "recurrence_rule",
        example: r#"{"frequency": "weekly", "interval": 1, "days_of_week": [0, 2], "day_of_month": null,
            "end_date": null, "count": null, "rrule": null, "basis": "schedule",
            "month_end": "clamp", "catch_up": "next_future"}"#,
        kind: Kind::RecurrenceRule,
        access: Access::Writable {
            read: |reader, task| {
                task.recurrence_rule = reader.nested("recurrence_rule", recurrence_rule::from_json);
            },
            write: |task| task.recurrence_rule.as_ref().map(recurrence_rule::to_json).into(),
        },
        is_nullable: true,
        ..READ_ONLY
    },
    TaskField {
        name: "recurrence_pattern",
        kind: Kind::Words(Frequency::WORDS),
        access: Access::Alias {
            read: |reader, task| {
                let Some(frequency) = reader.optional("recurrence_pattern", text(Frequency::parse))
                else {
                    return;
                };
                if reader.given("recurrence_rule").is_some() {
                    let violation = Violation::Conflict { other: "recurrence_rule" };
                    reader.refuse("recurrence_pattern", violation);
                }
                task.recurrence_rule = Some(Rule::every(frequency));
            },
        },
        is_nullable: true,
        is_in_events: false,
        description: "Short for a `recurrence_rule` with this frequency alone. Cannot be combined \
                      with `recurrence_rule`.",
        ..READ_ONLY
    },
    TaskField {
        name: "parent_task_id",
        example: "null",
        is_nullable: true,
        description: "The first task of the series that this task is an occurrence of.",
        ..READ_ONLY
    },
    TaskField {
        name: "created_at",
        example: r#""2026-01-05T09:12:44.120391Z""#,
        kind: Kind::Instant,
        ..READ_ONLY
    },
    TaskField {
        name: "updated_at",
        example: r#""2026-01-05T09:12:44.120391Z""#,
        kind: Kind::Instant,
        ..READ_ONLY
    },
    TaskField {
        name: "completed_at",
        example: "null",
        kind: Kind::Instant,
        is_nullable: true,
        ..READ_ONLY
    },
    TaskField {
        name: "revision",
        example: "17",
        description: "The user's revision that the last change took. The `ETag` is made of it.",
        ..READ_ONLY
    },
];

/// The field of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static TaskField> {
    TASK_FIELDS.iter().find(|field| field.name == name)
}

/// A duration: ISO 8601, or a number of seconds.
pub(crate) fn duration(value: &Value) -> Result<ReminderOffset, Violation> {
    const EXPECTED: &str = "an ISO 8601 duration such as PT1H, or a number of seconds";
    match value {
        Value::String(text) => ReminderOffset::parse(text),
        value => value
            .as_i64()
            .ok_or(Violation::Malformed { expected: EXPECTED })
            .and_then(ReminderOffset::from_seconds),
    }
}

/// Pairs of members of which a task has at most one: a moment, and the same as a day without a time.
pub(crate) const MOMENTS: [[&str; 2]; 2] = [DUE, START];
/// When a task is due.
pub const DUE: [&str; 2] = ["due_date", "due_day"];
/// When it starts.
pub const START: [&str; 2] = ["start_date", "start_day"];

/// Reads one of a pair of [`MOMENTS`].
pub fn moment(reader: &mut Reader<'_>, [date, day]: [&'static str; 2]) -> Option<Due> {
    let is_both = reader.given(date).is_some() && reader.given(day).is_some();
    let at = reader.optional(date, text(instant::parse)).map(Due::At);
    let on = reader.optional(day, text(instant::parse_date)).map(Due::On);
    if is_both {
        reader.refuse(day, Violation::Conflict { other: date });
    }
    at.or(on)
}

fn estimate(value: &Value) -> Result<i64, Violation> {
    let range = Violation::OutOfRange { min: 1, max: ESTIMATE_MINUTES_MAX, unit: " minutes" };
    let minutes = body::integer(value)?;
    (1..=ESTIMATE_MINUTES_MAX).contains(&minutes).then_some(minutes).ok_or(range)
}

fn blockers(value: &Value) -> Result<Blockers, Vec<FieldError>> {
    let refused = |violation| vec![FieldError::of("", violation)];
    let expected = Violation::Malformed { expected: "a list of ids" };
    let items = value.as_array().ok_or_else(|| refused(expected))?;
    let (mut ids, mut errors) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        match body::id(item) {
            Ok(id) => ids.push(id),
            Err(violation) => errors.push(FieldError::of(&format!("/{index}"), violation)),
        }
    }
    if errors.is_empty() { Blockers::of(ids).map_err(refused) } else { Err(errors) }
}

/// Why the database refuses a task for another task that it names: the outcome of the function that was called.
#[must_use]
pub fn refused_by(outcome: &str) -> Option<FieldError> {
    let (pointer, violation) = match outcome {
        "unknown_list" => ("/list_id", Violation::UnknownList),
        "unknown_parent" => ("/subtask_of", Violation::UnknownParent),
        "circular_parent" => ("/subtask_of", Violation::Circular),
        "too_deep" => ("/subtask_of", Violation::TooDeep { max: LEVELS_MAX }),
        "too_many_subtasks" => ("/subtask_of", Violation::TooManySubtasks { max: SUBTASKS_MAX }),
        "unknown_blocker" => ("/blocked_by", Violation::UnknownBlocker),
        "circular_blocker" => ("/blocked_by", Violation::Circular),
        _ => return None,
    };
    Some(FieldError::of(pointer, violation))
}

fn tags(value: &Value) -> Result<Tags, Vec<FieldError>> {
    let expected = |expected| Violation::Malformed { expected };
    let items =
        value.as_array().ok_or_else(|| vec![FieldError::of("", expected("a list of strings"))])?;
    let other_items = items.iter().enumerate().filter(|(_, item)| !item.is_string());
    let mut errors: Vec<_> = other_items
        .map(|(index, _)| FieldError::of(&format!("/{index}"), expected("a string")))
        .collect();
    let named = |fault: &Fault| FieldError::inside("", fault);
    match Tags::parse(items.iter().filter_map(Value::as_str)) {
        Ok(tags) if errors.is_empty() => Ok(tags),
        parsed => {
            errors.extend(parsed.err().iter().flatten().map(named));
            Err(errors)
        }
    }
}
