-- $1 hash of the token, $2 hash of the new password, $3 notice
SELECT outcome FROM password_reset($1::text, $2::text, $3::text::jsonb)
