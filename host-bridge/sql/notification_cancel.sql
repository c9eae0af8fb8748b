SELECT notification_cancel($1::bigint, $2::boolean)
