-- $1 user, $2 webhook, $3 delivery
SELECT answer FROM webhook_redeliver($1::int8, $2::int8, $3::int8)
