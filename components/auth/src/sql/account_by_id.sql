-- $1 user
SELECT u.id IS NOT NULL AS is_known, array_to_string(u.granted_scopes, ' ') AS granted_scopes,
       account_json(u)::text AS answer
FROM (SELECT 1) AS one LEFT JOIN users u ON u.id = $1::int8
