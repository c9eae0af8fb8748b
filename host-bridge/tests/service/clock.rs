//! The clock: each reminder once, however many clocks there are, in bounded batches.

use std::sync::Arc;
use std::time::Duration;

use host_bridge::clock::{self, Clock, Firing};
use rondo_telemetry::{Format, Metrics, Program, Readiness};
use rondo_testkit::wait::eventually;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::seed::Seed;

/// More than two batches.
const DUE: i64 = 1_100;
/// How late a reminder may fire.
const LATENESS_MINUTES: i32 = 60;
const SOON: Duration = Duration::from_secs(20);

/// Reminders that are due, and one that is not.
async fn armed(seed: &Seed) {
    let (user, task) = (seed.user_id, seed.task_id);
    seed.run(&format!(
        "INSERT INTO reminders (user_id, task_id, kind, remind_at, state, armed_at, traceparent, created_at)
         SELECT {user}, {task}, 'further', now() - interval '1 minute', 'armed', now() - interval '1 hour',
                '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', now()
         FROM generate_series(1, {DUE});
         INSERT INTO reminders (user_id, task_id, kind, remind_at, state, created_at)
         VALUES ({user}, {task}, 'further', now() + interval '1 hour', 'armed', now())"
    ))
    .await;
}

/// Fires until nothing is due; gives the sizes of the batches.
async fn fire_all(seed: &Seed) -> Vec<i64> {
    let mut batches = Vec::new();
    loop {
        match clock::fire(&seed.bridge, LATENESS_MINUTES).await.unwrap().fired {
            0 => return batches,
            fired => batches.push(fired),
        }
    }
}

async fn assert_each_fired_once(seed: &Seed) {
    let count = DUE.to_string();
    for query in [
        "SELECT count(*) FROM outbox WHERE event_type = 'reminder.due'",
        "SELECT count(DISTINCT payload::json ->> 'reminder_id') FROM outbox",
        "SELECT count(*) FROM reminders WHERE state = 'fired' AND firing = 1",
        "SELECT count(*) FROM outbox WHERE traceparent LIKE '00-0af7651916cd43dd8448eb211c80319c-%'",
    ] {
        assert_eq!(seed.text(query).await, count, "{query}");
    }
    assert_eq!(seed.text("SELECT count(*) FROM reminders WHERE state = 'armed'").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clocks_at_once_fire_each_reminder_once_in_bounded_batches() {
    let seed = Seed::new().await;
    armed(&seed).await;
    let (one, other) = tokio::join!(fire_all(&seed), fire_all(&seed));
    assert!(one.iter().chain(&other).all(|&fired| fired <= clock::BATCH_MAX.into()));
    assert_eq!(one.iter().chain(&other).sum::<i64>(), DUE, "{one:?} {other:?}");
    assert_each_fired_once(&seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_clock_finds_what_came_due_while_there_was_none() {
    let seed = Seed::new().await;
    armed(&seed).await;
    let (metrics, readiness, wake) =
        (Metrics::new(Program::Bridge), Readiness::new(), Arc::new(Notify::new()));
    let (shutdown, part) = (CancellationToken::new(), readiness.part("clock"));
    let clock = Clock {
        database: seed.bridge.clone(),
        lateness_minutes: LATENESS_MINUTES,
        metrics: metrics.clone(),
        part,
        wake: wake.clone(),
    };
    let clock = tokio::spawn(clock.run(shutdown.clone()));
    tokio::time::timeout(SOON, wake.notified()).await.expect("the relay is woken");
    eventually("all of them", SOON, async || {
        let text = metrics.encode(Format::Prometheus);
        let line = format!("rondo_reminders_fired_total {DUE}\n");
        if text.contains(&line) { Ok(()) } else { Err(text) }
    })
    .await;
    let text = metrics.encode(Format::Prometheus);
    let has = |line: &str| text.contains(line);
    // They had been due for a minute.
    assert!(has("rondo_reminder_lateness_seconds_bucket{le=\"30.0\"} 0\n"), "{text}");
    assert!(has(&format!("rondo_reminder_lateness_seconds_count {DUE}\n")), "{text}");
    assert!(readiness.report().is_ready());
    shutdown.cancel();
    clock.await.unwrap();
    assert_each_fired_once(&seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_for_too_long_is_missed_and_not_fired() {
    let seed = Seed::new().await;
    let (user, task) = (seed.user_id, seed.task_id);
    seed.run(&format!(
        "INSERT INTO reminders (user_id, task_id, kind, remind_at, state, armed_at, created_at)
         SELECT {user}, {task}, 'further', now() - due * interval '1 minute', 'armed',
                now() - armed * interval '1 minute', now()
         FROM (VALUES ({LATENESS_MINUTES} - 1, 100000), ({LATENESS_MINUTES} + 1, 100000), (100000, 200000),
                      -- Made after its moment, as for a task that is due soon: it fires at once.
                      (100000, 0)) AS x (due, armed)"
    ))
    .await;
    let look = || clock::fire(&seed.bridge, LATENESS_MINUTES);
    let Firing { fired, missed, lateness_s } = look().await.unwrap();
    assert_eq!((fired, missed), (2, 2));
    // The one that was made after its moment is late by what has passed since.
    let lateness_m: Vec<_> = lateness_s.iter().map(|s| (s / 60.0).floor() as i32).collect();
    assert_eq!(lateness_m, [0, LATENESS_MINUTES - 1]);
    assert_eq!(look().await.unwrap(), Firing { fired: 0, missed: 0, lateness_s: Vec::new() });
    assert_eq!(seed.text("SELECT count(*) FROM outbox").await, "2");
    let missed = "SELECT count(*) FROM notifications n JOIN reminders r ON r.id = n.reminder_id
                  WHERE n.status = 'missed' AND n.firing = 1 AND n.remind_at = r.remind_at AND r.state = 'fired'";
    assert_eq!(seed.text(missed).await, "2");
}
