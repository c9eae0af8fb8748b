-- $1 user
SELECT array_to_string(u.granted_scopes, ' ') AS granted_scopes, account_json(u)::text AS answer
FROM users u WHERE u.id = $1::int8
