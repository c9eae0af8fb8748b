//! Figures that have to be looked for: how much waits in the outbox and at the consumers, the open
//! dead letters.

use std::time::Duration;

use rondo_database::Pool;
use rondo_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use super::consumer::{Inlet, WINDOW_EVENTS_MAX};

/// Time between two looks, in seconds.
const LOOK_S: u64 = 3;

const DEPTH: &str = include_str!("../../sql/outbox_depth.sql");
const OPEN: &str = include_str!("../../sql/dead_letter_open.sql");

/// Looks every few seconds until `shutdown`. `inlets` are those whose queue is all that waits for
/// their consumer: on Kafka what waits is on the broker, and the client tells how much.
pub async fn run(pool: Pool, metrics: Metrics, inlets: Vec<Inlet>, shutdown: CancellationToken) {
    loop {
        for inlet in &inlets {
            let waiting = WINDOW_EVENTS_MAX.saturating_sub(inlet.room());
            metrics.consumer_lag(inlet.capability().name, waiting.try_into().unwrap_or(i64::MAX));
        }
        if let Err(error) = look(&pool, &metrics).await {
            tracing::debug!(error = format!("{error:#}"), "cannot look at the outbox");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(LOOK_S)) => {}
        }
    }
}

async fn look(pool: &Pool, metrics: &Metrics) -> anyhow::Result<()> {
    let client = pool.get().await?;
    let row = client.query_one(&client.prepare_cached(DEPTH).await?, &[]).await?;
    metrics.outbox_rows.set(row.get("depth"));
    let age_ms: i64 = row.get("age_ms");
    metrics
        .outbox_oldest_age
        .set(Duration::from_millis(age_ms.max(0).unsigned_abs()).as_secs_f64());
    let row = client.query_one(&client.prepare_cached(OPEN).await?, &[]).await?;
    metrics.dead_letters.set(row.get(0));
    Ok(())
}
