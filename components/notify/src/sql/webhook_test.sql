-- $1 user, $2 when the token was issued, $3 webhook, $4 type, $5 traceparent
SELECT outcome, answer FROM webhook_test($1::int8, $2::int8, $3::int8, $4::text, $5::text)
