-- $1 user
SELECT u.time_zone FROM users u WHERE u.id = $1::int8
