-- $1 user, $2 when the token was issued, $3 URL, $4 types of events, $5 secret, $6 most webhooks of a user,
-- $7 mail about it
SELECT outcome, answer
FROM webhook_create($1::int8, $2::int8, $3::text, $4::text[], $5::text, $6::int8, $7::text::jsonb)
