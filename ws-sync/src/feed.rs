//! Where live events come from: the relay of the same process, or Kafka.
//!
//! Both sides keep one promise to the hub. While it is open, every event that is committed from now
//! on is published to it, in the order of its user's revisions; an event may come twice. A side that
//! cannot keep it interrupts the hub, so that the sessions close and resume from the database.

pub mod kafka;

use std::sync::Arc;

use crate::hub::Hub;

/// The local side: the relay calls it for each event of task-updates.
#[derive(Debug, Clone)]
pub struct Publisher(Arc<Hub>);

impl Publisher {
    /// Opens the hub. The relay reads every outbox row that is there or will be, so the promise
    /// holds from the start.
    #[must_use]
    pub fn open(hub: &Arc<Hub>) -> Self {
        hub.open();
        Self(hub.clone())
    }

    /// Hands over an event; `value` is its JSON. Never waits.
    pub fn publish(&self, user_id: i64, value: &str) {
        self.0.publish(user_id, value);
    }

    /// To be called when events may have been passed over, for example when the relay restarts.
    pub fn interrupt(&self) {
        self.0.interrupt();
        self.0.open();
    }
}
