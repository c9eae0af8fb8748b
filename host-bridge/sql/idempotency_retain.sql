SELECT idempotency_retain($1::integer)
