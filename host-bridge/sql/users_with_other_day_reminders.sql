-- Users whose reminders of days still count from an earlier time.
-- $1 maximum number
SELECT id, day_reminder_time FROM users WHERE day_reminders_differ ORDER BY id LIMIT $1::bigint
