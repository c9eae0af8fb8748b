//! The clock: fires reminders that are due. What came due while nobody looked is found by the next
//! look, because a reminder stays armed until it has fired.

use std::sync::Arc;
use std::time::Duration;

use rondo_database::Pool;
use rondo_telemetry::{Metrics, Part};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Pause between two looks, in milliseconds.
pub const LOOK_MS: u64 = 50;
/// Reminders fired in one transaction.
pub const BATCH_MAX: i32 = 500;
/// Pause after a failure of the database, in milliseconds.
const FAILURE_MS: u64 = 1_000;

const FIRE: &str = include_str!("../sql/reminders_fire.sql");

/// Runs until `shutdown`. Several clocks may run beside each other; none fires what another has.
pub async fn run(
    pool: Pool,
    metrics: Metrics,
    part: Part,
    wake: Arc<Notify>,
    shutdown: CancellationToken,
) {
    loop {
        let pause_ms = match fire(&pool).await {
            Ok(fired) => {
                part.ready();
                if fired > 0 {
                    tracing::debug!(fired, "reminders came due");
                    metrics.reminders_fired.inc_by(fired.unsigned_abs());
                    wake.notify_one();
                }
                // A full batch: there may be more.
                if fired >= i64::from(BATCH_MAX) { 0 } else { LOOK_MS }
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "reminders cannot be fired now");
                part.not_ready("reminders cannot be fired: see what the log says of the database");
                FAILURE_MS
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
        }
    }
}

/// Fires what is due, at most [`BATCH_MAX`] reminders, and tells how many.
///
/// # Errors
/// When the database fails.
pub async fn fire(pool: &Pool) -> anyhow::Result<i64> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(FIRE).await?;
    Ok(client.query_one(&statement, &[&BATCH_MAX]).await?.get(0))
}
