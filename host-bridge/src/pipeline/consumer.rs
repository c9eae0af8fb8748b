//! One consumer: takes events of any number of keys and hands them to its capability, each key in
//! order, keys beside each other, with the retry rules.
//!
//! - Not counted: nothing could be tried (no connection, no database). The consumer pauses with
//!   backoff and tries again, for as long as it takes.
//! - Counted, for that event alone: the capability asks for a retry, or breaks. At most
//!   [`ATTEMPTS_MAX`] attempts, exponential with jitter, while its key waits.
//! - Then, or at once when the capability rejects it: a dead letter.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng as _;
use rondo_contract::capability::{Batching, Capability};
use rondo_contract::cloud_event::Disposition;
use rondo_telemetry::Metrics;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::dead_letter::{DeadLetters, Failure};
use super::delivery::{Delivery, DeliveryError};
use super::flow::Flow;
use super::record::Record;

/// Attempts of an event before it becomes a dead letter.
pub const ATTEMPTS_MAX: u32 = 5;
/// First wait after a counted failure, in milliseconds; it doubles: all are over within 30 s.
const RETRY_MS_MIN: u64 = 1_000;
/// First and longest pause of a consumer that could try nothing, in milliseconds.
const PAUSE_MS_MIN: u64 = 50;
const PAUSE_MS_MAX: u64 = 5_000;
/// A consumer whose pauses have grown to this, in milliseconds, is said to be stuck.
const PAUSE_MS_STUCK: u64 = 800;
/// Events that a consumer holds, finished ones not counted.
pub const WINDOW_EVENTS_MAX: usize = 8_192;
/// Most events of one batch, and their size.
const BULK_EVENTS_MAX: usize = 1_000;
const MIXED_EVENTS_MAX: usize = 250;
const ONE_PER_KEY_EVENTS_MAX: usize = 32;
const BATCH_BYTES_MAX: usize = 768 << 10;
/// Batches on their way at once.
const BULK_BATCHES_MAX: usize = 2;
const MIXED_BATCHES_MAX: usize = 4;
const ONE_PER_KEY_BATCHES_MAX: usize = 8;

/// What to do when an event is finished with: its effect is recorded, or it is a dead letter.
pub type Finished = Box<dyn FnOnce() + Send>;

/// Set when an event has become another process's to handle: its partition was taken away.
pub type Revoked = Arc<AtomicBool>;

/// What a delivery came to.
type Delivered = Result<Vec<Disposition>, DeliveryError>;

/// An event with its place in the window.
struct Item {
    record: Record,
    attempts: u32,
    finished: Option<Finished>,
    revoked: Option<Revoked>,
    _place: OwnedSemaphorePermit,
}

impl Item {
    fn is_revoked(&self) -> bool {
        self.revoked.as_ref().is_some_and(|revoked| revoked.load(Ordering::Acquire))
    }
}

/// The entrance of a consumer.
#[derive(Clone)]
pub struct Inlet {
    capability: &'static Capability,
    sender: mpsc::UnboundedSender<Item>,
    window: Arc<Semaphore>,
}

impl Inlet {
    #[must_use]
    pub fn capability(&self) -> &'static Capability {
        self.capability
    }

    /// Events that it could take now without waiting.
    #[must_use]
    pub fn room(&self) -> usize {
        self.window.available_permits()
    }

    /// Hands over an event, waiting while the window is full. An event of a type that the capability
    /// does not want is finished at once; one that is `revoked` while it waits is forgotten. Returns
    /// false when the consumer has ended.
    pub async fn put(&self, record: Record, finished: Finished, revoked: Option<Revoked>) -> bool {
        if record.known_type().is_some_and(|event_type| !(self.capability.wants)(event_type)) {
            finished();
            return true;
        }
        let Ok(place) = self.window.clone().acquire_owned().await else { return false };
        let item = Item { record, attempts: 0, finished: Some(finished), revoked, _place: place };
        self.sender.send(item).is_ok()
    }
}

/// What a consumer works with.
pub struct Consumer {
    pub capability: &'static Capability,
    pub delivery: Delivery,
    pub dead_letters: DeadLetters,
    pub metrics: Metrics,
    pub flow: Arc<Flow>,
}

impl Consumer {
    /// Starts the consumer; it runs until `shutdown`, and what is unfinished then is delivered again
    /// after the next start.
    #[must_use]
    pub fn start(self, tasks: &mut JoinSet<()>, shutdown: CancellationToken) -> Inlet {
        let (sender, receiver) = mpsc::unbounded_channel();
        let window = Arc::new(Semaphore::new(WINDOW_EVENTS_MAX));
        let inlet = Inlet { capability: self.capability, sender, window };
        tasks.spawn(self.run(receiver, shutdown));
        inlet
    }

    async fn run(self, mut receiver: mpsc::UnboundedReceiver<Item>, shutdown: CancellationToken) {
        let mut queues = Queues::new(self.capability.batching);
        let mut batches: JoinSet<(Vec<Item>, Delivered)> = JoinSet::new();
        let mut waits: JoinSet<String> = JoinSet::new();
        let mut pause_ms = PAUSE_MS_MIN;
        let mut paused_until: Option<tokio::time::Instant> = None;
        loop {
            while paused_until.is_none() && batches.len() < queues.batches_max() {
                let Some(batch) = queues.take() else { break };
                let (delivery, name) = (self.delivery.clone(), self.capability.name);
                batches.spawn(async move {
                    let records: Vec<Record> =
                        batch.iter().map(|item| item.record.clone()).collect();
                    let result = delivery.deliver(name, &records).await;
                    (batch, result)
                });
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(item) = receiver.recv() => {
                    queues.push(item);
                    // What else is there goes into the same batch.
                    while let Ok(item) = receiver.try_recv() {
                        queues.push(item);
                    }
                }
                Some(Ok(key)) = waits.join_next() => queues.resume(&key),
                Some(joined) = batches.join_next() => {
                    let Ok((batch, result)) = joined else { continue };
                    match result {
                        Err(DeliveryError::Unavailable(reason)) => {
                            tracing::warn!(consumer = self.capability.name, reason, pause_ms, "consumer pauses");
                            self.metrics.consumer_paused(self.capability.name);
                            if pause_ms >= PAUSE_MS_STUCK {
                                self.flow.stuck(self.capability.name, stuck(&reason));
                            }
                            queues.give_back(batch);
                            let jitter = rand::rng().random_range(0..=pause_ms / 4);
                            paused_until = Some(tokio::time::Instant::now() + Duration::from_millis(pause_ms + jitter));
                            pause_ms = (pause_ms * 2).min(PAUSE_MS_MAX);
                        }
                        result => {
                            pause_ms = PAUSE_MS_MIN;
                            self.flow.works(self.capability.name);
                            self.settle(batch, result, &mut queues, &mut waits).await;
                        }
                    }
                }
                () = async { tokio::time::sleep_until(paused_until.unwrap_or_else(tokio::time::Instant::now)).await },
                    if paused_until.is_some() => paused_until = None,
            }
        }
    }

    /// Finishes, retries or buries each event of a batch.
    async fn settle(
        &self,
        batch: Vec<Item>,
        result: Result<Vec<Disposition>, DeliveryError>,
        queues: &mut Queues,
        waits: &mut JoinSet<String>,
    ) {
        let dispositions = match result {
            Ok(dispositions) => dispositions,
            Err(error) if batch.len() > 1 => {
                // One of them may have broken it for all: each is tried alone before it counts.
                tracing::warn!(consumer = self.capability.name, %error, events = batch.len(), "a batch failed; one by one");
                queues.give_back_alone(batch);
                return;
            }
            Err(error) => vec![Disposition::Retry { reason: error.to_string() }; batch.len()],
        };
        for (mut item, disposition) in batch.into_iter().zip(dispositions) {
            match disposition {
                Disposition::Done => self.finish(item, queues),
                Disposition::Retry { reason } => {
                    item.attempts += 1;
                    self.metrics.event_retried(self.capability.name);
                    if item.attempts >= ATTEMPTS_MAX {
                        self.bury(item, "attempts_exhausted", reason, queues).await;
                        continue;
                    }
                    let wait_ms = RETRY_MS_MIN << (item.attempts - 1);
                    let wait_ms = wait_ms / 2 + rand::rng().random_range(0..=wait_ms / 2);
                    tracing::warn!(
                        consumer = self.capability.name,
                        event_id = item.record.event_id,
                        trace_id = item.record.trace_id(),
                        attempt = item.attempts,
                        reason,
                        wait_ms,
                        "an event is to be tried again"
                    );
                    let key = item.record.key.clone();
                    queues.park(item);
                    waits.spawn(async move {
                        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                        key
                    });
                }
                Disposition::Reject { reason } => {
                    item.attempts += 1;
                    self.bury(item, "rejected", reason, queues).await;
                }
            }
        }
    }

    async fn bury(&self, item: Item, code: &str, reason: String, queues: &mut Queues) {
        tracing::error!(
            consumer = self.capability.name,
            event_id = item.record.event_id,
            trace_id = item.record.trace_id(),
            code,
            reason,
            "an event becomes a dead letter"
        );
        let failure = Failure {
            consumer: self.capability.name.to_owned(),
            attempts: item.attempts,
            code: code.to_owned(),
            message: reason,
        };
        // Nothing is lost: while it cannot be recorded, the event waits.
        self.dead_letters.record(&item.record, &failure).await;
        self.metrics.event_dead_lettered(self.capability.name);
        self.finish(item, queues);
    }

    fn finish(&self, mut item: Item, queues: &mut Queues) {
        if let Some(finished) = item.finished.take() {
            finished();
        }
        self.metrics.event_finished(self.capability.name, item.record.age());
        tracing::debug!(
            consumer = self.capability.name,
            event_id = item.record.event_id,
            trace_id = item.record.trace_id(),
            "an event is finished with"
        );
        queues.release(&item.record.key);
    }
}

/// What readiness says of a consumer that can try nothing; what follows a colon in the reason can
/// have addresses in it and is for the log.
fn stuck(reason: &str) -> String {
    let what = reason.split(": ").next().unwrap_or_default();
    format!("can handle no event ({what}), which may hold the other consumers; the log says more")
}

/// What waits, by key.
struct Queues {
    batching: Batching,
    keys: HashMap<String, Queue>,
    /// Keys with an event that can go, in the order in which they became so.
    ready: VecDeque<String>,
    /// Events that go alone, because a batch with them broke.
    alone: VecDeque<Item>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Item>,
    /// Events on their way or parked; while there are any, one-per-key consumers send no other.
    busy: usize,
    parked: Option<Item>,
}

impl Queues {
    fn new(batching: Batching) -> Self {
        Self { batching, keys: HashMap::new(), ready: VecDeque::new(), alone: VecDeque::new() }
    }

    fn batches_max(&self) -> usize {
        match self.batching {
            Batching::OnePerKey => ONE_PER_KEY_BATCHES_MAX,
            Batching::Bulk => BULK_BATCHES_MAX,
            Batching::Mixed => MIXED_BATCHES_MAX,
        }
    }

    fn push(&mut self, item: Item) {
        let key = item.record.key.clone();
        let queue = self.keys.entry(key.clone()).or_default();
        queue.events.push_back(item);
        if queue.busy == 0 && queue.events.len() == 1 {
            self.ready.push_back(key);
        }
    }

    /// The next batch, bounded in events and bytes. A key's events are taken in order: the first of
    /// each for a one-per-key consumer, all of them for the others.
    fn take(&mut self) -> Option<Vec<Item>> {
        while let Some(item) = self.alone.pop_front() {
            if !item.is_revoked() {
                return Some(vec![item]);
            }
            self.release(&item.record.key);
        }
        let events_max = match self.batching {
            Batching::OnePerKey => ONE_PER_KEY_EVENTS_MAX,
            Batching::Bulk => BULK_EVENTS_MAX,
            Batching::Mixed => MIXED_EVENTS_MAX,
        };
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < events_max {
            let Some(key) = self.ready.front() else { break };
            let Some(queue) = self.keys.get_mut(key) else {
                self.ready.pop_front();
                continue;
            };
            while queue.events.pop_front_if(|item| item.is_revoked()).is_some() {}
            let next = queue.events.front().map(|item| item.record.bytes());
            let Some(next) =
                next.filter(|_| queue.busy == 0 || self.batching != Batching::OnePerKey)
            else {
                if queue.busy == 0 && queue.events.is_empty() {
                    self.keys.remove(key);
                }
                self.ready.pop_front();
                continue;
            };
            if !batch.is_empty() && bytes + next > BATCH_BYTES_MAX {
                break;
            }
            bytes += next;
            batch.extend(queue.events.pop_front());
            queue.busy += 1;
            if self.batching == Batching::OnePerKey || queue.events.is_empty() {
                self.ready.pop_front();
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// One event of the key is finished: the next may go.
    fn release(&mut self, key: &str) {
        let Some(queue) = self.keys.get_mut(key) else { return };
        queue.busy -= 1;
        if queue.busy > 0 {
            return;
        }
        if queue.events.is_empty() {
            self.keys.remove(key);
        } else {
            self.ready.push_back(key.to_owned());
        }
    }

    /// Puts events of a batch that could not be tried back to the front, in order.
    fn give_back(&mut self, batch: Vec<Item>) {
        for item in batch.into_iter().rev() {
            let key = item.record.key.clone();
            let queue = self.keys.entry(key.clone()).or_default();
            queue.busy = queue.busy.saturating_sub(1);
            queue.events.push_front(item);
            if !self.ready.contains(&key) {
                self.ready.push_front(key);
            }
        }
    }

    fn give_back_alone(&mut self, batch: Vec<Item>) {
        self.alone.extend(batch);
    }

    /// Keeps an event while it waits for its next attempt, and its key with it.
    fn park(&mut self, item: Item) {
        let queue = self.keys.entry(item.record.key.clone()).or_default();
        match queue.parked {
            None => queue.parked = Some(item),
            // A bulk consumer can have several of a key waiting; the later ones go when the first does.
            Some(_) => self.alone.push_back(item),
        }
    }

    fn resume(&mut self, key: &str) {
        if let Some(item) = self.keys.get_mut(key).and_then(|queue| queue.parked.take()) {
            self.alone.push_back(item);
        }
    }
}

#[cfg(test)]
#[path = "consumer_tests.rs"]
mod tests;
