-- Tasks whose start has come, earliest first.
SELECT user_id, id
FROM tasks
WHERE starts_at <= clock_timestamp()
ORDER BY starts_at
LIMIT $1::bigint
