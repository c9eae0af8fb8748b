-- $1 user, $2 task, $3 expected revision, $4 the moved task, $5 skipped slots, $6 method and path, $7
-- idempotency key, $8 hash of the body, $9 traceparent
SELECT outcome, revision, answer
FROM task_skip($1::int8, $2::int8, $3::int8, $4::text::jsonb, $5::text::jsonb, $6::text, $7::text, $8::text,
               $9::text)
