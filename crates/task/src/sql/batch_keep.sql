-- $1 user, $2 method and path, $3 idempotency key, $4 hash of the body, $5 answer
SELECT batch_keep($1::int8, $2::text, $3::text, $4::text, $5::text)::text AS kept
