//! The permission to use an instance.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use rondo_telemetry::Metrics;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::{EVENT_INSTANCES_MIN, INSTANCES_MAX};

/// Maximum number of requests that wait for an instance; beyond that, 503.
pub const WAITING_REQUESTS_MAX: usize = 4096;
/// How long a call waits for a free instance, in seconds.
pub const INSTANCE_WAIT_S_MAX: u64 = 5;
/// Maximum number of instances for requests.
pub const REQUEST_INSTANCES_MAX: usize = (INSTANCES_MAX - EVENT_INSTANCES_MIN) as usize;

/// The instances that may be used.
pub(crate) struct Instances {
    all: Arc<Semaphore>,
    /// The part of them that requests may have.
    requests: Arc<Semaphore>,
    waiting: Semaphore,
    /// Set once somebody watches.
    pub(crate) metrics: Arc<OnceLock<Metrics>>,
}

/// How one component uses them.
pub(crate) struct Usage {
    /// Only if the manifest limits them.
    instances: Option<Arc<Semaphore>>,
    /// Instances at work.
    busy: Arc<AtomicUsize>,
    /// Calls that wait for an instance.
    waiting: Arc<AtomicUsize>,
}

/// The permission to use an instance.
pub(crate) struct Permit {
    _held: [Option<OwnedSemaphorePermit>; 3],
    _busy: Counted,
}

/// Counts for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Usage {
    pub(crate) fn new(instances_max: Option<NonZeroU32>) -> Self {
        let instances = instances_max.map(|count| Arc::new(Semaphore::new(count.get() as usize)));
        Self { instances, busy: Arc::default(), waiting: Arc::default() }
    }

    /// Instances at work, and calls that wait for one.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.busy.load(Ordering::Relaxed), self.waiting.load(Ordering::Relaxed))
    }
}

impl Instances {
    pub(crate) fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(INSTANCES_MAX as usize)),
            requests: Arc::new(Semaphore::new(REQUEST_INSTANCES_MAX)),
            waiting: Semaphore::new(WAITING_REQUESTS_MAX),
            metrics: Arc::default(),
        }
    }

    /// Waits for the permission to use an instance; none if too many are busy for too long.
    pub(crate) async fn any(&self, of: &Usage) -> Option<Permit> {
        self.permit_in_time(of, None).await
    }

    /// The same for a request, which leaves some instances to events.
    pub(crate) async fn for_request(&self, of: &Usage) -> Option<Permit> {
        let _waiting = self.waiting.try_acquire().ok()?;
        self.permit_in_time(of, Some(&self.requests)).await
    }

    async fn permit_in_time(&self, of: &Usage, also: Option<&Arc<Semaphore>>) -> Option<Permit> {
        if let Some(permit) = self.permit(of, also).now_or_never() {
            return permit;
        }
        let _waiting = Counted::new(&of.waiting);
        let begun = Instant::now();
        let limit = Duration::from_secs(INSTANCE_WAIT_S_MAX);
        let permit = tokio::time::timeout(limit, self.permit(of, also)).await;
        if let Some(metrics) = self.metrics.get() {
            metrics.instance_waited(begun.elapsed());
        }
        permit.ok().flatten()
    }

    async fn permit(&self, of: &Usage, also: Option<&Arc<Semaphore>>) -> Option<Permit> {
        // The component's own limit first, so that waiting for it keeps no other component from running.
        let own = acquire(of.instances.as_ref()).await?;
        let request = acquire(also).await?;
        let any = acquire(Some(&self.all)).await?;
        Some(Permit { _held: [own, request, any], _busy: Counted::new(&of.busy) })
    }
}

/// None for no limit; otherwise waits for a permit.
async fn acquire(permits: Option<&Arc<Semaphore>>) -> Option<Option<OwnedSemaphorePermit>> {
    let Some(permits) = permits else { return Some(None) };
    match permits.clone().try_acquire_owned() {
        Ok(permit) => Some(Some(permit)),
        Err(_) => permits.clone().acquire_owned().await.ok().map(Some),
    }
}
