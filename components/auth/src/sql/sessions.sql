-- $1 user, $2 lifetime of a refresh token in seconds
SELECT answer FROM sessions_json($1::int8, $2::int8)
