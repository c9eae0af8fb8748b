-- $1 user, $2 ids, present and new positions, $3 traceparent
SELECT outcome
FROM list_spread($1::int8, $2::text::jsonb, $3::text)
