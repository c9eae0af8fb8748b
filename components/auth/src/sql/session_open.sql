-- $1 user, $2 hash of the refresh token, $3 its lifetime in seconds
SELECT outcome FROM session_open($1::int8, $2::text, $3::int8)
