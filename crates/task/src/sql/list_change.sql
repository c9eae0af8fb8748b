-- $1 user, $2 list, $3 expected revision, $4 the changed list, $5 traceparent
SELECT outcome, revision, answer
FROM list_change($1::int8, $2::int8, $3::int8, $4::text::jsonb, $5::text)
