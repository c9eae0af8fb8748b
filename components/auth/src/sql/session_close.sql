-- $1 hash of the refresh token
SELECT outcome FROM session_close($1::text)
