SELECT key, pg_try_advisory_lock(key) FROM unnest($1::bigint[]) AS x (key)
