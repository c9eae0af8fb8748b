-- $1 user, $2 day, $3 mail, $4 ids of the missed reminders that it lists, $5 traceparent
SELECT outcome FROM digest_record($1::int8, $2::text, $3::text::jsonb, $4::text::jsonb, $5::text)
