-- A task to change, the offsets of its further reminders, its user's settings, and the kept answer of the
-- idempotency key, if any.
-- $1 user, $2 task, $3 method and path, $4 idempotency key, $5 hash of the body
SELECT k.outcome AS kept_outcome, k.answer AS kept_answer, t.revision,
       t.representation AS answer,
       (SELECT coalesce(json_agg(DISTINCT r.before_due) FILTER (WHERE r.before_due IS NOT NULL), '[]')::text
        FROM reminders r WHERE r.task_id = t.id) AS further,
       u.time_zone, to_char(u.day_reminder_time, 'HH24:MI') AS day_reminder_time
FROM (SELECT 1) AS one
LEFT JOIN kept_answer($1::int8, $3::text, $4::text, $5::text) k ON true
LEFT JOIN users u ON u.id = $1::int8
LEFT JOIN tasks t ON t.id = $2::int8 AND t.user_id = $1::int8
