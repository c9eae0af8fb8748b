-- $1 user, $2 webhook (null: all)
SELECT answer FROM webhooks_of($1::int8, $2::int8)
