//! Gauges: what the outbox and the dead letters hold.

use std::time::Duration;

use host_bridge::pipeline::gauge::{self, Lag};
use rondo_telemetry::{Format, Metrics, Program};
use rondo_testkit::wait::eventually;
use tokio_util::sync::CancellationToken;

use crate::seed::Seed;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn gauges_show_the_outbox_the_open_dead_letters_and_the_due_reminders() {
    let seed = Seed::new().await;
    let (user, task) = (seed.user_id, seed.task_id);
    seed.run(&format!(
        "INSERT INTO reminders (user_id, task_id, kind, remind_at, state, created_at)
         SELECT {user}, {task}, 'further', now() - interval '1 hour' * n, 'armed', now() FROM generate_series(-1, 2) n",
    ))
    .await;
    seed.run(
        "INSERT INTO outbox (event_id, event_type, user_id, occurred_at, payload)
         SELECT gen_random_uuid(), 'task.created', 1, now() - interval '1 hour', '{}' FROM generate_series(1, 3);
         INSERT INTO dead_letters (event_id, consumer, attempts, error_code, error_message, topic, key, headers,
                                   value, state, created_at, updated_at)
         SELECT gen_random_uuid(), 'audit', 1, 'rejected', 'm', 'task-events', '1', '{}', '{}', state, now(), now()
         FROM (VALUES ('open'), ('open'), ('discarded')) AS x (state)",
    )
    .await;
    let (metrics, shutdown) = (Metrics::new(Program::Bridge), CancellationToken::new());
    let polling = tokio::spawn(gauge::run(
        seed.bridge.clone(),
        metrics.clone(),
        Vec::new(),
        Lag::InProcess,
        shutdown.clone(),
    ));
    eventually("the gauges", SOON, async || {
        let text = metrics.encode(Format::Prometheus);
        let has = |line: &str| text.lines().any(|found| found.starts_with(line));
        let is_there = has("rondo_outbox_rows 3")
            && has("rondo_dead_letters 2")
            && has("rondo_reminders_due 3")
            && has("rondo_outbox_oldest_age_seconds 36");
        if is_there { Ok(()) } else { Err(text) }
    })
    .await;
    shutdown.cancel();
    polling.await.unwrap();
}
