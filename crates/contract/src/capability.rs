//! The event capabilities: components that receive events from the bridge.

use crate::event::EventType;
use crate::topic::{REMINDERS, TASK_EVENTS, Topic};

/// How a consumer receives events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// At most one event per key in a batch, so that a key's events are handled one after another.
    OnePerKey,
    /// Any events, written in bulk. A batch that fails as a whole is retried event by event.
    Bulk,
    /// Like bulk, but in smaller batches, because some events need a call each.
    Mixed,
}

/// An event capability.
#[derive(Debug)]
pub struct Capability {
    /// Name of the consumer, the component and `POST /events/<name>`.
    pub name: &'static str,
    pub topics: &'static [&'static Topic],
    pub batching: Batching,
    /// Whether the capability acts on a type of event. The consumer acknowledges other events without a call.
    pub wants: fn(EventType) -> bool,
}

/// Every event capability.
pub const CAPABILITIES: [&Capability; 3] = [&RECURRENCE, &NOTIFY, &AUDIT];

/// Creates the next occurrence after one that was completed, or deleted while its series continues. A completed one that was
/// deleted at once may be restored without its successor.
pub const RECURRENCE: Capability = Capability {
    name: "recurrence",
    topics: &[&TASK_EVENTS],
    batching: Batching::OnePerKey,
    wants: |event_type| {
        use EventType::{TaskCompleted, TaskCreated, TaskDeleted, TaskRestored};
        matches!(event_type, TaskCreated | TaskCompleted | TaskDeleted | TaskRestored)
    },
};

/// Renders due reminders and digests, and records webhook deliveries. Neither depends on the order of events:
/// a reminder is evaluated as it is now, and a delivery is about one event.
pub const NOTIFY: Capability = Capability {
    name: "notify",
    topics: &[&TASK_EVENTS, &REMINDERS],
    batching: Batching::Mixed,
    wants: |event_type| event_type.facts().is_for_webhooks || event_type == EventType::DigestDue,
};

/// Records every event once.
pub const AUDIT: Capability = Capability {
    name: "audit",
    topics: &[&TASK_EVENTS, &REMINDERS],
    batching: Batching::Bulk,
    wants: |_| true,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_wants_only_events_of_its_topics() {
        for capability in [RECURRENCE, NOTIFY] {
            for event_type in EventType::all().filter(|event_type| (capability.wants)(*event_type))
            {
                assert!(
                    event_type.topics().iter().any(|topic| capability.topics.contains(topic)),
                    "{} never sees {event_type:?}",
                    capability.name
                );
            }
        }
    }

    /// Audit counts an event once because it reads each event on one topic only, and because of its key.
    #[test]
    fn audit_reads_every_user_event_on_exactly_one_topic() {
        for event_type in EventType::all() {
            let topics = event_type.topics().iter();
            let read = topics.filter(|topic| AUDIT.topics.contains(topic)).count();
            let expected = usize::from(event_type != EventType::EventDeadLettered);
            assert_eq!(read, expected, "{event_type:?}");
        }
    }
}
