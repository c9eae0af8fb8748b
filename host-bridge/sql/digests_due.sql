-- Users whose next digest is due, or has still to be planned.
SELECT id, to_char(digest_at, 'HH24:MI') AS digest_at, time_zone,
       CASE WHEN isfinite(next_digest_at) THEN instant(next_digest_at) END AS due,
       instant(clock_timestamp()) AS now
FROM users
WHERE next_digest_at <= clock_timestamp()
ORDER BY next_digest_at
LIMIT $1::bigint
