//! Retention: what is older than it is kept for goes, and nothing else.

use host_bridge::retention;

use crate::seed::Seed;

/// Two of each kind: one that is just too old, and one that is not.
async fn aged(seed: &Seed) {
    let user = seed.user_id;
    seed.run(&format!(
        "INSERT INTO audit_logs (event_id, action_type, occurred_at, recorded_at, topic, payload)
         SELECT gen_random_uuid(), 'task.created', now(), now() - age * interval '1 hour', 'task-events', '{{}}'
         FROM unnest(ARRAY[90 * 24 + 1, 90 * 24 - 1, 30 * 24 + 1, 30 * 24 - 1]) AS age;
         INSERT INTO deletions (user_id, revision, task_id, deleted_at)
         VALUES ({user}, 3, 1, now() - interval '91 days'), ({user}, 5, 2, now() - interval '2161 hours'),
                ({user}, 7, 3, now() - interval '2159 hours'), ({user} + 1, 9, 4, now() - interval '91 days');
         INSERT INTO idempotency_keys (user_id, request, key, body_hash, status, created_at)
         VALUES ({user}, 'POST /tasks', 'old', 'x', 201, now() - interval '25 hours'),
                ({user}, 'POST /tasks', 'fresh', 'x', 201, now() - interval '23 hours');
         INSERT INTO refresh_tokens (token_hash, family, user_id, expires_at)
         VALUES ('expired', gen_random_uuid(), {user}, now() - interval '1 minute'),
                ('valid', gen_random_uuid(), {user}, now() + interval '1 minute');
         INSERT INTO trash (task_id, user_id, revision, deleted_at, representation, snapshot)
         VALUES (1, {user}, 3, now() - interval '721 hours', '{{}}', '{{}}'),
                (2, {user}, 5, now() - interval '719 hours', '{{}}', '{{}}');
         INSERT INTO undo_steps (user_id, change, revision, task_id, removed, changed_at)
         VALUES ({user}, 3, 3, 1, true, now() - interval '61 minutes'),
                ({user}, 5, 5, 2, true, now() - interval '59 minutes')"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_and_the_rest_stays() {
    let seed = Seed::new().await;
    aged(&seed).await;
    retention::sweep(&seed.bridge, 90).await.unwrap();
    for (query, kept) in [
        ("SELECT count(*) FROM audit_logs", "3"),
        ("SELECT string_agg(revision::text, ',') FROM deletions", "7"),
        ("SELECT string_agg(key, ',') FROM idempotency_keys", "fresh"),
        ("SELECT string_agg(token_hash, ',') FROM refresh_tokens", "valid"),
        ("SELECT string_agg(task_id::text, ',') FROM trash", "2"),
        ("SELECT string_agg(task_id::text, ',') FROM undo_steps", "2"),
        // An older cursor is refused instead of being continued with a gap.
        ("SELECT string_agg(revision::text, ',' ORDER BY revision) FROM deletion_horizons", "5,9"),
    ] {
        assert_eq!(seed.text(query).await, kept, "{query}");
    }
    // Once more finds nothing to do.
    retention::sweep(&seed.bridge, 90).await.unwrap();
    assert_eq!(seed.text("SELECT count(*) FROM audit_logs").await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_entries_are_kept_as_long_as_the_setting_says() {
    let seed = Seed::new().await;
    aged(&seed).await;
    retention::sweep(&seed.bridge, 30).await.unwrap();
    assert_eq!(seed.text("SELECT count(*) FROM audit_logs").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_step_of_audit_entries_goes() {
    const MANY: usize = 12_000;
    let seed = Seed::new().await;
    seed.run(&format!(
        "INSERT INTO audit_logs (event_id, action_type, occurred_at, recorded_at, topic, payload)
         SELECT gen_random_uuid(), 'task.created', now(), now() - interval '91 days', 'task-events', '{{}}'
         FROM generate_series(1, {MANY})"
    ))
    .await;
    retention::sweep(&seed.bridge, 90).await.unwrap();
    assert_eq!(seed.text("SELECT count(*) FROM audit_logs").await, "0");
}
