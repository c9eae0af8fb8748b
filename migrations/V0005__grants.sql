-- Who may read what, and call which function. Nobody but the functions' owner writes a shared table.

SET LOCAL ROLE rondo_owner;

GRANT SELECT ON tasks, task_search, tags, reminders, deletions, deletion_horizons, user_revisions, idempotency_keys, series,
    occurrences
    TO rondo_task_api;
GRANT SELECT (id, time_zone) ON users TO rondo_task_api;
GRANT EXECUTE ON FUNCTION instant, priority_rank, task_matches, search_key, reminder_json, kept_answer,
    task_create, task_change, task_delete, task_skip, reminder_add, reminder_snooze, reminder_remove, tag_change
    TO rondo_task_api;

GRANT SELECT ON tasks, series, occurrences TO rondo_recurrence;
GRANT SELECT (id, time_zone) ON users TO rondo_recurrence;
GRANT EXECUTE ON FUNCTION instant, occurrence_create, series_end TO rondo_recurrence;

GRANT SELECT ON tasks, reminders, notifications TO rondo_notify;
GRANT SELECT (id, name, time_zone, notify_email, email_verified_at) ON users TO rondo_notify;
GRANT EXECUTE ON FUNCTION instant, notification_record TO rondo_notify;

-- Appends and reads; only the retention function deletes.
GRANT SELECT, INSERT ON audit_logs TO rondo_audit;
GRANT EXECUTE ON FUNCTION instant TO rondo_audit;

GRANT SELECT ON users TO rondo_auth;
GRANT EXECUTE ON FUNCTION account_json, registration_begin, account_register, account_change, session_open, session_rotate, session_close
    TO rondo_auth;

GRANT SELECT ON outbox, dead_letters, transport, reminders, notifications, tasks TO rondo_bridge;
GRANT EXECUTE ON FUNCTION instant, outbox_remove, reminders_fire, notifications_claim, notification_settle,
    dead_letter_record, dead_letter_move, transport_set,
    audit_retain, deletions_retain, idempotency_retain, refresh_tokens_retain
    TO rondo_bridge;

GRANT SELECT ON tasks, deletions, deletion_horizons, user_revisions TO rondo_sync;

RESET ROLE;
