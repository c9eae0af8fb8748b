//! Leased work: rows of a queue in Postgres, claimed for a lease, run, and settled.
//!
//! At least once: when the process dies, or an outcome cannot be recorded, the lease expires and the item
//! is claimed again.

use std::sync::Arc;
use std::time::Duration;

use rondo_telemetry::{Metrics, Outage, Part, Span};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// How long a claim lasts, in milliseconds.
pub const LEASE_MS: i64 = 60_000;
/// Part of a lease that is left to record the outcome, in milliseconds.
const SETTLE_MS_MAX: u64 = 20_000;
/// Pause between two polls, in milliseconds.
const POLL_MS: u64 = 100;
/// Pause after a failed poll, in milliseconds.
const FAILURE_MS: u64 = 500;
/// How long items may still run after shutdown, in seconds.
const DRAIN_S_MAX: u64 = 5;

/// One kind of leased work.
pub trait Job: Send + Sync + 'static {
    type Item: Send + Sync + 'static;
    type Outcome: Send;

    /// What the items are, in the plural, for metrics.
    const LABEL: &'static str;
    /// That none can be claimed, for logs and readiness.
    const CANNOT_CLAIM: &'static str;
    /// Items that run at once.
    const SLOTS: usize;
    /// How long one item may run, in milliseconds.
    const RUN_MS_MAX: u64;

    /// Claims at most `slots` items for [`LEASE_MS`].
    ///
    /// # Errors
    /// When the database fails.
    fn claim(&self, slots: usize) -> impl Future<Output = anyhow::Result<Vec<Self::Item>>> + Send;

    /// The span of everything that is logged about an item.
    fn span(item: &Self::Item) -> tracing::Span;

    /// The span of one run in the trace of the request that caused the item, if that is recorded.
    fn trace(item: &Self::Item) -> Option<Span>;

    /// Runs an item.
    fn run(
        &self,
        item: &Self::Item,
        span: Option<&Span>,
    ) -> impl Future<Output = Self::Outcome> + Send;

    /// Records the outcome; none of a run that exceeded [`Job::RUN_MS_MAX`].
    ///
    /// # Errors
    /// When the database fails.
    fn settle(
        &self,
        item: &Self::Item,
        outcome: Option<Self::Outcome>,
        span: Option<&mut Span>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Works until `shutdown`, then for at most [`DRAIN_S_MAX`] on what is running.
pub async fn work<J: Job>(job: J, part: Part, metrics: Metrics, shutdown: CancellationToken) {
    const { assert!(J::RUN_MS_MAX + SETTLE_MS_MAX < LEASE_MS.unsigned_abs()) }
    let job = Arc::new(job);
    let mut running = JoinSet::new();
    let mut outage = Outage::new(J::CANNOT_CLAIM);
    loop {
        while running.try_join_next().is_some() {}
        metrics.job(J::LABEL, running.len(), J::SLOTS);
        let pause_ms = match claim(&*job, J::SLOTS - running.len()).await {
            Ok(items) => {
                outage.ended();
                part.ready();
                for item in items {
                    let span = J::span(&item);
                    running.spawn(complete(job.clone(), item).instrument(span));
                }
                POLL_MS
            }
            Err(error) => {
                outage.failed(format_args!("{error:#}"));
                part.not_ready(format!("{}: see the log", J::CANNOT_CLAIM));
                FAILURE_MS
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
            // A freed slot is filled at once.
            Some(_) = running.join_next() => {}
        }
    }
    let drained = async { while running.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_secs(DRAIN_S_MAX), drained).await;
}

async fn claim<J: Job>(job: &J, slots: usize) -> anyhow::Result<Vec<J::Item>> {
    if slots == 0 { Ok(Vec::new()) } else { job.claim(slots).await }
}

async fn complete<J: Job>(job: Arc<J>, item: J::Item) {
    let limit = Duration::from_millis(J::RUN_MS_MAX);
    let mut span = J::trace(&item);
    let outcome = tokio::time::timeout(limit, job.run(&item, span.as_ref())).await.ok();
    if let Err(error) = job.settle(&item, outcome, span.as_mut()).await {
        tracing::error!(
            error = format!("{error:#}"),
            "cannot record the outcome; the item will run again when its lease expires"
        );
    }
}
