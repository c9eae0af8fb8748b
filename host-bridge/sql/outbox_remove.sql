SELECT outbox_remove($1::bigint[])
