//! Events: facts about a task, a list, a reminder or a notification, in the past tense.
//!
//! [`EVENTS`] defines for each type its name, its topics, whether webhooks can subscribe to it, and the
//! members of its value. The database writes the value in the same transaction as the change; [`TaskEvent`]
//! and [`DigestEvent`] read it. Within 1.x members are only added, so readers ignore unknown ones.

use std::fmt;
use std::str::FromStr;

use rondo_domain::list::TaskFate;
use rondo_domain::task::{EditScope, Status};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::list_body::LIST_MEMBERS;
use crate::member::{Kind, Member};
use crate::topic::{DLQ_EVENTS, REMINDERS, TASK_EVENTS, TASK_UPDATES, Topic};

/// The value of `schema_version`. Readers accept any version with the same major number.
pub const SCHEMA_VERSION: &str = "1.0";

/// The type: `event_type` in the value, `ce_type` in the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventType {
    TaskCreated,
    TaskUpdated,
    TaskCompleted,
    TaskReopened,
    TaskSkipped,
    TaskStarted,
    TaskUnblocked,
    TaskDeleted,
    TaskRestored,
    ListCreated,
    ListUpdated,
    ListDeleted,
    SeriesEnded,
    ReminderScheduled,
    ReminderDue,
    ReminderCancelled,
    NotificationSent,
    NotificationFailed,
    DigestDue,
    EventDeadLettered,
}

/// The facts about one type of event.
#[derive(Debug)]
pub struct EventFacts {
    pub event_type: EventType,
    pub name: &'static str,
    /// The topics that carry it, each with the same event id.
    pub topics: &'static [&'static Topic],
    /// Whether the event is a change of a task or list, which takes one of its user's revisions.
    pub takes_revision: bool,
    /// Whether webhooks can subscribe to it.
    pub is_for_webhooks: bool,
    /// Whether it may be the act of a program for its user: it can have the members of
    /// [`actor::MEMBERS`](crate::actor::MEMBERS).
    pub has_actor: bool,
    pub task_data: TaskData,
    /// The members that not all types have.
    pub members: &'static [Member],
}

/// The members of a value that are about its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskData {
    /// None; the event is not about a task.
    None,
    /// `task_id`, `revision`, and the task, whose status is one of these.
    Whole(&'static [&'static str]),
    /// The same, but with an empty object in place of a task that has since been deleted.
    UnlessDeleted,
}

/// The reason of `task.updated` when newer time zone data have moved a task's instants.
pub const ZONE_DATA: &str = "zone_data";

const REMINDER_MEMBERS: &[Member] = &[
    Member::new("reminder_id", Kind::Id),
    Member::new("remind_at", Kind::Instant),
    Member::nullable("due_date", Kind::Instant),
];
const NOTIFICATION_MEMBERS: &[Member] = &[
    Member::new("notification_id", Kind::Id),
    Member::new("reminder_id", Kind::Id),
    Member::new("channel", Kind::Words(&["email"])),
];

const LIST_CHANGE_MEMBERS: &[Member] = &[
    Member::new("list_id", Kind::Id),
    Member::new("user_id", Kind::Id),
    Member::new("revision", Kind::Integer { min: 1, max: None }),
    // The list after the change; before it, when it was deleted.
    Member::new("list_data", Kind::Object(LIST_MEMBERS)),
];

/// A change of a task.
const fn change(event_type: EventType, name: &'static str) -> EventFacts {
    EventFacts {
        event_type,
        name,
        topics: &[&TASK_EVENTS, &TASK_UPDATES],
        takes_revision: true,
        is_for_webhooks: true,
        has_actor: true,
        task_data: TaskData::Whole(Status::WORDS),
        members: &[],
    }
}

/// A change of a list.
const fn list_change(event_type: EventType, name: &'static str) -> EventFacts {
    EventFacts {
        task_data: TaskData::None,
        members: LIST_CHANGE_MEMBERS,
        ..change(event_type, name)
    }
}

/// An event about a reminder.
const fn reminder(event_type: EventType, name: &'static str) -> EventFacts {
    EventFacts {
        topics: &[&REMINDERS],
        takes_revision: false,
        is_for_webhooks: false,
        members: REMINDER_MEMBERS,
        ..change(event_type, name)
    }
}

/// An event about a reminder's mail.
const fn notification(event_type: EventType, name: &'static str) -> EventFacts {
    EventFacts {
        is_for_webhooks: true,
        has_actor: false,
        task_data: TaskData::UnlessDeleted,
        members: NOTIFICATION_MEMBERS,
        ..reminder(event_type, name)
    }
}

/// Every type, in the order of [`EventType`].
pub const EVENTS: &[EventFacts] = &[
    change(EventType::TaskCreated, "task.created"),
    EventFacts {
        members: &[
            // Not its user: newer time zone data, by which its moments are other instants.
            Member::optional("reason", Kind::Words(&[ZONE_DATA])),
        ],
        ..change(EventType::TaskUpdated, "task.updated")
    },
    EventFacts {
        task_data: TaskData::Whole(&[Status::Completed.as_str()]),
        ..change(EventType::TaskCompleted, "task.completed")
    },
    EventFacts {
        task_data: TaskData::Whole(&[Status::Pending.as_str(), Status::InProgress.as_str()]),
        ..change(EventType::TaskReopened, "task.reopened")
    },
    change(EventType::TaskSkipped, "task.skipped"),
    // The task is no longer deferred.
    change(EventType::TaskStarted, "task.started"),
    // The last open task that blocked it was completed or deleted.
    EventFacts {
        task_data: TaskData::Whole(&[Status::Pending.as_str(), Status::InProgress.as_str()]),
        ..change(EventType::TaskUnblocked, "task.unblocked")
    },
    EventFacts {
        members: &[
            // Deleted by its user, or withdrawn because its predecessor was reopened or is there again.
            Member::new("reason", Kind::Words(&["deleted", "withdrawn"])),
            // Only for an occurrence.
            Member::optional("scope", Kind::Words(EditScope::WORDS)),
        ],
        ..change(EventType::TaskDeleted, "task.deleted")
    },
    change(EventType::TaskRestored, "task.restored"),
    list_change(EventType::ListCreated, "list.created"),
    list_change(EventType::ListUpdated, "list.updated"),
    EventFacts {
        members: &[
            Member::new("list_id", Kind::Id),
            Member::new("user_id", Kind::Id),
            Member::new("revision", Kind::Integer { min: 1, max: None }),
            Member::new("list_data", Kind::Object(LIST_MEMBERS)),
            // What became of its tasks.
            Member::new("tasks", Kind::Words(TaskFate::WORDS)),
        ],
        ..list_change(EventType::ListDeleted, "list.deleted")
    },
    EventFacts {
        topics: &[&TASK_EVENTS],
        takes_revision: false,
        ..change(EventType::SeriesEnded, "series.ended")
    },
    reminder(EventType::ReminderScheduled, "reminder.scheduled"),
    EventFacts {
        is_for_webhooks: true,
        has_actor: false,
        members: &[
            Member::new("reminder_id", Kind::Id),
            Member::new("remind_at", Kind::Instant),
            Member::nullable("due_date", Kind::Instant),
            // How often the reminder has fired, including this time.
            Member::new("firing", Kind::Integer { min: 1, max: None }),
        ],
        ..reminder(EventType::ReminderDue, "reminder.due")
    },
    reminder(EventType::ReminderCancelled, "reminder.cancelled"),
    notification(EventType::NotificationSent, "notification.sent"),
    notification(EventType::NotificationFailed, "notification.failed"),
    EventFacts {
        has_actor: false,
        task_data: TaskData::None,
        members: &[
            Member::new("user_id", Kind::Id),
            // The user's local day of the digest.
            Member::new("day", Kind::Date),
        ],
        ..reminder(EventType::DigestDue, "digest.due")
    },
    EventFacts {
        topics: &[&DLQ_EVENTS],
        has_actor: false,
        task_data: TaskData::None,
        members: &[
            Member::new("consumer", Kind::Text { chars_max: None }),
            Member::new("attempts", Kind::Integer { min: 1, max: None }),
            Member::new(
                "error",
                Kind::Object(&[
                    Member::new("code", Kind::Text { chars_max: None }),
                    Member::new("message", Kind::Text { chars_max: None }),
                ]),
            ),
            Member::new(
                "original",
                Kind::Object(&[
                    Member::new("topic", Kind::Text { chars_max: None }),
                    // Null without Kafka, like the offset.
                    Member::nullable("partition", Kind::Integer { min: 0, max: None }),
                    Member::nullable("offset", Kind::Integer { min: 0, max: None }),
                    Member::new("key", Kind::Text { chars_max: None }),
                    Member::new("headers", Kind::Object(&[])),
                    Member::new("value", Kind::Text { chars_max: None }),
                ]),
            ),
        ],
        ..reminder(EventType::EventDeadLettered, "event.dead_lettered")
    },
];

impl EventType {
    /// Every type.
    pub fn all() -> impl Iterator<Item = Self> {
        EVENTS.iter().map(|facts| facts.event_type)
    }

    #[must_use]
    pub const fn facts(self) -> &'static EventFacts {
        &EVENTS[self as usize]
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// The topics that carry an event of this type.
    #[must_use]
    pub const fn topics(self) -> &'static [&'static Topic] {
        self.facts().topics
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of an unknown event type, for example one of a newer version.
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
        Self::all()
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

/// The value of an event about a task.
///
/// Members that not all types have are optional here; [`EVENTS`] says which types have them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskEvent {
    /// UUID; the natural key of the event's effects.
    pub event_id: String,
    pub schema_version: String,
    pub event_type: EventType,
    /// RFC 3339 in UTC: when the change happened.
    pub timestamp: String,
    pub task_id: i64,
    pub user_id: i64,
    /// The user's revision of the change; for a type that does not change the task, the task's revision.
    pub revision: i64,
    /// The task after the change (before it, for `task.deleted`), with the members of the HTTP API.
    pub task_data: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminder_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl TaskEvent {
    /// Reads an event's value.
    ///
    /// # Errors
    /// If `value` is not a JSON object of this shape, or has a major version other than 1.
    pub fn parse(value: &str) -> Result<Self, String> {
        let event: Self = serde_json::from_str(value).map_err(|error| error.to_string())?;
        check_version(&event.schema_version)?;
        Ok(event)
    }
}

/// The value of `digest.due`: a user's daily digest is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestEvent {
    /// UUID.
    pub event_id: String,
    pub schema_version: String,
    pub event_type: EventType,
    /// RFC 3339 in UTC: when the digest came due.
    pub timestamp: String,
    pub user_id: i64,
    /// The user's local day of the digest, such as `2031-03-30`.
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
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    if major(version) == major(SCHEMA_VERSION) {
        return Ok(());
    }
    Err(format!("schema_version {version:?} is not of the major version of {SCHEMA_VERSION}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (place, facts) in EVENTS.iter().enumerate() {
            assert_eq!(facts.event_type as usize, place, "{}", facts.name);
            assert_eq!(facts.name.parse(), Ok(facts.event_type));
        }
        assert_eq!(EVENTS.len(), EventType::EventDeadLettered as usize + 1);
        assert_eq!("task.eaten".parse::<EventType>(), Err(UnknownEventType("task.eaten".into())));
    }

    #[test]
    fn only_changes_of_tasks_and_lists_take_revisions_and_are_synced() {
        for facts in EVENTS {
            let is_change = facts.name.starts_with("task.") || facts.name.starts_with("list.");
            assert!(!facts.topics.is_empty(), "{}", facts.name);
            assert_eq!(facts.topics.contains(&&TASK_UPDATES), is_change, "{}", facts.name);
            assert_eq!(facts.takes_revision, is_change, "{}", facts.name);
            assert!(facts.is_for_webhooks || !is_change, "{}", facts.name);
        }
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
