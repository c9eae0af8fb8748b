//! The local transport: events go from the outbox to the consumers in this process. An outbox row stays
//! until every consumer of its topics has acknowledged the event, so a kill -9 loses nothing: the event
//! is delivered again after the next start, and natural keys make its effects idempotent.

use std::sync::Arc;

use rondo_contract::topic::{TASK_UPDATES, Topic};
use rondo_telemetry::Span;

use crate::pipeline::queue::{Ack, AckCounter, ConsumerQueue};
use crate::pipeline::record::Record;
use crate::pipeline::trace;

/// Receives the events of `task-updates` for live sync, with the `traceparent` of each; never blocks.
pub type Feed = Arc<dyn Fn(&Record, Option<&str>) + Send + Sync>;

/// The consumers in this process.
pub struct Local {
    pub queues: Vec<ConsumerQueue>,
    pub feed: Feed,
}

impl Local {
    pub(super) async fn send(
        &self,
        record: &Record,
        topics: &[&'static Topic],
        ack: Ack,
    ) -> anyhow::Result<()> {
        let spans = trace::sending(record, topics, trace::LOCAL);
        let sent = |place: usize| spans.get(place).map(Span::traceparent);
        if let Some(place) = topics.iter().position(|topic| *topic == &TASK_UPDATES) {
            let sent = sent(place);
            (self.feed)(record, sent.as_deref().or(record.event.traceparent.as_deref()));
        }
        let readers: Vec<(&ConsumerQueue, usize)> = self
            .queues
            .iter()
            .filter_map(|queue| {
                let is_read = |topic: &&Topic| queue.capability().topics.contains(topic);
                Some((queue, topics.iter().position(is_read)?))
            })
            .collect();
        // One more than there are readers, so that an event without a reader is acknowledged too.
        let acks = AckCounter::new(readers.len() + 1, ack);
        for (queue, place) in readers {
            let mut copy = record.clone();
            copy.event.topic = topics[place].name.to_owned();
            if let Some(sent) = sent(place) {
                copy.event.traceparent = Some(sent);
            }
            let reader = acks.clone();
            anyhow::ensure!(
                queue.push(copy, Box::new(move || reader.ack_one()), None).await,
                "consumer {} has stopped",
                queue.capability().name
            );
        }
        acks.ack_one();
        Ok(())
    }
}
