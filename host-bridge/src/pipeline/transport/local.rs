//! The local transport: events go from the outbox to the consumers in this process. The row stays
//! until all consumers of its topics have finished with the event, so a kill -9 loses nothing: after
//! the next start it is delivered again, and effects have natural keys.

use std::sync::Arc;

use rondo_contract::topic::{TASK_UPDATES, Topic};

use crate::pipeline::consumer::{Finished, Inlet};
use crate::pipeline::record::Record;
use crate::pipeline::transport::Parts;

/// Takes the events of `task-updates` for live sync; never blocks.
pub type Feed = Arc<dyn Fn(&Record) + Send + Sync>;

/// The consumers in this process.
pub struct Local {
    pub inlets: Vec<Inlet>,
    pub feed: Feed,
}

impl Local {
    pub(super) async fn send(
        &self,
        record: &Record,
        topics: &[&'static Topic],
        finished: Finished,
    ) -> anyhow::Result<()> {
        if topics.contains(&&TASK_UPDATES) {
            (self.feed)(record);
        }
        let readers: Vec<(&Inlet, &'static str)> = self
            .inlets
            .iter()
            .filter_map(|inlet| {
                let topic =
                    topics.iter().find(|topic| inlet.capability().topics.contains(topic))?;
                Some((inlet, topic.name))
            })
            .collect();
        // One more than there are readers, so that an event without any is finished too.
        let parts = Parts::new(readers.len() + 1, finished);
        for (inlet, topic) in readers {
            let copy = Record { topic, ..record.clone() };
            let part = parts.clone();
            anyhow::ensure!(
                inlet.put(copy, Box::new(move || part.one_finished()), None).await,
                "consumer {} has ended",
                inlet.capability().name
            );
        }
        parts.one_finished();
        Ok(())
    }
}
