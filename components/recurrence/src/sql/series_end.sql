-- $1 user, $2 predecessor, $3 series, $4 traceparent
SELECT outcome FROM series_end($1::int8, $2::int8, $3::int8, $4::text)
