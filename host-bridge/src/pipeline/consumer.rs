//! One consumer: delivers events to its capability, in order within a key and in parallel across keys.
//! Its retry rules:
//!
//! - Not counted: nothing could be tried (no connection, no database). The consumer pauses with
//!   exponential backoff and retries without limit.
//! - Counted per event: the capability asks for a retry, or fails. At most [`ATTEMPTS_MAX`] attempts with
//!   exponential backoff and jitter; the event's key waits.
//! - After the last attempt, or at once when the capability rejects it: a dead letter.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng as _;
use rondo_contract::capability::{Batching, Capability};
use rondo_contract::cloud_event::Disposition;
use rondo_telemetry::{LineLimit, Metrics};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::dead_letter::{DeadLetters, Failure};
use super::delivery::{Delivery, DeliveryError};
use super::health::PipelineHealth;
use super::queue::{ConsumerQueue, Item};
use super::trace::Processing;

/// Attempts of an event before it becomes a dead letter.
pub const ATTEMPTS_MAX: u32 = 5;
/// First delay after a counted failure, in milliseconds. It doubles, so all attempts fit in 30 s.
const RETRY_MS_MIN: u64 = 1_000;
/// First and longest pause of a consumer whose capability is unavailable, in milliseconds.
const PAUSE_MS_MIN: u64 = 50;
const PAUSE_MS_MAX: u64 = 1_000;
/// From this pause on, in milliseconds, readiness reports the consumer as blocked.
const PAUSE_MS_BLOCKED: u64 = 800;
/// Events of one batch, by kind of batching, and their size in bytes.
const BULK_EVENTS_MAX: usize = 1_000;
const MIXED_EVENTS_MAX: usize = 250;
const ONE_PER_KEY_EVENTS_MAX: usize = 32;
const BATCH_BYTES_MAX: usize = 768 << 10;
/// Batches in flight, by kind of batching.
const BULK_BATCHES_MAX: usize = 2;
const MIXED_BATCHES_MAX: usize = 4;
const ONE_PER_KEY_BATCHES_MAX: usize = 8;

/// If a capability fails, every event does.
static BATCH_LINES: LineLimit = LineLimit::new();
static RETRY_LINES: LineLimit = LineLimit::new();

/// The result of a delivery.
type Delivered = Result<Vec<Disposition>, DeliveryError>;

/// The parts of a consumer.
pub struct Consumer {
    pub capability: &'static Capability,
    pub delivery: Delivery,
    pub dead_letters: DeadLetters,
    pub metrics: Metrics,
    pub health: Arc<PipelineHealth>,
}

impl Consumer {
    /// Starts the consumer, which runs until `shutdown`. Unacknowledged events are delivered again after
    /// the next start.
    #[must_use]
    pub fn start(self, tasks: &mut JoinSet<()>, shutdown: CancellationToken) -> ConsumerQueue {
        let (queue, receiver) = ConsumerQueue::new(self.capability);
        tasks.spawn(self.run(receiver, shutdown));
        queue
    }

    async fn run(self, mut receiver: mpsc::UnboundedReceiver<Item>, shutdown: CancellationToken) {
        let mut backlog = Backlog::new(self.capability.batching);
        let mut batches: JoinSet<(Vec<Item>, Delivered)> = JoinSet::new();
        let mut waits: JoinSet<String> = JoinSet::new();
        let mut pause_ms = PAUSE_MS_MIN;
        let mut paused_until: Option<tokio::time::Instant> = None;
        let mut paused_since: Option<Instant> = None;
        loop {
            while paused_until.is_none() && batches.len() < backlog.batches_max() {
                let Some(batch) = backlog.next_batch() else { break };
                let (delivery, name) = (self.delivery.clone(), self.capability.name);
                batches.spawn(async move {
                    let mut events: Vec<_> =
                        batch.iter().map(|item| item.record.event.clone()).collect();
                    let spans = Processing::begin(name, &batch, &mut events);
                    let result = delivery.deliver(name, events).await;
                    spans.end(&result);
                    (batch, result)
                });
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(item) = receiver.recv() => {
                    backlog.push(item);
                    // Whatever else is queued may go into the same batch.
                    while let Ok(item) = receiver.try_recv() {
                        backlog.push(item);
                    }
                }
                Some(Ok(key)) = waits.join_next() => backlog.resume(&key),
                Some(joined) = batches.join_next() => {
                    let Ok((batch, result)) = joined else { continue };
                    match result {
                        Err(DeliveryError::Unavailable(reason)) => {
                            if paused_since.is_none() {
                                paused_since = Some(Instant::now());
                                tracing::warn!(consumer = self.capability.name, reason, "consumer pauses: nothing can be tried");
                            } else {
                                tracing::debug!(consumer = self.capability.name, reason, pause_ms, "consumer still pauses");
                            }
                            self.metrics.consumer_paused(self.capability.name);
                            if pause_ms >= PAUSE_MS_BLOCKED {
                                self.health.set_blocked(self.capability.name, blocked(&reason));
                            }
                            backlog.requeue(batch);
                            let jitter = rand::rng().random_range(0..=pause_ms / 4);
                            paused_until = Some(tokio::time::Instant::now() + Duration::from_millis(pause_ms + jitter));
                            pause_ms = (pause_ms * 2).min(PAUSE_MS_MAX);
                        }
                        result => {
                            pause_ms = PAUSE_MS_MIN;
                            if let Some(since) = paused_since.take() {
                                let paused_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                                tracing::info!(consumer = self.capability.name, paused_ms, "consumer goes on");
                            }
                            self.health.set_ready(self.capability.name);
                            self.settle(batch, result, &mut backlog, &mut waits).await;
                        }
                    }
                }
                () = async { tokio::time::sleep_until(paused_until.unwrap_or_else(tokio::time::Instant::now)).await },
                    if paused_until.is_some() => paused_until = None,
            }
        }
    }

    /// Acknowledges, retries or dead-letters each event of a batch.
    async fn settle(
        &self,
        batch: Vec<Item>,
        result: Result<Vec<Disposition>, DeliveryError>,
        backlog: &mut Backlog,
        waits: &mut JoinSet<String>,
    ) {
        let dispositions = match result {
            Ok(dispositions) => dispositions,
            Err(error) if batch.len() > 1 => {
                // One event may have failed the whole batch: each is tried alone before it counts.
                if let Some(suppressed) = BATCH_LINES.line() {
                    tracing::warn!(consumer = self.capability.name, %error, events = batch.len(), suppressed, "batch failed; delivering its events one by one");
                }
                backlog.isolate(batch);
                return;
            }
            Err(error) => vec![Disposition::Retry { reason: error.to_string() }; batch.len()],
        };
        for (mut item, disposition) in batch.into_iter().zip(dispositions) {
            match disposition {
                Disposition::Done => self.finish(item, backlog),
                Disposition::Retry { reason } => {
                    item.attempts += 1;
                    self.metrics.event_retried(self.capability.name, item.record.type_label());
                    if item.attempts >= ATTEMPTS_MAX {
                        self.dead_letter(item, "attempts_exhausted", reason, backlog).await;
                        continue;
                    }
                    let wait_ms = RETRY_MS_MIN << (item.attempts - 1);
                    let wait_ms = wait_ms / 2 + rand::rng().random_range(0..=wait_ms / 2);
                    if let Some(suppressed) = RETRY_LINES.line() {
                        tracing::warn!(
                            consumer = self.capability.name,
                            event_id = item.record.event.id,
                            trace_id = item.record.trace_id(),
                            attempt = item.attempts,
                            reason,
                            wait_ms,
                            suppressed,
                            "event will be retried"
                        );
                    }
                    let key = item.record.key.clone();
                    backlog.park(item);
                    waits.spawn(async move {
                        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                        key
                    });
                }
                Disposition::Reject { reason } => {
                    item.attempts += 1;
                    self.dead_letter(item, "rejected", reason, backlog).await;
                }
            }
        }
    }

    async fn dead_letter(&self, item: Item, code: &str, reason: String, backlog: &mut Backlog) {
        tracing::error!(
            consumer = self.capability.name,
            event_id = item.record.event.id,
            event_type = item.record.event.event_type,
            trace_id = item.record.trace_id(),
            attempts = item.attempts,
            code,
            reason,
            "event moved to the dead letters"
        );
        let failure = Failure {
            consumer: self.capability.name.to_owned(),
            attempts: item.attempts,
            code: code.to_owned(),
            message: reason,
        };
        // Retried until it is recorded, so that no event is lost.
        self.dead_letters.record(&item.record, &failure).await;
        self.metrics.event_dead_lettered(self.capability.name, item.record.type_label());
        self.finish(item, backlog);
    }

    fn finish(&self, mut item: Item, backlog: &mut Backlog) {
        if let Some(ack) = item.ack.take() {
            ack();
        }
        let record = &item.record;
        let (event_type, trace) = (record.type_label(), record.trace());
        self.metrics.event_finished(self.capability.name, event_type, record.age(), trace);
        tracing::debug!(
            consumer = self.capability.name,
            event_id = item.record.event.id,
            trace_id = item.record.trace_id(),
            "event acknowledged"
        );
        backlog.release(&item.record.key);
    }
}

/// The readiness reason of a blocked consumer. Text after a colon can hold addresses, so only the log
/// has it.
fn blocked(reason: &str) -> String {
    let what = reason.split(": ").next().unwrap_or_default();
    format!("cannot handle events ({what}); the other consumers may have to wait too; see the log")
}

/// Events that wait, by key.
struct Backlog {
    batching: Batching,
    keys: HashMap<String, KeyQueue>,
    /// Keys with a deliverable event, in the order in which they became ready.
    ready: VecDeque<String>,
    /// Events to be delivered alone, because a batch with them failed.
    isolated: VecDeque<Item>,
}

#[derive(Default)]
struct KeyQueue {
    events: VecDeque<Item>,
    /// Events in flight or parked. While there are any, a one-per-key consumer sends no other.
    busy: usize,
    parked: Option<Item>,
}

impl Backlog {
    fn new(batching: Batching) -> Self {
        Self { batching, keys: HashMap::new(), ready: VecDeque::new(), isolated: VecDeque::new() }
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

    /// The next batch, bounded in events and bytes, in order within a key: one event of each key for a
    /// one-per-key consumer, any number for the others.
    fn next_batch(&mut self) -> Option<Vec<Item>> {
        while let Some(item) = self.isolated.pop_front() {
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

    /// One event of the key is done; the next may follow.
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

    /// Puts the events of an untried batch back to the front, in order.
    fn requeue(&mut self, batch: Vec<Item>) {
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

    fn isolate(&mut self, batch: Vec<Item>) {
        self.isolated.extend(batch);
    }

    /// Holds an event, and its key, until the next attempt.
    fn park(&mut self, item: Item) {
        let queue = self.keys.entry(item.record.key.clone()).or_default();
        match queue.parked {
            None => queue.parked = Some(item),
            // A bulk consumer can have several events of a key waiting; the later ones go with the first.
            Some(_) => self.isolated.push_back(item),
        }
    }

    fn resume(&mut self, key: &str) {
        if let Some(item) = self.keys.get_mut(key).and_then(|queue| queue.parked.take()) {
            self.isolated.push_back(item);
        }
    }
}

#[cfg(test)]
#[path = "consumer_tests.rs"]
mod tests;
