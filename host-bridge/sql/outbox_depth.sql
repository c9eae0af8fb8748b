SELECT count(*) AS depth,
       coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)) * 1000, 0)::bigint AS age_ms
FROM (SELECT occurred_at FROM outbox ORDER BY id LIMIT 100000) AS waiting
