//! The clock: fires due reminders and digests, and starts tasks. Downtime loses none: a reminder stays armed until it
//! fires, a digest stays due until the next one is planned, and a task waits until its start is told. A reminder later
//! than the allowed lateness is recorded as missed instead.

use std::sync::Arc;
use std::time::Duration;

use rondo_database::Database;
use rondo_telemetry::{Metrics, Outage, Part};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{digest, start};

/// Pause between two polls for reminders, in milliseconds.
pub const POLL_MS: u64 = 50;
/// Pause between two polls for digests and starts, in milliseconds.
const PLAN_POLL_MS: u64 = 1_000;
/// Reminders fired per poll, and so per transaction. With the pause between polls this limits the rate to
/// about 450/s: handling a reminder costs much more than firing it, and an unlimited burst would delay
/// requests.
pub const BATCH_MAX: i32 = 25;
/// Pause after a failure of the database, in milliseconds.
const FAILURE_MS: u64 = 500;

const FIRE: &str = include_str!("../sql/reminders_fire.sql");

/// Fires due reminders and digests. Several clocks can run at once: each reminder fires once.
pub struct Clock {
    pub database: Database,
    /// How late a reminder may still fire, and a digest be sent.
    pub lateness_minutes: i32,
    pub metrics: Metrics,
    pub part: Part,
    /// Wakes the relay.
    pub wake: Arc<Notify>,
}

impl Clock {
    /// Runs until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut next_plan_poll = Instant::now();
        let mut outage = Outage::new("cannot fire reminders");
        loop {
            let pause_ms = match self.poll(&mut next_plan_poll).await {
                Ok(()) => {
                    outage.ended();
                    POLL_MS
                }
                Err(error) => {
                    outage.failed(format_args!("{error:#}"));
                    let reason = "cannot fire reminders: see the log";
                    self.part.not_ready(reason);
                    FAILURE_MS
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
            }
        }
    }

    async fn poll(&self, next_plan_poll: &mut Instant) -> anyhow::Result<()> {
        let firing = fire(&self.database, self.lateness_minutes).await?;
        if firing.missed > 0 {
            tracing::warn!(missed = firing.missed, "reminders missed: due too long ago");
        }
        self.metrics.reminders_missed.inc_by(firing.missed.unsigned_abs());
        for lateness_s in &firing.lateness_s {
            let lateness = Duration::try_from_secs_f64(*lateness_s).unwrap_or_default();
            self.metrics.reminder_fired(lateness);
        }
        let mut emitted = firing.fired;
        if *next_plan_poll <= Instant::now() {
            let digests = digest::advance(&self.database, self.lateness_minutes).await?;
            let starts = start::advance(&self.database).await?;
            emitted += digests.emitted + starts.emitted;
            // A full batch: there may be more.
            if !digests.is_full && !starts.is_full {
                *next_plan_poll = Instant::now() + Duration::from_millis(PLAN_POLL_MS);
            }
        }
        self.part.ready();
        if emitted > 0 {
            tracing::debug!(emitted, "reminders, digests and starts fired");
            self.wake.notify_one();
        }
        Ok(())
    }
}

/// The result of one poll.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Firing {
    pub fired: i64,
    /// Reminders that were due too long ago.
    pub missed: i64,
    /// How long those that fired had been due, in seconds. While several clocks take reminders at once, one
    /// may report another's.
    pub lateness_s: Vec<f64>,
}

/// Fires due reminders, at most [`BATCH_MAX`].
///
/// # Errors
/// When the database fails.
pub async fn fire(database: &Database, lateness_minutes: i32) -> anyhow::Result<Firing> {
    Ok(database.one(sqlx::query_as(FIRE).bind(BATCH_MAX).bind(lateness_minutes)).await?)
}
