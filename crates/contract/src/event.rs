//! Events: facts about a task, a reminder or a notification, in the past tense.
//!
//! The value is written by the database in the transaction that made the fact true; these types
//! read it. `schemas/` beside this crate's source has the JSON Schema of each type. Within 1.x a
//! member is only ever added, so readers ignore what they do not know.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Version of the value's shape.
pub const SCHEMA_VERSION: &str = "1.0";

/// What happened: `event_type` in the value, `ce_type` in the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventType {
    TaskCreated,
    TaskUpdated,
    TaskCompleted,
    TaskReopened,
    TaskSkipped,
    TaskDeleted,
    SeriesEnded,
    ReminderScheduled,
    ReminderDue,
    ReminderCancelled,
    NotificationSent,
    NotificationFailed,
    DigestDue,
    EventDeadLettered,
}

impl EventType {
    pub const ALL: [Self; 14] = [
        Self::TaskCreated,
        Self::TaskUpdated,
        Self::TaskCompleted,
        Self::TaskReopened,
        Self::TaskSkipped,
        Self::TaskDeleted,
        Self::SeriesEnded,
        Self::ReminderScheduled,
        Self::ReminderDue,
        Self::ReminderCancelled,
        Self::NotificationSent,
        Self::NotificationFailed,
        Self::DigestDue,
        Self::EventDeadLettered,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TaskCreated => "task.created",
            Self::TaskUpdated => "task.updated",
            Self::TaskCompleted => "task.completed",
            Self::TaskReopened => "task.reopened",
            Self::TaskSkipped => "task.skipped",
            Self::TaskDeleted => "task.deleted",
            Self::SeriesEnded => "series.ended",
            Self::ReminderScheduled => "reminder.scheduled",
            Self::ReminderDue => "reminder.due",
            Self::ReminderCancelled => "reminder.cancelled",
            Self::NotificationSent => "notification.sent",
            Self::NotificationFailed => "notification.failed",
            Self::DigestDue => "digest.due",
            Self::EventDeadLettered => "event.dead_lettered",
        }
    }
}

impl EventType {
    /// The JSON Schema of the value, as it is published.
    #[must_use]
    pub const fn schema(self) -> &'static str {
        macro_rules! schema {
            ($name:literal) => {
                include_str!(concat!("../schemas/", $name, ".json"))
            };
        }
        match self {
            Self::TaskCreated => schema!("task.created"),
            Self::TaskUpdated => schema!("task.updated"),
            Self::TaskCompleted => schema!("task.completed"),
            Self::TaskReopened => schema!("task.reopened"),
            Self::TaskSkipped => schema!("task.skipped"),
            Self::TaskDeleted => schema!("task.deleted"),
            Self::SeriesEnded => schema!("series.ended"),
            Self::ReminderScheduled => schema!("reminder.scheduled"),
            Self::ReminderDue => schema!("reminder.due"),
            Self::ReminderCancelled => schema!("reminder.cancelled"),
            Self::NotificationSent => schema!("notification.sent"),
            Self::NotificationFailed => schema!("notification.failed"),
            Self::DigestDue => schema!("digest.due"),
            Self::EventDeadLettered => schema!("event.dead_lettered"),
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of an event type that this program does not know, for example a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownEventType(pub String);

impl fmt::Display for UnknownEventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown event type {:?}", self.0)
    }
}

impl std::error::Error for UnknownEventType {}

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|event_type| event_type.as_str() == name)
            .ok_or_else(|| UnknownEventType(name.to_owned()))
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

/// The value of every event but `event.dead_lettered`.
///
/// Members that only some types have are optional here: `reminder_id`, `remind_at`, `due_date` and
/// `firing` come with reminders, `notification_id` and `channel` with notifications, `reason` and
/// `scope` with `task.deleted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskEvent {
    /// UUID; the natural key of the event's effects.
    pub event_id: String,
    pub schema_version: String,
    pub event_type: EventType,
    /// RFC 3339 in UTC: when the fact became true.
    pub timestamp: String,
    pub task_id: i64,
    pub user_id: i64,
    /// The user's revision that the change took; for a type that changes no task, the task's.
    pub revision: i64,
    /// The task after the change (before it, for `task.deleted`), members as in the HTTP API.
    pub task_data: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminder_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<String>,
    /// How often this reminder has come due, this time included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Why a task was deleted: `deleted` by its user, `withdrawn` by a reopened predecessor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `this`, `future` or `all`, for a deleted occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl TaskEvent {
    /// Reads an event's value.
    ///
    /// # Errors
    /// When `value` is not a JSON object of this shape, or of a major version other than 1.
    pub fn parse(value: &str) -> Result<Self, String> {
        let event: Self = serde_json::from_str(value).map_err(|error| error.to_string())?;
        check_version(&event.schema_version)?;
        Ok(event)
    }
}

/// The value of `digest.due`: a user's daily digest is to be written. It is about no task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestEvent {
    /// UUID.
    pub event_id: String,
    pub schema_version: String,
    pub event_type: EventType,
    /// RFC 3339 in UTC: when it came due.
    pub timestamp: String,
    pub user_id: i64,
    /// The user's local day that it is the digest of, such as `2031-03-30`.
    pub day: String,
}

impl DigestEvent {
    /// Reads an event's value.
    ///
    /// # Errors
    /// As [`TaskEvent::parse`].
    pub fn parse(value: &str) -> Result<Self, String> {
        let event: Self = serde_json::from_str(value).map_err(|error| error.to_string())?;
        check_version(&event.schema_version)?;
        Ok(event)
    }
}

fn check_version(version: &str) -> Result<(), String> {
    match version.split('.').next() {
        Some("1") => Ok(()),
        _ => Err(format!("schema_version {version:?} is not 1.x")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for event_type in EventType::ALL {
            assert_eq!(event_type.as_str().parse(), Ok(event_type));
        }
        assert_eq!("task.eaten".parse::<EventType>(), Err(UnknownEventType("task.eaten".into())));
    }

    #[test]
    fn a_later_minor_version_with_new_members_is_read() {
        let value = r#"{"event_id":"e","schema_version":"1.7","event_type":"task.created",
            "timestamp":"2031-01-01T00:00:00Z","task_id":1,"user_id":2,"revision":3,
            "task_data":{},"colour":"red"}"#;
        assert_eq!(TaskEvent::parse(value).unwrap().revision, 3);
        let error = TaskEvent::parse(&value.replace("1.7", "2.0")).unwrap_err();
        assert!(error.contains("schema_version"), "{error}");
    }
}
