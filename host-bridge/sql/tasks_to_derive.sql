-- Open tasks in some zones whose instants were derived by another version of the time zone data, by id.
-- $1 id before the first, $2 zones, $3 the version, $4 maximum number
SELECT t.id, t.user_id, t.revision, t.representation, t.zone_data, u.day_reminder_time,
       ARRAY(SELECT DISTINCT r.before_due FROM reminders r WHERE r.task_id = t.id AND r.before_due IS NOT NULL) AS further
FROM tasks t JOIN users u ON u.id = t.user_id
WHERE t.id > $1::bigint AND t.time_zone = ANY ($2::text[]) AND t.status <> 'completed'
  AND t.zone_data IS DISTINCT FROM $3::text AND (t.due_at IS NOT NULL OR t.start_at IS NOT NULL)
ORDER BY t.id
LIMIT $4::bigint
