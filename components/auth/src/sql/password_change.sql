-- $1 user, $2 when the token was issued, $3 password hash that was verified, $4 hash of the new password, $5
-- hash of the refresh token, $6 its lifetime in seconds, $7 notice
SELECT outcome, valid_from_s
FROM password_change($1::int8, $2::int8, $3::text, $4::text, $5::text, $6::int8, $7::text::jsonb)
