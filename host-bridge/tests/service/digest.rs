//! Digests: planned by the rules, each once however many clocks there are, and none that is too late.

use host_bridge::digest::{self, Advance};

use crate::seed::Seed;

/// How late a digest may be.
const LATENESS_MINUTES: i32 = 60;
const NOTHING: Advance = Advance { emitted: 0, is_full: false };

/// A user whose digest has still to be planned.
async fn subscribed() -> Seed {
    let seed = Seed::new().await;
    seed.run(
        "UPDATE users SET digest_at = '08:00', time_zone = 'Europe/Paris', next_digest_at = '-infinity'",
    )
    .await;
    seed
}

async fn advance(seed: &Seed) -> Advance {
    digest::advance(&seed.bridge, LATENESS_MINUTES).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_is_planned_and_comes_due_once() {
    let seed = subscribed().await;
    assert_eq!(advance(&seed).await, NOTHING);
    let planned = "SELECT next_digest_at > now() AND next_digest_at <= now() + interval '25 hours'
                   AND (next_digest_at AT TIME ZONE 'Europe/Paris')::time = '08:00' FROM users";
    assert_eq!(seed.text(planned).await, "true");
    assert_eq!(advance(&seed).await, NOTHING);

    seed.run("UPDATE users SET next_digest_at = now() - interval '59 minutes'").await;
    let (one, other) = tokio::join!(advance(&seed), advance(&seed));
    assert_eq!(one.emitted + other.emitted, 1, "{one:?} {other:?}");
    assert_eq!(seed.text(planned).await, "true");
    let event = "SELECT string_agg(event_type || ' ' || user_id || ' ' || (payload::json ->> 'day'), ',') FROM outbox";
    let day = "SELECT (now() - interval '59 minutes') AT TIME ZONE 'Europe/Paris'";
    let day = seed.text(day).await;
    let expected = format!("digest.due {} {}", seed.user_id, &day[..10]);
    assert_eq!(seed.text(event).await, expected);
    assert_eq!(advance(&seed).await, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_downtime_only_what_is_not_too_late_goes_out() {
    let seed = subscribed().await;
    seed.run("UPDATE users SET next_digest_at = now() - interval '61 minutes'").await;
    assert_eq!(advance(&seed).await, NOTHING);
    assert_eq!(seed.text("SELECT next_digest_at > now() FROM users").await, "true");
    assert_eq!(seed.text("SELECT count(*) FROM outbox").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_users_are_moved_on_in_bounded_batches() {
    let seed = subscribed().await;
    let many = 2 * digest::BATCH_MAX + 1;
    seed.run(&format!(
        "INSERT INTO users (email, email_key, digest_at, next_digest_at)
         SELECT n || '@example.org', n || '@example.org', '08:00', now() FROM generate_series(2, {many}) AS n;
         UPDATE users SET next_digest_at = now()"
    ))
    .await;
    let mut batches = Vec::new();
    loop {
        let batch = advance(&seed).await;
        batches.push(batch.emitted);
        if !batch.is_full {
            break;
        }
    }
    assert_eq!(batches, [digest::BATCH_MAX, digest::BATCH_MAX, 1]);
}
