-- $1 user, $2 reminder, $3 traceparent
SELECT outcome
FROM reminder_remove($1::int8, $2::int8, $3::text)
