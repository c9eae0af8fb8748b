-- $1 user, $2 task
SELECT t.id IS NOT NULL AS is_known, t.revision, t.representation AS answer
FROM (SELECT 1) AS one LEFT JOIN tasks t ON t.id = $2::int8 AND t.user_id = $1::int8
