-- $1 user
SELECT (SELECT u.time_zone FROM users u WHERE u.id = $1::int8) AS time_zone
