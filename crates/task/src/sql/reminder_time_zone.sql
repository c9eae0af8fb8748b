-- The time zone of a reminder's task.
-- $1 user, $2 reminder
SELECT (SELECT t.time_zone
        FROM reminders r JOIN tasks t ON t.id = r.task_id
        WHERE r.id = $2::int8 AND r.user_id = $1::int8) AS time_zone
