//! An event as the audit log keeps it.

use rondo_domain::jiff::Timestamp;
use rondo_guest::event::Event;
use serde::Deserialize;

/// What is recorded of an event.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    pub event_id: String,
    pub action_type: String,
    pub user_id: Option<i64>,
    pub task_id: Option<i64>,
    /// RFC 3339 in UTC.
    pub occurred_at: String,
    pub topic: String,
    /// The value as it came.
    pub payload: String,
}

/// The members that have columns of their own. Any type of event is recorded, also one that this
/// program does not know.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    event_id: std::borrow::Cow<'a, str>,
    user_id: Option<i64>,
    task_id: Option<i64>,
}

impl Record {
    /// # Errors
    /// When it is no event, or nothing that the database could keep.
    pub fn of(event: Event) -> Result<Self, String> {
        let members: Members<'_> =
            serde_json::from_str(&event.data).map_err(|error| format!("value: {error}"))?;
        if !event.has_uuid() {
            return Err("the event's id is no UUID".to_owned());
        }
        if members.event_id != event.id {
            return Err("event_id is not the event's id".to_owned());
        }
        if event.time.parse::<Timestamp>().is_err() {
            return Err("the event's time is no RFC 3339 instant".to_owned());
        }
        if event.data.contains("\\u0000") {
            return Err("the value has a character that cannot be stored".to_owned());
        }
        Ok(Self {
            user_id: members.user_id,
            task_id: members.task_id,
            event_id: event.id,
            action_type: event.event_type,
            occurred_at: event.time,
            topic: event.topic,
            payload: event.data,
        })
    }
}
