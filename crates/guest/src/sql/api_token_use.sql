-- $1 hash of the token
SELECT t.user_id IS NOT NULL AS is_known, t.user_id, t.scope
FROM (SELECT 1) AS one LEFT JOIN api_token_use($1::text) t ON true
