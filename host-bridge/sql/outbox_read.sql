SELECT id, event_id::text AS event_id, event_type, user_id::text AS key, task_id, instant(occurred_at) AS time,
       traceparent, payload
FROM outbox
WHERE shard = ANY ($1::smallint[]) AND id <> ALL ($2::bigint[])
ORDER BY id
LIMIT $3
