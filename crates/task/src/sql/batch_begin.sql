-- $1 user, $2 method and path, $3 idempotency key, $4 hash of the body
SELECT outcome, answer
FROM batch_begin($1::int8, $2::text, $3::text, $4::text)
