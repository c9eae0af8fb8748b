-- What a login needs.
-- $1 e-mail in lower case
SELECT u.id, u.password_hash, array_to_string(u.granted_scopes, ' ') AS granted_scopes,
       account_json(u)::text AS answer
FROM users u WHERE u.email_key = $1::text
