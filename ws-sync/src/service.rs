//! The state that all sessions share.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rondo_contract::token::check::Keys;
use rondo_telemetry::{Metrics, Program};

use crate::close::CloseReason;
use crate::hub::{CONNECTIONS_MAX, Hub};
use crate::store::Store;

/// Reasons that count as refusals: an invalid token, or too many sessions.
pub(crate) const REFUSALS: [CloseReason; 2] =
    [CloseReason::Unauthenticated, CloseReason::TooManyConnections];
/// How a session ends that nobody closed.
pub(crate) const LEFT: &str = "left";
/// The kind of these connections in the metrics.
pub(crate) const WEBSOCKET: &str = "websocket";

/// The sync service; clones share it.
#[derive(Clone)]
pub struct SyncService(Arc<Parts>);

struct Parts {
    hub: Arc<Hub>,
    store: Store,
    keys: Keys,
    metrics: Metrics,
}

impl SyncService {
    /// A service that accepts no session until a feed opens its hub.
    #[must_use]
    pub fn new(store: Store, keys: impl Into<Keys>) -> Self {
        Self::with_metrics(store, keys, Metrics::new(Program::Sync))
    }

    /// The same, with metrics: open connections as `websocket`, and the use of its pool.
    #[must_use]
    pub fn with_metrics(store: Store, keys: impl Into<Keys>, metrics: Metrics) -> Self {
        metrics.announce_connections(WEBSOCKET, CONNECTIONS_MAX);
        for ended in CloseReason::ALL.map(CloseReason::as_str).into_iter().chain([LEFT]) {
            metrics.sync_sessions_ended.begin([ended]);
        }
        metrics.announce_refusals(&REFUSALS.map(|reason| (reason.code(), reason.as_str())));
        metrics.watch_pool("sync", store.pool_use());
        let (hub, keys) = (Arc::<Hub>::default(), keys.into());
        let queued = hub.queued_bytes().clone();
        metrics.watch("sync queues", move |metrics| {
            let bytes = queued.load(Ordering::Relaxed);
            metrics.sync_queue_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        });
        Self(Arc::new(Parts { hub, store, keys, metrics }))
    }

    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }
}
