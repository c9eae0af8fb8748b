-- $1 user, $2 predecessor, $3 series, $4 the successors, $5 skipped slots, $6 traceparent
SELECT outcome, made
FROM occurrence_create($1::int8, $2::int8, $3::int8, $4::text::jsonb, $5::text::jsonb, $6::text)
