-- $1 user, $2 task, $3 method and path, $4 idempotency key, $5 hash of the body, $6 traceparent
SELECT outcome, revision, answer
FROM task_restore($1::int8, $2::int8, $3::text, $4::text, $5::text, $6::text)
