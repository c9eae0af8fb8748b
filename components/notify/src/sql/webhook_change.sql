-- $1 user, $2 when the token was issued, $3 webhook, $4 URL, $5 event types, $6 whether it is enabled (null:
-- unchanged), $7 notice of a new URL
SELECT outcome, answer
FROM webhook_change($1::int8, $2::int8, $3::int8, $4::text, $5::text[], $6::bool, $7::text::jsonb)
