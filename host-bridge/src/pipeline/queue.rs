//! The queue of a consumer, and the acknowledgement of what is in it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rondo_contract::capability::Capability;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::record::Record;

/// Unacknowledged events that a consumer holds.
pub const WINDOW_EVENTS_MAX: usize = 8_192;

/// Acknowledges an event: its effect is recorded, or it is a dead letter.
pub type Ack = Box<dyn FnOnce() + Send>;

/// Set when the event's partition was revoked, so that another process handles it.
pub type Revoked = Arc<AtomicBool>;

/// Acknowledges an event once each of its readers or topics has.
pub(super) struct AckCounter {
    left: AtomicUsize,
    ack: Mutex<Option<Ack>>,
}

impl AckCounter {
    pub(super) fn new(count: usize, ack: Ack) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(count), ack: Mutex::new(Some(ack)) })
    }

    pub(super) fn ack_one(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let ack = self.ack.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(ack) = ack {
                ack();
            }
        }
    }
}

/// An event with its slot in the window.
pub(super) struct Item {
    pub record: Record,
    pub attempts: u32,
    pub ack: Option<Ack>,
    pub revoked: Option<Revoked>,
    /// Frees the slot when dropped.
    pub _slot: OwnedSemaphorePermit,
}

impl Item {
    pub fn is_revoked(&self) -> bool {
        self.revoked.as_ref().is_some_and(|revoked| revoked.load(Ordering::Acquire))
    }
}

/// The producers' end of a consumer's bounded queue.
#[derive(Clone)]
pub struct ConsumerQueue {
    capability: &'static Capability,
    sender: mpsc::UnboundedSender<Item>,
    window: Arc<Semaphore>,
}

impl ConsumerQueue {
    /// The queue of a capability's consumer, and the consumer's end of it.
    pub(super) fn new(capability: &'static Capability) -> (Self, mpsc::UnboundedReceiver<Item>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let window = Arc::new(Semaphore::new(WINDOW_EVENTS_MAX));
        (Self { capability, sender, window }, receiver)
    }

    #[must_use]
    pub fn capability(&self) -> &'static Capability {
        self.capability
    }

    /// Events that can be pushed without waiting.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.window.available_permits()
    }

    /// Enqueues an event; waits while the window is full. An event that the capability doesn't want is
    /// acknowledged at once; one that is `revoked` while it waits is dropped. False when the consumer has
    /// stopped.
    pub async fn push(&self, record: Record, ack: Ack, revoked: Option<Revoked>) -> bool {
        if record.known_type().is_some_and(|event_type| !(self.capability.wants)(event_type)) {
            ack();
            return true;
        }
        let Ok(slot) = self.window.clone().acquire_owned().await else { return false };
        let item = Item { record, attempts: 0, ack: Some(ack), revoked, _slot: slot };
        self.sender.send(item).is_ok()
    }
}
