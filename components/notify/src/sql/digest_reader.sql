-- A user who wants a digest.
-- $1 user
SELECT u.id IS NOT NULL AS is_known, u.name, u.time_zone, u.notify_email,
       u.email_verified_at IS NOT NULL AS email_verified
FROM (SELECT 1) AS one LEFT JOIN users u ON u.id = $1::int8 AND u.digest_at IS NOT NULL
