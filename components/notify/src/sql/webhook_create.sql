-- $1 user, $2 when the token was issued, $3 URL, $4 event types, $5 secret, $6 maximum number of a user's
-- webhooks, $7 notice
SELECT outcome, answer
FROM webhook_create($1::int8, $2::int8, $3::text, $4::text[], $5::text, $6::int8, $7::text::jsonb)
