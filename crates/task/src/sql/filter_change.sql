-- $1 user, $2 filter, $3 expected version, $4 members
SELECT outcome, version, answer
FROM filter_change($1::int8, $2::int8, $3::int8, $4::text::jsonb)
