//! Gauges: what the outbox and the dead letters hold.

use std::time::Duration;

use host_bridge::pipeline::gauge;
use rondo_telemetry::Metrics;
use rondo_testkit::wait::eventually;
use tokio_util::sync::CancellationToken;

use crate::seed::Seed;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn gauges_show_the_outbox_and_the_open_dead_letters() {
    let seed = Seed::new().await;
    seed.run(
        "INSERT INTO outbox (event_id, event_type, user_id, occurred_at, payload)
         SELECT gen_random_uuid(), 'task.created', 1, now() - interval '1 hour', '{}' FROM generate_series(1, 3);
         INSERT INTO dead_letters (event_id, consumer, attempts, error_code, error_message, topic, key, headers,
                                   value, state, created_at, updated_at)
         SELECT gen_random_uuid(), 'audit', 1, 'rejected', 'm', 'task-events', '1', '{}', '{}', state, now(), now()
         FROM (VALUES ('open'), ('open'), ('discarded')) AS x (state)",
    )
    .await;
    let (metrics, shutdown) = (Metrics::new(), CancellationToken::new());
    let polling = tokio::spawn(gauge::run(
        seed.bridge.clone(),
        metrics.clone(),
        Vec::new(),
        shutdown.clone(),
    ));
    eventually("the gauges", SOON, async || {
        let text = metrics.encode();
        let has = |line: &str| text.lines().any(|found| found.starts_with(line));
        let is_there = has("rondo_outbox_rows 3")
            && has("rondo_dead_letters 2")
            && has("rondo_outbox_oldest_age_seconds 36");
        if is_there { Ok(()) } else { Err(text) }
    })
    .await;
    shutdown.cancel();
    polling.await.unwrap();
}
