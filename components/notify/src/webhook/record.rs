//! Records what of a batch of events goes to webhooks.

use std::collections::HashSet;

use rondo_contract::event::EventType;
use rondo_contract::webhook::EVENT_TYPES;
use rondo_domain::jiff::Timestamp;
use rondo_guest::database::DatabaseError;
use rondo_guest::event::Event;
use serde::Deserialize;

use super::store::Store;

/// An event as deliveries are made of it.
pub struct Occasion<'a> {
    pub event: &'a Event,
    pub user: i64,
}

#[derive(Deserialize)]
struct Members {
    event_id: String,
    user_id: i64,
}

/// Records the deliveries of a batch, each once, by one statement; where nobody has a webhook, by a
/// look. What is no event that could be delivered is left to whom it concerns.
pub fn record(batch: &[Event]) -> Result<(), DatabaseError> {
    let mut occasions: Vec<Occasion> = batch.iter().filter_map(Occasion::of).collect();
    if occasions.is_empty() {
        return Ok(());
    }
    let store = Store::open()?;
    let users: HashSet<i64> = occasions.iter().map(|occasion| occasion.user).collect();
    let subscribers = store.subscribers(&users)?;
    occasions.retain(|occasion| subscribers.contains(&occasion.user));
    if occasions.is_empty() { Ok(()) } else { store.record(&occasions) }
}

impl<'a> Occasion<'a> {
    fn of(event: &'a Event) -> Option<Self> {
        let event_type: EventType = event.event_type.parse().ok()?;
        let members: Members = serde_json::from_str(&event.data).ok()?;
        let is_sound = EVENT_TYPES.contains(&event_type)
            && members.event_id == event.id
            && event.has_uuid()
            && event.time.parse::<Timestamp>().is_ok();
        is_sound.then_some(Self { event, user: members.user_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_delivered() {
        const ID: &str = "0b0e6c1e-7d3b-4a6e-9d5c-2f1a3b4c5d6e";
        let event = |id: &str, event_type: &str, time: &str, data: &str| Event {
            id: id.to_owned(),
            event_type: event_type.to_owned(),
            traceparent: None,
            topic: "task-events".to_owned(),
            time: time.to_owned(),
            data: data.to_owned(),
        };
        let (time, data) =
            ("2031-01-01T00:00:00Z", format!(r#"{{"event_id":"{ID}","user_id":7}}"#));
        let good = event(ID, "task.created", time, &data);
        assert_eq!(Occasion::of(&good).map(|occasion| occasion.user), Some(7));
        for bad in [
            event(ID, "reminder.scheduled", time, &data),
            event(ID, "task.eaten", time, &data),
            event(ID, "task.created", "yesterday", &data),
            event(ID, "task.created", time, "{}"),
            event(ID, "task.created", time, "nonsense"),
            event(&ID.replace('0', "1"), "task.created", time, &data),
        ] {
            assert!(Occasion::of(&bad).is_none(), "{bad:?}");
        }
    }
}
