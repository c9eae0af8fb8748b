-- $1 user, $2 when the token was issued, $3 webhook, $4 new secret, $5 how long the previous secret also
-- signs, in seconds
SELECT outcome, answer FROM webhook_secret_renew($1::int8, $2::int8, $3::int8, $4::text, $5::int8)
