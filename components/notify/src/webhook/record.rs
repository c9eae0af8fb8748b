//! Records the webhook deliveries of a batch of events.

use std::collections::HashSet;

use rondo_contract::event::EventType;
use rondo_domain::jiff::Timestamp;
use rondo_guest::database::DatabaseError;
use rondo_guest::event::Event;
use serde::Deserialize;
use uuid::Uuid;

use super::store::{Deliverable, Store};

#[derive(Deserialize)]
struct Members {
    event_id: Uuid,
    user_id: i64,
}

/// Records the deliveries of a batch, each once, with one statement. A query before it finds the users with
/// webhooks. An event that cannot be delivered is skipped here; audit rejects it.
pub fn record(batch: &[Event]) -> Result<(), DatabaseError> {
    let mut events: Vec<Deliverable> = batch.iter().filter_map(deliverable).collect();
    if events.is_empty() {
        return Ok(());
    }
    let store = Store::open()?;
    let users: HashSet<i64> = events.iter().map(|one| one.user).collect();
    let subscribers = store.subscribers(&users)?;
    events.retain(|one| subscribers.contains(&one.user));
    if events.is_empty() { Ok(()) } else { store.record(&events) }
}

fn deliverable(event: &Event) -> Option<Deliverable<'_>> {
    let event_type: EventType = event.event_type.parse().ok()?;
    let members: Members = serde_json::from_str(&event.data).ok()?;
    let is_sound = event_type.facts().is_for_webhooks
        && Uuid::try_parse(&event.id) == Ok(members.event_id)
        && event.time.parse::<Timestamp>().is_ok();
    is_sound.then_some(Deliverable { event, user: members.user_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliverable_events() {
        const ID: &str = "0b0e6c1e-7d3b-4a6e-9d5c-2f1a3b4c5d6e";
        let event = |id: &str, event_type: &str, time: &str, data: &str| Event {
            id: id.to_owned(),
            event_type: event_type.to_owned(),
            subject: None,
            traceparent: None,
            topic: "task-events".to_owned(),
            time: time.to_owned(),
            data: data.to_owned(),
        };
        let (time, data) =
            ("2031-01-01T00:00:00Z", format!(r#"{{"event_id":"{ID}","user_id":7}}"#));
        let good = event(ID, "task.created", time, &data);
        assert_eq!(deliverable(&good).map(|one| one.user), Some(7));
        for bad in [
            event(ID, "reminder.scheduled", time, &data),
            event(ID, "task.eaten", time, &data),
            event(ID, "task.created", "yesterday", &data),
            event(ID, "task.created", time, "{}"),
            event(ID, "task.created", time, "nonsense"),
            event(&ID.replace('0', "1"), "task.created", time, &data),
        ] {
            assert!(deliverable(&bad).is_none(), "{bad:?}");
        }
    }
}
