-- $1 user, $2 when the token was issued, $3 hash of the invitation's token, $4 e-mail in lower case (null:
-- any), $5 lifetime in seconds
SELECT outcome, expires_at FROM invitation_create($1::int8, $2::int8, $3::text, $4::text, $5::int8)
