//! The topics, which events they carry, and which consumer reads them.

use crate::event::EventType;
use crate::webhook;

/// One Kafka topic; on the local transport only its name and readers matter.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    pub name: &'static str,
    pub partitions: u16,
    pub retention_days: u16,
}

pub const TASK_EVENTS: Topic = Topic { name: "task-events", partitions: 6, retention_days: 7 };
pub const REMINDERS: Topic = Topic { name: "reminders", partitions: 3, retention_days: 7 };
pub const TASK_UPDATES: Topic = Topic { name: "task-updates", partitions: 6, retention_days: 1 };
pub const DLQ_EVENTS: Topic = Topic { name: "dlq-events", partitions: 3, retention_days: 30 };

/// Every topic that the bridge creates or checks at start.
pub const TOPICS: [&Topic; 4] = [&TASK_EVENTS, &REMINDERS, &TASK_UPDATES, &DLQ_EVENTS];

/// The topics that carry an event of this type. The same event id travels on each.
#[must_use]
pub fn topics_of(event_type: EventType) -> &'static [&'static Topic] {
    match event_type {
        EventType::TaskCreated
        | EventType::TaskUpdated
        | EventType::TaskCompleted
        | EventType::TaskReopened
        | EventType::TaskSkipped
        | EventType::TaskDeleted => &[&TASK_EVENTS, &TASK_UPDATES],
        EventType::SeriesEnded => &[&TASK_EVENTS],
        EventType::ReminderScheduled
        | EventType::ReminderDue
        | EventType::ReminderCancelled
        | EventType::NotificationSent
        | EventType::NotificationFailed
        | EventType::DigestDue => &[&REMINDERS],
        EventType::EventDeadLettered => &[&DLQ_EVENTS],
    }
}

/// How events are handed to a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// At most one event per key in a batch, so that a key's events are handled one after another.
    OnePerKey,
    /// Any events, written in bulk; a batch that fails as a whole is retried one by one.
    Bulk,
    /// As in bulk, but some events need calls of their own, so there are fewer in a batch.
    Mixed,
}

/// An event capability: a component that the bridge delivers to.
#[derive(Debug, PartialEq, Eq)]
pub struct Capability {
    /// Name of the consumer, the component and `POST /events/<name>`.
    pub name: &'static str,
    pub topics: &'static [&'static Topic],
    pub batching: Batching,
    /// Types that the capability acts on; the others are done without a call. Empty means all.
    pub event_types: &'static [EventType],
}

impl Capability {
    /// Whether an event of this type is worth a call.
    #[must_use]
    pub fn wants(&self, event_type: EventType) -> bool {
        self.event_types.is_empty() || self.event_types.contains(&event_type)
    }
}

/// Every event capability.
pub const CAPABILITIES: [&Capability; 3] = [&RECURRENCE, &NOTIFY, &AUDIT];

/// Makes the next occurrence of what was completed, or deleted with its series going on.
pub const RECURRENCE: Capability = Capability {
    name: "recurrence",
    topics: &[&TASK_EVENTS],
    batching: Batching::OnePerKey,
    event_types: &[EventType::TaskCreated, EventType::TaskCompleted, EventType::TaskDeleted],
};

/// What may be told to webhooks, and what only makes a mail.
const NOTIFY_TYPES: [EventType; webhook::EVENT_TYPES.len() + 1] = {
    let mut types = [EventType::DigestDue; webhook::EVENT_TYPES.len() + 1];
    let mut place = 0;
    while place < webhook::EVENT_TYPES.len() {
        types[place] = webhook::EVENT_TYPES[place];
        place += 1;
    }
    types
};

/// Decides and renders what a due reminder or a digest says, and what goes to webhooks. Neither depends on the
/// order of events: a reminder is looked at as it is, and a delivery is about one event.
pub const NOTIFY: Capability = Capability {
    name: "notify",
    topics: &[&TASK_EVENTS, &REMINDERS],
    batching: Batching::Mixed,
    event_types: &NOTIFY_TYPES,
};

/// Records every event once.
pub const AUDIT: Capability = Capability {
    name: "audit",
    topics: &[&TASK_EVENTS, &REMINDERS],
    batching: Batching::Bulk,
    event_types: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_topic_and_every_task_event_is_synced() {
        for event_type in EventType::ALL {
            let topics = topics_of(event_type);
            assert!(!topics.is_empty(), "{event_type:?}");
            assert_eq!(
                topics.contains(&&TASK_UPDATES),
                event_type.as_str().starts_with("task."),
                "{event_type:?}"
            );
        }
    }

    #[test]
    fn a_capability_only_wants_what_its_topics_carry() {
        for capability in CAPABILITIES {
            for event_type in capability.event_types {
                assert!(
                    topics_of(*event_type).iter().any(|topic| capability.topics.contains(topic)),
                    "{} never sees {event_type:?}",
                    capability.name
                );
            }
        }
    }

    /// Audit counts an event once because it reads each event on one topic only, and because of
    /// its key.
    #[test]
    fn audit_reads_every_user_event_on_exactly_one_topic() {
        for event_type in EventType::ALL {
            let read =
                topics_of(event_type).iter().filter(|topic| AUDIT.topics.contains(topic)).count();
            let expected = usize::from(event_type != EventType::EventDeadLettered);
            assert_eq!(read, expected, "{event_type:?}");
        }
    }
}
