//! An event in the audit log's form.

use rondo_domain::jiff::Timestamp;
use rondo_guest::event::Event;
use serde::Deserialize;
use uuid::Uuid;

/// A row for the audit log.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    pub event_id: Uuid,
    pub action_type: String,
    pub user_id: Option<i64>,
    pub task_id: Option<i64>,
    /// RFC 3339 in UTC.
    pub occurred_at: String,
    pub topic: String,
    /// The event's value, unchanged.
    pub payload: String,
}

/// The members with columns of their own. Events of unknown types are recorded too.
#[derive(Deserialize)]
struct Members {
    event_id: Uuid,
    user_id: Option<i64>,
    task_id: Option<i64>,
}

impl Record {
    /// # Errors
    /// If it is not an event, or has a value that the database cannot store.
    pub fn of(event: Event) -> Result<Self, String> {
        let members: Members =
            serde_json::from_str(&event.data).map_err(|error| format!("value: {error}"))?;
        if Uuid::try_parse(&event.id) != Ok(members.event_id) {
            return Err("the event's id is not the UUID in event_id".to_owned());
        }
        if event.time.parse::<Timestamp>().is_err() {
            return Err("the event's time is not an RFC 3339 instant".to_owned());
        }
        if event.data.contains("\\u0000") {
            return Err("the value has the character U+0000, which cannot be stored".to_owned());
        }
        Ok(Self {
            user_id: members.user_id,
            task_id: members.task_id,
            event_id: members.event_id,
            action_type: event.event_type,
            occurred_at: event.time,
            topic: event.topic,
            payload: event.data,
        })
    }
}
