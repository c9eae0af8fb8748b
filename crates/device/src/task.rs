//! A task as a device has it: the members of the API's answer, by name and by type.

use std::fmt;

use rondo_domain::due::Due;
use rondo_domain::instant::{self, Instant};
use rondo_domain::task::{Priority, Status};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::{Map, Value, json};

use crate::form::members;

/// A task. Other tasks and lists are named by their ids; a negative one belongs to what the server does not know yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The name that the client gave it, which is its key on the device.
    pub uid: String,
    pub id: i64,
    pub title: String,
    pub description: Option<String>,
    pub status: Status,
    pub priority: Option<Priority>,
    pub tags: Vec<String>,
    pub list_id: Option<i64>,
    pub subtask_of: Option<i64>,
    pub blocked_by: Vec<i64>,
    /// Minutes.
    pub estimate: Option<i64>,
    pub due: Option<Due>,
    pub start: Option<Due>,
    /// The name of the zone that `due` and `start` are meant in.
    pub time_zone: String,
    /// ISO 8601.
    pub reminder_offset: Option<String>,
    /// As in the API's answers.
    pub recurrence_rule: Option<Value>,
    /// The first task of the series.
    pub parent_task_id: Option<i64>,
    /// Orders the tasks of a list, compared byte by byte.
    pub position: String,
    pub created_at: Instant,
    pub updated_at: Instant,
    pub completed_at: Option<Instant>,
    /// 0 until the server knows the task.
    pub revision: i64,
}

/// Members that a patch may have.
pub const WRITABLE: [&str; 16] = [
    "title",
    "description",
    "status",
    "priority",
    "tags",
    "list_id",
    "subtask_of",
    "blocked_by",
    "estimate",
    "due_date",
    "due_day",
    "start_date",
    "start_day",
    "time_zone",
    "reminder_offset",
    "recurrence_rule",
];

/// Members that only the server sets.
const OTHERS: [&str; 8] = [
    "uid",
    "id",
    "parent_task_id",
    "position",
    "created_at",
    "updated_at",
    "completed_at",
    "revision",
];

impl Task {
    /// A task with the default of every member.
    #[must_use]
    pub fn new(uid: &str, id: i64, time_zone: &str, now: Instant) -> Self {
        Self {
            uid: uid.to_owned(),
            id,
            title: String::new(),
            description: None,
            status: Status::Pending,
            priority: None,
            tags: Vec::new(),
            list_id: None,
            subtask_of: None,
            blocked_by: Vec::new(),
            estimate: None,
            due: None,
            start: None,
            time_zone: time_zone.to_owned(),
            reminder_offset: None,
            recurrence_rule: None,
            parent_task_id: None,
            position: String::new(),
            created_at: now,
            updated_at: now,
            completed_at: None,
            revision: 0,
        }
    }

    /// Reads an answer of the API, or what [`Task::to_value`] wrote. None if it has no uid.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let mut task = Self::new(value.get("uid")?.as_str()?, 0, "UTC", Instant::UNIX_EPOCH);
        for (name, value) in value.as_object()? {
            task.set(name, value);
        }
        Some(task)
    }

    /// Reads what [`Task::to_value`] wrote, as text: member by member, because maps of them take most of a start with many
    /// tasks. None if it has no uid.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Task;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a task")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Task, A::Error> {
                let mut task = Task::new("", 0, "UTC", Instant::UNIX_EPOCH);
                while let Some(name) = members.next_key::<&str>()? {
                    match (name, members.next_value()?) {
                        ("uid", Value::String(uid)) => task.uid = uid,
                        (name, value) => task.set(name, &value),
                    }
                }
                Ok(task)
            }
        }

        let task = serde_json::Deserializer::from_str(text).deserialize_map(Members).ok()?;
        (!task.uid.is_empty()).then_some(task)
    }

    #[must_use]
    pub fn to_value(&self) -> Value {
        let names = WRITABLE.iter().chain(&OTHERS);
        members(names.map(|name| ((*name).to_owned(), self.member(name)))).into()
    }

    /// A member in the form of the API; null for one that is not known.
    #[must_use]
    pub fn member(&self, name: &str) -> Value {
        let date = |due: Option<Due>| match due {
            Some(Due::At(at)) => Value::from(instant::format(at)),
            _ => Value::Null,
        };
        let day = |due: Option<Due>| match due {
            Some(Due::On(day)) => Value::from(day.to_string()),
            _ => Value::Null,
        };
        match name {
            "uid" => json!(self.uid),
            "id" => json!(self.id),
            "title" => json!(self.title),
            "description" => json!(self.description),
            "status" => self.status.as_str().into(),
            "priority" => self.priority.map(Priority::as_str).into(),
            "tags" => json!(self.tags),
            "list_id" => json!(self.list_id),
            "subtask_of" => json!(self.subtask_of),
            "blocked_by" => json!(self.blocked_by),
            "estimate" => json!(self.estimate),
            "due_date" => date(self.due),
            "due_day" => day(self.due),
            "start_date" => date(self.start),
            "start_day" => day(self.start),
            "time_zone" => json!(self.time_zone),
            "reminder_offset" => json!(self.reminder_offset),
            "recurrence_rule" => self.recurrence_rule.clone().unwrap_or_default(),
            "parent_task_id" => json!(self.parent_task_id),
            "position" => json!(self.position),
            "created_at" => instant::format(self.created_at).into(),
            "updated_at" => instant::format(self.updated_at).into(),
            "completed_at" => self.completed_at.map(instant::format).into(),
            "revision" => json!(self.revision),
            _ => Value::Null,
        }
    }

    /// Sets a member from its form in the API. A value of another form sets the default, as null does. Of a moment and
    /// the same as a day, null clears only what is there.
    pub fn set(&mut self, name: &str, value: &Value) {
        let text = || value.as_str().map(str::to_owned);
        let ids = || value.as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
        let at = || value.as_str().and_then(|text| instant::parse(text).ok());
        let moment = |old: Option<Due>| match at() {
            Some(at) => Some(Due::At(at)),
            None => old.filter(|old| old.day().is_some()),
        };
        let day =
            |old: Option<Due>| match value.as_str().and_then(|text| instant::parse_date(text).ok())
            {
                Some(day) => Some(Due::On(day)),
                None => old.filter(|old| old.day().is_none()),
            };
        match name {
            "id" => self.id = value.as_i64().unwrap_or_default(),
            "title" => self.title = text().unwrap_or_default(),
            "description" => self.description = text(),
            "status" => {
                let known = value.as_str().and_then(|word| Status::parse(word).ok());
                self.status = known.unwrap_or(Status::Pending);
            }
            "priority" => {
                self.priority = value.as_str().and_then(|word| Priority::parse(word).ok());
            }
            "tags" => {
                let items = value.as_array().into_iter().flatten();
                self.tags = items.filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
            }
            "list_id" => self.list_id = value.as_i64(),
            "subtask_of" => self.subtask_of = value.as_i64(),
            "blocked_by" => self.blocked_by = ids(),
            "estimate" => self.estimate = value.as_i64(),
            "due_date" => self.due = moment(self.due),
            "due_day" => self.due = day(self.due),
            "start_date" => self.start = moment(self.start),
            "start_day" => self.start = day(self.start),
            "time_zone" => self.time_zone = text().unwrap_or_else(|| "UTC".to_owned()),
            "reminder_offset" => self.reminder_offset = text(),
            "recurrence_rule" => {
                self.recurrence_rule = Some(value.clone()).filter(Value::is_object);
            }
            "parent_task_id" => self.parent_task_id = value.as_i64(),
            "position" => self.position = text().unwrap_or_default(),
            "created_at" => self.created_at = at().unwrap_or(self.created_at),
            "updated_at" => self.updated_at = at().unwrap_or(self.updated_at),
            "completed_at" => self.completed_at = at(),
            "revision" => self.revision = value.as_i64().unwrap_or_default(),
            _ => {}
        }
    }

    /// Sets several members. Changing the status sets `completed_at`.
    pub fn patch(&mut self, members: &Map<String, Value>, at: Instant) {
        let was_completed = self.is_completed();
        for (name, value) in members {
            self.set(name, value);
        }
        match (was_completed, self.is_completed()) {
            (false, true) => self.completed_at = Some(at),
            (true, false) => self.completed_at = None,
            _ => {}
        }
    }

    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.status == Status::Completed
    }
}
