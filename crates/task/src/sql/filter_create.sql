-- $1 user, $2 filter, $3 maximum number of filters of a user, $4 method and path, $5 idempotency key, $6 hash of
-- the body
SELECT outcome, answer
FROM filter_create($1::int8, $2::text::jsonb, $3::int8, $4::text, $5::text, $6::text)
