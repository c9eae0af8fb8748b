-- A reminder and its task, for the page behind a link.
-- $1 user, $2 reminder
SELECT r.id IS NOT NULL AS is_known, r.state, r.firing::int8 AS firing, instant(r.remind_at) AS remind_at,
       t.title, t.status, t.time_zone
FROM (SELECT 1) AS one
LEFT JOIN (reminders r JOIN tasks t ON t.id = r.task_id) ON r.id = $2::int8 AND r.user_id = $1::int8
