-- $1 user, $2 reminder, $3 moment, $4 traceparent
SELECT outcome, answer
FROM reminder_snooze($1::int8, $2::int8, $3::text, $4::text)
