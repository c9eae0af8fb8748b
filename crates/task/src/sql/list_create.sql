-- $1 user, $2 list, $3 maximum number of lists of a user, $4 method and path, $5 idempotency key, $6 hash of
-- the body, $7 traceparent
SELECT outcome, revision, answer
FROM list_create($1::int8, $2::text::jsonb, $3::int8, $4::text, $5::text, $6::text, $7::text)
