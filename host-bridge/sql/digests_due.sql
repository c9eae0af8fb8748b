-- Users whose next digest is due, or not planned yet.
SELECT id, digest_at, time_zone, CASE WHEN isfinite(next_digest_at) THEN next_digest_at END AS due,
       clock_timestamp() AS now
FROM users
WHERE next_digest_at <= clock_timestamp()
ORDER BY next_digest_at
LIMIT $1::bigint
