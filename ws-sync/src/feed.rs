//! The sources of live events: the relay of the same process, or Kafka.
//!
//! Both guarantee the hub the same. While it is open, every event that is committed from now on is published
//! to it, in the order of its user's revisions; an event may come twice. A source that cannot guarantee that
//! interrupts the hub, so that the sessions close and resume from the database.

pub mod kafka;

use std::sync::Arc;

use crate::hub::Hub;

/// The local source: the relay calls it for each event of task-updates.
#[derive(Debug, Clone)]
pub struct Publisher(Arc<Hub>);

impl Publisher {
    /// Opens the hub. The relay reads every present and future outbox row, so the guarantee holds from the
    /// start.
    #[must_use]
    pub fn open(hub: &Arc<Hub>) -> Self {
        hub.open();
        Self(hub.clone())
    }

    /// Publishes an event; `value` is its JSON, `traceparent` names what sent it. Never waits.
    pub fn publish(&self, user_id: i64, value: &str, traceparent: Option<&str>) {
        self.0.publish(user_id, value, traceparent);
    }

    /// Must be called when events may have been missed, for example after the relay restarts.
    pub fn interrupt(&self) {
        self.0.interrupt();
        self.0.open();
    }
}
