-- Records events, each once. Ordered by event id, so that two batches with the same events cannot deadlock.
-- $1 event ids, $2 types, $3 users, $4 tasks (null: none), $5 times, $6 topics, $7 values
INSERT INTO audit_logs (event_id, action_type, user_id, task_id, occurred_at, topic, payload)
SELECT e.event_id::uuid, e.action_type, e.user_id::int8, e.task_id::int8,
       e.occurred_at::timestamptz, e.topic, e.payload::jsonb
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
     AS e (event_id, action_type, user_id, task_id, occurred_at, topic, payload)
ORDER BY e.event_id::uuid
ON CONFLICT ON CONSTRAINT audit_logs_event_once DO NOTHING
