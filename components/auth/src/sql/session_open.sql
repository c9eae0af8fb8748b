-- $1 user, $2 password hash that was verified, $3 hash of the refresh token, $4 its lifetime in seconds
SELECT outcome, valid_from_s FROM session_open($1::int8, $2::text, $3::text, $4::int8)
