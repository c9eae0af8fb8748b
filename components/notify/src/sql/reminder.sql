-- The current state of a reminder, its task and its user.
-- $1 user, $2 reminder
SELECT r.id IS NOT NULL AS is_known,
       r.state, r.planned_at IS NOT NULL AS planned, r.firing::int8 AS firing, instant(r.remind_at) AS remind_at, t.id AS task_id, t.revision,
       t.title, t.description, t.status, instant(t.due_at) AS due_at,
       to_char(t.due_day, 'YYYY-MM-DD') AS due_day,
       u.name, u.time_zone, u.notify_email, u.email_verified_at IS NOT NULL AS email_verified
FROM (SELECT 1) AS one
LEFT JOIN (reminders r
           JOIN tasks t ON t.id = r.task_id
           JOIN users u ON u.id = r.user_id) ON r.id = $2::int8 AND r.user_id = $1::int8
