-- $1 user, $2 when the token was issued, $3 webhook, $4 delivery
SELECT outcome, answer FROM webhook_redeliver($1::int8, $2::int8, $3::int8, $4::int8)
