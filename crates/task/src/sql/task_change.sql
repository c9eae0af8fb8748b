-- $1 user, $2 task, $3 expected revision, $4 event, $5 the changed task, $6 keep, start, leave or rewrite the
-- series, $7 method and path, $8 idempotency key, $9 hash of the body, $10 traceparent
SELECT outcome, revision, answer
FROM task_change($1::int8, $2::int8, $3::int8, $4::text, $5::text::jsonb, $6::text, $7::text, $8::text,
                 $9::text, $10::text)
