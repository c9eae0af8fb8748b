-- Open tasks of a user that are due on a day, by id.
-- $1 user, $2 id before the first, $3 maximum number
SELECT t.id, t.user_id, t.revision, t.representation, t.zone_data, u.day_reminder_time,
       ARRAY(SELECT DISTINCT r.before_due FROM reminders r WHERE r.task_id = t.id AND r.before_due IS NOT NULL) AS further
FROM tasks t JOIN users u ON u.id = t.user_id
WHERE t.user_id = $1::bigint AND t.id > $2::bigint AND t.due_day IS NOT NULL AND t.status <> 'completed'
ORDER BY t.id
LIMIT $3::bigint
