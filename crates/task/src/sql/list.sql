-- $1 user, $2 list
SELECT l.id IS NOT NULL AS is_known, l.revision, list_json(l) AS answer
FROM (SELECT 1) AS one LEFT JOIN lists l ON l.id = $2::int8 AND l.user_id = $1::int8
