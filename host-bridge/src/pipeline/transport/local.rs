//! The local transport: events go from the outbox to the consumers in this process. The row stays
//! until all consumers of its topics have finished with the event, so a kill -9 loses nothing: after
//! the next start it is delivered again, and effects have natural keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rondo_contract::topic::{TASK_UPDATES, Topic};

use crate::pipeline::consumer::{Finished, Inlet};
use crate::pipeline::record::Record;

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
        // One more than there are readers, so that the last hand-over counts too.
        let left = Arc::new(AtomicUsize::new(readers.len() + 1));
        let finished = Arc::new(std::sync::Mutex::new(Some(finished)));
        let one_less = {
            let (left, finished) = (left.clone(), finished.clone());
            move || {
                if left.fetch_sub(1, Ordering::AcqRel) == 1
                    && let Ok(mut finished) = finished.lock()
                    && let Some(finished) = finished.take()
                {
                    finished();
                }
            }
        };
        for (inlet, topic) in readers {
            let copy = Record { topic, ..record.clone() };
            anyhow::ensure!(
                inlet.put(copy, Box::new(one_less.clone())).await,
                "consumer {} has ended",
                inlet.capability().name
            );
        }
        one_less();
        Ok(())
    }
}
