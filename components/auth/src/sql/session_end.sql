-- $1 user, $2 session
SELECT outcome FROM session_end($1::int8, $2::text)
