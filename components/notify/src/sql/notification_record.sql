-- $1 reminder, $2 firing, $3 status, $4 subject, $5 text, $6 HTML, $7 traceparent
SELECT outcome
FROM notification_record($1::int8, $2::int8, 'email', $3::text, $4::text, $5::text, $6::text, $7::text)
