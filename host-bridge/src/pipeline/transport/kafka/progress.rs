//! Which offsets of the assigned partitions may be stored: those up to the last contiguous acknowledged event.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pipeline::queue::Revoked;

/// Unacknowledged offsets of the assigned partitions.
#[derive(Default)]
pub(super) struct Progress(Mutex<HashMap<(&'static str, i32), Partition>>);

#[derive(Default)]
struct Partition {
    unacknowledged: BTreeSet<i64>,
    /// Highest offset that was polled.
    polled: i64,
    /// Set when the partition is revoked.
    revoked: Revoked,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, HashMap<(&'static str, i32), Partition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, topic: &'static str, partition: i32, offset: i64) -> Revoked {
        let mut partitions = self.lock();
        let partition = partitions.entry((topic, partition)).or_default();
        partition.unacknowledged.insert(offset);
        partition.polled = partition.polled.max(offset);
        partition.revoked.clone()
    }

    /// Drops a revoked partition and the events of it that wait.
    pub(super) fn revoke(&self, topic: &str, partition: i32) {
        self.lock().retain(|(its_topic, its_partition), state| {
            let is_kept = *its_topic != topic || *its_partition != partition;
            state.revoked.fetch_or(!is_kept, Ordering::AcqRel);
            is_kept
        });
    }

    /// Acknowledges an event and returns the highest offset up to which all are, if that has moved. None
    /// for a revoked partition.
    pub(super) fn acknowledge(
        &self,
        topic: &'static str,
        partition: i32,
        offset: i64,
    ) -> Option<i64> {
        let mut partitions = self.lock();
        let partition = partitions.get_mut(&(topic, partition))?;
        if !partition.unacknowledged.remove(&offset) {
            return None;
        }
        let upto = partition.unacknowledged.first().map_or(partition.polled, |first| first - 1);
        // Only the first unacknowledged offset holds the stored one back.
        (upto >= offset).then_some(upto)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_stored_only_when_all_before_it_are_acknowledged() {
        let progress = Progress::default();
        for offset in 5..9 {
            progress.begin("t", 0, offset);
        }
        assert_eq!(progress.acknowledge("t", 0, 6), None);
        assert_eq!(progress.acknowledge("t", 0, 8), None);
        assert_eq!(progress.acknowledge("t", 0, 5), Some(6));
        assert_eq!(progress.acknowledge("t", 0, 5), None, "acknowledged twice");
        assert_eq!(progress.acknowledge("t", 0, 7), Some(8));
        assert_eq!(progress.acknowledge("t", 1, 7), None, "not assigned");
        let revoked = progress.begin("t", 0, 9);
        progress.revoke("t", 1);
        assert!(!revoked.load(Ordering::Acquire));
        progress.revoke("t", 0);
        assert!(revoked.load(Ordering::Acquire));
        assert_eq!(progress.acknowledge("t", 0, 9), None, "revoked");
    }
}
