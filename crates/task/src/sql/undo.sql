-- $1 user, $2 parts of the token, $3 for how many minutes a change can be undone, $4 method and path, $5 idempotency
-- key, $6 hash of the body, $7 traceparent
SELECT outcome, change, answer
FROM changes_undo($1::int8, $2::text::jsonb, $3::int8, $4::text, $5::text, $6::text, $7::text)
