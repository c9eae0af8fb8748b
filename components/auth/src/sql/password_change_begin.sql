-- $1 user, $2 when the token was issued, $3 address of the client, $4 limits
SELECT outcome, retry_after_s, password_hash, email, name
FROM password_change_begin($1::int8, $2::int8, $3::text, $4::text::jsonb)
