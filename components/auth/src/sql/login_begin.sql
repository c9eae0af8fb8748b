-- $1 e-mail in lower case, $2 address of the client, $3 limits
SELECT retry_after_s, user_id, password_hash, granted_scopes, answer
FROM login_begin($1::text, $2::text, $3::text::jsonb)
