-- A user who wants a digest.
-- $1 user
SELECT name, time_zone, notify_email, email_verified_at IS NOT NULL AS email_verified
FROM users
WHERE id = $1::int8 AND digest_at IS NOT NULL
