//! What tasks are sorted and found by beside themselves: lists, filters, tags, reminders, and the account.

use rondo_domain::due::Settings;
use rondo_domain::task::tag_key;
use serde_json::{Map, Value};

use crate::form::{form, merge};

/// A list of tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// Negative until the server knows the list.
    pub id: i64,
    pub name: String,
    pub color: Option<String>,
    pub icon: Option<String>,
    pub archived: bool,
    /// Orders the lists, compared byte by byte.
    pub position: String,
    pub revision: i64,
}

/// A saved filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Negative until the server knows the filter.
    pub id: i64,
    pub name: String,
    pub icon: Option<String>,
    /// Parameters of `/api/tasks`, as in a URL.
    pub query: String,
    pub version: i64,
}

/// A tag and how many open tasks have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    pub name: String,
    pub color: Option<String>,
    pub count: usize,
}

impl Tag {
    /// The key that all spellings share.
    #[must_use]
    pub fn key(&self) -> String {
        tag_key(&self.name)
    }
}

/// Who is signed in, as `/api/auth/me` answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Account {
    /// All members of the answer. Empty before the first.
    pub members: Map<String, Value>,
}

impl Account {
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self { members: value.as_object().cloned().unwrap_or_default() }
    }

    #[must_use]
    pub fn id(&self) -> i64 {
        self.members.get("id").and_then(Value::as_i64).unwrap_or_default()
    }

    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    #[must_use]
    pub fn email(&self) -> &str {
        self.text("email").unwrap_or_default()
    }

    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.text("name")
    }

    #[must_use]
    pub fn time_zone(&self) -> &str {
        self.text("time_zone").unwrap_or("UTC")
    }

    /// Whether completing a task completes its steps.
    #[must_use]
    pub fn completes_subtasks(&self) -> bool {
        self.members.get("complete_subtasks").and_then(Value::as_bool).unwrap_or_default()
    }

    /// The time of day that reminders of a day count from.
    #[must_use]
    pub fn day_reminder_time(&self) -> rondo_domain::jiff::civil::Time {
        let given = self.text("day_reminder_time").and_then(|text| text.parse().ok());
        given.unwrap_or_else(|| Settings::defaults().day_reminder_time)
    }

    /// Merges a patch (RFC 7396).
    pub(crate) fn patch(&mut self, patch: &Map<String, Value>) {
        merge(&mut self.members, patch);
    }
}

/// A reminder of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Reminder {
    pub id: i64,
    pub task_id: i64,
    /// `task` for the reminder of `reminder_offset`, otherwise `further`.
    pub kind: String,
    pub offset: Option<String>,
    pub remind_at: String,
    pub snoozed: bool,
    /// `armed`, `fired` or `cancelled`.
    pub status: String,
}

form!(List { id, name; color, icon, archived, position, revision });
form!(Filter { id, name, query; icon, version });
form!(Tag { name; color, count });
form!(Reminder { id, task_id, kind, remind_at, status; offset, snoozed });
