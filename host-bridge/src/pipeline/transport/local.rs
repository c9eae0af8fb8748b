//! The local transport: events go from the outbox to the consumers in this process. An outbox row stays
//! until every consumer of its topics has acknowledged the event, so a kill -9 loses nothing: the event
//! is delivered again after the next start, and natural keys make its effects idempotent.

use std::sync::Arc;

use rondo_contract::topic::{TASK_UPDATES, Topic};

use crate::pipeline::queue::{Ack, AckCounter, ConsumerQueue};
use crate::pipeline::record::Record;

/// Receives the events of `task-updates` for live sync; never blocks.
pub type Feed = Arc<dyn Fn(&Record) + Send + Sync>;

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
        if topics.contains(&&TASK_UPDATES) {
            (self.feed)(record);
        }
        let readers: Vec<(&ConsumerQueue, &'static str)> = self
            .queues
            .iter()
            .filter_map(|queue| {
                let topic =
                    topics.iter().find(|topic| queue.capability().topics.contains(topic))?;
                Some((queue, topic.name))
            })
            .collect();
        // One more than there are readers, so that an event without a reader is acknowledged too.
        let acks = AckCounter::new(readers.len() + 1, ack);
        for (queue, topic) in readers {
            let mut copy = record.clone();
            copy.event.topic = topic.to_owned();
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
