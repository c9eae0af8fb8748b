-- What a user's tasks are read by.
-- $1 user
SELECT u.time_zone, to_char(u.day_reminder_time, 'HH24:MI') AS day_reminder_time
FROM (SELECT 1) AS one LEFT JOIN users u ON u.id = $1::int8
