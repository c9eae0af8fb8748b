-- All filters of a user as rows: query and JSON, both null if there are none.
-- $1 user
SELECT f.query, CASE WHEN f.id IS NOT NULL THEN filter_json(f)::text END AS answer
FROM (SELECT 1) AS one LEFT JOIN filters f ON f.user_id = $1::int8
ORDER BY f.id
