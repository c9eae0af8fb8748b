//! Instants that are derived anew: by newer time zone data, and by another time of day for reminders of days.

use host_bridge::{derivation, start};
use rondo_domain::zone::{self, Zone};
use serde_json::Value;

use crate::seed::Seed;

/// A version before this program's.
const BEFORE: &str = "2020a";

/// Records that an earlier version was used, in which a zone had the rules of another one.
async fn use_before(seed: &Seed, changed: &str, like: &str) {
    let rules = |name: &str| Zone::all_rules().find(|(zone, _)| *zone == name).expect("a zone").1;
    let (zones, bytes): (Vec<&str>, Vec<&[u8]>) = Zone::all_rules()
        .map(|(zone, own)| (zone, if zone == changed { rules(like) } else { own }))
        .unzip();
    let record = "SELECT zone_rules_record($1, $2, $3)";
    seed.session.execute(record, &[&BEFORE, &zones, &bytes]).await.expect("the rules");
}

async fn values(seed: &Seed, event_type: &str) -> Vec<Value> {
    let query = "SELECT payload FROM outbox WHERE event_type = $1 ORDER BY id";
    let rows = seed.session.query(query, &[&event_type]).await.expect("the outbox");
    rows.iter().map(|row| serde_json::from_str(row.get(0)).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_rules_of_a_zone_keep_what_the_clock_shows() {
    let seed = Seed::new().await;
    // Morocco gave up being an hour ahead of UTC in 2026.
    use_before(&seed, "Africa/Casablanca", "Africa/Algiers").await;
    let (user, task) = (seed.user_id, seed.task_id);
    seed.run(&format!(
        "UPDATE tasks SET title = 'Market', due_at = '2061-07-01T10:00:00Z', time_zone = 'Africa/Casablanca',
                reminder_offset = 'PT1H', zone_data = '{BEFORE}' WHERE id = {task};
         INSERT INTO reminders (user_id, task_id, kind, planned_at, remind_at, state, created_at)
         VALUES ({user}, {task}, 'task', '2061-07-01T09:00:00Z', '2061-07-01T09:00:00Z', 'armed', now());
         INSERT INTO reminders (user_id, task_id, kind, before_due, planned_at, remind_at, state, created_at)
         VALUES ({user}, {task}, 'further', 'P1D', '2061-06-30T10:00:00Z', '2061-06-30T10:00:00Z', 'armed', now());
         INSERT INTO tasks (user_id, title, status, time_zone, due_at, zone_data, created_at, updated_at, revision)
         VALUES ({user}, 'Elsewhere', 'pending', 'Europe/Paris', '2061-07-01T10:00:00Z', '{BEFORE}', now(), now(), 2),
                ({user}, 'Written since', 'pending', 'Africa/Casablanca', '2061-07-01T10:00:00Z', '{}', now(), now(), 3);
         INSERT INTO tasks (user_id, title, status, time_zone, due_at, due_day, zone_data, created_at, updated_at, revision)
         VALUES ({user}, 'Day', 'pending', 'Africa/Casablanca', '2061-07-01T22:59:59.999999Z', '2061-07-01', NULL,
                 now(), now(), 4);
         INSERT INTO user_revisions (user_id, revision) VALUES ({user}, 4)",
        zone::database_version()
    ))
    .await;
    assert_eq!(derivation::by_zone_data(&seed.bridge).await.expect("derived"), 2);
    let due = |title: &str| {
        format!("SELECT instant(due_at) FROM tasks WHERE user_id = {user} AND title = '{title}'")
    };
    for (title, expected) in [
        ("Market", "2061-07-01T11:00:00Z"),
        ("Elsewhere", "2061-07-01T10:00:00Z"),
        ("Written since", "2061-07-01T10:00:00Z"),
        ("Day", "2061-07-01T23:59:59.999999Z"),
    ] {
        assert_eq!(seed.text(&due(title)).await, expected, "{title}");
    }
    let reminders = "SELECT string_agg(instant(remind_at), ' ' ORDER BY remind_at) FROM reminders";
    assert_eq!(seed.text(reminders).await, "2061-06-30T11:00:00Z 2061-07-01T10:00:00Z");
    let updated = values(&seed, "task.updated").await;
    assert_eq!(updated.len(), 2, "{updated:#?}");
    for (event, revision) in updated.iter().zip(5..) {
        assert_eq!((&event["reason"], &event["revision"]), (&"zone_data".into(), &revision.into()));
        rondo_testkit::event_schema::assert_event_valid(event);
    }
    // Once.
    seed.run("DELETE FROM outbox").await;
    assert_eq!(derivation::by_zone_data(&seed.bridge).await.expect("derived"), 0);
    let record = format!("DELETE FROM zone_rules WHERE version = '{}'", zone::database_version());
    seed.run(&record).await;
    assert_eq!(derivation::by_zone_data(&seed.bridge).await.expect("derived"), 0);
    assert_eq!(seed.text("SELECT count(*) FROM outbox").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_version_is_only_recorded() {
    let seed = Seed::new().await;
    assert_eq!(derivation::by_zone_data(&seed.bridge).await.expect("recorded"), 0);
    let recorded = "SELECT min(version) || ' ' || (count(*) > 400) FROM zone_rules";
    assert_eq!(seed.text(recorded).await, format!("{} true", zone::database_version()));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_time_of_day_moves_the_reminders_of_days() {
    let seed = Seed::new().await;
    let (user, task) = (seed.user_id, seed.task_id);
    seed.run(&format!(
        "UPDATE tasks SET due_at = '2061-07-01T23:59:59.999999Z', due_day = '2061-07-01', reminder_offset = 'PT0S'
         WHERE id = {task};
         INSERT INTO reminders (user_id, task_id, kind, planned_at, remind_at, state, created_at)
         VALUES ({user}, {task}, 'task', '2061-07-01T09:00:00Z', '2061-07-01T09:00:00Z', 'armed', now());
         INSERT INTO user_revisions (user_id, revision) VALUES ({user}, 1);
         SELECT account_change({user}, '{{\"day_reminder_time\": \"07:30\"}}')"
    ))
    .await;
    assert_eq!(derivation::by_day_time(&seed.bridge).await.expect("derived"), 1);
    assert_eq!(seed.text("SELECT instant(remind_at) FROM reminders").await, "2061-07-01T07:30:00Z");
    assert_eq!(values(&seed, "reminder.scheduled").await.len(), 1);
    assert_eq!(values(&seed, "task.updated").await.len(), 0);
    assert_eq!(derivation::by_day_time(&seed.bridge).await.expect("nothing"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_told_once_however_many_clocks_there_are() {
    let seed = Seed::new().await;
    let task = seed.task_id;
    // As if its start had been set before it came.
    seed.run(&format!(
        "UPDATE tasks SET start_at = now() + interval '1 hour' WHERE id = {task};
         UPDATE tasks SET starts_at = now() - interval '1 minute' WHERE id = {task};
         INSERT INTO user_revisions (user_id, revision) VALUES ({}, 1)",
        seed.user_id
    ))
    .await;
    let (one, other) = tokio::join!(start::advance(&seed.bridge), start::advance(&seed.bridge));
    assert_eq!(one.expect("a poll").emitted + other.expect("a poll").emitted, 1);
    assert_eq!(start::advance(&seed.bridge).await.expect("a poll").emitted, 0);
    let started = values(&seed, "task.started").await;
    assert_eq!((started.len(), &started[0]["revision"]), (1, &2.into()));
    rondo_testkit::event_schema::assert_event_valid(&started[0]);
    assert_eq!(seed.text("SELECT revision FROM user_revisions").await, "2");
}
