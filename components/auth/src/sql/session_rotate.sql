-- $1 hash of the used refresh token, $2 hash of the next, $3 its lifetime in seconds
SELECT outcome, user_id, valid_from_s FROM session_rotate($1::text, $2::text, $3::int8)
