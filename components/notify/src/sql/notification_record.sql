-- $1 reminder, $2 firing, $3 mail, $4 traceparent
SELECT outcome FROM notification_record($1::int8, $2::int8, 'email', $3::text::jsonb, $4::text)
