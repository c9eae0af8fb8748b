//! Gauges that are polled: the outbox's depth and age, what the consumers hold, the open dead letters, the due
//! reminders.

use std::time::Duration;

use rondo_database::Database;
use rondo_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use super::queue::{ConsumerQueue, WINDOW_EVENTS_MAX};

/// Interval between two polls, in seconds.
const POLL_S: u64 = 3;

const DEPTH: &str = include_str!("../../sql/outbox_depth.sql");
const DUE: &str = include_str!("../../sql/reminders_due.sql");
const OPEN: &str = include_str!("../../sql/dead_letter_open.sql");

/// Where the events are that a consumer has yet to finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// All in its queue.
    InProcess,
    /// The rest is on the broker, and the client reports their number.
    OnBroker,
}

/// Polls until `shutdown`.
pub async fn run(
    database: Database,
    metrics: Metrics,
    queues: Vec<ConsumerQueue>,
    lag: Lag,
    shutdown: CancellationToken,
) {
    loop {
        for queue in &queues {
            let held = WINDOW_EVENTS_MAX.saturating_sub(queue.free_slots());
            let consumer = queue.capability().name;
            metrics.consumer_window(consumer, held, WINDOW_EVENTS_MAX);
            if lag == Lag::InProcess {
                metrics.consumer_lag(consumer, held.try_into().unwrap_or(i64::MAX));
            }
        }
        if let Err(error) = poll(&database, &metrics).await {
            tracing::debug!(error = format!("{error:#}"), "cannot poll the outbox");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(POLL_S)) => {}
        }
    }
}

async fn poll(database: &Database, metrics: &Metrics) -> anyhow::Result<()> {
    let (depth, age_ms): (i64, i64) = database.one(sqlx::query_as(DEPTH)).await?;
    metrics.outbox_rows.set(depth);
    let age = Duration::from_millis(age_ms.max(0).unsigned_abs());
    metrics.outbox_oldest_age.set(age.as_secs_f64());
    let (open,) = database.one(sqlx::query_as(OPEN)).await?;
    metrics.dead_letters.set(open);
    let (due,) = database.one(sqlx::query_as(DUE)).await?;
    metrics.reminders_due.set(due);
    Ok(())
}
