//! The topics that carry events.

/// One Kafka topic. On the local transport only its name and readers matter.
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
