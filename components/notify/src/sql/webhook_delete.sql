-- $1 user, $2 webhook
SELECT outcome FROM webhook_delete($1::int8, $2::int8)
